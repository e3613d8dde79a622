"""The files of the Batch API, line by line: requests in, vectors or reasons out."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any

from llama_index_gemini_mm.engine.checks import checked
from llama_index_gemini_mm.engine.items import EmbedItem, Part, Vector
from llama_index_gemini_mm.engine.keys import Key
from llama_index_gemini_mm.errors import BadReply

_LONGEST_REASON = 200


@dataclass(frozen=True)
class Result:
    """What became of one request: its vector, or the reason why there is none; ``tokens`` as the service counted."""

    key: Key
    vector: Vector | None = None
    tokens: int = 0
    reason: str = ""


def line_of(key: Key, item: EmbedItem, dimension: int) -> bytes:
    """One line of an input file: the request for ``item``, media in base64."""
    content = {"parts": [_part(part) for part in item.parts]}
    request = {"content": content, "output_dimensionality": dimension}
    return json.dumps({"key": key.hex(), "request": request}).encode() + b"\n"


def _part(part: Part) -> dict[str, Any]:
    if part.data is None:
        return {"text": part.text}
    return {"inline_data": {"mime_type": part.mime_type, "data": base64.b64encode(part.data).decode()}}


def parsed(line: bytes) -> dict[str, Any] | None:
    """The JSON object in a line, or ``None`` when there is none, or not a whole one."""
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def result_of(line: bytes, dimension: int) -> Result | None:
    """What a line says, or ``None`` for one that nobody can make out, so that its request counts as unanswered."""
    answer = parsed(line)
    key = _key(answer.get("key")) if answer else None
    if answer is None or key is None:
        return None
    if "error" in answer:
        return Result(key, reason=_reason(answer["error"]))
    return _vector(key, answer.get("response"), dimension)


def _key(written: Any) -> Key | None:
    try:
        return bytes.fromhex(written)
    except (TypeError, ValueError):
        return None


def _vector(key: Key, response: Any, dimension: int) -> Result:
    embedding = response.get("embedding") if isinstance(response, dict) else None
    values = embedding.get("values") if isinstance(embedding, dict) else None
    try:
        numbers = [float(value) for value in values] if values else None
        vector = checked([numbers], 1, dimension)[0]
    except (BadReply, TypeError, ValueError) as error:
        return Result(key, reason=str(error))
    count = str(response.get("tokenCount"))
    return Result(key, vector, int(count) if count.isdecimal() else 0)


def _reason(error: Any) -> str:
    words = f"{error.get('code', '')} {error.get('message', '')}" if isinstance(error, dict) else str(error)
    return " ".join(words.split())[:_LONGEST_REASON]
