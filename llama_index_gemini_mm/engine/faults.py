"""One place where foreign failures become this package's errors, and what they say about waiting."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import aiohttp
from google.genai import errors as genai_errors

from llama_index_gemini_mm.errors import ApiError, AuthError, InvalidRequest, QuotaExhausted

RETRYABLE = frozenset({408, 429, 500, 502, 503, 504})
_TOO_MANY = 429
_TOO_LARGE = 413
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
    *_httpx_errors(),
)
"""The connection failed, hung past the timeout, or broke off within the answer."""


@dataclass(frozen=True)
class Advice:
    """What a refusal says about going on.

    ``load`` says that the server suffers, or that a quota is used up. ``wait`` is in seconds where the server names it,
    ``quotas`` are per-minute limits by their id.
    """

    load: bool = False
    quota: bool = False
    wait: float | None = None
    quotas: tuple[tuple[str, float], ...] = ()


def from_transport(error: Exception) -> ApiError:
    """A failure of the connection; always worth another try."""
    return ApiError(0, type(error).__name__, "no complete answer from the service", retryable=True)


def from_sdk(error: genai_errors.APIError) -> ApiError:
    """An answer that says no, by its code and details and never by its text."""
    code, status = int(error.code or 0), error.status or ""
    message = _short(error.message or "")
    if code in (401, 403) or _has_reason(error, "API_KEY_INVALID"):
        return AuthError(code, status, f"{message} ({_KEY_HELP})")
    if code == _TOO_MANY and (quota := _daily_quota(error)):
        return QuotaExhausted(code, status, f"daily quota of {quota} requests used up", resets_at=next_reset())
    if code == 404:
        return ApiError(code, status, f"{message} ({_MODEL_HELP})")
    if code in RETRYABLE:
        return ApiError(code, status, message, retryable=True)
    if code in (400, _TOO_LARGE):
        return InvalidRequest(code, status, message)
    return ApiError(code, status, message)


@contextmanager
def translated() -> Iterator[None]:
    """Turn the failures of the SDK and of its HTTP library into this package's errors."""
    try:
        yield
    except genai_errors.APIError as error:
        raise from_sdk(error) from error
    except TRANSPORT_ERRORS as error:
        raise from_transport(error) from error


def advice(error: BaseException | None) -> Advice:
    """What the failure behind ``error`` says about going on."""
    cause = error.__cause__ if error else None
    if isinstance(cause, TimeoutError):
        return Advice(load=True)
    if not isinstance(cause, genai_errors.APIError):
        return Advice()
    quota = cause.code == _TOO_MANY
    return Advice(quota or cause.code in (503, 504), quota, _retry_delay(cause), _minute_quotas(cause))


def next_reset(now: datetime | None = None) -> str:
    """When the daily quota starts anew: the next midnight in California, as ISO 8601."""
    pacific = ZoneInfo("America/Los_Angeles")
    today = (now or datetime.now(pacific)).astimezone(pacific)
    midnight = (today + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight.isoformat()


def _retry_delay(error: genai_errors.APIError) -> float | None:
    for detail in _details(error):
        delay = detail.get("retryDelay")
        if isinstance(delay, str) and delay.endswith("s"):
            return float(delay[:-1])
    return None


def _details(error: genai_errors.APIError) -> list[dict[str, Any]]:
    body = error.details if isinstance(error.details, dict) else {}
    inner = body.get("error", body)
    details = inner.get("details", []) if isinstance(inner, dict) else []
    return [d for d in details if isinstance(d, dict)]


def _violations(error: genai_errors.APIError) -> list[dict[str, Any]]:
    return [violation for detail in _details(error) for violation in detail.get("violations", [])]


def _has_reason(error: genai_errors.APIError, reason: str) -> bool:
    return any(detail.get("reason") == reason for detail in _details(error))


def _daily_quota(error: genai_errors.APIError) -> str | None:
    """The daily limit; its refusal names a short delay too, which does not help."""
    return next((v.get("quotaValue", "?") for v in _violations(error) if "PerDay" in v.get("quotaId", "")), None)


def _minute_quotas(error: genai_errors.APIError) -> tuple[tuple[str, float], ...]:
    named = [(v.get("quotaId", ""), v.get("quotaValue", "")) for v in _violations(error)]
    return tuple((name, float(value)) for name, value in named if "PerMinute" in name and value.isdigit())


def _short(message: str) -> str:
    line = " ".join(message.split())
    return line if len(line) <= _MAX_MESSAGE else line[:_MAX_MESSAGE] + "…"
