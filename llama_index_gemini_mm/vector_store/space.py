"""Space: what decides whether two vectors can be compared. Every collection carries one as a stamp."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from llama_index_gemini_mm.embedding import GeminiMultimodalEmbedding
from llama_index_gemini_mm.errors import ConfigurationError, IndexMismatch
from llama_index_gemini_mm.vector_store.plans import Plan, plan_named

STAMP_KEY = "gemini_mm_space"
"""The key under which a server keeps the stamp in a collection's metadata."""
_PLAN = "plan"
REMEDY = "use the settings it was made with, sync into another storage folder or collection, or run: gemini-mm migrate"


@dataclass(frozen=True)
class Space:
    """What decides whether two vectors can be compared.

    ``service`` keeps vectors of the emulator's stand-in model and of Gemini apart.
    """

    model: str
    dimension: int
    task: str
    prefix_version: int
    preprocessing_version: int
    service: str = "gemini"

    @classmethod
    def of(cls, model: GeminiMultimodalEmbedding) -> Space:
        """The space in which a model's vectors live."""
        return cls(
            model.model_name,
            model.output_dimensionality,
            model.task,
            model.prefix_version,
            model.preprocessing_version,
            model.service,
        )

    def __str__(self) -> str:
        return (
            f"{self.dimension}-dimensional vectors of {self.model} ({self.service}, task {self.task}, "
            f"prefixes v{self.prefix_version}, preprocessing v{self.preprocessing_version})"
        )

    def require(self, found: Space) -> None:
        """Raise ``IndexMismatch`` unless ``found`` is this very space."""
        if found != self:
            raise IndexMismatch(str(self), str(found), REMEDY)


@dataclass(frozen=True)
class Stamp:
    """What is written on a collection: the space of its vectors, and the plan they are stored by."""

    space: Space
    plan: Plan

    def as_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self.space) | {_PLAN: self.plan.name}

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Stamp:
        """The inverse of ``as_dict``.

        Raises:
            IndexMismatch: these are no fields of a stamp, or those of a later version.
        """
        try:
            fields = {key: value for key, value in data.items() if key != _PLAN}
            return cls(Space(**fields), plan_named(data[_PLAN]))
        except (AttributeError, TypeError, KeyError, ConfigurationError) as error:
            raise IndexMismatch("vectors of a known model", f"a stamp that cannot be read ({error})", REMEDY) from error

    def require(self, found: Stamp) -> None:
        """Raise ``IndexMismatch`` unless ``found`` is this very stamp."""
        self.space.require(found.space)
        if found.plan != self.plan:
            raise IndexMismatch(f"the plan {self.plan.name}", f"vectors stored by the plan {found.plan.name}", REMEDY)


def read_stamp(path: Path) -> Stamp | None:
    """The stamp in a file; ``None`` when there is no such file.

    Raises:
        IndexMismatch: what stands there is no stamp, or one of another version.
    """
    try:
        data = json.loads(path.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValueError as error:
        raise IndexMismatch("vectors of a known model", f"a stamp that cannot be read ({path})", REMEDY) from error
    return Stamp.parse(data)


def write_stamp(path: Path, stamp: Stamp) -> None:
    """Write a stamp, whole or not at all, on disk when this returns."""
    write_whole(path, json.dumps(stamp.as_dict()))


def write_whole(path: Path, text: str) -> None:
    """Write a small file so that every reader finds the former text or this one."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    with draft.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
