"""A tuning as a picture: what each plan takes against what it finds."""

from __future__ import annotations

from pathlib import Path

from llama_index_gemini_mm.errors import MissingDependency
from llama_index_gemini_mm.tune.report import TuneReport

try:
    from matplotlib.axes import Axes
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
except ImportError as error:
    raise MissingDependency("--plot", "matplotlib", "plot") from error

_MARKS = {"text": "o", "image": "s", "audio": "^", "video": "D", "document": "P"}
_COLOURS = ("#1f77b4", "#2ca02c", "#d62728")
_KB = 1000


def draw(report: TuneReport, file: Path) -> None:
    """Write a PNG: recall by modality over kilobytes a node, and beside it what a search takes."""
    figure = Figure(figsize=(9, 4), dpi=144, layout="constrained")
    FigureCanvasAgg(figure)
    found, taken = figure.subplots(1, 2, width_ratios=(3, 2))
    _recall(found, report)
    _latency(taken, report)
    figure.suptitle(f"{report.sampled:,} nodes × {report.dimension:,} numbers", fontsize=10)
    figure.savefig(file, format="png")


def _recall(axes: Axes, report: TuneReport) -> None:
    for row, colour in zip(report.rows, _COLOURS, strict=True):
        for modality, share in row.recall_by_modality.items():
            axes.plot(row.disk_bytes / _KB, share, _MARKS.get(modality, "."), color=colour, alpha=0.75)
        place = (row.disk_bytes / _KB, row.recall)
        axes.annotate(row.plan, place, (8, 0), textcoords="offset points", va="center")
    axes.axhline(report.target, color="grey", linewidth=0.8, linestyle="--")
    axes.set(
        xlabel="kB a node on disk",
        ylabel="recall@10",
        xlim=(0, 1.25 * max(row.disk_bytes for row in report.rows) / _KB),
    )
    axes.margins(y=0.12)
    for modality in report.queries:
        axes.plot([], [], _MARKS.get(modality, "."), color="grey", label=modality)
    axes.legend(loc="lower right", edgecolor="none", framealpha=1.0, fontsize=8)


def _latency(axes: Axes, report: TuneReport) -> None:
    names = [row.plan for row in report.rows]
    axes.barh(names, [row.p95_ms for row in report.rows], color=[f"{colour}55" for colour in _COLOURS], label="p95")
    axes.barh(names, [row.median_ms for row in report.rows], color=_COLOURS, height=0.5, label="median")
    axes.invert_yaxis()
    axes.set(xlabel="ms a search: median, and p95 in light")
