"""Requests and replies as JSON, byte for byte as the SDK writes them but without an object for every content.

Source: https://ai.google.dev/api/embeddings
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from llama_index_gemini_mm.engine.items import EmbedItem, Part, Vector
from llama_index_gemini_mm.limits import MODALITIES, Modality

Endpoint = Literal["developer", "vertex"]

# The names are those that the SDK sends; the service reads both forms everywhere.
_INLINE: Mapping[Endpoint, bytes] = {"developer": b"inline_data", "vertex": b"inlineData"}
_FILE: Mapping[Endpoint, bytes] = {"developer": b"file_data", "vertex": b"fileData"}


@dataclass(frozen=True)
class Reply:
    """What came back, unchecked: a vector or ``None`` for each content, and the service's token counts if given."""

    vectors: list[Vector | None]
    tokens: int | None = None
    tokens_by_modality: Mapping[Modality, int] | None = None


def batch_body(items: Sequence[EmbedItem], model: str, dimension: int) -> bytes:
    """The body of ``batchEmbedContents`` of the Developer API; ``model`` is the full name, ``models/…``."""
    end = b', "outputDimensionality": %d, "model": %s}' % (dimension, _text(model))
    chunks = [b'{"requests": [']
    for number, item in enumerate(items):
        chunks.append(b', {"content": ' if number else b'{"content": ')
        chunks += _content(item, "developer")
        chunks.append(end)
    return b"".join([*chunks, b"]}"])


def single_body(item: EmbedItem, dimension: int) -> bytes:
    """The body of Vertex AI's ``embedContent``."""
    end = b', "embedContentConfig": {"outputDimensionality": %d}}' % dimension
    return b"".join([b'{"content": ', *_content(item, "vertex"), end])


def read_reply(body: str) -> Reply:
    """What a body with status 200 says. Raises ``json.JSONDecodeError`` when it was cut off."""
    reply = _object(_loads(body)) if body else {}
    found = reply.get("embeddings", [reply["embedding"]] if "embedding" in reply else [])
    usage = _object(reply.get("usageMetadata"))
    return Reply(
        [_object(one).get("values") for one in _list(found)],
        _count(usage.get("promptTokenCount")) or None,
        by_modality(
            (one.get("modality"), one.get("tokenCount"))
            for one in map(_object, _list(usage.get("promptTokenDetails") or usage.get("promptTokensDetails")))
        ),
    )


def by_modality(details: Iterator[tuple[Any, Any]]) -> Mapping[Modality, int] | None:
    """Token counts by modality out of pairs of the service's name and count; ``None`` when there are none."""
    tokens: dict[Modality, int] = {}
    for name, count in details:
        modality = str(name).lower()
        if modality in MODALITIES:
            tokens[modality] = tokens.get(modality, 0) + _count(count)
    return tokens or None


def _content(item: EmbedItem, endpoint: Endpoint) -> Iterator[bytes]:
    yield b'{"parts": ['
    for number, part in enumerate(item.parts):
        if number:
            yield b", "
        yield from _part(part, endpoint)
    yield b"]}"


def _part(part: Part, endpoint: Endpoint) -> Iterator[bytes]:
    """In pieces, because media are large and are to be copied once only."""
    if part.uri is not None:
        link = _text(part.uri), _text(part.mime_type or "")
        yield b'{"%s": {"file_uri": %s, "mime_type": %s}}' % (_FILE[endpoint], *link)
    elif part.data is not None:
        yield b'{"%s": {"data": "' % _INLINE[endpoint]
        yield base64.urlsafe_b64encode(part.data)
        yield b'", "mime_type": %s}}' % _text(part.mime_type or "")
    else:
        yield b'{"text": %s}' % _text(part.text or "")


def _text(text: str) -> bytes:
    return json.dumps(text).encode()


def _loads(body: str) -> Any:
    """The parsed body; the strict fast parser first, and the lenient one for ``NaN`` and for its wording of errors."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return json.loads(body)


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _count(value: Any) -> int:
    """A number, or one in a string, as proto-JSON writes long ones."""
    return int(value) if str(value).isdecimal() else 0
