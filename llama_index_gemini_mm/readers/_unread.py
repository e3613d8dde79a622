"""Kinds of content that no format here reads, so that the refusal can name them instead of indexing garbage.

Most are binary. Some are text in which the words are wrapped in something else (SVG, PostScript): read as
plain text they would fill an index with markup and base64.
"""

from __future__ import annotations

from dataclasses import dataclass

from llama_index_gemini_mm.readers._text import looks_like_text
from llama_index_gemini_mm.readers.svg import is_drawing
from llama_index_gemini_mm.source import Source


@dataclass(frozen=True)
class Kind:
    """One kind of content: what people call it, its suffixes, and the bytes it starts with."""

    name: str
    suffixes: tuple[str, ...] = ()
    magic: tuple[bytes, ...] = ()


WRAPPED = (
    Kind("PostScript", (".ps", ".eps"), (b"%!PS",)),
    Kind("a calendar or address book", (".ics", ".vcf"), (b"BEGIN:VCALENDAR", b"BEGIN:VCARD")),
    Kind("a media playlist", (".m3u8", ".m3u", ".pls", ".ffconcat"), (b"#EXTM3U", b"ffconcat version")),
)
"""Text that is not read as text."""

_DRAWING = Kind("an SVG drawing", (".svg",))
"""Which has a format of its own, and is text to no other."""
BINARY = (
    Kind("an e-book", (".mobi", ".azw", ".azw3", ".fb2")),
    Kind("an Outlook mailbox", (".pst", ".ost"), (b"!BDN",)),
    Kind("an Outlook attachment wrapper (TNEF)", (".tnef",), (b"\x78\x9f\x3e\x22",)),
    Kind("an OLE file, but none of Word, Excel or PowerPoint", (), (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",)),
    Kind("a program package", (".jar", ".apk", ".whl")),
    Kind("a ZIP archive", (), (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")),
    Kind("a Zstandard archive", (".zst",), (b"\x28\xb5\x2f\xfd",)),
    Kind("a 7-Zip archive", (".7z",), (b"7z\xbc\xaf\x27\x1c",)),
    Kind("a RAR archive", (".rar",), (b"Rar!\x1a\x07",)),
    Kind("a Windows program", (".exe", ".dll", ".msi"), (b"MZ",)),
    Kind("a program", (".so", ".o", ".a", ".bin", ".dylib"), (b"\x7fELF", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe")),
    Kind("compiled Python", (".pyc", ".pyd")),
    Kind("compiled Java", (".class",)),
    Kind("WebAssembly", (".wasm",), (b"\x00asm",)),
    Kind("an SQLite database", (".sqlite", ".sqlite3", ".db"), (b"SQLite format 3\x00",)),
    Kind("a Parquet table", (".parquet",), (b"PAR1",)),
    Kind("an Arrow table", (".feather", ".arrow"), (b"ARROW1",)),
    Kind("an HDF5 file", (".h5", ".hdf5"), (b"\x89HDF\r\n\x1a\n",)),
    Kind("a NumPy array", (".npy", ".npz"), (b"\x93NUMPY",)),
    Kind("a pickle", (".pkl", ".pickle", ".pt", ".pth")),
    Kind("a font", (".ttf", ".otf", ".woff", ".woff2"), (b"\x00\x01\x00\x00\x00", b"OTTO", b"wOFF", b"wOF2")),
    Kind("a Windows metafile", (".emf", ".wmf"), (b"\xd7\xcd\xc6\x9a",)),
    Kind("a Photoshop file", (".psd",), (b"8BPS",)),
    Kind("a MIDI file", (".mid", ".midi"), (b"MThd",)),
    Kind("a disk image", (".iso", ".dmg", ".img")),
    Kind("a CAD drawing", (".dwg",), (b"AC10",)),
    Kind("an Apple iWork file", (".pages", ".numbers", ".key")),
    Kind("a Visio drawing", (".vsd", ".vsdx")),
    Kind("a OneNote section", (".one",)),
)
"""Binary kinds, those with a suffix to be refused and those known by their first bytes."""

BINARY_SUFFIXES = frozenset(suffix for kind in BINARY for suffix in kind.suffixes)


def wrapped(source: Source) -> Kind | None:
    """The kind of text that must not be read as plain text, if ``source`` is one."""
    for kind in WRAPPED:
        if source.suffix in kind.suffixes or source.head.startswith(kind.magic or (b"\xff" * 9,)):
            return kind
    return _DRAWING if is_drawing(source.head) else None


def describe(source: Source) -> str:
    """What content that no format knows looks like, in a few words and without quoting it."""
    kind = wrapped(source) or next((k for k in BINARY if k.magic and source.head.startswith(k.magic)), None)
    named = next((k for k in BINARY if source.suffix in k.suffixes), None)
    suffix = f" named {source.suffix}" if source.suffix else ""
    if kind is None and not looks_like_text(source.head):
        return f"{named.name} by its suffix" if named else f"binary data{suffix}"
    if kind is None:
        return f"text{suffix}"
    if named and kind.name in ("a ZIP archive", "an OLE file, but none of Word, Excel or PowerPoint"):
        return named.name
    return kind.name if source.suffix in kind.suffixes or not suffix else f"{kind.name}{suffix}"
