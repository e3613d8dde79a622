"""Timed text as XML (TTML, DFXP, EBU-TT, IMSC): its paragraphs with their times."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from llama_index_gemini_mm.errors import CorruptFile
from llama_index_gemini_mm.readers._cues import Cue
from llama_index_gemini_mm.readers.xml.tree import local, xml_root
from llama_index_gemini_mm.source import Source

_CLOCK = re.compile(r"(?:(\d{1,4}):)?(\d{1,3}):(\d{1,3}(?:\.\d{1,9})?)(?::(\d{1,4}(?:\.\d+)?))?")
_OFFSET = re.compile(r"(\d{1,15}(?:\.\d{1,9})?)(h|ms|m|s|f|t)")
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_BREAK = "\u2028"
_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"


def ttml_cues(source: Source, data: bytes) -> tuple[list[Cue], str]:
    """The cues of a document, and the language it is said to be in; raises ``CorruptFile`` for broken markup."""
    root = xml_root(source, data)
    if local(root) != "tt":
        raise CorruptFile(source.location, "XML, but no timed text")
    return list(_Clock(root).cues(root)), root.get(_LANGUAGE) or ""


class _Clock:
    """What the times of one document mean."""

    def __init__(self, root: Any) -> None:
        rates = {key.rpartition("}")[2]: value for key, value in root.attrib.items()}
        self._frames = _number(rates.get("frameRate"), 30.0)
        self._ticks = _number(rates.get("tickRate"), self._frames)

    def cues(self, root: Any) -> Iterator[Cue]:
        """Yield the paragraphs with a beginning; times of what is around them are added to theirs."""
        starts: dict[Any, float] = {}
        for element in root.iter("{*}*"):
            outer = starts.get(element.getparent(), 0.0)
            begin = self._seconds(element.get("begin"))
            starts[element] = outer + (begin or 0.0)
            if local(element) == "p" and (begin is not None or outer):
                end, length = self._seconds(element.get("end")), self._seconds(element.get("dur"))
                last = starts[element] + length if length is not None else outer + (end or 0.0)
                yield Cue(starts[element], max(last, starts[element]), _lines(element))

    def _seconds(self, written: str | None) -> float | None:
        if match := _CLOCK.fullmatch(written or ""):
            whole = 3600 * int(match[1] or 0) + 60 * int(match[2]) + float(match[3])
            return whole + float(match[4] or 0) / self._frames
        if match := _OFFSET.fullmatch(written or ""):
            units = {**_UNITS, "f": 1 / self._frames, "t": 1 / self._ticks}
            return float(match[1]) * units[match[2]]
        return None


def _number(written: str | None, otherwise: float) -> float:
    return float(written) if written and written.isdecimal() and 0 < len(written) < 12 and int(written) else otherwise


def _lines(element: Any) -> str:
    """The words of a paragraph, line by line."""
    for mark in element.iter("{*}br"):
        mark.tail = f"{_BREAK}{mark.tail or ''}"
    lines = "".join(element.itertext("{*}*")).split(_BREAK)
    return "\n".join(" ".join(line.split()) for line in lines).strip()
