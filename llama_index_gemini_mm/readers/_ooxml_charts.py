"""What charts of Word, PowerPoint and Excel say: their titles, and their cached values as tables.

The workbook behind a chart is not opened: what the chart shows is stored with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import islice
from typing import Any

from llama_index_gemini_mm.readers._ooxml import CHART, DRAWING, parsed
from llama_index_gemini_mm.readers._text import table

CHARTEX = "{http://schemas.microsoft.com/office/drawing/2014/chartex}"
"""Waterfalls, tree maps and the other kinds that came with Office 2016."""
_MAX_ROWS = 1000
"""Categories of one chart that are written out: more are a curve to be seen, not values to be read."""
_NUMBERS = (f"{CHART}numCache", f"{CHART}numLit")
_AXES = ("catAx", "dateAx", "valAx", "serAx")


@dataclass(frozen=True)
class _Column:
    """A series: its name, its values, and the categories or x values that they belong to, both by index."""

    name: str
    categories: dict[int, str]
    values: dict[int, str]


def chart_text(blob: bytes, name: str = "chart") -> str:
    """The title, the axes' titles and the values of a chart part, a row a category and a column a series.

    Args:
        blob: the part, such as ``xl/charts/chart1.xml`` or ``xl/charts/chartEx1.xml``.
        name: its name, for the log.

    Returns:
        Text with a Markdown table; empty for a part that is broken, which is logged, or is no chart.
    """
    root = parsed(blob, name)
    if root is None or root.tag not in (f"{CHART}chartSpace", f"{CHARTEX}chartSpace"):
        return ""
    columns = list(_columns(root) if root.tag.startswith(CHART) else _columns_2016(root))
    return "\n\n".join(filter(None, (_titles(root), *_tables(columns))))


def _titles(root: Any) -> str:
    space = root.tag.removesuffix("chartSpace")
    title = _words(root.find(f"{space}chart/{space}title"))
    axes = [_words(axis.find(f"{space}title")) for axis in root.iter(f"{space}axis", *(space + a for a in _AXES))]
    return "\n".join(filter(None, (title, f"Axes: {', '.join(filter(None, axes))}" if any(axes) else "")))


def _words(title: Any) -> str:
    """A title as it was typed, or as it was last read from a cell."""
    if title is None:
        return ""
    pieces = (t.text or "" for t in title.iter(f"{DRAWING}t", f"{CHART}v", f"{CHARTEX}v"))
    return " ".join("".join(pieces).split())


def _tables(columns: list[_Column]) -> Iterator[str]:
    """One table for all series over the same categories."""
    groups: dict[tuple[tuple[int, str], ...], list[_Column]] = {}
    for column in columns:
        groups.setdefault(tuple(sorted(column.categories.items())), []).append(column)
    for members in groups.values():
        categories = members[0].categories
        keys = sorted({*categories, *(key for column in members for key in column.values)})
        rows = ([categories.get(key, ""), *(c.values.get(key, "") for c in members)] for key in keys)
        if keys:
            yield table([["", *(c.name for c in members)], *islice(rows, _MAX_ROWS)])


def _columns(root: Any) -> Iterator[_Column]:
    epoch = _epoch(root)
    shared: dict[int, str] = {}
    for number, series in enumerate(root.iter(f"{CHART}ser"), 1):
        name = " ".join(_points(series.find(f"{CHART}tx"), epoch).values()) or f"Series {number}"
        # A series without categories of its own stands over those of the series before it.
        shared = _either(series, ("cat", "xVal"), epoch) or shared
        yield _Column(name, shared, _either(series, ("val", "yVal"), epoch))
        if sizes := _points(series.find(f"{CHART}bubbleSize"), epoch):
            yield _Column(f"{name} (size)", shared, sizes)


def _either(series: Any, names: tuple[str, ...], epoch: datetime) -> dict[int, str]:
    return next(filter(None, (_points(series.find(CHART + name), epoch) for name in names)), {})


def _points(element: Any, epoch: datetime) -> dict[int, str]:
    """The cached points by index. Categories in levels, such as months within years, are joined, outermost first."""
    if element is None:
        return {}
    found: dict[int, str] = {}
    for level in element.iter(f"{CHART}lvl"):
        found = _over(_level(level, epoch), found)
    return found or _level(element, epoch)


def _over(outer: dict[int, str], inner: dict[int, str]) -> dict[int, str]:
    """Join a level with those inside it; a point of the outer one stands for all up to the next."""
    joined, current = {}, ""
    for key in sorted({*outer, *inner}):
        current = outer.get(key, current)
        joined[key] = f"{current} {inner.get(key, '')}".strip()
    return joined if inner else outer


def _level(element: Any, epoch: datetime) -> dict[int, str]:
    code = element.findtext(f".//{CHART}formatCode") or ""
    found = {}
    for position, point in enumerate(element.iter(f"{CHART}pt")):
        value = point.findtext(f"{CHART}v") or ""
        if point.getparent().tag in _NUMBERS:
            value = _shown(value, point.get("formatCode") or code, epoch)
        found[_index(point, position)] = value
    return found


def _index(point: Any, position: int) -> int:
    index = point.get("idx", "")
    return int(index) if index.isdecimal() and len(index) < 10 else position


def _shown(value: str, code: str, epoch: datetime) -> str:
    """A value as a reader of the chart sees it: a date as a date, and 4.4 rather than 4.4000000000000004."""
    try:
        number = float(value)
    except ValueError:
        return value
    return _date(number, epoch) if code and _is_date(code) else f"{number:.12g}"


def _is_date(code: str) -> bool:
    from openpyxl.styles.numbers import is_date_format

    return bool(is_date_format(code))


def _date(number: float, epoch: datetime) -> str:
    from openpyxl.utils.datetime import from_excel

    try:
        moment: date | datetime | time | timedelta | None = from_excel(number, epoch)
    except (ValueError, OverflowError):
        return f"{number:.12g}"
    if isinstance(moment, datetime) and moment.time() == time():
        return moment.date().isoformat()
    return moment.isoformat(" ") if isinstance(moment, datetime) else str(moment)


def _epoch(root: Any) -> datetime:
    """Day 0 of the dates."""
    from openpyxl.utils.datetime import MAC_EPOCH, WINDOWS_EPOCH

    mac = root.find(f"{CHART}date1904")
    epoch: datetime = MAC_EPOCH if mac is not None and mac.get("val", "1") in ("1", "true") else WINDOWS_EPOCH
    return epoch


def _columns_2016(root: Any) -> Iterator[_Column]:
    """In the newer charts, series name their data by an id."""
    data = {each.get("id"): each for each in root.iter(f"{CHARTEX}data")}
    for number, series in enumerate(root.iter(f"{CHARTEX}series"), 1):
        named = series.find(f"{CHARTEX}dataId")
        found = data.get(named.get("val")) if named is not None else None
        if found is not None:
            name = series.findtext(f"{CHARTEX}tx/{CHARTEX}txData/{CHARTEX}v") or f"Series {number}"
            yield _Column(name, _dimension(found, "strDim"), _dimension(found, "numDim"))


def _dimension(data: Any, name: str) -> dict[int, str]:
    found: dict[int, str] = {}
    for level in data.iterfind(f"{CHARTEX}{name}/{CHARTEX}lvl"):
        points = {_index(p, n): (p.text or "").strip() for n, p in enumerate(level.iter(f"{CHARTEX}pt"))}
        found = _over(points, found)
    return found
