"""Batch jobs in: the body that orders one, and the lines of its input file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from llama_index_gemini_mm.emulator.log import RecordedContent
from llama_index_gemini_mm.emulator.replies import Refusal, invalid
from llama_index_gemini_mm.emulator.wire import EmbedRequest, fields, parse_embed

_BATCH = ("display_name", "input_config", "model", "name", "priority")


@dataclass(frozen=True)
class BatchEntry(EmbedRequest):
    """One request of a job; ``refusal`` says why it cannot even be read, where that is so."""

    key: str | None = None
    refusal: Refusal | None = None


@dataclass(frozen=True)
class BatchOrder:
    """The order for a job: requests in the body itself, or the name of the file that holds them."""

    display_name: str
    file_name: str | None
    inlined: tuple[Any, ...] = ()


def parse_order(body: Any) -> BatchOrder:
    """Read an ``asyncBatchEmbedContent`` body.

    Raises:
        Refusal: 400 when it is malformed, or names no requests at all.
    """
    batch = fields(fields(body, ("batch",), "body").get("batch") or {}, _BATCH, "batch")
    config = fields(batch.get("input_config") or {}, ("requests", "file_name"), "batch.input_config")
    display_name, file_name = batch.get("display_name") or "", config.get("file_name")
    if not isinstance(display_name, str) or not isinstance(file_name, str | None):
        raise invalid("Invalid value at 'batch' (TYPE_STRING)")
    if (file_name is None) == (config.get("requests") is None):
        raise invalid("* EmbedContentBatch.input_config: exactly one of requests and file_name must be set")
    if file_name is not None:
        return BatchOrder(display_name, file_name)
    requests = fields(config["requests"], ("requests",), "batch.input_config.requests").get("requests")
    if not isinstance(requests, list) or not requests:
        raise invalid("* EmbedContentBatch.input_config.requests: must not be empty")
    return BatchOrder(display_name, None, tuple(requests))


def inlined_entries(order: BatchOrder) -> list[BatchEntry]:
    """The requests in the body; a malformed one spoils the whole order, because the body is one message."""
    entries = []
    for inlined in order.inlined:
        known = fields(inlined, ("request", "metadata"), "requests")
        metadata = known.get("metadata")
        key = metadata.get("key") if isinstance(metadata, dict) else None
        entry = _entry(key, known.get("request"))
        if entry.refusal is not None:
            raise entry.refusal
        entries.append(entry)
    return entries


def file_entries(data: bytes) -> list[BatchEntry]:
    """The lines of an input file; a request that cannot be read fails alone.

    Raises:
        Refusal: 400 when a line is no JSON object with a request, or there is none.
    """
    entries = [_entry(line.get("key"), line["request"]) for line in _objects(data)]
    if not entries:
        raise invalid("The input file holds no requests.")
    return entries


def _objects(data: bytes) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(data.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise invalid(f"Line {number} of the input file is no JSON.") from error
        if not isinstance(value, dict) or "request" not in value:
            raise invalid(f"Line {number} of the input file has no request.")
        yield value


def _entry(key: Any, request: Any) -> BatchEntry:
    shown = None if key is None else str(key)
    try:
        read = parse_embed(request)
    except Refusal as refusal:
        return BatchEntry(RecordedContent(()), key=shown, refusal=refusal)
    return BatchEntry(read.content, read.model, read.auto_truncate, read.audio_track, key=shown)
