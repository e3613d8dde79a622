"""MediaStore: content by its hash. Originals stay where they are and are recorded; extracted media are copied in.

    <root>/<ab>/<sha256>.json   what is known: MIME type, size, and for an original where it lies
    <root>/<ab>/<sha256>        the bytes of extracted media
    <root>/.gemini-mm           the mark of a folder that reading leaves out; only where the store made ``root`` itself

One small file per entry, written under another name and then moved, so several processes can share a store; ``root``
may be any fsspec URL.
"""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, cast

from llama_index_gemini_mm.codecs import Undecodable
from llama_index_gemini_mm.errors import CorruptFile, MediaMissing
from llama_index_gemini_mm.media import Fragment, MediaRef
from llama_index_gemini_mm.sandbox import bounds_for, guarded, inside_worker, shared
from llama_index_gemini_mm.source import Source

DEFAULT_ROOT = "./storage/media"
STORAGE_MARK = ".gemini-mm"
"""A file in a folder of this package's own. Whoever reads a folder around it leaves it out."""
_MARK = b"This folder belongs to llama_index_gemini_mm, which leaves it out when it reads a folder around it.\n"


@dataclass(frozen=True)
class Entry:
    """What the store knows of some content. ``location`` is set for originals; ``mtime_ns`` for local ones."""

    sha256: str
    mime_type: str
    size: int
    location: str | None = None
    mtime_ns: int | None = None


class MediaStore:
    """A content-addressed store of media.

    Args:
        root: a folder, or an fsspec URL for storage that several machines share. Made when first written to.
        isolated: whether media are cut in a process of its own, which a broken or hostile file may crash, hang or fill
            without harm (``sandbox``). What lies behind a URL is cut here.
    """

    def __init__(self, root: str | Path = DEFAULT_ROOT, *, isolated: bool = True) -> None:
        self.root = str(root)
        self.isolated = isolated
        self._fs, self._base = _filesystem(self.root)
        self._copies: dict[str, Path] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        return _store, (self._base if self.is_local else self.root, self.isolated)  # elsewhere . is another folder

    def __repr__(self) -> str:
        return "MediaStore()"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MediaStore) and other.root == self.root

    def __hash__(self) -> int:
        return hash(self.root)

    @property
    def is_local(self) -> bool:
        """Whether it lies in a folder of this disk."""
        return _is_local(self._fs)

    def method(self, name: str) -> Callable[..., Any]:
        """A method of the filesystem it lies on, for its root and names below; others raise ``PermissionError``."""

        def bounded(path: str, *args: Any) -> Any:
            if not f"{path}/".startswith(self._base + "/") or ".." in path:
                raise PermissionError("not in the media store")
            return getattr(self._fs, name)(path, *args)

        return bounded

    @contextmanager
    def lent(self, source: Source) -> Iterator[None]:
        """Let this object, and no other, find the bytes of a URL where ``source`` has a copy of them."""
        if source.copy is not None:
            self._copies[source.location] = source.copy
        try:
            yield
        finally:
            self._copies.pop(source.location, None)

    def add_file(self, path: str | Path, mime_type: str, *, copy: bool = False) -> str:
        """Record a file and return its SHA-256; with ``copy`` its bytes are kept too."""
        return self.add_source(Source.of(path), mime_type, copy=copy)

    def add_source(self, source: Source, mime_type: str, *, copy: bool = False) -> str:
        """Record a source and return its SHA-256; bytes that lie nowhere else are kept."""
        if copy or source.data is not None:
            return self.add_bytes(source.read(), mime_type)
        entry = Entry(source.sha256, mime_type, source.size, source.location, _mtime_ns(source))
        known = self._entry(source.sha256)
        if known != entry and not (known and known.location is None):
            self._write(self._name(entry.sha256) + ".json", json.dumps(asdict(entry)).encode())
        return source.sha256

    def add_bytes(self, data: bytes, mime_type: str) -> str:
        """Keep bytes, once, and return their SHA-256."""
        sha256 = hashlib.sha256(data).hexdigest()
        name = self._name(sha256)
        if not self._fs.exists(name):
            self._write(name, data)
        entry = Entry(sha256, mime_type, len(data))
        if self._entry(sha256) != entry:
            self._write(name + ".json", json.dumps(asdict(entry)).encode())
        return sha256

    def entry(self, ref: MediaRef) -> Entry:
        """What is known of the content; raises ``MediaMissing`` when nothing is."""
        found = self._entry(ref.sha256)
        if found is None:
            raise MediaMissing(str(ref), None, "not in this media store; read the file again, or name its media_store=")
        return found

    def local_path(self, sha256: str) -> Path | None:
        """A file on this disk that holds the content, if there is one."""
        entry = self._entry(sha256)
        if entry is None:
            return None
        if entry.location is not None:
            return Source.of(entry.location).local_path
        return Path(self._name(sha256)) if _is_local(self._fs) else None

    def open(self, ref: MediaRef) -> BinaryIO:
        """A stream over the whole content; raises ``MediaMissing`` when it is gone or is no longer the same."""
        entry = self.entry(ref)
        if entry.location is None:
            return self._open_blob(ref)
        source = replace(Source.of(entry.location), copy=self._copies.get(entry.location))
        self._check(source, entry, ref)
        return source.open()

    def read(self, ref: MediaRef) -> bytes:
        """The whole content, whatever the reference's fragment."""
        with self.open(ref) as stream:
            return stream.read()

    def cut(self, ref: MediaRef) -> tuple[bytes, str]:
        """What ``ref`` names, in the form it is uploaded in, with its MIME type.

        Pictures come as PNG or JPEG, sounds as MP3 or WAV, films as MP4 without sound, pages as PDF. Raises
        ``MediaMissing``, or ``CorruptFile`` when the content cannot be decoded.
        """
        entry = self.entry(ref)
        if not self.isolated or inside_worker() or self.local_path(ref.sha256) is None:
            return self._cut(ref, entry)
        with guarded(entry.location or str(ref)):
            return shared().call(MediaStore._cut, bounds_for(entry.size), self, ref, entry)

    def _cut(self, ref: MediaRef, entry: Entry) -> tuple[bytes, str]:
        with self.open(ref) as stream:
            try:
                return _cut(stream, entry.mime_type, ref.fragment)
            except Undecodable as error:
                raise CorruptFile(entry.location or str(ref), str(error)) from error

    def _open_blob(self, ref: MediaRef) -> BinaryIO:
        try:
            return cast("BinaryIO", self._fs.open(self._name(ref.sha256), "rb"))
        except FileNotFoundError as error:
            raise MediaMissing(
                str(ref), None, "its bytes are gone from the media store; read the file again"
            ) from error

    def _check(self, source: Source, entry: Entry, ref: MediaRef) -> None:
        remedy = "index the file again"
        if source.local_path and not source.local_path.exists():
            raise MediaMissing(str(ref), entry.location, f"the file is gone; {remedy}")
        if (source.size, _mtime_ns(source)) == (entry.size, entry.mtime_ns):
            return
        if source.sha256 != entry.sha256:
            raise MediaMissing(str(ref), entry.location, f"the file has changed; {remedy}")
        self.add_source(source, entry.mime_type)

    def _name(self, sha256: str) -> str:
        return f"{self._base}/{sha256[:2]}/{sha256}"

    def _entry(self, sha256: str) -> Entry | None:
        try:
            return Entry(**json.loads(self._fs.cat_file(self._name(sha256) + ".json")))
        except FileNotFoundError:
            return None

    def _write(self, name: str, data: bytes) -> None:
        if not self._fs.exists(f"{self._base}/"):
            self._put(f"{self._base}/{STORAGE_MARK}", _MARK)
        self._put(name, data)

    def _put(self, name: str, data: bytes) -> None:
        self._fs.makedirs(name.rpartition("/")[0], exist_ok=True)
        draft = f"{name}.{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._fs.pipe_file(draft, data)
        self._fs.mv(draft, name)


