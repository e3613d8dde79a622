"""What a format is: how well it matches a source, and the documents it yields."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import ClassVar, Literal

from llama_index.core.schema import Document

from llama_index_gemini_mm import media
from llama_index_gemini_mm.errors import CorruptFile
from llama_index_gemini_mm.limits import Modality
from llama_index_gemini_mm.media import FileInfo, Fragment, Locator, MediaItem, MediaRef
from llama_index_gemini_mm.media_store import MediaStore
from llama_index_gemini_mm.source import Source

Extra = Mapping[str, str | int | float]
"""Further metadata of a document, flat, under keys of ``media.py``."""
NO_MATCH, BY_SUFFIX, BY_CONTENT, BY_BOTH = 0, 10, 50, 60
"""Scores: content outweighs the suffix, and a format that recognises both wins."""


@dataclass(frozen=True)
class ReaderOptions:
    """How files are read; the same options always give the same documents.

    Args:
        figures: whether pictures inside documents become image documents.
        min_figure_pixels: the shorter side below which a picture is an ornament and is left out; a picture that its
            page shows larger than it is counts by the size shown.
        visual_pages: whether scanned, drawn and chart-like PDF pages become documents of modality ``document`` as well.
        passwords: tried in turn on encrypted files.
        link_root: the folder that pictures linked from Markdown and HTML files may lie in; by default the folder of
            the file itself. ``MediaReader`` sets it to the folder it is given.
        fetch_remote: whether pictures that a document links to by http(s) are fetched, from public addresses only.
        animations: whether an animated picture becomes one image document, of which up to six frames are embedded
            together, or a film.
    """

    figures: bool = True
    min_figure_pixels: int = 32
    visual_pages: bool = True
    passwords: tuple[str, ...] = field(default=(), repr=False)
    link_root: str | None = None
    fetch_remote: bool = False
    animations: Literal["frames", "film"] = "frames"


Piece = Document | Source
"""What a format yields: a document, or a file found inside, which is then read as if it lay beside it."""


class Format(ABC):
    """One family of file formats. Subclasses live one to a file in this folder and export an instance as ``FORMAT``."""

    name: ClassVar[str]
    """Short name, as in the README's table."""
    suffixes: ClassVar[tuple[str, ...]]
    """Lower case, with the dot."""
    mime_types: ClassVar[tuple[str, ...]]
    """Registered names; the first one is the usual one."""

    @abstractmethod
    def score(self, source: Source) -> int:
        """How well ``source`` matches, from ``NO_MATCH`` to ``BY_BOTH``. Must not raise for any content."""

    @abstractmethod
    def read(self, source: Source, store: MediaStore, options: ReaderOptions) -> Iterator[Piece]:
        """Yield the natural parts of ``source`` in reading order, and the files inside it as sources of their own.

        Raises a subclass of ``SourceError`` for content that cannot be read.
        """

    def medium(self, source: Source) -> str | None:
        """The registered MIME type of ``source`` when the file as a whole is one medium that can be embedded."""
        return None

    def score_by_magic(self, source: Source, *, matches: bool) -> int:
        """The usual score: ``matches`` says whether the content was recognised."""
        if not matches:
            return NO_MATCH
        return BY_BOTH if source.suffix in self.suffixes else BY_CONTENT


class DocumentBuilder:
    """Makes the documents of one file: fills in what they share and gives each a stable id.

    An id is derived from the file's location, the modality, the place and the order among equals, so that a changed
    file gives the same ids with other contents, which is what docstores and upserts go by.

    Attributes:
        common: further metadata of every document, under keys of ``media.py``: the file's author, who sent it. May be
            set anew between documents.
    """

    def __init__(self, source: Source, store: MediaStore, mime_type: str, common: Extra | None = None) -> None:
        self.source = source
        self.common: Extra = {key: value for key, value in (common or {}).items() if value != ""}
        self.store = store
        self.info = FileInfo(source.location, _file_name(source), mime_type, source.size, source.sha256)
        self._seen: dict[str, int] = {}

    def text(self, text: str, *, title: str = "", at: Locator | None = None, extra: Extra | None = None) -> Document:
        """A document of words; ``extra`` are further metadata, under keys of ``media.py``."""
        return self._build("text", text, title, at, None, extra)

    def original(
        self,
        modality: Modality,
        *,
        text: str = "",
        title: str = "",
        at: Locator | None = None,
        ref: MediaRef | None = None,
        extra: Extra | None = None,
    ) -> Document:
        """A document that is the file itself, or the part of it that ``ref`` names; recorded, not copied."""
        sha256 = self.store.add_source(self.source, self.info.mime_type)
        item = MediaItem(ref or MediaRef(sha256), self.info.mime_type, self.store.local_path(sha256))
        return self._build(modality, text, title, at, item, extra)

    def extracted(
        self,
        modality: Modality,
        data: bytes,
        mime_type: str,
        *,
        text: str = "",
        title: str = "",
        at: Locator | None = None,
        fragment: Fragment | None = None,
        extra: Extra | None = None,
    ) -> Document:
        """A document of media that was found inside the file, or of a part of it; its bytes go into the media store."""
        sha256 = self.store.add_bytes(data, mime_type)
        item = MediaItem(MediaRef(sha256, fragment or Fragment()), mime_type, self.store.local_path(sha256))
        return self._build(modality, text, title, at, item, extra)

    def inside(self, part: str) -> str:
        """The ``container_path`` of a part of this file: ``deck.pptx!/ppt/media/media1.mp3``."""
        return f"{self.source.container_path or self.source.name}!/{part.lstrip('/')}"

    def part(self, name: str, data: bytes) -> Source:
        """A file found inside this one: an attachment, an archive's member, an embedded workbook."""
        return Source(self.source.location, data, self.inside(name))

    def _build(
        self,
        modality: Modality,
        text: str,
        title: str,
        at: Locator | None,
        item: MediaItem | None,
        extra: Extra | None,
    ) -> Document:
        at = at or Locator()
        at = replace(at, container_path=at.container_path or self.source.container_path)
        place = f"{modality}#{_identity(at)}"
        order = self._seen[place] = self._seen.get(place, 0) + 1
        node_id = media.stable_id(self.info.path, place, str(order))
        metadata = self.info.metadata() | at.metadata() | dict(self.common) | dict(extra or {})
        return media.build(Document, node_id, modality, text, metadata, title=title, media=item)


def _identity(at: Locator) -> tuple[object, ...]:
    """What of a place names it. Boxes and lengths are left out: they move whenever the content does."""
    numbered = (at.page_start, at.slide, at.sheet)
    return (at.container_path, *numbered, () if any(n is not None for n in numbered) else at.headings)


def _file_name(source: Source) -> str:
    return Source(source.location).name


@contextmanager
def corrupt(source: Source, what: str, *errors: type[Exception]) -> Iterator[None]:
    """Turn the exceptions with which a library refuses broken content into ``CorruptFile``.

    Their own text is not passed on, because it may quote the content.
    """
    try:
        yield
    except errors as error:
        raise CorruptFile(source.location, f"not a readable {what} ({type(error).__name__})") from error


def humanise(source: Source) -> str:
    """A title from a file name: ``front_view-2.jpg`` becomes ``front view 2``."""
    return " ".join(PurePosixPath(source.name).stem.replace("_", " ").replace("-", " ").split())
