"""Equations of Word and PowerPoint as a line of text that people and models can read: ``E = (m v^2)/2``."""

from __future__ import annotations

from typing import Any

MATH = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"


def math_text(element: Any) -> str:
    """What an ``m:oMath`` or ``m:oMathPara`` says."""
    return " ".join(_inside(element).split())


def _inside(element: Any) -> str:
    return "".join(map(_written, element)) if element is not None else ""


def _written(element: Any) -> str:
    if not isinstance(element.tag, str) or element.tag.endswith("Pr"):
        return ""
    name = element.tag.removeprefix(MATH)
    if name == "t":
        return element.text or ""
    form = _FORMS.get(name)
    return form(element) if form else _inside(element)


def _part(element: Any, name: str) -> str:
    return _inside(element.find(MATH + name)).strip()


def _grouped(text: str) -> str:
    """In brackets unless it is one thing."""
    return text if len(text) < 2 or text.isalnum() else f"({text})"


def _sign(element: Any, properties: str, name: str, default: str) -> str:
    found = element.find(f"{MATH}{properties}/{MATH}{name}")
    return default if found is None else str(found.get(f"{MATH}val") or "")


def _fraction(element: Any) -> str:
    return f"{_grouped(_part(element, 'num'))}/{_grouped(_part(element, 'den'))}"


def _scripts(element: Any) -> str:
    """The base with what stands below and above it."""
    below, above = _part(element, "sub"), _part(element, "sup")
    return _part(element, "e") + (f"_{_grouped(below)}" if below else "") + (f"^{_grouped(above)}" if above else "")


def _scripts_before(element: Any) -> str:
    return f"_{_grouped(_part(element, 'sub'))}^{_grouped(_part(element, 'sup'))} {_part(element, 'e')}"


def _root(element: Any) -> str:
    degree = _part(element, "deg")
    return f"{f'root {degree} of ' if degree else '√'}{_grouped(_part(element, 'e'))}"


def _sum(element: Any) -> str:
    """A sum, product or integral with its bounds."""
    below, above = _part(element, "sub"), _part(element, "sup")
    bounds = (f"_{_grouped(below)}" if below else "") + (f"^{_grouped(above)}" if above else "")
    return f"{_sign(element, 'naryPr', 'chr', '∫')}{bounds} {_part(element, 'e')}"


def _brackets(element: Any) -> str:
    inner = _sign(element, "dPr", "sepChr", "|").join(_inside(e).strip() for e in element.iterfind(f"{MATH}e"))
    return _sign(element, "dPr", "begChr", "(") + inner + _sign(element, "dPr", "endChr", ")")


def _matrix(element: Any) -> str:
    rows = (", ".join(_inside(e).strip() for e in row.iterfind(f"{MATH}e")) for row in element.iterfind(f"{MATH}mr"))
    return f"[{'; '.join(rows)}]"


def _lines(element: Any) -> str:
    return "; ".join(_inside(e).strip() for e in element.iterfind(f"{MATH}e"))


def _function(element: Any) -> str:
    return f"{_part(element, 'fName')} {_part(element, 'e')}"


def _limit(element: Any) -> str:
    return f"{_part(element, 'e')}_{_grouped(_part(element, 'lim'))}"


_FORMS = {
    "f": _fraction,
    "sSub": _scripts,
    "sSup": _scripts,
    "sSubSup": _scripts,
    "sPre": _scripts_before,
    "rad": _root,
    "nary": _sum,
    "d": _brackets,
    "m": _matrix,
    "eqArr": _lines,
    "func": _function,
    "limLow": _limit,
    "limUpp": _limit,
}
