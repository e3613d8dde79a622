"""What makes two items the same: the key under which a vector is cached, and by which equals in one call are found."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from llama_index_gemini_mm.engine.items import EmbedItem, Part

Key = bytes
"""SHA-256 digest, 32 bytes."""


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
    _seed: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_seed", hashlib.sha256(ascii(self).encode()).digest())

    def key(self, item: EmbedItem) -> Key:
        """The key of an item: every part by its content and type, the role, and the title."""
        return self._key((item.role, item.title, tuple(map(_identity, item.parts))))

    def named_key(self, identity: str, role: str) -> Key:
        """The key of an item that is known by name before it is made: a media reference and its caption.

        A reference names its content by hash, so the name decides the vector as the bytes would.
        """
        return self._key(("named", role, identity))

    def _key(self, identity: tuple[object, ...]) -> Key:
        """``ascii`` quotes and escapes, so no two different values read the same, in any Python version."""
        return hashlib.sha256(self._seed + ascii(identity).encode()).digest()


def _identity(part: Part) -> object:
    """Media by their own digest, so that the bytes of a film are hashed where they lie and not copied."""
    if part.mime_type is None:
        return part.text
    return part.mime_type, part.uri if part.data is None else hashlib.sha256(part.data).digest()
