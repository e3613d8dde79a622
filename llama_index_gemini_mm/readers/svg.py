"""SVG drawings, plain or compressed: one image document, which is the drawing's picture with its words."""

from __future__ import annotations

import re
from collections.abc import Iterator

from llama_index.core.schema import Document

from llama_index_gemini_mm.codecs import TooMuch
from llama_index_gemini_mm.errors import FileTooLarge, NothingToRead
from llama_index_gemini_mm.media_store import MediaStore
from llama_index_gemini_mm.readers._base import (
    BY_BOTH,
    NO_MATCH,
    DocumentBuilder,
    Format,
    ReaderOptions,
    humanise,
)
from llama_index_gemini_mm.source import Source

_COMPRESSED, _GZIP = ".svgz", b"\x1f\x8b"
_START = re.compile(
    r"\s*(?:<\?xml[^>]*>\s*)?(?:<!--(?:(?!-->).)*-->\s*|<\?(?:(?!\?>).)*\?>\s*)*"
    r"(?:<!DOCTYPE\s(?:[^>\[]|\[[^\]]*\])*>\s*)?(?:<!--(?:(?!-->).)*-->\s*)*"
    r"<(?:[\w.-]+:)?svg[\s>/]",
    re.DOTALL,
)
_ELEMENT = re.compile(r"<[A-Za-z]")
_BOMS = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be", b"\xef\xbb\xbf": "utf-8"}


class SvgFormat(Format):
    """Diagrams, icons, charts and maps made of shapes."""

    name = "svg"
    suffixes = (".svg", _COMPRESSED)
    mime_types = ("image/svg+xml",)

    def score(self, source: Source) -> int:
        """Match the first element; behind a long preamble, and in a compressed file, the suffix decides."""
        if source.head.startswith(_GZIP):
            return BY_BOTH if source.suffix == _COMPRESSED else NO_MATCH
        if is_drawing(source.head):
            return self.score_by_magic(source, matches=True)
        text = _decoded(source.head).lstrip()
        is_preamble = text.startswith("<") and _ELEMENT.search(text) is None
        return BY_BOTH if source.suffix in self.suffixes and is_preamble else NO_MATCH

    def read(self, source: Source, store: MediaStore, options: ReaderOptions) -> Iterator[Document]:
        """Yield the picture of the drawing, titled and captioned by what is written in it.

        The picture is kept, and not the drawing, so that a stranger's markup is drawn once, here, and never again.
        """
        from llama_index_gemini_mm.codecs import svg

        try:
            drawing = svg.render(source.read())
        except TooMuch as error:
            raise FileTooLarge(source.location, str(error)) from error
        builder = DocumentBuilder(source, store, self.mime_types[0])
        title = drawing.title or humanise(source)
        if not drawing.is_blank:
            yield builder.extracted("image", drawing.data, drawing.mime_type, text=drawing.caption, title=title)
        elif drawing.caption:
            yield builder.text(drawing.caption, title=title)
        else:
            raise NothingToRead(source.location, "nothing is drawn in it")


def is_drawing(head: bytes) -> bool:
    """Whether these first bytes are those of an SVG drawing."""
    return _START.match(_decoded(head)) is not None


def _decoded(head: bytes) -> str:
    bom, encoding = next(((b, e) for b, e in _BOMS.items() if head.startswith(b)), (b"", "latin-1"))
    return head[len(bom) :].decode(encoding, "replace")


FORMAT = SvgFormat()
