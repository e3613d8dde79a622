"""Telling text from data, decoding it, and writing tables as text."""

from __future__ import annotations

import codecs
from collections.abc import Sequence

from llama_index_gemini_mm.errors import CorruptFile, FileTooLarge
from llama_index_gemini_mm.source import HEAD_BYTES, Source

MAX_TEXT_BYTES = 64 * 2**20
"""A bound on files read as text; beyond it a file is a data set rather than something to read."""
_SAMPLE = 1 << 16
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CONTROLS = frozenset(range(32)) - frozenset(b"\t\n\v\f\r\x08\x1b")


def looks_like_text(head: bytes) -> bool:
    """Whether the first bytes of a file are text in some encoding."""
    if encoding := _by_bom(head):
        return _decodes(head, encoding)
    if not _CONTROLS.isdisjoint(head):
        return False
    return _decodes(head, "utf-8") or _guess(head) is not None


def read_text(source: Source, declared: str | None = None) -> str:
    """All of a file as text, with Unix line ends; ``declared`` is the encoding it claims.

    Raises:
        FileTooLarge: more than 64 MiB.
        CorruptFile: no encoding fits.
    """
    if source.size > MAX_TEXT_BYTES:
        raise FileTooLarge(source.location, f"text of {source.size >> 20} MiB, at most {MAX_TEXT_BYTES >> 20} are read")
    text = decode(source.read(), declared)
    if text is None:
        raise CorruptFile(source.location, "text in no known encoding")
    return text


def decode(data: bytes, declared: str | None = None) -> str | None:
    """Text from bytes: by byte order mark, the ``declared`` encoding, UTF-8, or a guess; ``None`` when all fail."""
    for encoding in (_by_bom(data), _known(declared), "utf-8"):
        if encoding and (text := _try(data, encoding)) is not None:
            return _unix(text)
    encoding = _guess(data[:_SAMPLE])
    return _unix(data.decode(encoding, errors="replace")) if encoding else None


def _unix(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")


def _by_bom(data: bytes) -> str | None:
    return next((name for bom, name in _BOMS if data.startswith(bom)), None)


def _known(encoding: str | None) -> str | None:
    try:
        return codecs.lookup(encoding).name if encoding else None
    except LookupError:
        return None


def _try(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except (UnicodeDecodeError, LookupError):
        return None


def _decodes(head: bytes, encoding: str) -> bool:
    """Whether ``head`` decodes but for a character that its end cuts in two."""
    try:
        codecs.getincrementaldecoder(encoding)().decode(head, final=len(head) < HEAD_BYTES)
    except UnicodeDecodeError:
        return False
    return True


def _guess(data: bytes) -> str | None:
    from charset_normalizer import from_bytes

    best = from_bytes(data).best()
    return best.encoding if best else None


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows of cells as a Markdown table; the first row is the head."""
    filled = [[" ".join(cell.split()).replace("|", "\\|") for cell in row] for row in rows]
    filled = [row for row in filled if any(row)]
    if not filled:
        return ""
    width = max(map(len, filled))
    lines = ["| " + " | ".join(row + [""] * (width - len(row))) + " |" for row in filled]
    return "\n".join([lines[0], "|" + " --- |" * width, *lines[1:]])
