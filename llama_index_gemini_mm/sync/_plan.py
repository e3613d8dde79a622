"""Plan: which files must be read, which are as they were, which have moved, which are gone. Reads no more than it must.

A file is unchanged when size and time are; else when its content is. Content is hashed only where that can tell
something: of a known file with another time and the same size, and of a new one as large as one that is gone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from llama_index_gemini_mm.errors import SourceError
from llama_index_gemini_mm.manifest import FileRecord
from llama_index_gemini_mm.source import Source
from llama_index_gemini_mm.sync._report import Change


@dataclass(frozen=True)
class Pending:
    """A file to be read: the folder it was found through, its state, and where it was before, if it has moved.

    The hash in ``record`` is empty as long as nobody needed it.
    """

    source: Source
    root: str | None
    record: FileRecord
    renamed_from: str | None = None


@dataclass
class Plan:
    """What is to be done.

    Attributes:
        files: how many there are.
        pending: those to be read, in their order.
        touched: new records of those that have another time and the same content.
        gone: paths to be removed, among them the old ones of what was renamed.
    """

    files: int = 0
    pending: list[Pending] = field(default_factory=list)
    touched: list[FileRecord] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)

    def changes(self) -> tuple[Change, ...]:
        """The plan for people."""
        read = (Change(p.record.path, "rename" if p.renamed_from else "index", p.renamed_from) for p in self.pending)
        moved = {p.renamed_from for p in self.pending}
        return (*read, *(Change(path, "remove") for path in self.gone if path not in moved))


def planned(
    found: Iterable[tuple[Source, str | None]], known: Mapping[str, FileRecord], roots: Collection[str]
) -> Plan:
    """Compare what was ``found`` with what is ``known``; files are gone only if they lay below one of ``roots``."""
    sources = {source.location: (source, root) for source, root in found}
    plan = Plan(len(sources))
    for source, root in sources.values():
        record = _state(source)
        old = known.get(record.path)
        if old and record.mtime_ns and (old.size, old.mtime_ns) == (record.size, record.mtime_ns):
            continue
        if old and old.size == record.size:
            record = _hashed(source, record)
            if record.sha256 and record.sha256 == old.sha256:
                plan.touched.append(record)
                continue
        plan.pending.append(Pending(source, root, record))
    plan.gone = [path for path in known if path not in sources and is_below(path, roots)]
    plan.pending = _renamed(plan.pending, known, [known[path] for path in plan.gone if known[path].finished])
    return plan


def is_below(path: str, roots: Iterable[str]) -> bool:
    """Whether a path or URL is one of ``roots``, or lies in one."""
    return any(path == root or path.startswith(root.rstrip("/") + "/") for root in roots)


def _renamed(pending: list[Pending], known: Mapping[str, FileRecord], gone: list[FileRecord]) -> list[Pending]:
    """Find what has moved: a new path, or one that was begun, with the content of one that is gone."""
    sizes = {record.size for record in gone}
    places = {record.sha256: record.path for record in reversed(gone)}
    found = []
    for each in pending:
        old = known.get(each.record.path)
        if (old and old.finished) or each.record.size not in sizes:
            found.append(each)
            continue
        record = _hashed(each.source, each.record)
        found.append(replace(each, record=record, renamed_from=places.pop(record.sha256, None)))
    return found


def _state(source: Source) -> FileRecord:
    """Size and time of a file. Of one that cannot be had they are zero; reading it will say why."""
    size = mtime_ns = 0
    try:
        if path := source.local_path:
            stat = path.stat()
            size, mtime_ns = stat.st_size, stat.st_mtime_ns
        else:
            size = source.size
    except (OSError, SourceError):
        pass
    return FileRecord(source.location, size, mtime_ns, "")


def _hashed(source: Source, record: FileRecord) -> FileRecord:
    """The record with the hash of the content, or without one where it cannot be had."""
    try:
        return replace(record, sha256=source.sha256)
    except SourceError:
        return record
