"""Telling text from data, decoding it, and writing tables as text."""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import BinaryIO, TextIO

from llama_index_gemini_mm.errors import CorruptFile, FileTooLarge
from llama_index_gemini_mm.source import HEAD_BYTES, Source

MAX_TEXT_BYTES = 64 * 2**20
"""A bound on files read as text at once; beyond it a file is a data set rather than something to read."""
MAX_STREAM_BYTES = 4 * 2**30
"""A bound on files read as text line by line: logs and tables."""
_SAMPLE = 1 << 16
_BLOCK = 1 << 20
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CONTROLS = frozenset(range(32)) - frozenset(b"\t\n\v\f\r\x08\x1b")
_LETTERS = "äöüßÄÖÜàâçéèêëîïôùûÿœæÀÂÇÉÈÊËÎÏÔÙÛŒÆñÑáíóúÁÍÓÚãõÃÕåÅøØìòÌÒ¿¡«»‹›‘’‚“”„–—…•·€£§°©®²³½±×ºª´µ"
_NOT_WESTERN = re.compile(rb"[^\x00-\x7f%b]|[\x80-\xff]{4}" % re.escape(_LETTERS.encode("cp1252")))
"""What Western European text as Windows writes it does not hold: other signs, or many in a row. A guess would take a
short text for anything."""
_CODE_PAGES = [
    *(
        "cp1252",
        "cp1250",
        "cp1251",
        "cp1253",
        "cp1254",
        "cp1255",
        "cp1256",
        "cp1257",
        "cp1258",
        "cp874",
        "cp850",
        "cp866",
    ),
    *("koi8_r", "koi8_u", "mac_roman", "cp932", "euc_jp", "iso2022_jp", "gb18030", "big5", "cp949", "iso2022_kr"),
    *("iso8859_2", "iso8859_5", "iso8859_7", "iso8859_15"),
]
"""What is in use; left to itself, a guess finds Urdu of the 1980s in a German word."""
_ODD = re.compile(rb"[^\x00-\x7f]")


@lru_cache(maxsize=8)  # every format of text asks for the same head, and a guess takes a while
def looks_like_text(head: bytes) -> bool:
    """Whether the first bytes of a file are text in some encoding."""
    if encoding := _by_bom(head):
        return _decodes(head, encoding)
    if _unmarked_utf16(head):
        return True
    if not _CONTROLS.isdisjoint(head):
        return False
    return _decodes(head, "utf-8") or _other_encoding(head) is not None


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


@contextmanager
def text_stream(source: Source, *, newline: str | None = None) -> Iterator[TextIO]:
    """A file of any length as text to be read piece by piece, with Unix line ends unless ``newline`` is ``""``.

    Raises:
        FileTooLarge: more than 4 GiB.
        CorruptFile: no encoding fits.
    """
    if source.size > MAX_STREAM_BYTES:
        raise FileTooLarge(
            source.location, f"text of {source.size >> 30} GiB, at most {MAX_STREAM_BYTES >> 30} are read"
        )
    with source.open() as binary:
        encoding = _encoding_of(binary)
        if encoding is None:
            raise CorruptFile(source.location, "text in no known encoding")
        binary.seek(0)
        with io.TextIOWrapper(binary, encoding, errors="replace", newline=newline) as stream:
            yield stream


def decode(data: bytes, declared: str | None = None) -> str | None:
    """Text from bytes: by byte order mark, the ``declared`` encoding, UTF-8, or a guess; ``None`` when all fail."""
    for encoding in (_by_bom(data) or _unmarked_utf16(data[:HEAD_BYTES]), _known(declared), "utf-8"):
        if encoding and (text := _try(data, encoding)) is not None:
            return _unix(text)
    encoding = _other_encoding(data)
    return _unix(data.decode(encoding, errors="replace")) if encoding else None


def _encoding_of(binary: BinaryIO) -> str | None:
    """As ``decode`` finds it. The whole file is looked at: what is not ASCII may stand at its end."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    block = binary.read(_BLOCK)
    if marked := _by_bom(block) or _unmarked_utf16(block[:HEAD_BYTES]):
        return marked
    odd = b""
    while block:
        odd = odd or (b"" if block.isascii() else block)
        try:
            decoder.decode(block)
        except UnicodeDecodeError:
            return _other_encoding(odd)
        block = binary.read(_BLOCK)
    return "utf-8"


def _other_encoding(data: bytes) -> str | None:
    """The encoding of text that is not faultless UTF-8: UTF-8 with a few bad bytes in it, or a legacy code page."""
    first = _ODD.search(data)
    start = max(first.start() - _SAMPLE, 0) if first else 0
    # Lines of plain ASCII say nothing, and many of them drown those that do.
    lines = data[start : start + 16 * _SAMPLE].splitlines(keepends=True)
    sample = b"".join(line for line in lines if not line.isascii())[:_SAMPLE] or data[:_SAMPLE]
    text = sample.decode("utf-8", errors="replace")
    bad = text.count("\ufffd")
    good = sum(1 for c in text if c > "\x7f") - bad
    return "utf-8" if good > 4 * bad else _guess(sample)


def _unix(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")


def _by_bom(data: bytes) -> str | None:
    return next((name for bom, name in _BOMS if data.startswith(bom)), None)


def _unmarked_utf16(head: bytes) -> str | None:
    """UTF-16 without its mark, known by the zeros in every other byte of mostly Latin text."""
    size = len(head) & ~1
    for encoding, zeros, others in (
        ("utf-16-le", head[1:size:2], head[:size:2]),
        ("utf-16-be", head[:size:2], head[1:size:2]),
    ):
        if zeros.count(0) > max(size / 4, 3) and 0 not in others and _CONTROLS.isdisjoint(others):
            return encoding if _decodes(head[:size], encoding) else None
    return None


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

    if not _NOT_WESTERN.search(data):
        return "cp1252"
    best = from_bytes(data, cp_isolation=_CODE_PAGES).best()
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
