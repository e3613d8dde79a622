"""Outlook messages, and the appointments, contacts, tasks and notes that it saves in the same way."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from email.header import Header
from email.mime.application import MIMEApplication
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.parser import HeaderParser
from email.utils import format_datetime
from typing import TYPE_CHECKING

from llama_index_gemini_mm.errors import EncryptedFile, FileTooLarge
from llama_index_gemini_mm.media_store import MediaStore
from llama_index_gemini_mm.readers._archive import harmless_name
from llama_index_gemini_mm.readers._base import Format, Piece, ReaderOptions, corrupt
from llama_index_gemini_mm.readers._bounds import MAX_DEPTH
from llama_index_gemini_mm.readers._mail import MAX_MAIL_BYTES, Attached, Body, Mail, mail_name, mail_pieces, people
from llama_index_gemini_mm.readers._mail_mime import header
from llama_index_gemini_mm.readers.html.tree import page_text
from llama_index_gemini_mm.readers.msg.rtf import unpacked_rtf
from llama_index_gemini_mm.source import Source

if TYPE_CHECKING:
    from oxmsg.storage import Storage

    from llama_index_gemini_mm.readers.msg.properties import Properties

_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_MARK = "__properties_version1.0"
_BROKEN = (OSError, ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError, OverflowError)
_CLASS, _SUBJECT, _HEADERS, _BODY, _HTML, _RTF = 0x001A, 0x0037, 0x007D, 0x1000, 0x1013, 0x1009
_SENDER_NAME, _SENDER_SMTP, _SENDER_EMAIL, _FOR_NAME = 0x0C1A, 0x5D01, 0x0C1F, 0x0042
_SUBMITTED, _DELIVERED, _MADE = 0x0039, 0x0E06, 0x3007
_NAME, _SMTP, _EMAIL = 0x3001, 0x39FE, 0x3003
_LONG_NAME, _SHORT_NAME, _MIME, _CONTENT_ID, _LOCATION, _DATA = 0x3707, 0x3704, 0x370E, 0x3712, 0x3713, 0x3701
_ROOT_HEADER, _INNER_HEADER, _PART_HEADER = 32, 24, 8
_SMIME, _SMIME_SIGNED = "ipm.note.smime", "ipm.note.smime.multipartsigned"
_BOUNDARY = "=_part"
"""Always the same, for equal mails to give equal bytes; everything between is base64, where it cannot occur."""


class MsgFormat(Format):
    """A message saved by Outlook; one text document, the pictures it shows, and its attachments as files."""

    name = "msg"
    suffixes = (".msg", ".oft")
    mime_types = ("application/vnd.ms-outlook",)

    def score(self, source: Source) -> int:
        """Match an OLE file whose outermost storage has a message's properties."""
        is_ole = source.head.startswith(_MAGIC)
        return self.score_by_magic(source, matches=is_ole and _has_properties(source))

    def read(self, source: Source, store: MediaStore, options: ReaderOptions) -> Iterator[Piece]:
        """Yield the message, the pictures in it, and the files attached to it."""
        yield from mail_pieces(source, store, options, _loaded(source), self.mime_types[0])


def _has_properties(source: Source) -> bool:
    from olefile import OleFileIO

    if _MARK.encode("utf-16-le") not in source.read():
        return False
    try:
        with source.open() as stream, OleFileIO(stream) as ole:
            return bool(ole.exists(_MARK))
    except _BROKEN:
        return False


def _loaded(source: Source) -> Mail:
    from olefile import OleFileIO
    from oxmsg.storage import Storage

    from llama_index_gemini_mm.readers.msg.properties import Properties

    if source.size > MAX_MAIL_BYTES:
        raise FileTooLarge(source.location, f"a mail of {source.size >> 20} MiB, at most {MAX_MAIL_BYTES >> 20}")
    with source.open() as stream, corrupt(source, "Outlook message", *_BROKEN), OleFileIO(stream) as ole:
        _check_streams(source, ole)
        said = Properties(Storage.from_ole(ole), _ROOT_HEADER)
        kind = said.text(_CLASS).lower()
        if kind.startswith(_SMIME) and kind != _SMIME_SIGNED:
            raise EncryptedFile(source.location, "the mail is encrypted; save a copy that is not")
        return _mail(said, 0)


