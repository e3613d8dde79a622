"""Cell values as a user sees them: numbers, dates and times by their number format.

Formats that do not say simply what is shown (fractions, conditions, patterns of several numbers) give the plain value.
A date in digits alone is written in ISO 8601, because the order of day and month depends on the reader's country.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache

Value = str | bool | int | float | date | datetime | time | timedelta | None

_MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MAX_DECIMALS = 10
_MAX_WRITTEN = 1e15
"""Beyond it digits are not exact, and formats are left aside."""
_TOKEN = re.compile(r'"[^"]*"?|\[[^\]]*\]|\\.|_.|\*.|E[+-]0+|.', re.IGNORECASE | re.DOTALL)
_SECTION = re.compile(r'((?:"[^"]*"?|\[[^\]]*\]|\\.|[^;])*);?', re.DOTALL)
_CORE = re.compile(r"(?P<whole>[0#?,]*)(?:\.(?P<decimals>[0#?]*))?(?P<scale>,*)(?P<power>E[+-]0+)?", re.IGNORECASE)
_DATE_TOKEN = re.compile(
    r'"[^"]*"?|\[[^\]]*\]|\\.|_.|\*.|AM/PM|A/P|y+|m+|d+|h+|s+(?:\.0+)?|.', re.IGNORECASE | re.DOTALL
)


def shown(value: Value, code: str) -> str:
    """``value`` under the number format ``code``."""
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, int | float):
        return _number(value, code)
    return _duration(value) if isinstance(value, timedelta) else _moment(value, code)


def _duration(value: timedelta) -> str:
    seconds = round(value.total_seconds())
    minutes, seconds = divmod(abs(seconds), 60)
    sign = "-" if value < timedelta(0) else ""
    return f"{sign}{minutes // 60}:{minutes % 60:02}:{seconds:02}"


def _plain(value: float) -> str:
    if isinstance(value, int) or value.is_integer():
        return str(int(value)) if abs(value) < 1e15 else f"{value:.15g}"
    return f"{value:.10g}" if abs(value) < 1e9 else f"{value:.15g}"


@dataclass(frozen=True)
class _Pattern:
    """One section of a number format; ``core`` is ``None`` when a number is not simply written in it."""

    before: str
    core: re.Match[str] | None
    after: str
    percents: int

    def written(self, value: float) -> str:
        """The absolute ``value``."""
        if self.core is None or value >= _MAX_WRITTEN:
            return _plain(value)
        decimals = (self.core["decimals"] or "")[:_MAX_DECIMALS]
        number = Decimal(repr(value)).scaleb(2 * self.percents)
        if self.core["power"]:
            return f"{self.before}{value:.{len(decimals)}E}{self.after}"
        whole = self.core["whole"]
        if not value and "0" not in whole + decimals:
            return (self.before + self.after).strip() or "0"
        scale = self.core["scale"] or whole[len(whole.rstrip(",")) :]
        number = number.scaleb(-3 * len(scale)).quantize(Decimal(1).scaleb(-len(decimals)), ROUND_HALF_UP)
        digits = f"{number:,f}" if "," in whole.rstrip(",") else f"{number:f}"
        integer, _, fraction = digits.partition(".")
        for place in reversed(decimals):
            if place == "0" or not fraction.endswith("0"):
                break
            fraction = fraction[:-1]
        integer = integer.zfill(whole.count("0")) if whole.count("0") > 1 else integer
        return f"{self.before}{integer}{'.' if fraction else ''}{fraction}{self.after}"


def _number(value: float, code: str) -> str:
    if not math.isfinite(value):
        return str(value)
    sections = _sections(code)
    if len(sections) > 1 and value < 0:
        return sections[1].written(-value)
    chosen = sections[2] if len(sections) > 2 and value == 0 else sections[0]
    return ("-" if value < 0 else "") + chosen.written(abs(value)) if chosen.core else _plain(value)


@lru_cache(maxsize=1024)
def _sections(code: str) -> tuple[_Pattern, ...]:
    if code.lower() == "general":
        return (_Pattern("", None, "", 0),)
    return tuple(_pattern(found[1]) for found in _SECTION.finditer(code) if found[0])[:3] or (_pattern(""),)


def _pattern(section: str) -> _Pattern:
    before, core, after = "", "", ""
    percents = 0
    for found in _TOKEN.finditer(section):
        literal = _literal(found[0])
        if literal is None and after.strip(" %"):
            return _Pattern("", None, "", 0)
        percents += found[0] == "%"
        if literal is None:
            core += found[0]
        elif core:
            after += literal
        else:
            before += literal
    match = _CORE.fullmatch(core) if core else None
    return _Pattern(before.lstrip(), match, after.rstrip(), percents)


def _literal(term: str) -> str | None:
    """What a term stands for; ``None`` for a place of the number."""
    if term[0] == '"':
        return term.strip('"')
    if term.startswith("[$"):
        return term[2:-1].partition("-")[0]
    if term[0] in "[_*":
        return ""
    if term[0] == "\\":
        return term[1:]
    return None if term[0] in "0#?.,E/@" else term


def _moment(value: date | datetime | time, code: str) -> str:
    names = re.sub(r'"[^"]*"?|\[[^\]]*\]|\\.', "", code).lower()
    has_date, has_time = "y" in names or "d" in names, "h" in names or "s" in names
    if isinstance(value, time):
        return value.isoformat("seconds" if value.second or "s" in names else "minutes")
    if has_date or has_time:
        by_words = "mmm" in names or "ddd" in names or "y" not in names or "d" not in names
        if by_words:
            return _by_code(value, code)
    if not isinstance(value, datetime) or value.time() == time() or not has_time:
        return f"{value.year:04}-{value.month:02}-{value.day:02}"
    return value.isoformat(" ", "seconds" if value.second else "minutes")


def _by_code(value: date | datetime, code: str) -> str:
    tokens = _DATE_TOKEN.findall(code.partition(";")[0])
    units = [t[0].lower() if t[0].lower() in "ymdhs" else "" for t in tokens]
    twelve = any(t.upper() in ("AM/PM", "A/P") for t in tokens)
    written = []
    for index, token in enumerate(tokens):
        before = next((u for u in reversed(units[:index]) if u), "")
        after = next((u for u in units[index + 1 :] if u), "")
        is_minute = units[index] == "m" and len(token) <= 2 and (before == "h" or after == "s")
        written.append(_dated(value, token, is_minute=is_minute, twelve=twelve))
    return "".join(written).strip()


def _dated(value: date | datetime, term: str, *, is_minute: bool, twelve: bool) -> str:
    moment = value if isinstance(value, datetime) else datetime.combine(value, time())
    kind, width = term[0].lower(), len(term)
    if term.upper() in ("AM/PM", "A/P"):
        return "AM" if moment.hour < 12 else "PM"
    if kind == "y":
        return f"{moment.year % 100:02}" if width < 3 else str(moment.year)
    if kind == "m" and not is_minute and width > 2:
        return _MONTHS[moment.month - 1][: 3 if width == 3 else None]
    if kind == "d" and width > 2:
        return _DAYS[moment.weekday()][: 3 if width == 3 else None]
    numbers = {
        "m": moment.minute if is_minute else moment.month,
        "d": moment.day,
        "h": (moment.hour % 12 or 12) if twelve else moment.hour,
        "s": moment.second,
    }
    if kind in numbers:
        return f"{numbers[kind]:0{min(width, 2)}}"
    return term if term in ",./" else _literal(term) or ""
