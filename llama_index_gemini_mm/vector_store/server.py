"""What there is to choose about a Qdrant server, and how it is spoken to: again after failures that pass, and with one
error for those that do not.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

import grpc  # type: ignore[import-untyped]
import httpx
from qdrant_client.common.client_exceptions import ResourceExhaustedResponse
from qdrant_client.http.exceptions import ApiException, ResponseHandlingException, UnexpectedResponse
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt

from llama_index_gemini_mm.errors import ConfigurationError, IndexUnavailable

T = TypeVar("T")
PayloadKind = Literal["keyword", "integer", "float", "bool", "datetime", "text", "uuid"]
Failure = (ApiException, ResourceExhaustedResponse, grpc.RpcError)
"""What the client raises when a call fails."""

_LONGEST_WAIT = 10.0
"""Seconds between two attempts, whatever the server asks for."""
_PASSING = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.ABORTED,
)


@dataclass(frozen=True)
class ServerOptions:
    """How a collection on a Qdrant server is reached, made and shared; ``None`` leaves a choice to the server.

    Args:
        prefer_grpc: speak gRPC, which is faster for large writes, on ``grpc_port``.
        grpc_port: the server's port for it.
        timeout: seconds that one request may take.
        attempts: how often a request is tried when it fails in a way that passes: connection dropped, 5xx, 429.
        shard_number: shards of a new collection.
        replication_factor: copies of each of its shards.
        write_consistency_factor: copies that must confirm a write.
        on_disk_payload: keep payloads out of memory.
        payload_indexes: further metadata keys to filter by, and what they hold.
        tenant_key: the payload key that tells tenants of one collection apart; only with ``tenant``.
        tenant: whose nodes are written, found, counted and deleted; those of others are out of reach.
    """

    prefer_grpc: bool = False
    grpc_port: int = 6334
    timeout: int = 60
    attempts: int = 5
    shard_number: int | None = None
    replication_factor: int | None = None
    write_consistency_factor: int | None = None
    on_disk_payload: bool | None = None
    payload_indexes: Mapping[str, PayloadKind] = field(default_factory=dict)
    tenant_key: str | None = None
    tenant: str | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        if bool(self.tenant_key) != bool(self.tenant):
            raise ConfigurationError("tenant_key and tenant belong together: the payload's key, and whose points")
        for name in ("timeout", "attempts", "shard_number", "replication_factor", "write_consistency_factor"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigurationError(f"{name}={value}: at least 1")


class Calls:
    """Calls of one server. What it says in the end is an ``IndexUnavailable``.

    Args:
        url: named in errors.
        attempts: how often a call is tried.
        turn: entered for each call; a lock where calls must not overlap.
    """

    def __init__(self, url: str, attempts: int = 1, turn: AbstractContextManager[Any] | None = None) -> None:
        self._url = url
        self._attempts = attempts
        self._turn = turn or nullcontext()

    def __call__(self, call: Callable[[], T]) -> T:
        """The result of a call that may be repeated.

        Raises:
            IndexUnavailable: it failed for good, or too often.
        """
        retrying = Retrying(
            retry=retry_if_exception(_passes), stop=stop_after_attempt(self._attempts), wait=_pause, reraise=True
        )
        return self.once(lambda: retrying(call))

    def once(self, call: Callable[[], T]) -> T:
        """The result of a call, tried one time.

        Raises:
            IndexUnavailable: it failed.
        """
        try:
            with self._turn:
                return call()
        except Failure as error:
            raise IndexUnavailable(self._url, reason_of(error)) from error


def status_of(error: BaseException) -> int:
    """The HTTP status of a failure; 0 when there is none."""
    if isinstance(error, ResourceExhaustedResponse):
        return 429
    if isinstance(error, grpc.RpcError):
        return _STATUS.get(_code(error), 0)
    return getattr(error, "status_code", None) or 0


def reason_of(error: Exception) -> str:
    """A failure in one line: what the server said, or what the connection did."""
    if isinstance(error, ResponseHandlingException):
        return str(error.source) or type(error.source).__name__
    if isinstance(error, UnexpectedResponse):
        said = _said(error.content)
        return f"{error.status_code} {error.reason_phrase}" + (f": {said}" if said else "")
    if isinstance(error, grpc.RpcError):
        return f"{_code(error).name} {getattr(error, 'details', str)() or ''}".strip()
    return f"429 {error}"


def _said(content: bytes) -> str:
    try:
        return str(json.loads(content)["status"]["error"])
    except (ValueError, TypeError, KeyError):
        return ""


def _passes(error: BaseException) -> bool:
    if isinstance(error, ResponseHandlingException):
        return isinstance(error.source, httpx.TransportError)
    if isinstance(error, UnexpectedResponse):
        return error.status_code is not None and (error.status_code >= 500 or error.status_code == 429)
    if isinstance(error, grpc.RpcError):
        return _code(error) in _PASSING
    return isinstance(error, ResourceExhaustedResponse)


def _pause(state: RetryCallState) -> float:
    """As long as the server asks for, else twice as long each time, and never the same for two clients."""
    error = state.outcome and state.outcome.exception()
    asked = float(error.retry_after_s) if isinstance(error, ResourceExhaustedResponse) else 0.0
    usual = 0.1 * 2**state.attempt_number * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
    return min(asked or usual, _LONGEST_WAIT)


def _code(error: grpc.RpcError) -> grpc.StatusCode:
    return error.code() if isinstance(error, grpc.Call) else grpc.StatusCode.UNKNOWN


_STATUS = {
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.ALREADY_EXISTS: 409,
}
