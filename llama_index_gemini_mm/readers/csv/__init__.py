"""Tables in text: values parted by commas, tabs, semicolons or bars, of any length and in any encoding."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import PurePosixPath
from typing import TextIO

from llama_index.core.schema import Document

from llama_index_gemini_mm.errors import CorruptFile
from llama_index_gemini_mm.media import LINE_END, LINE_START
from llama_index_gemini_mm.media_store import MediaStore
from llama_index_gemini_mm.readers import _unread
from llama_index_gemini_mm.readers._base import BY_SUFFIX, NO_MATCH, DocumentBuilder, Format, ReaderOptions
from llama_index_gemini_mm.readers._tables import table_pieces
from llama_index_gemini_mm.readers._text import looks_like_text, text_stream
from llama_index_gemini_mm.readers.csv.shape import Shape, shape_of
from llama_index_gemini_mm.source import Source

_SAMPLE = 1 << 16
"""Characters by which delimiter, quotes and header are told."""
_MAX_LINE = 16 << 20
_MAX_CHARS = 2500
"""Characters of one document: what one chunk holds of figures, so that each chunk has the header."""
_TABBED = (".tsv", ".tab")

Row = tuple[int, int, list[str]]
"""First line, last line, and cells."""


class CsvFormat(Format):
    """Delimited tables; a document for every stretch of rows, each with the header."""

    name = "csv"
    suffixes = (".csv", ".psv", *_TABBED)
    mime_types = ("text/csv", "text/tab-separated-values")

    def score(self, source: Source) -> int:
        """Match text by the suffix: in the content a table is told from prose by nothing certain."""
        is_text = source.suffix in self.suffixes and looks_like_text(source.head) and not _unread.wrapped(source)
        return BY_SUFFIX + 1 if is_text else NO_MATCH

    def read(self, source: Source, store: MediaStore, options: ReaderOptions) -> Iterator[Document]:
        """Yield the rows as Markdown tables, in stretches, with the lines they stand on."""
        tabbed = source.suffix in _TABBED
        builder = DocumentBuilder(source, store, self.mime_types[tabbed])
        with text_stream(source, newline="") as stream:
            shape = shape_of(_whole_lines(stream.read(_SAMPLE)), "\t" if tabbed else ",")
            stream.seek(0)
            yield from _documents(
                _rows(stream, shape, source.location), shape, builder, PurePosixPath(source.name).stem
            )


def _whole_lines(sample: str) -> str:
    """A sample without the line that its end cuts off, if there are others."""
    end = max(sample.rfind("\n"), sample.rfind("\r")) + 1
    return sample[:end] if end and len(sample) == _SAMPLE else sample


def _documents(rows: Iterator[Row], shape: Shape, builder: DocumentBuilder, title: str) -> Iterator[Document]:
    above = "\n".join(" ".join(filter(None, cells)) for _, _, cells in islice(rows, shape.preface)).strip()
    if above and not above.lower().startswith("sep="):
        yield builder.text(above, title=title, extra={LINE_START: 1, LINE_END: shape.preface})
    header = next((row for row in rows if any(row[2])), None) if shape.has_header else None
    places: dict[int, tuple[int, int]] = {}
    last = 0
    for first, last, text in table_pieces(
        _cells(rows, places), header=header[2] if header else None, max_chars=_MAX_CHARS
    ):
        extra = {LINE_START: places[first][0], LINE_END: places[last][1]}
        yield builder.text(text, title=f"{title}, rows {first} to {last}", extra=extra)
        for number in [number for number in places if number <= last]:
            del places[number]
    if header and not last:
        for _, _, alone in table_pieces([header[2]], header=None):
            yield builder.text(alone, title=title, extra={LINE_START: header[0], LINE_END: header[1]})


def _cells(rows: Iterator[Row], places: dict[int, tuple[int, int]]) -> Iterator[list[str]]:
    """The cells of rows, whose lines are written into ``places`` by the number of the row."""
    for number, (first, last, cells) in enumerate(rows, 1):
        places[number] = first, last
        yield cells


def _rows(stream: TextIO, shape: Shape, location: str) -> Iterator[Row]:
    """Rows with their lines. From a quote on that never ends, quotes are characters like others."""
    lines = _Lines(stream)
    reader = shape.reader(lines)
    while True:
        first = lines.begin_row()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if shape.quoting == csv.QUOTE_NONE:
                raise CorruptFile(location, f"line {first} holds a cell of more than 131,072 characters") from error
            cells = None
        if cells is None or lines.quote_is_open():
            lines.take_back()
            shape = replace(shape, quoting=csv.QUOTE_NONE)
            reader = shape.reader(lines)
        else:
            yield first, lines.count, cells


class _Lines:
    """The lines of a stream, of which those of the present row can be taken back."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._row: list[str] = []
        self._again: deque[str] = deque()
        self.count = 0

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else self._stream.readline(_MAX_LINE)
        if not line:
            raise StopIteration
        self.count += 1
        self._row.append(line)
        return line.replace("\0", "")

    def begin_row(self) -> int:
        """The number of the line that comes next, with which a row begins."""
        self._row = []
        return self.count + 1

    def quote_is_open(self) -> bool:
        """Whether the row runs to the end of the file because the quote that began a cell is never closed."""
        odd = len(self._row) > 1 and sum(line.count('"') for line in self._row) % 2 == 1
        return odd and not self._again and not self._peek()

    def take_back(self) -> None:
        """Give out the lines of the present row again."""
        self.count -= len(self._row)
        self._again.extendleft(reversed(self._row))
        self._row = []

    def _peek(self) -> str:
        line = self._stream.readline(_MAX_LINE)
        self._again.extend([line] if line else [])
        return line


FORMAT = CsvFormat()
