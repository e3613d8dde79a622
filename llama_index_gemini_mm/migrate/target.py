"""Targets: the collection that a migration fills, and how it takes the place of the old one when it is full."""

from __future__ import annotations

import hashlib
import json
import shutil
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from qdrant_client import QdrantClient, models

from llama_index_gemini_mm.errors import IndexMismatch
from llama_index_gemini_mm.layout import edge_folder
from llama_index_gemini_mm.vector_store import MediaVectorStore, QdrantMediaStore, Stamp, open_embedded
from llama_index_gemini_mm.vector_store.aliases import Aliases
from llama_index_gemini_mm.vector_store.space import REMEDY
from llama_index_gemini_mm.vector_store.stored import edge_stamp, stamp_behind

LIVE = "-current"
"""What is added to the name of a collection that still bears it itself, for the alias of its successor."""


class Target(ABC):
    """A collection to be filled.

    Attributes:
        name: what people call it, before and after.
        collection: what it is really called.
        folder: the storage folder, with the cache and the journal of batch jobs.
        stamp: its space and plan.
        in_place: whether the old index is the collection that the name leads to now, or led to before.
    """

    in_place: bool
    name: str
    collection: str
    folder: Path
    stamp: Stamp

    @abstractmethod
    def open(self) -> MediaVectorStore:
        """The collection, made when it is not there."""

    @property
    @abstractmethod
    def live(self) -> bool:
        """Whether the name leads to it."""

    @abstractmethod
    def flip(self) -> str:
        """Let the name, or one like it, lead to it from now on, in one step; says which name does."""

    @abstractmethod
    def former(self) -> str | None:
        """The collection that the name led to before, if it is kept here still."""

    @abstractmethod
    def drop_former(self) -> None:
        """Delete that collection for good."""

    @abstractmethod
    def release(self, store: MediaVectorStore) -> None:
        """Close what ``open`` gave, but for what is not this target's."""


class EmbeddedTarget(Target):
    """A collection in a storage folder.

    Args:
        folder: the storage folder.
        name: the name that ``MediaIndex.open`` is given.
        stamp: the space and plan wanted.
        in_place: whether a collection of that name in another space is what is migrated, and so may be replaced.

    Raises:
        IndexMismatch: there is a collection of that name in another space, and it is not to be replaced.
    """

    def __init__(self, folder: Path, name: str, stamp: Stamp, *, in_place: bool = False) -> None:
        self.folder, self.name, self.stamp, self.in_place = folder, name, stamp, in_place
        self._aliases = Aliases(folder)
        now = self._aliases.resolve(name)
        there = edge_stamp(folder, now)
        if there is not None and there != stamp and not in_place:
            raise IndexMismatch(str(stamp.space), str(there.space), REMEDY)
        self.collection = now if there in (None, stamp) else _successor(name, stamp, self._aliases.former(name))

    def open(self) -> MediaVectorStore:
        """The collection in the embedded engine."""
        return open_embedded(self.folder, self.collection, self.stamp)

    @property
    def live(self) -> bool:
        """Whether the storage opens it under the name."""
        return self._aliases.resolve(self.name) == self.collection

    def flip(self) -> str:
        """Write it into the storage's list."""
        if not self.live:
            self._aliases.point(self.name, self.collection, self._aliases.resolve(self.name))
        return self.name

    def former(self) -> str | None:
        """The last one before it."""
        return next(reversed(self._aliases.former(self.name)), None)

    def drop_former(self) -> None:
        """Delete its folder."""
        former = self.former()
        if former is not None:
            shutil.rmtree(edge_folder(self.folder, former), ignore_errors=True)
            self._aliases.forget(self.name, former)

    def release(self, store: MediaVectorStore) -> None:
        """Close the collection."""
        store.close()


class ServerTarget(Target):
    """A collection on a Qdrant server, beside the old one.

    Args:
        client: a client of the server; it stays whose it is.
        name: a collection or an alias.
        stamp: the space and plan wanted.
        folder: a folder on this machine for the cache and what is to be remembered.
        address: what tells this server from others.
    """

    def __init__(self, client: QdrantClient, name: str, stamp: Stamp, folder: Path, address: str) -> None:
        self.name, self.stamp, self.folder, self.in_place = name, stamp, folder, True
        self._client = client
        self._memory, self._key = Aliases(folder), f"{address}/{name}"
        self.collection = self._fitting()

    def open(self) -> MediaVectorStore:
        """The collection on the server."""
        return QdrantMediaStore(self._client, self.collection, self.stamp)

    @property
    def live(self) -> bool:
        """Whether the name, or the one made like it, leads to it."""
        return self.collection in (resolved(self._client, self.name), resolved(self._client, self.name + LIVE))

    def flip(self) -> str:
        """Move the alias. A collection that bears the name itself keeps it, and the alias gets a longer one."""
        now = resolved(self._client, self.name)
        if now == self.collection:
            return self.name
        alias = self.name if now != self.name else self.name + LIVE
        self._point(alias)
        self._memory.point(self._key, self.collection, now)
        return alias

    def former(self) -> str | None:
        """The last one before it, as this machine remembers, or the one that bears the name."""
        if self._client.collection_exists(self.name) and resolved(self._client, self.name) != self.collection:
            return resolved(self._client, self.name)
        kept = self._memory.former(self._key)
        return next((each for each in reversed(kept) if self._client.collection_exists(each)), None)

    def drop_former(self) -> None:
        """Delete it; if it bore the name itself, the name becomes an alias of the new one."""
        former = self.former()
        if former is None:
            return
        self._client.delete_collection(former)
        self._memory.forget(self._key, former)
        if former == self.name:
            self._point(self.name)

    def release(self, store: MediaVectorStore) -> None:
        """Nothing: closing the collection would close the client."""

    def _fitting(self) -> str:
        """What the name, or the one made like it, leads to, if that is what is wanted; else a new name."""
        for alias in (self.name, self.name + LIVE):
            real = resolved(self._client, alias)
            if self._client.collection_exists(real) and self._fits(real):
                return real
        if not self._client.collection_exists(self.name):
            return self.name
        return _successor(self.name, self.stamp, self._memory.former(self._key))

    def _fits(self, collection: str) -> bool:
        try:
            return stamp_behind(self._client, collection) == self.stamp
        except IndexMismatch:  # a stamp of another version, so another space in any case
            return False

    def _point(self, alias: str) -> None:
        create = models.CreateAlias(collection_name=self.collection, alias_name=alias)
        steps: list[models.AliasOperations] = [models.CreateAliasOperation(create_alias=create)]
        if resolved(self._client, alias) != alias:
            gone = models.DeleteAlias(alias_name=alias)
            steps.insert(0, models.DeleteAliasOperation(delete_alias=gone))
        self._client.update_collection_aliases(steps)


def resolved(client: QdrantClient, name: str) -> str:
    """The collection behind a name, which may be an alias."""
    aliases = {each.alias_name: each.collection_name for each in client.get_aliases().aliases}
    return aliases.get(name, name)


def _successor(name: str, stamp: Stamp, former: Sequence[str]) -> str:
    """A name that the same stamp always gives, so that a migration that was stopped finds what it has filled.

    After another migration it is another one: what that left behind is old, and not half of what is wanted.
    """
    told = json.dumps([stamp.as_dict(), *former], sort_keys=True)
    return f"{name}-{stamp.space.dimension}-{hashlib.sha256(told.encode()).hexdigest()[:8]}"
