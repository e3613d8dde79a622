"""The contract of documents and nodes: metadata keys, places, and ``media://`` references. Spelled nowhere else.

A reference names content, never a path::

    media://<sha256>#t=30,60              seconds 30 to 60          W3C Media Fragments
    media://<sha256>#track=audio&t=0,60   the sound of a film       W3C Media Fragments
    media://<sha256>#page=3-5             pages 3 to 5, from 1      RFC 8118 (of a TIFF too)
    media://<sha256>#page=3&xywh=percent:10,20,30,40

It travels as a ``media_ref: …`` line in the text that LlamaIndex hands to the embedding model, because that text is all
that survives every path through LlamaIndex. ``read_embed_text`` is the inverse of what ``BaseNode.get_content`` writes.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from llama_index.core.schema import BaseNode, Document, MediaResource, Node

from llama_index_gemini_mm.limits import Modality

MODALITY = "modality"
MEDIA_REF = "media_ref"
MIME_TYPE = "mime_type"
TITLE = "title"
FILE_PATH = "file_path"
FILE_NAME = "file_name"
FILE_TYPE = "file_type"
FILE_SIZE = "file_size"
SOURCE_SHA256 = "source_sha256"
PAGE_LABEL = "page_label"
PAGE_START = "page_start"
PAGE_END = "page_end"
BBOX = "bbox"
SLIDE = "slide"
SHEET = "sheet"
HEADING_PATH = "heading_path"
START_SECONDS = "start_seconds"
END_SECONDS = "end_seconds"
CONTAINER_PATH = "container_path"
LINE_START = "line_start"
LINE_END = "line_end"

AUTHOR = "author"
CREATED = "created"
"""When the content was made, by its own account, in ISO 8601; a date of the file system never stands here."""
KEYWORDS = "keywords"
LANGUAGE = "language"
"""BCP 47."""
LATITUDE = "latitude"
LONGITUDE = "longitude"
SENDER = "sender"
RECIPIENTS = "recipients"
CHAPTER = "chapter"
THUMBNAIL_REF = "thumbnail_ref"
"""A picture in the media store to show a segment of film by, as a ``media://`` reference."""
HIDDEN = "hidden"
"""``True`` for slides, sheets and rows that the author has hidden."""

EMBEDDED_KEYS = (MEDIA_REF, TITLE)
"""The only metadata that the embedding model sees."""
HIDDEN_FROM_LLM = (MEDIA_REF, SOURCE_SHA256, MIME_TYPE, FILE_SIZE, MODALITY, BBOX, THUMBNAIL_REF)
MEDIA_KEYS = (MEDIA_REF, MIME_TYPE)
"""Keys that must not pass from a media document to a text node cut from its caption."""

HEADING_SEPARATOR = " > "
_MAX_TITLE = 200
_RESOURCES: Mapping[str, str] = {"image": "image_resource", "audio": "audio_resource", "video": "video_resource"}
_REF = re.compile(r"media://([0-9a-f]{64})(?:#(\S+))?")
_REF_LINE = re.compile(rf"^{MEDIA_REF}: (media://[0-9a-f]{{64}}(?:#\S+)?)$", re.MULTILINE)
_FORGED = re.compile(rf"^([ \t]*{MEDIA_REF})(:\s*media://)", re.MULTILINE | re.IGNORECASE)
_TITLE_LINE = re.compile(rf"^{TITLE}: (.*)$", re.MULTILINE)

Box = tuple[float, float, float, float]
"""x0, y0, x1, y1 as parts of the page or picture, 0 to 1, origin top left."""


def _number(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".")


