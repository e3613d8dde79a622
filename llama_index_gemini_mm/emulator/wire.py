"""Proto-JSON in: bodies as the SDKs and plain REST clients send them.

Field names may be snake_case or camelCase and bytes standard or URL-safe base64, in any mixture; names that the
service does not know are refused, as it refuses them.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llama_index_gemini_mm.emulator.log import RecordedContent, RecordedPart
from llama_index_gemini_mm.emulator.replies import invalid
from llama_index_gemini_mm.limits import DEVELOPER_API, DIMENSIONS_DEFAULT, DIMENSIONS_MAX, DIMENSIONS_MIN, Limits

_OPTIONS = ("task_type", "title", "output_dimensionality")
_CONFIG = (*_OPTIONS, "auto_truncate", "document_ocr", "audio_track_extraction", "mime_type")
_PART = ("text", "inline_data", "file_data", "video_metadata", "media_resolution")
_COUNT = ("contents", "generate_content_request", "model", "system_instruction", "tools", "generation_config")
_BATCH_MAX = DEVELOPER_API.batch_max_items
_HUMP = re.compile(r"(?<=[a-z0-9])([A-Z])")


@dataclass(frozen=True)
class EmbedRequest:
    """One Content to embed with what was asked about it. ``model`` is the name that the entry itself gives, if any."""

    content: RecordedContent
    model: str | None = None
    auto_truncate: bool = True
    audio_track: bool = False

    @property
    def dimensions(self) -> int:
        """Length of the vector asked for."""
        asked = self.content.output_dimensionality
        return DIMENSIONS_DEFAULT if asked is None else asked


def load_json(raw: bytes) -> Any:
    """The parsed body; an empty one is an empty object."""
    try:
        return json.loads(raw or b"{}")
    except (ValueError, RecursionError) as error:
        raise invalid("Invalid JSON payload received.") from error


def parse_batch(body: Any) -> list[EmbedRequest]:
    """Read a ``batchEmbedContents`` body."""
    entries = _list(fields(body, ("requests", "model"), "body").get("requests"), "requests")
    return [parse_embed(entry) for entry in entries]


def parse_embed(body: Any) -> EmbedRequest:
    """Read an ``embedContent`` body, or one entry of a batch."""
    entry = fields(body, ("model", "content", "embed_content_config", *_CONFIG), "request")
    options = {**entry, **fields(entry.get("embed_content_config") or {}, _CONFIG, "embed_content_config")}
    model = entry.get("model")
    return EmbedRequest(
        _content(entry.get("content"), options),
        model=None if model is None else _string(model, "model"),
        auto_truncate=options.get("auto_truncate") is not False,
        audio_track=options.get("audio_track_extraction") is True,
    )


def parse_count(body: Any) -> list[EmbedRequest]:
    """Read a ``countTokens`` body."""
    contents = _list(fields(body, _COUNT, "body").get("contents"), "contents")
    return [EmbedRequest(_content(content, {})) for content in contents]


def check(requests: Sequence[EmbedRequest], limits: Limits, *, model: str, batch: bool) -> None:
    """Refuse what is well-formed but not allowed.

    Args:
        requests: one, or the entries of a batch.
        limits: the bounds of the endpoint that was called.
        model: the model of the path, which an entry's own must repeat.
        batch: whether the entries of a batch are meant; on the Developer API each of these must name its model.

    Raises:
        Refusal: 400 for too many or no entries, empty contents or parts, another model, an impossible dimension, or
            too many bytes.
    """
    if not requests:
        raise invalid("* BatchEmbedContentsRequest.requests: must not be empty")
    if batch and len(requests) > _BATCH_MAX:
        raise invalid(f"* BatchEmbedContentsRequest.requests: at most {_BATCH_MAX} requests can be in one batch")
    for request in requests:
        _check_one(request, model=model, named=batch and limits.endpoint == "developer")
    if sum(part.size or 0 for request in requests for part in request.content.parts) > limits.inline_bytes:
        raise invalid(f"Request payload size exceeds the limit: {limits.inline_bytes} bytes.")


def _check_one(request: EmbedRequest, *, model: str, named: bool) -> None:
    if (request.model is None and named) or (request.model or model).rpartition("/")[2] != model:
        raise invalid(f"* EmbedContentRequest.model: unexpected model name, expected models/{model}")
    if not request.content.parts:
        raise invalid("* EmbedContentRequest.content: contents is not specified")
    if any(part == RecordedPart() for part in request.content.parts):
        raise invalid("* EmbedContentRequest.content contains an empty Part.")
    if not DIMENSIONS_MIN <= request.dimensions <= DIMENSIONS_MAX:
        raise invalid(f"output_dimensionality must be between {DIMENSIONS_MIN} and {DIMENSIONS_MAX}")


def fields(body: Any, known: tuple[str, ...], where: str) -> dict[str, Any]:
    """The fields of a JSON object under their snake_case names.

    Raises:
        Refusal: 400 when it is no object, or has a field that is not among the known ones.
    """
    if not isinstance(body, dict):
        raise invalid(f"Invalid value at '{where}', expected an object")
    named = {_HUMP.sub(lambda hump: "_" + hump[1].lower(), key): value for key, value in body.items()}
    unknown = sorted(named.keys() - set(known))
    if unknown:
        raise invalid(f"Invalid JSON payload received. Unknown name \"{unknown[0]}\" at '{where}': Cannot find field.")
    return named


def without_data(body: Any) -> Any:
    """A copy of a parsed body in which inline data is replaced by a note of its length."""
    if isinstance(body, list):
        return [without_data(item) for item in body]
    if not isinstance(body, dict):
        return body
    return {
        key: f"<{len(value)} characters of base64>" if key == "data" and isinstance(value, str) else without_data(value)
        for key, value in body.items()
    }


def _content(body: Any, options: Mapping[str, Any]) -> RecordedContent:
    """Read one Content; ``options`` are those of the entry around it, in snake_case."""
    parts = _list(fields(body or {}, ("parts", "role"), "content").get("parts"), "content.parts")
    return RecordedContent(
        tuple(_part(part) for part in parts),
        output_dimensionality=_integer(options.get("output_dimensionality"), "output_dimensionality"),
        task_type=options.get("task_type"),
        title=options.get("title"),
    )


def _part(body: Any) -> RecordedPart:
    part = fields(body, _PART, "part")
    given = [name for name in ("text", "inline_data", "file_data") if part.get(name) not in (None, "")]
    if not given:
        return RecordedPart()
    if len(given) > 1:
        raise invalid(f"* part: oneof field 'data' is already set, cannot set '{given[1]}'")
    if "text" in given:
        return RecordedPart(text=_string(part["text"], "text"))
    if "file_data" in given:
        link = fields(part["file_data"], ("file_uri", "mime_type", "display_name"), "file_data")
        return RecordedPart(
            file_uri=_string(link.get("file_uri", ""), "file_uri"),
            mime_type=_string(link.get("mime_type") or "", "mime_type"),
        )
    return _blob(part["inline_data"])


def _blob(body: Any) -> RecordedPart:
    blob = fields(body, ("data", "mime_type", "display_name"), "inline_data")
    mime_type = _string(blob.get("mime_type") or "", "mime_type")
    if not mime_type:
        raise invalid("* inline_data.mime_type: must be set")
    data = _bytes(_string(blob.get("data") or "", "data"))
    if not data:
        raise invalid("* inline_data.data: must not be empty")
    return RecordedPart(mime_type=mime_type, data=data, sha256=hashlib.sha256(data).hexdigest(), size=len(data))


def _bytes(text: str) -> bytes:
    standard = text.replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise invalid("Invalid value at 'inline_data.data' (TYPE_BYTES), Base64 decoding failed") from error


def _list(value: Any, where: str) -> list[Any]:
    if value is not None and not isinstance(value, list):
        raise invalid(f"Invalid value at '{where}', expected a list")
    return value or []


def _string(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise invalid(f"Invalid value at '{where}' (TYPE_STRING)")
    return value


def _integer(value: Any, where: str) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not re.fullmatch(r"-?\d+", str(value)):
        raise invalid(f"Invalid value at '{where}' (TYPE_INT32)")
    return int(value)
