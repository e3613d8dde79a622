"""What the links of one document name: pictures, and sounds and films that are read as files inside it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from urllib.parse import unquote

from llama_index_gemini_mm.readers._archive import Names
from llama_index_gemini_mm.readers._base import DocumentBuilder, ReaderOptions
from llama_index_gemini_mm.readers._pictures import linked_bytes, remote
from llama_index_gemini_mm.source import Source

_PLAYABLE = frozenset(
    (".mp3", ".wav", ".ogg", ".oga", ".opus", ".flac", ".m4a", ".aac", ".mp4", ".m4v", ".mov", ".webm", ".mkv", ".ogv")
)


def is_playable(link: str) -> bool:
    """Whether a link names a sound or film by its suffix."""
    return PurePosixPath(link.partition("#")[0].partition("?")[0]).suffix.lower() in _PLAYABLE


class Links:
    """The links of one document, be they to files beside it or the content itself."""

    def __init__(self, source: Source, options: ReaderOptions) -> None:
        self._source = source
        self._options = options
        self._remote = remote(options)
        self._names = Names()
        self._played: dict[bytes, str] = {}

    def picture(self, link: str) -> bytes | None:
        """The bytes of a picture."""
        return (
            linked_bytes(self._source, link, self._options.link_root, self._remote) if self._options.figures else None
        )

    def play(self, link: str) -> bool:
        """Take a sound or film. Of those beside the document only when it is read alone: a folder brings its own."""
        written = link[:5].lower() == "data:"
        data = linked_bytes(self._source, link, self._options.link_root) if written or self._is_alone else None
        if data:
            self.take("" if written else unquote(link.partition("#")[0].partition("?")[0]), data)
        return bool(data)

    def take(self, name: str, data: bytes) -> None:
        """Take a file that stands in the document itself; one that recurs is taken once."""
        if data not in self._played:
            self._played[data] = self._names.take(name, f"media {len(self._played) + 1}")

    def parts(self, builder: DocumentBuilder) -> Iterator[Source]:
        """Yield what was taken."""
        for data, name in self._played.items():
            yield builder.part(name, data)

    @property
    def _is_alone(self) -> bool:
        return self._options.link_root is None