@dataclass(frozen=True)
class Fragment:
    """Which part of some bytes is meant; empty for the whole.

    Pages count from 1 and include ``last_page``; seconds are from the start of the recording; ``box`` is a ``Box``.
    ``track`` is ``"audio"`` when the sound of a film is meant.
    """

    first_page: int | None = None
    last_page: int | None = None
    start: float | None = None
    end: float | None = None
    box: Box | None = None
    track: str | None = None

    def __str__(self) -> str:
        terms = []
        if self.track:
            terms.append(f"track={self.track}")
        if self.start is not None and self.end is not None:
            terms.append(f"t={_number(self.start)},{_number(self.end)}")
        if self.first_page is not None:
            last = f"-{self.last_page}" if self.last_page not in (None, self.first_page) else ""
            terms.append(f"page={self.first_page}{last}")
        if self.box:
            x0, y0, x1, y1 = (100 * v for v in self.box)
            terms.append("xywh=percent:" + ",".join(map(_number, (x0, y0, x1 - x0, y1 - y0))))
        return "&".join(terms)

    @classmethod
    def parse(cls, text: str) -> Fragment:
        """Read a fragment; raises ``ValueError`` for a term this package does not write."""
        fragment = cls()
        for term in filter(None, text.split("&")):
            name, _, value = term.partition("=")
            fragment = replace(fragment, **_fields_of(name, value))
        return fragment


def _fields_of(name: str, value: str) -> dict[str, Any]:
    if name == "track":
        return {"track": value}
    if name == "t":
        start, end = value.split(",")
        return {"start": float(start), "end": float(end)}
    if name == "page":
        first, _, last = value.partition("-")
        return {"first_page": int(first), "last_page": int(last or first)}
    if name == "xywh" and value.startswith("percent:"):
        x, y, w, h = (float(v) / 100 for v in value.removeprefix("percent:").split(","))
        return {"box": (x, y, x + w, y + h)}
    raise ValueError(f"unknown media fragment {name!r}")


@dataclass(frozen=True)
class MediaRef:
    """Content by its SHA-256 (hex), and which part of it. ``str(ref)`` is the wire form."""

    sha256: str
    fragment: Fragment = Fragment()

    def __str__(self) -> str:
        part = str(self.fragment)
        return f"media://{self.sha256}" + (f"#{part}" if part else "")

    @classmethod
    def parse(cls, text: str) -> MediaRef:
        """Read ``media://…``; raises ``ValueError`` when it is none."""
        match = _REF.fullmatch(text)
        if not match:
            raise ValueError(f"not a media reference: {text[:100]!r}")
        return cls(match[1], Fragment.parse(match[2] or ""))


@dataclass(frozen=True)
class Locator:
    """Where in the user's file a piece stands, for people and filters. Unknown fields stay ``None`` and are not stored.

    ``page_label`` is the printed label, ``page_start``/``page_end`` and ``slide`` count from 1, ``boxes`` are ``Box``
    values on that page, ``headings`` run from the outermost inwards, ``container_path`` is ``deck.pptx!/media1.mp3``.
    """

    page_label: str | None = None
    page_start: int | None = None
    page_end: int | None = None
    boxes: tuple[Box, ...] = ()
    slide: int | None = None
    sheet: str | None = None
    headings: tuple[str, ...] = ()
    start_seconds: float | None = None
    end_seconds: float | None = None
    container_path: str | None = None

    def metadata(self) -> dict[str, str | int | float]:
        """The known fields under their metadata keys, flat: stores such as Chroma refuse lists."""
        values = {
            PAGE_LABEL: self.page_label,
            PAGE_START: self.page_start,
            PAGE_END: self.page_end if self.page_end is not None else self.page_start,
            BBOX: json.dumps([[round(v, 4) for v in box] for box in self.boxes]) if self.boxes else None,
            SLIDE: self.slide,
            SHEET: self.sheet,
            HEADING_PATH: HEADING_SEPARATOR.join(one_line(h) for h in self.headings) or None,
            START_SECONDS: self.start_seconds,
            END_SECONDS: self.end_seconds,
            CONTAINER_PATH: self.container_path,
        }
        return {key: value for key, value in values.items() if value is not None}


def boxes_of(metadata: Mapping[str, Any]) -> list[list[float]]:
    """The boxes of a document, node or hit as numbers; empty when it has none."""
    boxes: list[list[float]] = json.loads(metadata.get(BBOX) or "[]")
    return boxes


