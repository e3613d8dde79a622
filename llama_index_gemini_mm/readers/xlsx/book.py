"""An Excel workbook that openpyxl has opened: its properties, and the rows of its sheets as they are needed.

openpyxl's parser of sheets is used rather than its read-only worksheets, which fill up every gap (a sheet whose last
cell is its corner has 17 thousand million) and know no hidden rows, hidden columns and merged cells.
"""

from __future__ import annotations

import io
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from itertools import islice
from typing import Any, BinaryIO
from xml.etree.ElementTree import ParseError

from lxml import etree

from llama_index_gemini_mm.errors import FileTooLarge
from llama_index_gemini_mm.media import AUTHOR, CREATED, KEYWORDS
from llama_index_gemini_mm.readers._base import Extra, corrupt
from llama_index_gemini_mm.readers._bounds import MAX_PART_BYTES, MAX_XML_BYTES
from llama_index_gemini_mm.readers._ooxml_parts import BROKEN_ZIP, STRICT, TRANSITIONAL
from llama_index_gemini_mm.readers._sheets import CellCount, Merge, Row, Sheet
from llama_index_gemini_mm.readers.xlsx.drawings import root_of, sheet_notes
from llama_index_gemini_mm.readers.xlsx.values import shown
from llama_index_gemini_mm.source import Source

WHAT = "Excel workbook"
BROKEN = (
    *(*BROKEN_ZIP, OSError, ParseError, etree.LxmlError),
    *(LookupError, AttributeError, TypeError, AssertionError, ArithmeticError),
)
"""What openpyxl raises, besides errors of its own, on packages with missing or senseless parts."""

_MAX_OTHER_BYTES = 16 * 2**20
"""Any part but sheets and strings, unpacked: openpyxl makes an object of every element of the styles."""
_BATCH = 500
"""Rows that are parsed at a time."""
_TRUE = ("1", "true")
_DUBLIN = "{http://purl.org/dc/elements/1.1/}"
_CORE = {
    AUTHOR: f"{_DUBLIN}creator",
    CREATED: "{http://purl.org/dc/terms/}created",
    KEYWORDS: "{http://schemas.openxmlformats.org/package/2006/metadata/core-properties}keywords",
}


@contextmanager
def open_book(source: Source) -> Iterator[Book]:
    """Open a workbook.

    Raises:
        FileTooLarge: it unpacks to more than is read.
        CorruptFile: it is broken or cut off.
    """
    import openpyxl

    with source.open() as stream:
        with corrupt(source, WHAT, *BROKEN), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            archive = zipfile.ZipFile(stream)
            _check_sizes(source, archive)
            workbook = openpyxl.load_workbook(
                _transitional(archive) or stream, read_only=True, data_only=True, keep_links=False
            )
        yield Book(source, workbook)


def _check_sizes(source: Source, archive: zipfile.ZipFile) -> None:
    for part in archive.infolist():
        if part.filename.startswith("xl/worksheets/sheet") or not part.filename.endswith((".xml", ".rels", ".vml")):
            bound = MAX_PART_BYTES
        else:
            bound = MAX_XML_BYTES if part.filename.lower() == "xl/sharedstrings.xml" else _MAX_OTHER_BYTES
        if part.file_size > bound:
            reason = f"a part of the {WHAT} unpacks to {part.file_size >> 20} MiB, at most {bound >> 20} are read"
            raise FileTooLarge(source.location, reason)


def _transitional(archive: zipfile.ZipFile) -> BinaryIO | None:
    """A copy of a workbook in strict Open XML under the names that openpyxl knows; ``None`` when it has these."""
    if not STRICT.search(archive.read("xl/workbook.xml") if "xl/workbook.xml" in archive.namelist() else b""):
        return None
    copy = io.BytesIO()
    with zipfile.ZipFile(copy, "w", zipfile.ZIP_DEFLATED) as target:
        for part in archive.infolist():
            data = archive.read(part)
            is_xml = part.filename.endswith((".xml", ".rels"))
            target.writestr(part.filename, STRICT.sub(TRANSITIONAL, data) if is_xml else data)
    copy.seek(0)
    return copy


