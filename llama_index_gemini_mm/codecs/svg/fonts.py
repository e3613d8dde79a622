"""Fonts for the texts of drawings: the renderer leaves out texts in a font that this machine does not have."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import resvg_py
from lxml import etree

_SANS = ("Arial", "Liberation Sans", "Helvetica", "DejaVu Sans", "Noto Sans", "Segoe UI", "Open Sans", "Roboto")
_SERIF = ("Times New Roman", "Liberation Serif", "Times", "DejaVu Serif", "Noto Serif", *_SANS)
_MONO = ("Courier New", "Liberation Mono", "Courier", "Menlo", "DejaVu Sans Mono", "Noto Sans Mono", *_SANS)
_PROBE = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><text font-family="{}" y="8">{}</text></svg>'
_DECLARED = re.compile(r"(font-family\s*:\s*)([^;}!]+)", re.IGNORECASE)
_GENERIC = re.compile(r"\b(?:sans-serif|serif|monospace|cursive|fantasy)\b\s*['\"]?\s*$", re.IGNORECASE)


@cache
def families() -> tuple[str, str, str]:
    """Fonts that stand for sans-serif, serif and monospace here; a name that is none where there are no fonts."""
    sans, serif, mono = (next((n for n in names if _exists(n)), "") for names in (_SANS, _SERIF, _MONO))
    return sans, serif, mono


def _exists(family: str) -> bool:
    drawn, blank = (bytes(resvg_py.svg_to_bytes(svg_string=_PROBE.format(family, text))) for text in ("M", ""))
    return drawn != blank


def add_fallbacks(root: Any) -> None:
    """Let every list of fonts end in a family that there is."""
    for element in root.iter(etree.Element):
        own = element.get("font-family")
        if own:
            element.set("font-family", _ended(own))
        style = element.get("style")
        if style and "font-family" in style:
            element.set("style", _DECLARED.sub(_with_fallback, style))
        if element.tag.endswith("}style") and element.text:
            element.text = _DECLARED.sub(_with_fallback, element.text)


def _with_fallback(match: re.Match[str]) -> str:
    return match[1] + _ended(match[2])


def _ended(names: str) -> str:
    return names if _GENERIC.search(names) else f"{names.rstrip()}, sans-serif"