def _check_streams(source: Source, ole: object) -> None:
    """Refuse streams that together are longer than the file: they share their bytes, as bombs do."""
    entries = getattr(ole, "direntries", [])
    if sum(entry.size for entry in entries if entry is not None and entry.entry_type == 2) > 2 * source.size:
        raise FileTooLarge(source.location, "streams in the message share their bytes, as bombs do")


def _mail(said: Properties, depth: int) -> Mail:
    headers = HeaderParser().parsestr(said.text(_HEADERS))
    html = said.data(_HTML)
    written = page_text(html, said.body_code_page) or "" if html else said.text(_HTML)
    body = said.text(_BODY)
    bodies = [Body(written, is_html=True)] if written.strip() else [Body(body)] if body else []
    rtf = b"" if bodies else unpacked_rtf(said.data(_RTF), MAX_MAIL_BYTES)
    attached = [Attached("message.rtf", rtf, "application/rtf")] if rtf else []
    return Mail(
        subject=" ".join(said.text(_SUBJECT).split()),
        sender=header(headers, "from")
        or _person(said, _SENDER_NAME, _SENDER_SMTP, _SENDER_EMAIL)
        or said.text(_FOR_NAME),
        recipients=people(
            [_person(_part(said, s), _NAME, _SMTP, _EMAIL) for s in said.storages("__recip_version1.0_")]
        ),
        created=said.time(_SUBMITTED, _DELIVERED, _MADE),
        bodies=tuple(bodies),
        attached=(*attached, *(_attached(_part(said, s), depth) for s in said.storages("__attach_version1.0_"))),
    )


def _part(said: Properties, storage: Storage) -> Properties:
    return type(said)(storage, _PART_HEADER, said.code_page)


def _person(said: Properties, name: int, *addresses: int) -> str:
    """``Name <address>``; an address inside an Exchange server tells nobody anything."""
    spoken = said.text(name).strip("'\" ")
    address = next((a for pid in addresses if "@" in (a := said.text(pid))), "")
    return f"{spoken} <{address}>" if spoken and address and spoken != address else spoken or address


def _attached(said: Properties, depth: int) -> Attached:
    inner = said.inside(_DATA)
    name = said.text(_LONG_NAME, _SHORT_NAME, _NAME)
    if inner is not None and depth < MAX_DEPTH:
        mail = _mail(type(said)(inner, _INNER_HEADER, said.code_page), depth + 1)
        return Attached(mail_name(mail.subject or name), _as_mime(mail), "message/rfc822")
    content_id = said.text(_CONTENT_ID).strip("<> ")
    return Attached(name, said.data(_DATA), said.text(_MIME), content_id, said.text(_LOCATION))


def _as_mime(mail: Mail) -> bytes:
    """A message inside another, written as it would travel, so that it is read like any other."""
    message = MIMEMultipart("mixed", boundary=_BOUNDARY)
    for name, value in (("Subject", mail.subject), ("From", mail.sender), ("To", mail.recipients)):
        message[name] = Header(value, "utf-8").encode()
    if mail.created:
        message["Date"] = format_datetime(datetime.fromisoformat(mail.created))
    for body in mail.bodies:
        message.attach(MIMEText(body.text, "html" if body.is_html else "plain", "utf-8"))
    for attached in mail.attached:
        part = MIMEApplication(attached.data)
        part.add_header("Content-Disposition", "attachment", filename=("utf-8", "", harmless_name(attached.name)))
        if attached.content_id:
            part["Content-ID"] = Header(f"<{attached.content_id}>", "utf-8").encode()
        message.attach(part)
    return message.as_bytes()


FORMAT = MsgFormat()
