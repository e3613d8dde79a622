"""One place where foreign failures become this package's errors."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import aiohttp
import anyio
from google.genai import errors as genai_errors

from llama_index_gemini_mm.errors import ApiError, AuthError, InvalidRequest, QuotaExhausted

RETRYABLE = frozenset({408, 429, 500, 502, 503, 504})
_MAX_MESSAGE = 300
_KEY_HELP = "get a key at https://aistudio.google.com/apikey and set GOOGLE_API_KEY, or pass api_key="
_MODEL_HELP = "check model_name= and whether your project may use it"


def _httpx_errors() -> tuple[type[Exception], ...]:
    """Transport errors of the HTTP library the SDK brings: httpx for google-genai 2, httpx2 for 3."""
    found: list[type[Exception]] = []
    for name in ("httpx", "httpx2"):
        try:
            found.append(__import__(name).TransportError)
        except ImportError:
            continue
    return tuple(found)


TRANSPORT_ERRORS: tuple[type[Exception], ...] = (
    aiohttp.ClientError,
    TimeoutError,
    ConnectionError,
    json.JSONDecodeError,
    anyio.EndOfStream,
    *_httpx_errors(),
)
"""The connection failed, hung past the timeout, or broke off within the answer."""


def from_transport(error: Exception) -> ApiError:
    """A failure of the connection; always worth another try."""
    return ApiError(0, type(error).__name__, "no complete answer from the service", retryable=True)


def from_sdk(error: genai_errors.APIError) -> ApiError:
    """An answer that says no, by its code and details and never by its text."""
    code, status = int(error.code or 0), error.status or ""
    message = _short(error.message or "")
    if code in (401, 403) or _has_reason(error, "API_KEY_INVALID"):
        return AuthError(code, status, f"{message} ({_KEY_HELP})")
    if code == 429 and (quota := _daily_quota(error)):
        return QuotaExhausted(code, status, f"daily quota of {quota} requests used up", resets_at=next_reset())
    if code == 404:
        return ApiError(code, status, f"{message} ({_MODEL_HELP})")
    if code in RETRYABLE:
        return ApiError(code, status, message, retryable=True)
    if 400 <= code < 500:
        return InvalidRequest(code, status, message)
    return ApiError(code, status, message)


def retry_delay(error: genai_errors.APIError) -> float | None:
    """Seconds the service asks to wait, if it says so."""
    for detail in _details(error):
        delay = detail.get("retryDelay")
        if isinstance(delay, str) and delay.endswith("s"):
            return float(delay[:-1])
    return None


def next_reset(now: datetime | None = None) -> str:
    """When the daily quota starts anew: the next midnight in California, as ISO 8601."""
    pacific = ZoneInfo("America/Los_Angeles")
    today = (now or datetime.now(pacific)).astimezone(pacific)
    midnight = (today + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight.isoformat()


def _details(error: genai_errors.APIError) -> list[dict[str, Any]]:
    body = error.details if isinstance(error.details, dict) else {}
    inner = body.get("error", body)
    details = inner.get("details", []) if isinstance(inner, dict) else []
    return [d for d in details if isinstance(d, dict)]


def _has_reason(error: genai_errors.APIError, reason: str) -> bool:
    return any(detail.get("reason") == reason for detail in _details(error))


def _daily_quota(error: genai_errors.APIError) -> str | None:
    violations = [v for detail in _details(error) for v in detail.get("violations", [])]
    return next((v.get("quotaValue", "?") for v in violations if "PerDay" in v.get("quotaId", "")), None)


def _short(message: str) -> str:
    line = " ".join(message.split())
    return line if len(line) <= _MAX_MESSAGE else line[:_MAX_MESSAGE] + "…"
