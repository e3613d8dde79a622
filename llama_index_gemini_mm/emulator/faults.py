"""Scripted failures: which calls fail, and how."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from llama_index_gemini_mm.emulator.log import RecordedRequest
from llama_index_gemini_mm.emulator.replies import Refusal, quota_exceeded

Damage = Literal[
    "reset",
    "lost_reply",
    "cut_json",
    "empty",
    "empty_object",
    "no_values",
    "too_few",
    "too_many",
    "wrong_dimension",
    "nan",
    "nan_text",
    "not_unit",
    "no_upload_status",
]
"""How an answer is spoilt; ``nan`` is the bare word of non-standard JSON, ``nan_text`` the string of proto-JSON. With
``reset`` the connection drops before the request is served, with ``lost_reply`` after it."""
Outcome = Literal["FAILED", "CANCELLED", "EXPIRED"]
"""How a batch job ends that does not succeed."""

_MINUTE = "EmbedContentRequestsPerMinutePerUserPerProjectPerModel-FreeTier"
_DAY = "EmbedContentRequestsPerDayPerUserPerProjectPerModel-FreeTier"


@dataclass(frozen=True)
class Fault:
    """One way to fail. ``hang`` comes first, then ``status``, then ``damage``.

    Attributes:
        status: answer with this HTTP status and its documented body (502 is an HTML page, as proxies send it).
        quota: what a 429 speaks of: the minute's quota, the day's, or ``none`` for the short form without details.
        retry_seconds: the hint inside a 429.
        retry_after: seconds for a ``Retry-After`` header, which the service itself does not send.
        hang: seconds to wait before anything is answered.
        damage: spoil an answer that would have been good.
        outcome: the batch job that this call creates ends so.
        message: replaces the text of the error body.
    """

    status: int | None = None
    quota: Literal["minute", "day", "none"] = "minute"
    retry_seconds: float = 30.0
    retry_after: int | None = None
    hang: float = 0.0
    damage: Damage | None = None
    outcome: Outcome | None = None
    message: str = ""

    def refusal(self) -> Refusal:
        """The error that ``status`` and its companions describe."""
        if self.status == 429 and self.quota != "none":
            quota_id, value = (_DAY, 1000) if self.quota == "day" else (_MINUTE, 100)
            return quota_exceeded(quota_id, value, self.retry_seconds)
        return Refusal(self.status or 500, self.message)


@dataclass
class _Rule:
    fault: Fault
    route: str | None
    times: int | None
    after: int
    match: Callable[[RecordedRequest], bool] | None

    def fires(self, record: RecordedRequest) -> bool:
        """Whether the rule strikes this request; counts it if the rule is concerned."""
        if self.route not in (None, record.route) or (self.match is not None and not self.match(record)):
            return False
        if self.after > 0:
            self.after -= 1
            return False
        if self.times is not None:
            self.times -= 1
        return True


class Faults:
    """The script. Rules are asked in the order in which they were added; the first that fires decides."""

    def __init__(self) -> None:
        self._rules: list[_Rule] = []
        self._lock = threading.Lock()

    def add(
        self,
        fault: Fault,
        *,
        route: str | None = None,
        times: int | None = 1,
        after: int = 0,
        match: Callable[[RecordedRequest], bool] | None = None,
    ) -> None:
        """Let coming calls fail.

        Args:
            fault: how.
            route: only calls of this route; every route when None.
            times: for so many calls; for ever when None.
            after: let so many matching calls pass first.
            match: only requests for which this is true.
        """
        with self._lock:
            self._rules.append(_Rule(fault, route, times, after, match))

    def clear(self) -> None:
        """Drop all rules."""
        with self._lock:
            self._rules.clear()

    def take(self, record: RecordedRequest) -> Fault | None:
        """The fault that strikes this request, if any."""
        with self._lock:
            for rule in self._rules:
                if rule.times != 0 and rule.fires(record):
                    return rule.fault
            return None


def spoil(payload: bytes, damage: Damage) -> bytes:
    """The good answer ``payload``, damaged."""
    if damage == "cut_json":
        return payload[: len(payload) // 2]
    if damage == "empty":
        return b""
    if damage == "empty_object":
        return b"{}"
    if payload.endswith(b"\n"):
        return _spoil_lines(payload.splitlines(keepends=True), damage)
    answer = json.loads(payload)
    if damage in ("too_few", "too_many"):
        _recount(answer, damage)
    else:
        _spoil_first(answer, damage)
    return json.dumps(answer).encode()


def _spoil_lines(lines: list[bytes], damage: Damage) -> bytes:
    """The same for a file of JSON lines, where only the results of batch jobs are."""
    if damage == "too_few":
        return b"".join(lines[:-1])
    if damage == "too_many":
        return b"".join([*lines, lines[-1]])
    first = json.loads(lines[0])
    _spoil_first(first["response"], damage)
    return b"".join([json.dumps(first).encode() + b"\n", *lines[1:]])


def _recount(answer: dict[str, Any], damage: Damage) -> None:
    """One vector less or more; a single answer loses its only one, and cannot have more."""
    vectors = answer.get("embeddings")
    if vectors is None:
        answer.pop("embedding", None)
    elif damage == "too_few":
        vectors.pop()
    else:
        vectors.append(vectors[-1])


def _spoil_first(answer: dict[str, Any], damage: Damage) -> None:
    """Damage the first vector only: a client that looks at one of many must not get away with it."""
    embedding = answer["embeddings"][0] if "embeddings" in answer else answer["embedding"]
    values = embedding["values"]
    if damage == "no_values":
        del embedding["values"]
    elif damage == "wrong_dimension":
        values.pop()
    elif damage == "not_unit":
        embedding["values"] = [2.0 * value for value in values]
    else:
        values[len(values) // 2] = math.nan if damage == "nan" else "NaN"
