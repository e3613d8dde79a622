"""JSON as people write it, and its values as leaves of a tree."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from llama_index_gemini_mm.errors import CorruptFile, FileTooLarge
from llama_index_gemini_mm.readers._bounds import MAX_CELLS, MAX_XML_DEPTH
from llama_index_gemini_mm.readers._tree import Leaf, Path, readable
from llama_index_gemini_mm.source import Source

# Numbers stay as they are written: 1.10 is not 1.1, and a number of ten thousand digits is not worth computing.
_DECODER = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str)
_END = object()
_BLANK = re.compile(r"[ \t\n\r\ufeff\x1e]*")
_NOT_JSON = re.compile(r'("(?:[^"\\\n]|\\.)*"?)|//[^\n]*|/\*(?:[^*]|\*(?!/))*(?:\*/)?|,(?=\s*[}\]])')
"""Strings, to be passed over, and what JSON with comments has beyond JSON. Those that never end match as well: else
each of many beginnings would be followed to the end of the file."""
_MAX_NAME = 200


def json_values(source: Source, text: str, first_line: int = 1) -> list[Any]:
    """All the values in a text, of which there should be one; scalars but ``True``, ``False`` and ``None`` are strings.

    Comments and commas before a closing bracket are passed over, ``NaN`` is a value.

    Raises:
        CorruptFile: no JSON, or cut off.
        FileTooLarge: nested deeper than 256.
    """
    try:
        return list(_values(text))
    except ValueError:
        pass
    except RecursionError as error:
        raise _too_deep(source) from error
    try:
        return list(_values(_NOT_JSON.sub(r"\1", text)))
    except ValueError as error:
        at = f" at line {first_line + error.lineno - 1}" if isinstance(error, json.JSONDecodeError) else ""
        raise CorruptFile(source.location, f"not JSON, or cut off{at}") from error
    except RecursionError as error:
        raise _too_deep(source) from error


def _values(text: str) -> Iterator[Any]:
    start = _blank_end(text, 0)
    if start == len(text):
        _DECODER.decode(text)
    while start < len(text):
        value, end = _DECODER.raw_decode(text, start)
        yield value
        start = _blank_end(text, end)


def _blank_end(text: str, start: int) -> int:
    found = _BLANK.match(text, start)
    return found.end() if found else start


def leaves(source: Source, value: Any) -> Iterator[Leaf]:
    """Yield the scalars in a value with their paths; a list of scalars is one.

    Raises ``FileTooLarge`` for a value nested deeper than 256.
    """
    stack: list[Iterator[tuple[Path, Any]]] = [iter([((), value)])]
    count = 0
    while stack:
        path, value = next(stack[-1], ((), _END))
        if value is _END:
            stack.pop()
        elif len(path) > MAX_XML_DEPTH:
            raise _too_deep(source)
        elif isinstance(value, dict | list) and value and not _is_plain(value):
            stack.append(_children(path, value))
        else:
            count += 1
            if count > MAX_CELLS:
                raise FileTooLarge(source.location, f"more than {MAX_CELLS:,} values")
            yield path, _words(value)


def _is_plain(value: dict[str, Any] | list[Any]) -> bool:
    """Whether a value is a list of scalars, which is one line."""
    return isinstance(value, list) and not any(isinstance(each, dict | list) for each in value)


def _children(path: Path, value: dict[str, Any] | list[Any]) -> Iterator[tuple[Path, Any]]:
    named = ((key[:_MAX_NAME], each) for key, each in value.items()) if isinstance(value, dict) else enumerate(value)
    return (((*path, name), each) for name, each in named)


def _words(value: Any) -> str:
    if isinstance(value, list) and value:
        return ", ".join(map(_words, value))
    return readable(value) if isinstance(value, str) else json.dumps(value)


def _too_deep(source: Source) -> FileTooLarge:
    return FileTooLarge(source.location, f"JSON nested deeper than {MAX_XML_DEPTH}")