def _store(root: str, isolated: bool) -> MediaStore:
    return MediaStore(root, isolated=isolated)


def _filesystem(root: str) -> tuple[Any, str]:
    from fsspec.core import url_to_fs

    fs, base = url_to_fs(root if "://" in root else str(Path(root).expanduser().absolute()))
    return fs, base.rstrip("/")


def _is_local(fs: Any) -> bool:
    from fsspec.implementations.local import LocalFileSystem

    return isinstance(fs, LocalFileSystem)


def _mtime_ns(source: Source) -> int | None:
    return source.local_path.stat().st_mtime_ns if source.local_path else None


def _cut(stream: BinaryIO, mime_type: str, fragment: Fragment) -> tuple[bytes, str]:
    kind = mime_type.partition("/")[0]
    if kind == "image":
        from llama_index_gemini_mm.codecs import image

        return image.cut(stream, fragment.box, fragment.first_page)
    if kind == "audio" or (kind == "video" and fragment.track == "audio"):
        from llama_index_gemini_mm.codecs import audio

        return audio.cut(stream, mime_type, fragment.start, fragment.end)
    if kind == "video":
        from llama_index_gemini_mm.codecs import video

        return video.cut(stream, mime_type, fragment.start, fragment.end), "video/mp4"
    if mime_type == "application/pdf":
        from llama_index_gemini_mm.codecs import pdf

        return pdf.cut(stream, fragment.first_page, fragment.last_page), mime_type
    raise Undecodable(f"{mime_type} cannot be uploaded as media")


def mark_storage(folder: Path) -> None:
    """Make ``folder`` if need be and mark it as this package's own; one that holds files already stays as it is."""
    folder.mkdir(parents=True, exist_ok=True)
    if not any(folder.iterdir()):
        (folder / STORAGE_MARK).write_bytes(_MARK)


def as_media_store(value: MediaStore | str | Path | None) -> MediaStore:
    """The store that an option ``media_store=`` means: one, a place for one, or the shared default."""
    return value if isinstance(value, MediaStore) else MediaStore(value or DEFAULT_ROOT)
