"""How much an SVG tree asks the renderer to do."""

from __future__ import annotations

import re
from typing import Any

from lxml import etree

from llama_index_gemini_mm.codecs import TooMuch

MAX_WORK = 100_000
"""Elements drawn, those counted again that are drawn again by reference; a step of a filter counts as many."""
MAX_NESTING = 300
MAX_LAYERS = 24
"""Groups inside one another that are drawn apart and then laid over: each is a picture in memory."""
_STEPS = {"feTurbulence": 30_000, "feMorphology": 10_000, "feConvolveMatrix": 10_000}
_STEP = 500
_MAX_TILE = 4096.0
"""Pixels a side of a pattern's tile."""
_CHEAP = frozenset(("linearGradient", "radialGradient", "stop"))
_REFERENCE = re.compile(r"url\(\s*['\"]?\s*#([^'\")]+?)\s*['\"]?\s*\)")
_FILTER = re.compile(r"\bfilter\s*:[^;}]*")
_TOO_MANY = f"the drawing has more than {MAX_WORK:,} elements, counting repetitions"
_LAYER = re.compile(r"(?:^|;)\s*(?:opacity\s*:\s*0?\.|filter\s*:|mask\s*:|clip-path\s*:|mix-blend-mode\s*:|isolation)")


def check_size(root: Any) -> None:
    """Raise ``TooMuch`` for more elements than are drawn."""
    if sum(1 for _ in root.iter()) > MAX_WORK:
        raise TooMuch(_TOO_MANY)


def check_work(root: Any, scale: float) -> None:
    """Bring what the tree asks for within bounds: tame what no drawing needs, and leave out filters if there are many.

    ``scale`` is pixels a unit. Raises ``TooMuch`` when that does not suffice.
    """
    for element in root.iter(etree.Element):
        _tame(element, scale)
    if _Work(root).of(root, 0, 0) <= MAX_WORK:
        return
    _leave_out_filters(root)
    if _Work(root).of(root, 0, 0) > MAX_WORK:
        raise TooMuch(_TOO_MANY)


def _leave_out_filters(root: Any) -> None:
    etree.strip_elements(root, "{*}filter", with_tail=False)
    for element in root.iter(etree.Element):
        element.attrib.pop("filter", None)
        if "filter" in element.get("style", ""):
            element.set("style", _FILTER.sub("", element.get("style")))
        if element.tag.endswith("}style"):
            element.text = _FILTER.sub("", element.text or "")


class _Work:
    """Counts what each element makes the renderer draw."""

    def __init__(self, root: Any) -> None:
        self._by_id = {e.get("id"): e for e in root.iter(etree.Element) if e.get("id")}
        self._known: dict[Any, int] = {}

    def of(self, element: Any, depth: int, layers: int) -> int:
        """The work of an element with all that is in it and all that it refers to."""
        if element in self._known:
            return self._known[element]
        layers += _is_layer(element)
        if depth > MAX_NESTING or layers > MAX_LAYERS:
            raise TooMuch("the drawing is nested too deeply")
        self._known[element] = 0  # one that refers to itself is not drawn again
        name = etree.QName(element).localname
        work = 0 if name in _CHEAP else _STEPS.get(name, _STEP) if name.startswith("fe") else 1
        for part in (*element.iterchildren(etree.Element), *self._targets(element)):
            work += self.of(part, depth + 1, layers)
        self._known[element] = work
        return work

    def _targets(self, element: Any) -> list[Any]:
        names = [v.strip()[1:] for k, v in element.attrib.items() if k.endswith("href") and v.strip().startswith("#")]
        for value in element.attrib.values():
            names += _REFERENCE.findall(value) if "url" in value else []
        return [self._by_id[name] for name in names if name in self._by_id]


def _is_layer(element: Any) -> bool:
    own = any(element.get(key) not in (None, "none") for key in ("filter", "mask", "clip-path"))
    return own or element.get("opacity", "1") != "1" or bool(_LAYER.search(element.get("style", "")))


def _tame(element: Any, scale: float) -> None:
    name = etree.QName(element).localname
    if name == "feTurbulence":
        _limit(element, "numOctaves", 4)
    elif name == "feMorphology":
        _limit(element, "radius", 8)
    elif name == "feConvolveMatrix":
        _limit(element, "order", 9)
    elif name == "pattern":
        in_units = element.get("patternUnits") == "userSpaceOnUse"
        for key in ("width", "height"):
            _limit(element, key, _MAX_TILE / scale if in_units else 4.0)


def _limit(element: Any, key: str, most: float) -> None:
    """Bring the numbers of an attribute below a bound; what is no number goes."""
    words = (element.get(key) or "").replace(",", " ").split()
    if not words:
        return
    try:
        values = [min(float(word.rstrip("%")) / (100 if word.endswith("%") else 1), most) for word in words]
    except ValueError:
        values = [most]
    element.set(key, " ".join(f"{value:g}" for value in values))
