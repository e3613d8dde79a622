"""What the service answers when it does not answer 200: Google's error envelope and its documented bodies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

JsonObject = dict[str, Any]

STATUS_NAMES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    408: "DEADLINE_EXCEEDED",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_MESSAGES = {
    401: "Request had invalid authentication credentials.",
    403: "The caller does not have permission.",
    408: "The request timed out.",
    429: "Resource has been exhausted (e.g. check quota).",
    500: "An internal error has occurred. Please retry.",
    503: "The model is overloaded. Please try again later.",
    504: "The service could not finish in time.",
}
_RATE_LIMITS = "https://ai.google.dev/gemini-api/docs/rate-limits"


class Refusal(Exception):
    """An answer with an error body; raised anywhere while a request is served.

    Args:
        code: HTTP status.
        message: free text; clients must not match on it.
        status: Google's name of the error; by default the one that belongs to ``code``.
        details: typed details (``google.rpc.*``), each with an ``@type``.
    """

    def __init__(
        self, code: int, message: str = "", *, status: str | None = None, details: Sequence[JsonObject] = ()
    ) -> None:
        self.code = code
        self.status = status or STATUS_NAMES.get(code, "UNKNOWN")
        self.message = message or _MESSAGES.get(code, self.status)
        self.details = list(details)
        super().__init__(f"{code} {self.status}: {self.message}")

    def body(self) -> JsonObject:
        """The JSON envelope; ``details`` stands in it only if there are any, as on the wire."""
        error: JsonObject = {"code": self.code, "message": self.message, "status": self.status}
        if self.details:
            error["details"] = self.details
        return {"error": error}


def invalid(message: str) -> Refusal:
    """400 ``INVALID_ARGUMENT``."""
    return Refusal(400, message)


def bad_key() -> Refusal:
    """The answer to a missing or wrong API key, which is 400 and not 401."""
    message = "API key not valid. Please pass a valid API key."
    return Refusal(
        400,
        message,
        details=[
            {
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": "API_KEY_INVALID",
                "domain": "googleapis.com",
                "metadata": {"service": "generativelanguage.googleapis.com"},
            },
            {"@type": "type.googleapis.com/google.rpc.LocalizedMessage", "locale": "en-US", "message": message},
        ],
    )


def unknown_model(model: str, version: str, method: str) -> Refusal:
    """404 for a model this server does not have. Batch calls speak of ``embedContent`` too, as the service does."""
    action = "countTokens" if method == "countTokens" else "embedContent"
    return Refusal(
        404,
        f"models/{model} is not found for API version {version}, or is not supported for {action}. "
        "Call ListModels to see the list of available models and their supported methods.",
    )


def no_such_file(name: str) -> Refusal:
    """403 for a file that never was, was deleted or has expired; the service does not tell these apart."""
    return Refusal(403, f"You do not have permission to access the File {name} or it may not exist.")


def batch_quota_exceeded() -> Refusal:
    """429 of the Batch API, which names neither a quota nor a time to wait."""
    return Refusal(
        429,
        "You exceeded your current quota, please check your plan and billing details. For more information on this "
        f"error, head to: {_RATE_LIMITS}. To monitor your current usage, head to: https://ai.dev/rate-limit. ",
        details=[_help()],
    )


def _help() -> JsonObject:
    return {
        "@type": "type.googleapis.com/google.rpc.Help",
        "links": [{"description": "Learn more about Gemini API quotas", "url": _RATE_LIMITS}],
    }


def quota_exceeded(quota_id: str, value: int, retry_seconds: float, *, paid: bool = False) -> Refusal:
    """429 with the details that let a client tell a minute's quota from a day's.

    Args:
        quota_id: such as ``EmbedContentRequestsPerMinutePerUserPerProjectPerModel-FreeTier``.
        value: the quota's size.
        retry_seconds: the hint of ``RetryInfo``. A day's quota carries a short, useless one as well.
        paid: which tier the metric names.
    """
    kind = "input_token_count" if "Tokens" in quota_id else "requests"
    metric = f"generativelanguage.googleapis.com/embed_content_{'paid' if paid else 'free'}_tier_{kind}"
    model = "gemini-embedding-2"
    return Refusal(
        429,
        "You exceeded your current quota, please check your plan and billing details. For more information on this "
        f"error, head to: {_RATE_LIMITS}. To monitor your current usage, head to: https://ai.dev/rate-limit. \n"
        f"* Quota exceeded for metric: {metric}, limit: {value}, model: {model}\nPlease retry in {retry_seconds}s.",
        details=[
            _help(),
            {
                "@type": "type.googleapis.com/google.rpc.QuotaFailure",
                "violations": [
                    {
                        "quotaMetric": metric,
                        "quotaId": quota_id,
                        "quotaDimensions": {"location": "global", "model": model},
                        "quotaValue": str(value),
                    }
                ],
            },
            {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{retry_seconds:g}s"},
        ],
    )