@dataclass(frozen=True)
class FileInfo:
    """What all documents of one file share. ``path`` is its identity: ids are derived from it, not from its content."""

    path: str
    name: str
    mime_type: str
    size: int
    sha256: str

    def metadata(self) -> dict[str, str | int]:
        """These facts under LlamaIndex's own names.

        Dates are left out: they are part of a node's hash, and touching a file must not embed it again.
        """
        return {
            FILE_PATH: self.path,
            FILE_NAME: self.name,
            FILE_TYPE: self.mime_type,
            FILE_SIZE: self.size,
            SOURCE_SHA256: self.sha256,
        }


@dataclass(frozen=True)
class MediaItem:
    """The media of a document or node: its reference, its MIME type, and a local file to show it from, if any."""

    ref: MediaRef
    mime_type: str
    path: Path | None = None


def stable_id(*parts: str) -> str:
    """A UUID that the same parts always give (Qdrant takes UUIDs and integers only)."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "#".join(parts)))


def one_line(text: str) -> str:
    """``text`` without line breaks and runs of blanks, at most 200 characters: fit for a metadata line."""
    return " ".join(text.split())[:_MAX_TITLE]


def harmless(text: str) -> str:
    """``text`` in which no line can pass for a media reference; readers apply it to everything they extract."""
    return _FORGED.sub(r"\1 \2", text)


AnyNode = TypeVar("AnyNode", Document, Node)


def build(
    cls: type[AnyNode],
    node_id: str,
    modality: Modality,
    text: str,
    metadata: Mapping[str, Any],
    *,
    title: str = "",
    media: MediaItem | None = None,
) -> AnyNode:
    """Make a ``Document`` or ``Node`` that keeps its media on every path through LlamaIndex.

    ``text_resource`` is always set, media is a path and a MIME type and never bytes, and only ``title`` and
    ``media_ref`` reach the embedding model.
    """
    head: dict[str, Any] = {}
    if media:
        head[MEDIA_REF] = str(media.ref)
        head[MIME_TYPE] = media.mime_type
    if title:
        head[TITLE] = harmless(one_line(title))
    head[MODALITY] = modality
    full = head | {k: v for k, v in metadata.items() if k not in head}
    node = cls(
        id_=node_id,
        metadata=full,
        text_resource=MediaResource(text=harmless(text)),
        excluded_embed_metadata_keys=[k for k in full if k not in EMBEDDED_KEYS],
        excluded_llm_metadata_keys=[k for k in full if k in HIDDEN_FROM_LLM],
    )
    if media and media.path and modality in _RESOURCES:
        setattr(node, _RESOURCES[modality], MediaResource(path=media.path, mimetype=media.mime_type))
    return node


def media_of(node: BaseNode) -> MediaItem | None:
    """The media that a document or node of this package carries, by its metadata."""
    ref = node.metadata.get(MEDIA_REF)
    if not isinstance(ref, str):
        return None
    resources: Iterable[MediaResource | None] = (getattr(node, name, None) for name in _RESOURCES.values())
    path = next((r.path for r in resources if r is not None and r.path), None)
    return MediaItem(MediaRef.parse(ref), str(node.metadata.get(MIME_TYPE, "")), path)


@dataclass(frozen=True)
class EmbedText:
    """What the text handed to an embedding model says: perhaps a media reference, a title, and the words themselves."""

    body: str
    title: str = ""
    ref: MediaRef | None = None

    @property
    def caption(self) -> str:
        """Title and words as one text to go beside media; the title once."""
        if not self.title or self.title in self.body:
            return self.body
        return f"{self.title}\n{self.body}".strip()


def read_embed_text(text: str) -> EmbedText:
    """Undo ``get_content(MetadataMode.EMBED)``.

    Only the block of metadata lines before the first blank line is searched for the reference, so a document that
    merely quotes one stays text.
    """
    head, _, body = text.partition("\n\n")
    ref, title = _REF_LINE.search(head), _TITLE_LINE.search(head)
    if ref:
        return EmbedText(body.strip(), title[1].strip() if title else "", MediaRef.parse(ref[1]))
    if title and head == title[0] and body:
        return EmbedText(body, title[1].strip())
    return EmbedText(text)
