"""Pages and texts that a Word document includes whole."""

from __future__ import annotations

from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from llama_index_gemini_mm.readers._sections import Block, Paragraph
from llama_index_gemini_mm.readers._text import decode
from llama_index_gemini_mm.readers.html.blocks import html_blocks

_MHTML = ("message/rfc822", "multipart/related")
_KINDS = (*_MHTML, "text/html", "application/xhtml+xml", "text/plain")
_MAX_BYTES = 16 * 2**20
_MAX_BOUNDARIES = 1000
"""Parts of an included message; the standard library takes minutes over a hundred thousand."""


def is_page(part: Any) -> bool:
    """Whether an included part is read as text in its place, rather than as a file of its own."""
    return part.content_type in _KINDS and len(part.blob) <= _MAX_BYTES and part.blob.count(b"\n--") <= _MAX_BOUNDARIES


def alt_chunk_blocks(part: Any) -> Iterator[Block]:
    """Yield the blocks of a part for which ``is_page`` holds; no pictures of pages.

    Raises what lxml and ``email`` raise on broken content.
    """
    kind = part.content_type
    if kind in _MHTML:
        message = message_from_bytes(part.blob, policy=policy.default)
        body = message.get_body(("html", "plain")) if isinstance(message, EmailMessage) else None
        if body is not None:
            data = body.get_payload(decode=True)
            if isinstance(data, bytes):
                yield from _blocks(data, body.get_content_type(), body.get_content_charset())
    else:
        yield from _blocks(part.blob, kind, None)


def _blocks(data: bytes, kind: str, charset: str | None) -> Iterator[Block]:
    text = (decode(data, charset) or "").strip()
    if kind in ("text/html", "application/xhtml+xml") and text:
        from lxml import html

        parser = html.HTMLParser(no_network=True, huge_tree=False, remove_pis=True)
        yield from html_blocks(html.document_fromstring(text, parser=parser), lambda link: None)
    elif kind == "text/plain" and text:
        yield Paragraph(text)
