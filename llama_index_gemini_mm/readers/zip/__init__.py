"""ZIP archives: each file in them is read as if it lay in a folder."""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256

from llama_index_gemini_mm.errors import SourceError
from llama_index_gemini_mm.media_store import MediaStore
from llama_index_gemini_mm.readers import _unread
from llama_index_gemini_mm.readers._archive import Names, harmless_name, is_hidden, refused
from llama_index_gemini_mm.readers._base import BY_SUFFIX, NO_MATCH, DocumentBuilder, Format, Piece, ReaderOptions
from llama_index_gemini_mm.readers.zip.members import MAGIC, opened_zip, read_member
from llama_index_gemini_mm.source import Source

_ANY_ZIP = BY_SUFFIX // 2
"""Below what office formats give a broken file of their suffix, so that they name it."""
_UTF8 = 0x800
_SAMPLE = 1 << 16
_MADE_ON_UNIX = 3


class ZipFormat(Format):
    """ZIP archives. Packages of a kind that is read for itself (office files, e-books) score higher there."""

    name = "zip"
    suffixes = (".zip",)
    mime_types = ("application/zip",)

    def score(self, source: Source) -> int:
        """Match the first bytes, except under a suffix of packages that hold no documents."""
        if not source.head.startswith(MAGIC):
            return NO_MATCH
        if source.suffix in self.suffixes:
            return BY_SUFFIX + 1
        return NO_MATCH if source.suffix in _unread.BINARY_SUFFIXES else _ANY_ZIP

    def read(self, source: Source, store: MediaStore, options: ReaderOptions) -> Iterator[Piece]:
        """Yield the files inside by name. Folders, links, hidden files and what systems leave behind are left out.

        An archive that lies inside several times is read once: bombs are made of these.
        """
        builder, names = DocumentBuilder(source, store, self.mime_types[0]), Names()
        archives: set[bytes] = set()
        with opened_zip(source, "ZIP archive") as package:
            for name, member in _named(package):
                taken = names.take(name)
                try:
                    data = read_member(package, member, source.location, options.passwords)
                except SourceError as error:
                    yield refused(builder, taken, type(error), error.reason)
                    continue
                digest = sha256(data).digest()
                if digest not in archives:
                    yield builder.part(taken, data)
                if taken.lower().endswith(self.suffixes):
                    archives.add(digest)


def _named(package: zipfile.ZipFile) -> list[tuple[str, zipfile.ZipInfo]]:
    """The files to be read with their decoded names, sorted by these."""
    # A name that begins with a zero byte is none, and is_dir trips over it.
    members = [m for m in package.infolist() if m.filename and not (m.is_dir() or _is_special(m))]
    encoding = _encoding(members)
    named = [(_decoded(member, encoding), member) for member in members]
    return sorted(
        ((name, member) for name, member in named if not is_hidden(harmless_name(name))), key=lambda pair: pair[0]
    )


def _is_special(member: zipfile.ZipInfo) -> bool:
    """Whether a member is a link or a device, whose content is a path rather than something to read."""
    kind = stat.S_IFMT(member.external_attr >> 16)
    return member.create_system == _MADE_ON_UNIX and kind not in (0, stat.S_IFREG)


def _raw(member: zipfile.ZipInfo) -> bytes:
    """The bytes of a name that does not say its encoding; ``zipfile`` has read them as code page 437."""
    return b"" if member.flag_bits & _UTF8 else member.orig_filename.encode("cp437", errors="ignore")


def _encoding(members: list[zipfile.ZipInfo]) -> str:
    """The encoding of the names that do not say theirs, judged by all together."""
    from charset_normalizer import from_bytes

    unknown = b"\n".join(raw for member in members if not (raw := _raw(member)).isascii())
    with suppress(UnicodeDecodeError):
        unknown.decode()
        return "utf-8"
    best = from_bytes(unknown[:_SAMPLE]).best()
    return best.encoding if best else "cp437"


def _decoded(member: zipfile.ZipInfo, encoding: str) -> str:
    raw = _raw(member)
    return member.filename if raw.isascii() else raw.decode(encoding, errors="replace")


FORMAT = ZipFormat()
