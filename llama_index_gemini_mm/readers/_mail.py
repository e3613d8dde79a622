"""What mails of every format have: who wrote to whom and when, words, and files that go with them."""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import unquote, urljoin

from llama_index_gemini_mm import media
from llama_index_gemini_mm.errors import CorruptFile, EncryptedFile
from llama_index_gemini_mm.media_store import MediaStore
from llama_index_gemini_mm.readers._archive import Names
from llama_index_gemini_mm.readers._base import DocumentBuilder, Extra, Piece, ReaderOptions, humanise
from llama_index_gemini_mm.readers._pictures import NOWHERE, linked_bytes, remote
from llama_index_gemini_mm.readers._sections import Block, Heading, Paragraph, Picture, section_documents
from llama_index_gemini_mm.readers.html.blocks import html_blocks
from llama_index_gemini_mm.readers.html.tree import page_tree
from llama_index_gemini_mm.readers.image import is_picture
from llama_index_gemini_mm.source import Source

MAX_MAIL_BYTES = 128 * 2**20
"""A bound on one mail with all its attachments, written out; servers take 25 to 150 MiB."""
MAX_PARTS = 1000
"""Parts of one mail, at every depth together."""
_PGP = re.compile(r"\A\s*-----BEGIN PGP MESSAGE-----", re.IGNORECASE)
_MAX_NAMED, _MAX_SUBJECT = 100, 100


@dataclass(frozen=True)
class Body:
    """Words of a mail, as they are shown."""

    text: str = field(repr=False)
    is_html: bool = False
    location: str = ""
    """What the links in it are relative to."""


@dataclass(frozen=True)
class Attached:
    """A file that goes with a mail; ``content_id`` and ``location`` are what its HTML may call it by."""

    name: str
    data: bytes = field(repr=False)
    mime_type: str = ""
    content_id: str = ""
    location: str = ""


@dataclass(frozen=True)
class Mail:
    """One message; ``created`` is in ISO 8601, and unknown fields are empty."""

    subject: str = ""
    sender: str = ""
    recipients: str = ""
    created: str = ""
    bodies: tuple[Body, ...] = ()
    attached: tuple[Attached, ...] = ()

    @property
    def extra(self) -> Extra:
        """What every document of the mail says of it."""
        return {media.SENDER: self.sender, media.RECIPIENTS: self.recipients, media.CREATED: self.created}


def mail_pieces(
    source: Source, store: MediaStore, options: ReaderOptions, mail: Mail, mime_type: str
) -> Iterator[Piece]:
    """Yield the words of a mail as one document, the pictures its HTML shows, and its other files.

    Raises ``EncryptedFile`` for a mail that is written in OpenPGP.
    """
    if any(_PGP.match(body.text) for body in mail.bodies if not body.is_html):
        raise EncryptedFile(source.location, "the mail is encrypted with OpenPGP; save a copy that is not")
    builder = DocumentBuilder(source, store, mime_type, mail.extra)
    title = mail.subject or humanise(source)
    shown = Shown(mail.attached, options)
    blocks = list(_blocks(source, mail, shown))
    if mail.subject and not any(isinstance(block, Paragraph) for block in blocks):
        blocks.insert(0, Paragraph(mail.subject))
    yield from section_documents(blocks, builder, options, title)
    names = Names()
    for number, attached in enumerate(mail.attached, 1):
        if id(attached) not in shown.used:
            yield builder.part(names.take(attached.name, default_name(attached.mime_type, number)), attached.data)


def mail_name(subject: str) -> str:
    """What a mail inside another file is called."""
    return f"{subject.replace('/', '-')[:_MAX_SUBJECT].strip() or 'message'}.eml"


def default_name(mime_type: str, number: int) -> str:
    """What a part without a name is called."""
    return f"part {number}{mimetypes.guess_extension(mime_type) or ''}"


def people(names: list[str]) -> str:
    """Senders or receivers as one metadata value: ``Ann <ann@example.org>, Ben <ben@example.org>``."""
    seen = list(dict.fromkeys(filter(None, (" ".join(name.split()) for name in names))))
    return ", ".join(seen[:_MAX_NAMED]) + (f" and {len(seen) - _MAX_NAMED} more" if len(seen) > _MAX_NAMED else "")


def _blocks(source: Source, mail: Mail, shown: Shown) -> Iterator[Block]:
    """The words in order. Headings of a newsletter are part of them: a mail is one document."""
    for body in mail.bodies:
        for block in _html(source, body, shown) if body.is_html else [Paragraph(body.text.strip())]:
            if isinstance(block, Picture) or block.text:
                yield Paragraph(block.text) if isinstance(block, Heading) else block


def _html(source: Source, body: Body, shown: Shown) -> Iterator[Block]:
    try:
        root = page_tree(source, body.text)
    except CorruptFile:
        return
    yield from html_blocks(root, shown.picture)


@dataclass
class Shown:
    """The pictures among the files of a mail or saved page, by the links in its HTML."""

    attached: tuple[Attached, ...]
    options: ReaderOptions
    base: str = ""
    used: set[int] = field(default_factory=set)
    """Identities of what was found to be a picture that the HTML shows."""

    def __post_init__(self) -> None:
        by_id = {f"cid:{a.content_id}": a for a in reversed(self.attached) if a.content_id}
        self._by_link = {a.location: a for a in reversed(self.attached) if a.location} | by_id
        self._remote = remote(self.options)

    def picture(self, link: str) -> bytes | None:
        """The bytes of a picture that the mail holds, or that may be fetched."""
        found = self._find(link)
        if found is None:
            return linked_bytes(NOWHERE, link, None, self._remote) if self.options.figures else None
        if not is_picture(found.data[:64]):
            return None
        self.used.add(id(found))
        return found.data if self.options.figures else None

    def _find(self, link: str) -> Attached | None:
        forms = (link, unquote(link), urljoin(self.base, link) if self.base else link)
        return next((found for form in forms if (found := self._by_link.get(form))), None)
