"""Aliases: under which name a storage folder keeps each collection, so that a new one can take the place of an old one.

It is for the embedded engines what aliases are on a Qdrant server. A name that is not listed stands for itself.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from llama_index_gemini_mm.errors import ConfigurationError
from llama_index_gemini_mm.vector_store.space import write_whole

ALIAS_FILE = "collections.json"
_NOW, _FORMER = "now", "former"


class Aliases:
    """The list of one storage folder; without a file it is empty. Hold the storage's lock while you write.

    Args:
        folder: the storage folder.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / ALIAS_FILE

    def resolve(self, name: str) -> str:
        """The collection that ``name`` stands for."""
        return str(self._read().get(name, {}).get(_NOW, name))

    def former(self, name: str) -> list[str]:
        """The collections that it stood for before and that are still kept, oldest first."""
        return list(self._read().get(name, {}).get(_FORMER, []))

    def point(self, name: str, collection: str, former: str) -> None:
        """Let ``name`` stand for ``collection`` from now on, and note ``former`` as still kept. In one step."""
        table = self._read()
        kept = [each for each in self.former(name) if each not in (collection, former)]
        table[name] = {_NOW: collection, _FORMER: [*kept, former]}
        self._write(table)

    def forget(self, name: str, former: str) -> None:
        """Note that a former collection is gone."""
        table = self._read()
        if name in table:
            table[name][_FORMER] = [each for each in table[name][_FORMER] if each != former]
            self._write(table)

    def _read(self) -> dict[str, dict[str, Any]]:
        if not self._path.exists():
            return {}
        try:
            return dict(json.loads(self._path.read_text("utf-8")))
        except (OSError, ValueError) as error:
            remedy = "restore it, or delete it to let every collection stand under its own name"
            raise ConfigurationError(f"{self._path} cannot be read: {error}; {remedy}") from error

    def _write(self, table: dict[str, dict[str, Any]]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(self._path, json.dumps(table, indent=2))
