"""Jupyter notebooks: text, code and what the code gave, in the order of the cells."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import Any

from llama_index_gemini_mm.errors import CorruptFile
from llama_index_gemini_mm.media_store import MediaStore
from llama_index_gemini_mm.readers._base import (
    NO_MATCH,
    DocumentBuilder,
    Format,
    Piece,
    ReaderOptions,
    corrupt,
    humanise,
)
from llama_index_gemini_mm.readers._links import Links
from llama_index_gemini_mm.readers._sections import Block, Heading, Paragraph, section_documents
from llama_index_gemini_mm.readers._text import looks_like_text, read_text
from llama_index_gemini_mm.readers.json.values import json_values
from llama_index_gemini_mm.readers.markdown.blocks import markdown_blocks
from llama_index_gemini_mm.readers.notebook.outputs import decoded, joined, output_blocks
from llama_index_gemini_mm.source import Source

_BEGINS = re.compile(rb"\s*\{")
_KEYS = (b'"nbformat"', b'"cells"', b'"cell_type"', b'"worksheets"')
_LANGUAGE = re.compile(r"[\w+#.-]{1,30}")


class NotebookFormat(Format):
    """Notebooks of every version; a document for every section, one for every picture that was made."""

    name = "notebook"
    suffixes = (".ipynb",)
    mime_types = ("application/x-ipynb+json",)

    def score(self, source: Source) -> int:
        """Match text by its suffix, or an object with the keys of a notebook."""
        if not looks_like_text(source.head):
            return NO_MATCH
        known = _BEGINS.match(source.head) is not None and sum(key in source.head for key in _KEYS) > 1
        return self.score_by_magic(source, matches=known or source.suffix in self.suffixes)

    def read(self, source: Source, store: MediaStore, options: ReaderOptions) -> Iterator[Piece]:
        """Yield each section with its code and outputs and the pictures in it, then what can be played."""
        notebook = _notebook(source)
        links = Links(source, options)
        blocks = list(_Cells(source, links, _language(notebook)).blocks(notebook["cells"]))
        builder = DocumentBuilder(source, store, self.mime_types[0])
        yield from section_documents(blocks, builder, options, _title(notebook, blocks) or humanise(source))
        yield from links.parts(builder)


def _notebook(source: Source) -> dict[str, Any]:
    """The notebook as of version 4."""
    text = read_text(source)
    values = json_values(source, text)
    notebook = values[0] if len(values) == 1 else None
    if not isinstance(notebook, dict) or not {"nbformat", "cells", "worksheets"} & notebook.keys():
        raise CorruptFile(source.location, "JSON, but not a notebook")
    if "worksheets" in notebook:
        notebook = _upgraded(source, text)
    if not isinstance(notebook.get("cells"), list):
        raise CorruptFile(source.location, "a notebook without cells")
    return notebook


def _upgraded(source: Source, text: str) -> dict[str, Any]:
    import nbformat

    refusals = (nbformat.ValidationError, LookupError, AttributeError, TypeError, ValueError, AssertionError)
    with corrupt(source, "notebook of an old version", *refusals):
        old = nbformat.reader.reads(text)  # type: ignore[no-untyped-call]
        return dict(nbformat.convert(old, 4))  # type: ignore[no-untyped-call]


def _language(notebook: dict[str, Any]) -> str:
    """What the kernel speaks, or nothing."""
    metadata = notebook.get("metadata")
    for part, key in (("language_info", "name"), ("kernelspec", "language"), ("kernelspec", "name")):
        about = metadata.get(part) if isinstance(metadata, dict) else None
        name = about.get(key) if isinstance(about, dict) else None
        if isinstance(name, str) and _LANGUAGE.fullmatch(name):
            return name.lower().rstrip("0123456789.") if key == "name" else name.lower()
    return ""


def _title(notebook: dict[str, Any], blocks: list[Block]) -> str:
    """The title in the metadata, or the first heading of the first level."""
    metadata = notebook.get("metadata")
    title = metadata.get("title") if isinstance(metadata, dict) else None
    if isinstance(title, str) and title.strip():
        return title
    return next((block.text for block in blocks if isinstance(block, Heading) and block.level == 1), "")


class _Cells:
    def __init__(self, source: Source, links: Links, language: str) -> None:
        self._source = source
        self._links = links
        self._language = language

    def blocks(self, cells: list[Any]) -> Iterator[Block]:
        """Yield the blocks of all cells; what is no cell is passed over."""
        for cell in cells:
            if isinstance(cell, dict):
                yield from self._cell(cell)

    def _cell(self, cell: dict[str, Any]) -> Iterator[Block]:
        text = joined(cell.get("source"))
        kind = cell.get("cell_type")
        if kind == "markdown":
            picture = partial(self._picture, cell.get("attachments"))
            yield from markdown_blocks(text, self._source, picture, self._links.play)
        elif kind == "code":
            yield from [Paragraph(f"```{self._language}\n{text.strip()}\n```")] if text.strip() else ()
            yield from output_blocks(cell.get("outputs"), self._source, self._links)
        elif text.strip():
            yield Paragraph(text.strip())

    def _picture(self, attachments: Any, link: str) -> bytes | None:
        """What a picture in a cell shows: an attachment of that cell, or what other links name."""
        if not link.startswith("attachment:"):
            return self._links.picture(link)
        found = attachments.get(link.removeprefix("attachment:")) if isinstance(attachments, dict) else None
        forms = found.values() if isinstance(found, dict) else ()
        return next((data for form in forms if (data := decoded(form))), None)


FORMAT = NotebookFormat()
