"""Mails as they travel (RFC 5322, MIME), with the pictures in them and the files that go with them."""

from __future__ import annotations

from collections.abc import Iterator

from llama_index_gemini_mm.media_store import MediaStore
from llama_index_gemini_mm.readers._base import BY_BOTH, BY_CONTENT, NO_MATCH, Format, Piece, ReaderOptions
from llama_index_gemini_mm.readers._mail import mail_pieces
from llama_index_gemini_mm.readers._mail_mime import header_names, is_saved_page, parsed_mail
from llama_index_gemini_mm.source import Source

_TELLING = frozenset(("from", "message-id", "received", "mime-version", "return-path", "delivered-to", "x-mailer"))
_USUAL = _TELLING | {"to", "subject", "date", "cc", "content-type", "reply-to", "sender"}
_MARKUP = (".md", ".markdown", ".rst")
"""Texts that may begin with lines like headers."""


class EmlFormat(Format):
    """A mail message in a file; one text document, the pictures it shows, and its attachments as files."""

    name = "eml"
    suffixes = (".eml",)
    mime_types = ("message/rfc822",)

    def score(self, source: Source) -> int:
        """Match headers that only mails have, or by the suffix any that mails have. A mailbox is another format."""
        names = header_names(source.head)
        if source.suffix in self.suffixes:
            return BY_BOTH if not _USUAL.isdisjoint(names) else NO_MATCH
        is_mail = len(names) > 1 and len(_TELLING.intersection(names)) > 1
        is_other = source.suffix in _MARKUP or source.head.startswith(b"From ") or is_saved_page(source.head)
        return BY_CONTENT if is_mail and not is_other else NO_MATCH

    def read(self, source: Source, store: MediaStore, options: ReaderOptions) -> Iterator[Piece]:
        """Yield the message, the pictures in it, and the files attached to it."""
        yield from mail_pieces(source, store, options, parsed_mail(source), self.mime_types[0])


FORMAT = EmlFormat()
