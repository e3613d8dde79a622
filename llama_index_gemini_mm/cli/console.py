"""What ``gemini-mm`` shows: tables on stdout, progress and messages on stderr, JSON for machines."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

if TYPE_CHECKING:
    from llama_index_gemini_mm.demo import DemoQuery
    from llama_index_gemini_mm.hits import MediaHit
    from llama_index_gemini_mm.retriever import Explanation
    from llama_index_gemini_mm.sync import Progress as SyncProgress
    from llama_index_gemini_mm.sync import SyncReport


class Advance(Protocol):
    """Moves a bar: what is done of how many, what there is to tell, and what is worked at."""

    def __call__(self, done: int, total: int, told: str = "", description: str = ..., /) -> None:
        """Show it."""
        ...


STAND_IN = "offline: vectors come from a stand-in model, not from Gemini; its ranking only shows how things work"
_PARTS_SHOWN = 3
_EXCERPT = 120


def _out() -> Console:
    return Console(highlight=False, soft_wrap=False)


def _err() -> Console:
    return Console(stderr=True, highlight=False, soft_wrap=True)


def say_stand_in() -> None:
    """Say once that the ranking is not Gemini's."""
    _err().print(STAND_IN, style="yellow")


@contextmanager
def progress() -> Iterator[Callable[[SyncProgress], None]]:
    """A bar of files with nodes and money; silent where stderr is no terminal."""
    started = time.monotonic()
    with counted("reading") as advance:

        def tell(state: SyncProgress) -> None:
            rate = state.nodes / max(time.monotonic() - started, 1e-3)
            told = f"{state.nodes} nodes  {rate:.1f}/s  ${state.usd:.4f}"
            advance(state.done, state.total, told, state.file_name[:40])

        yield tell


@contextmanager
def counted(what: str) -> Iterator[Advance]:
    """A bar that says how many of how many are done; silent where stderr is no terminal."""
    console = _err()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[told]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=None, told="")

        def advance(done: int, total: int, told: str = "", description: str = what) -> None:
            bar.update(task, completed=done, total=total, told=told, description=description)

        yield advance


def show_report(report: SyncReport, *, as_json: bool) -> None:
    """What a sync did, and every file it left out."""
    if as_json:
        _print_json(report.as_dict())
        return
    out = _out()
    if report.dry_run:
        out.print("a dry run: nothing was sent, nothing was stored; this is what a sync would do", style="yellow")
    renamed = f"{report.renamed} renamed, " if report.renamed else ""
    out.print(
        f"{report.files} files: {report.indexed} indexed, {renamed}{report.unchanged} unchanged, "
        f"{report.removed} removed, {len(report.skipped)} skipped"
    )
    if report.nodes:
        out.print("nodes: " + ", ".join(f"{count} {name}" for name, count in sorted(report.nodes.items())))
    sent = "to embed" if report.dry_run else "embedded"
    out.print(f"{sent} {report.embedded}, {report.tokens:,} tokens, about ${report.usd:.4f}, {report.seconds:.1f} s")
    for skipped in (*report.skipped, *report.notes):
        line = Text(f"skipped {_short_path(skipped.file)}: {skipped.error}: {skipped.reason}", style="yellow")
        out.print(line, soft_wrap=True)


def show_hits(hits: Sequence[MediaHit], *, as_json: bool) -> None:
    """A row a hit: score, medium, place, and what it is."""
    if as_json:
        _print_json([hit.as_dict() for hit in hits])
        return
    if not hits:
        _out().print("nothing found")
        return
    _print_hits(_out(), hits)


def show_demo(report: SyncReport, results: Sequence[tuple[DemoQuery, list[MediaHit]]], *, as_json: bool) -> None:
    """The demo's searches, each with a mark that says whether the first hit is the right one."""
    if as_json:
        answers = [{"query": q.label, "right": q.answered_by(h), "hits": [x.as_dict() for x in h]} for q, h in results]
        _print_json({"index": report.as_dict(), "searches": answers})
        return
    show_report(report, as_json=False)
    out = _out()
    for query, hits in results:
        asked = f"“{query.text}”" if query.text else query.image.name if query.image else ""
        mark = "[green]✓[/]" if query.answered_by(hits) else "[red]✗[/]"
        out.print(f"\n{mark} [bold]{query.label}[/]  {asked}")
        _print_hits(out, hits)


def show_emulator(base_url: str) -> None:
    """How to point a program at the emulator."""
    out = _out()
    out.print(f"Gemini emulator on {base_url} (a stand-in model, not Gemini); Ctrl-C stops it")
    out.print(f"  GeminiMultimodalEmbedding(base_url={base_url!r}, api_key='offline')")
    out.print(f"  export GOOGLE_GEMINI_BASE_URL={base_url} GOOGLE_API_KEY=offline")


def _print_hits(out: Console, hits: Sequence[MediaHit]) -> None:
    """A line a hit; cut to the width of a terminal, and never cut in a pipe."""
    files = [_short_path(hit.file_path or "") for hit in hits]
    width = max(map(len, files), default=0)
    out.print(f" score  medium    place      {'file':{width}}  what", style="bold", soft_wrap=not out.is_terminal)
    for hit, file in zip(hits, files, strict=True):
        line = Text(f"{hit.score:6.3f}  {hit.modality:8}  {place_of(hit):9}  {file:{width}}  {_what(hit)}")
        if out.is_terminal:
            out.print(line, no_wrap=True, overflow="ellipsis")
        else:
            out.print(line, soft_wrap=True)
        if hit.explanation:
            out.print(Text(f"        {_reasons(hit.explanation)}", style="dim"), soft_wrap=True)


def _reasons(explanation: Explanation) -> str:
    """How a score came about, in a line."""
    asked = " and ".join(explanation.query_modalities) or "the query"
    reasons = [f"cosine {explanation.raw:.3f} to the {asked}"]
    if explanation.calibrated is not None:
        reasons.append(f"calibrated {explanation.calibrated:.3f}")
    if explanation.dense_rank is not None:
        reasons.append(f"rank {explanation.dense_rank} by vector")
    if explanation.sparse_rank is not None:
        reasons.append(f"rank {explanation.sparse_rank} by words ({explanation.sparse_score:.1f})")
    return ", ".join(reasons)


def _what(hit: MediaHit) -> str:
    """The nearest heading or title, and the first words."""
    from llama_index_gemini_mm.media import HEADING_SEPARATOR

    title = (hit.title or "").rsplit(HEADING_SEPARATOR, 1)[-1]
    words = " ".join(hit.text.split()).removeprefix(title).lstrip(" :.")
    return " · ".join(filter(None, (title, words)))[:_EXCERPT]


def place_of(hit: MediaHit) -> str:
    """Page, slide or time of a hit, as people write it."""
    if hit.start_seconds is not None and hit.end_seconds is not None:
        return f"{_clock(hit.start_seconds)}–{_clock(hit.end_seconds)}"
    if hit.page_label is not None:
        return f"page {hit.page_label}"
    slide = hit.node.metadata.get("slide")
    return f"slide {slide}" if slide is not None else ""


def _clock(seconds: float) -> str:
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    minutes, secs = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{secs:02}" if hours else f"{minutes}:{secs:02}"


def _short_path(path: str) -> str:
    """Relative to where the command runs when it lies below; else its end, which is what tells files apart."""
    here = str(Path.cwd()) + "/"
    if path.startswith(here):
        return path.removeprefix(here)
    parts = Path(path).parts
    return path if len(parts) <= _PARTS_SHOWN else "…/" + "/".join(parts[1 - _PARTS_SHOWN :])


def _print_json(value: Any) -> None:
    _out().file.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")
