"""Web pages that a browser has saved with their pictures in one file (MHTML)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from urllib.parse import unquote, urljoin, urlsplit

from llama_index_gemini_mm import media
from llama_index_gemini_mm.media_store import MediaStore
from llama_index_gemini_mm.readers._archive import Names
from llama_index_gemini_mm.readers._base import DocumentBuilder, Format, Piece, ReaderOptions, humanise
from llama_index_gemini_mm.readers._mail import Attached, Body, Mail, Shown, default_name, mail_pieces
from llama_index_gemini_mm.readers._mail_mime import header_names, is_saved_page, parsed_mail
from llama_index_gemini_mm.readers._sections import section_documents
from llama_index_gemini_mm.readers.html.blocks import html_blocks
from llama_index_gemini_mm.readers.html.tree import about, page_tree
from llama_index_gemini_mm.source import Source

_PLAYED = ("audio/", "video/", "application/pdf", "image/svg")
"""Kinds of files in a saved page that are read for themselves; style sheets, fonts and frames are not."""


class MhtmlFormat(Format):
    """Saved web pages; one document a section, one a picture."""

    name = "mhtml"
    suffixes = (".mhtml", ".mht")
    mime_types = ("multipart/related", "application/x-mimearchive")

    def score(self, source: Source) -> int:
        """Match headers that browsers write, or by the suffix any of MIME."""
        is_mime = source.suffix in self.suffixes and "content-type" in header_names(source.head)
        return self.score_by_magic(source, matches=is_mime or is_saved_page(source.head))

    def read(self, source: Source, store: MediaStore, options: ReaderOptions) -> Iterator[Piece]:
        """Yield each section under its heading path and the pictures in it, then what can be played."""
        mail = parsed_mail(source)
        page = next((body for body in mail.bodies if body.is_html), None)
        if page is None:
            yield from mail_pieces(source, store, options, mail, self.mime_types[0])
        else:
            yield from _page(source, store, options, mail, page)


def _page(source: Source, store: MediaStore, options: ReaderOptions, mail: Mail, page: Body) -> Iterator[Piece]:
    root = page_tree(source, page.text)
    said = about(root)
    extra = {media.CREATED: mail.created, **said.extra}
    builder = DocumentBuilder(source, store, MhtmlFormat.mime_types[0], extra)
    shown = Shown(mail.attached, options, urljoin(page.location, said.base))
    title = said.title or mail.subject or humanise(source)
    yield from section_documents(list(html_blocks(root, shown.picture)), builder, options, title)
    names = Names()
    for number, attached in enumerate(mail.attached, 1):
        if attached.mime_type.startswith(_PLAYED):
            yield builder.part(names.take(_name(attached), default_name(attached.mime_type, number)), attached.data)


def _name(attached: Attached) -> str:
    return attached.name or PurePosixPath(unquote(urlsplit(attached.location).path)).name


FORMAT = MhtmlFormat()
