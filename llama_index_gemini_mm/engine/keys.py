"""What makes two items the same: the key under which a vector is cached, and by which equals in one call are found."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from llama_index_gemini_mm.engine.items import EmbedItem

Key = bytes
"""SHA-256 digest, 32 bytes."""

_TEXT, _DATA, _NAMED = b"t", b"d", b"n"


@dataclass(frozen=True)
class KeySpace:
    """What decides a vector besides the item itself. Operational settings are no part of it.

    ``preprocessing_version`` stands for how media were brought into the form in which they are sent.
    """

    model: str
    dimension: int
    task: str
    prefix_version: int
    preprocessing_version: int
    service: str = "gemini"

    def __post_init__(self) -> None:
        seed = hashlib.sha256(repr(self).encode())
        object.__setattr__(self, "_seed", seed)

    def key(self, item: EmbedItem) -> Key:
        """The key of an item: every part by its content and type, the role, and the title."""
        digest = self._start(item.role, item.title)
        for part in item.parts:
            if part.data is None:
                _add(digest, _TEXT, (part.text or "").encode("utf-8", "surrogatepass"))
            else:
                _add(digest, _DATA + (part.mime_type or "").encode(), part.data)
        return digest.digest()

    def named_key(self, identity: str, role: str) -> Key:
        """The key of an item that is known by name before it is made: a media reference and its caption.

        A reference names its content by hash, so the name decides the vector as the bytes would.
        """
        digest = self._start(role, "")
        _add(digest, _NAMED, identity.encode("utf-8", "surrogatepass"))
        return digest.digest()

    def _start(self, role: str, title: str) -> hashlib._Hash:
        digest: hashlib._Hash = self._seed.copy()  # type: ignore[attr-defined]
        _add(digest, role.encode(), title.encode("utf-8", "surrogatepass"))
        return digest


def _add(digest: hashlib._Hash, kind: bytes, data: bytes) -> None:
    """Lengths go in too, so that no two different items run together into the same bytes."""
    digest.update(b"%d:%s:%d:" % (len(kind), kind, len(data)))
    digest.update(data)