@dataclass(frozen=True)
class Book:
    """A workbook; ``workbook`` is openpyxl's, opened for reading only."""

    source: Source
    workbook: Any

    @property
    def archive(self) -> zipfile.ZipFile:
        """The package."""
        archive: zipfile.ZipFile = self.workbook._archive
        return archive

    @property
    def title(self) -> str:
        """The title in the properties, or nothing."""
        return (self.workbook.properties.title or "").strip()

    def properties(self) -> Extra:
        """Author, time and keywords, as far as they are given; openpyxl would fill in the present time."""
        if "docProps/core.xml" not in self.archive.namelist():
            return {}
        root = root_of(self.archive, "docProps/core.xml")
        found = {key: (root.findtext(tag) or "").strip() for key, tag in _CORE.items()}
        return {key: value for key, value in found.items() if value != "openpyxl"}

    def sheets(self) -> Iterator[tuple[Sheet, str]]:
        """Yield each sheet and the name of its part."""
        count = CellCount(self.source)
        for worksheet in self.workbook.worksheets:
            merges: list[Merge] = []
            columns: list[tuple[int, int]] = []
            rows = self._rows(worksheet, merges, columns, count)
            is_hidden = worksheet.sheet_state != "visible"
            yield Sheet(worksheet.title, rows, is_hidden, merges, columns), worksheet._worksheet_path

    def _rows(
        self, worksheet: Any, merges: list[Merge], hidden_columns: list[tuple[int, int]], count: CellCount
    ) -> Iterator[Row]:
        """The rows that hold something; those that hold but a note, too."""
        with corrupt(self.source, WHAT, *BROKEN):
            notes = sheet_notes(self.archive, worksheet._worksheet_path)
        waiting = sorted(notes, reverse=True)
        for row in self._filled_rows(worksheet, merges, hidden_columns):
            count.add(row.cells)
            while waiting and waiting[-1] <= row.number:
                if (number := waiting.pop()) < row.number:
                    yield Row(number, {}, notes=tuple(notes[number]))
            yield replace(row, notes=tuple(notes.get(row.number, ())))
        for number in reversed(waiting):
            yield Row(number, {}, notes=tuple(notes[number]))

    def _filled_rows(self, worksheet: Any, merges: list[Merge], hidden_columns: list[tuple[int, int]]) -> Iterator[Row]:
        from openpyxl.cell.read_only import ReadOnlyCell

        @cache
        def code(style: int) -> str:
            return str(ReadOnlyCell(worksheet, 1, 1, None, "n", style).number_format)

        with self.archive.open(worksheet._worksheet_path) as stream:
            parser = _parser(self.workbook, worksheet, stream)
            parsing = parser.parse()
            while True:
                with corrupt(self.source, WHAT, *BROKEN), warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    batch = list(islice(parsing, _BATCH))
                    rows = [_row(number, cells, code, parser.row_dimensions) for number, cells in batch]
                    hidden_columns[:] = _hidden_columns(parser)
                yield from (row for row in rows if row.cells)
                if len(batch) < _BATCH:
                    break
        if parser.merged_cells is not None:
            merges += [(m.min_row, m.min_col, m.max_row, m.max_col) for m in parser.merged_cells.mergeCell]


def _parser(workbook: Any, worksheet: Any, stream: Any) -> Any:
    """The parser of one sheet, without what is of no use here and often not to its liking."""
    from openpyxl.worksheet._reader import WorkSheetParser

    parser = WorkSheetParser(
        stream,
        worksheet._shared_strings,
        data_only=True,
        epoch=workbook.epoch,
        date_formats=workbook._date_formats,
        timedelta_formats=workbook._timedelta_formats,
    )
    parser.parse_extensions = parser.parse_formatting = parser.parse_custom_views = _pass_over
    return parser


def _pass_over(element: Any) -> None:
    pass


def _row(number: int, cells: list[dict[str, Any]], code: Callable[[int], str], dimensions: dict[str, Any]) -> Row:
    texts = {}
    for cell in cells:
        value = cell["value"]
        if value is None:
            continue
        text = value if isinstance(value, str) else shown(value, code(cell["style_id"]))
        if text and not text.isspace():
            texts[cell["column"]] = text
    is_hidden = dimensions.pop(str(number), {}).get("hidden") in _TRUE
    return Row(number, texts, is_hidden)


def _hidden_columns(parser: Any) -> list[tuple[int, int]]:
    columns = parser.column_dimensions.values()
    return [(int(c["min"]), int(c["max"])) for c in columns if c.get("hidden") in _TRUE]
