"""What a PDF says about itself, and the files it carries."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import Any

from llama_index_gemini_mm import media
from llama_index_gemini_mm.errors import FileTooLarge
from llama_index_gemini_mm.readers._base import Extra, humanise
from llama_index_gemini_mm.readers._bounds import MAX_INNER_FILES, MAX_PART_BYTES
from llama_index_gemini_mm.readers.pdf.bounds import Guard
from llama_index_gemini_mm.source import Source

_PROGRAM = re.compile(r"^(Microsoft (Office )?(Word|PowerPoint|Excel|Visio)|Print|Drucken)\s*[-–]\s*", re.IGNORECASE)
_RUBBISH = re.compile(
    r"(untitled|ohne titel|unbenannt|sans titre|unknown|anonymous|unspecified|none|null|title|new document|slide|"
    r"(document|dokument|presentation|pr[äa]sentation|book|mappe|scan|layout|blank|template)\s*\d*)?[\W\d_]*"
    r"|\S*\.(docx?|pptx?|xlsx?|odt|odp|indd|qxd|tex|dvi|pdf|rtf|txt|html?|pub|vsd|dwg|tiff?|jpe?g|p65|fm|cdr|ai)",
    re.IGNORECASE,
)
_DATE = re.compile(r"D?:?(\d{4})(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\d\d)?\s*([Zz+-])?(\d\d)?'?(\d\d)?")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*")
_ROMAN = (
    *((1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"), (50, "L"), (40, "XL")),
    *((10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I")),
)
_UNSAFE = re.compile(r'[\x00-\x1f\x7f<>:"|?*]')


def title_of(source: Source, pdf: Any) -> str:
    """The title that its author gave it; what programs fill in is none, and then the file's name has to do."""
    title = _clean((pdf.metadata or {}).get("title"))
    title = _PROGRAM.sub("", title)
    return humanise(source) if _RUBBISH.fullmatch(title) else title


def about(pdf: Any) -> Extra:
    """Author, keywords, time of writing and language, as far as they are known."""
    known = pdf.metadata or {}
    author = _clean(known.get("author"))
    keywords = ", ".join(dict.fromkeys(filter(None, map(str.strip, re.split("[,;]", _clean(known.get("keywords")))))))
    kind, language = pdf.xref_get_key(pdf.pdf_catalog(), "Lang")
    values = {
        media.AUTHOR: "" if _RUBBISH.fullmatch(author) else author,
        media.KEYWORDS: keywords,
        media.CREATED: _iso(known.get("creationDate") or ""),
        media.LANGUAGE: language.replace("_", "-") if kind == "string" and _LANGUAGE.fullmatch(language) else "",
    }
    return {key: value for key, value in values.items() if value}


def _clean(value: str | None) -> str:
    return media.one_line((value or "").replace("\0", ""))


def _iso(date: str) -> str:
    """``D:20240131120000+01'00'`` as ISO 8601; nothing for what is no date."""
    match = _DATE.match(date)
    if not match:
        return ""
    year, month, day, hour, minute, second = (
        int(v or d) for v, d in zip(match.groups(), (0, 1, 1, 0, 0, 0), strict=False)
    )
    zone = None
    if match[7]:
        offset = timedelta(hours=int(match[8] or 0), minutes=int(match[9] or 0))
        zone = timezone(-offset if match[7] == "-" else offset)
    try:
        return datetime(year, month, day, hour, minute, second, tzinfo=zone).isoformat()
    except ValueError:
        return ""


def page_labels(pdf: Any) -> list[str]:
    """What is printed on the pages as their numbers, or else their numbers; PyMuPDF looks it up page by page."""
    labels = list(map(str, range(1, pdf.page_count + 1)))
    rules = sorted(pdf.get_page_labels(), key=lambda rule: rule["startpage"])
    ends = [*(rule["startpage"] for rule in rules[1:]), len(labels)]
    for rule, end in zip(rules, ends, strict=False):
        for index in range(max(rule["startpage"], 0), min(end, len(labels))):
            number = rule.get("firstpagenum", 1) + index - rule["startpage"]
            labels[index] = rule.get("prefix", "") + _numeral(number, rule.get("style", "")) or labels[index]
    return labels


def _numeral(number: int, style: str) -> str:
    if style in ("R", "r"):
        numeral = "".join(_roman(number))
        return numeral if style == "R" else numeral.lower()
    if style in ("A", "a"):
        letters = chr(ord(style) + (number - 1) % 26)
        return letters * min((number - 1) // 26 + 1, 40)
    return str(number) if style == "D" else ""


def _roman(number: int) -> Iterator[str]:
    for value, letters in _ROMAN:
        yield letters * min(number // value, 40)
        number %= value


class Attachments:
    """Gives the files inside one PDF, each under a name of its own that is no path."""

    def __init__(self, source: Source, pdf: Any, guard: Guard) -> None:
        self._source = source
        self._pdf = pdf
        self._guard = guard
        self._names: set[str] = set()

    def of_document(self) -> Iterator[Callable[[], tuple[str, bytes]]]:
        """Files attached to the whole, each to be fetched by a call; those of a portfolio are such."""
        for index in range(min(self._pdf.embfile_count(), MAX_INNER_FILES + 1)):
            yield partial(self._embedded, index)

    def _embedded(self, index: int) -> tuple[str, bytes]:
        info = self._pdf.embfile_info(index)
        data = self._checked(info, partial(self._pdf.embfile_get, index))
        return self._name(info.get("ufilename") or info.get("filename") or info.get("name") or ""), data

    def of_page(self, page: Any) -> Iterator[tuple[str, bytes]]:
        """Files pinned to a place on a page."""
        import pymupdf

        for annot in page.annots(types=[pymupdf.PDF_ANNOT_FILE_ATTACHMENT]):
            info = annot.file_info
            yield self._name(info.get("filename") or ""), self._checked(info, annot.get_file)

    def _checked(self, info: dict[str, Any], get: Any) -> bytes:
        """The bytes of a file, unless it unpacks to more than a part may; what it says of its size proves nothing."""
        self._guard.check_file(info.get("length") or 0)
        data = bytes(get())
        if len(data) > MAX_PART_BYTES:
            raise FileTooLarge(self._source.location, f"an attached file unpacks to over {MAX_PART_BYTES >> 20} MiB")
        return data

    def _name(self, written: str) -> str:
        name = _UNSAFE.sub("", written.replace("\\", "/").rpartition("/")[2]).strip(" .") or "attachment"
        stem, dot, suffix = name.rpartition(".")
        number, unique = 1, name
        while unique in self._names:
            number += 1
            unique = f"{stem} ({number}).{suffix}" if dot else f"{name} ({number})"
        self._names.add(unique)
        return unique
