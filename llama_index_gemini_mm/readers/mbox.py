"""Mailboxes: every message is a file inside."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email.parser import BytesHeaderParser
from typing import BinaryIO

from llama_index_gemini_mm.errors import FileTooLarge
from llama_index_gemini_mm.media_store import MediaStore
from llama_index_gemini_mm.readers._archive import Names, refused
from llama_index_gemini_mm.readers._base import DocumentBuilder, Format, Piece, ReaderOptions
from llama_index_gemini_mm.readers._mail import MAX_MAIL_BYTES, mail_name
from llama_index_gemini_mm.readers._mail_mime import header, header_names
from llama_index_gemini_mm.source import Source

_SEPARATOR = re.compile(rb"From [^\n]{0,400}\d\d:\d\d[^\n]{0,100}\r?\n?\Z")
_QUOTED = re.compile(rb">+From ")
_MAX_LINE = 1 << 20
_HEADER_BYTES = 1 << 16


class MboxFormat(Format):
    """Mailboxes in the format of Unix, as most programs export them; read one message at a time."""

    name = "mbox"
    suffixes = (".mbox", ".mbx")
    mime_types = ("application/mbox",)

    def score(self, source: Source) -> int:
        """Match the line before the first message, and its headers."""
        line = source.head.partition(b"\n")[0] + b"\n"
        is_mailbox = _SEPARATOR.match(line) is not None and len(header_names(source.head)) > 1
        return self.score_by_magic(source, matches=is_mailbox)

    def read(self, source: Source, store: MediaStore, options: ReaderOptions) -> Iterator[Piece]:
        """Yield the messages in order, each named by its number and subject."""
        builder, names = DocumentBuilder(source, store, self.mime_types[0]), Names()
        with source.open() as stream:
            for number, message in enumerate(_messages(stream), 1):
                name = names.take(f"{number:04} {mail_name(_subject(message))}")
                if len(message) > MAX_MAIL_BYTES:
                    yield refused(builder, name, FileTooLarge, f"a mail of more than {MAX_MAIL_BYTES >> 20} MiB")
                else:
                    yield builder.part(name, bytes(message))


def _messages(stream: BinaryIO) -> Iterator[bytearray]:
    """The messages one by one; of one that is too long, no more than a line too much."""
    message = bytearray()
    after_blank, begun, at_start = True, False, True
    while line := stream.readline(_MAX_LINE):
        if after_blank and at_start and _SEPARATOR.match(line):
            if begun:
                yield message
            message, begun = bytearray(), True
        elif len(message) <= MAX_MAIL_BYTES:
            message += line[1:] if at_start and _QUOTED.match(line) else line
        after_blank, at_start = not line.strip(), line.endswith(b"\n")
    if begun:
        yield message


def _subject(message: bytearray) -> str:
    head = bytes(message[:_HEADER_BYTES]).replace(b"\r\n", b"\n").partition(b"\n\n")[0]
    return header(BytesHeaderParser().parsebytes(head + b"\n\n"), "subject")


FORMAT = MboxFormat()
