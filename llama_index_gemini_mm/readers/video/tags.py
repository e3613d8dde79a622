"""What a film says of itself besides its title: who made it, when and where, under the keys of ``media.py``."""

from __future__ import annotations

import re
from collections.abc import Mapping

from llama_index_gemini_mm.media import AUTHOR, CREATED, KEYWORDS, LATITUDE, LONGITUDE, one_line

_APPLE = "com.apple.quicktime."
_AUTHORS = ("author", "artist", "director", "composer", "copyright_holder")
_DATES = ("creationdate", "date_recorded", "date_released", "date", "creation_time")
"""The last one is that of the file, which a conversion sets anew."""
_PLACES = ("location.iso6709", "location", "location-eng")
_DATE = re.compile(r"(?:19[1-9]|20)\d+(?:-\d\d(?:-\d\d(?:T[\d:.]+(?:Z|[+-][\d:]+)?)?)?)?")
_ISO_6709 = re.compile(r"([+-]\d{1,2}(?:\.\d+)?)([+-]\d{1,3}(?:\.\d+)?)")
_NEVER = "1970-01-01"
"""What clocks that were never set give, with the other one below, from which MP4 counts."""
_NEVER_OF_MP4 = "1904-01-01"


def plain_names(tags: Mapping[str, str]) -> dict[str, str]:
    """Tags without the prefix that QuickTime writes before their names; those that have none win."""
    apple = {name.removeprefix(_APPLE): value for name, value in tags.items() if name.startswith(_APPLE)}
    return apple | {name: value for name, value in tags.items() if not name.startswith(_APPLE)}


def tagged(tags: Mapping[str, str]) -> dict[str, str | int | float]:
    """Author, date, keywords and place, as far as they are there and make sense."""
    found: dict[str, str | int | float] = {}
    found |= _first(tags, AUTHOR, _AUTHORS)
    found |= _first(tags, KEYWORDS, ("keywords", "keyword"))
    dates = (tags.get(name, "").replace(" ", "T") for name in _DATES)
    created = next((d for d in dates if _DATE.fullmatch(d) and not d.startswith((_NEVER, _NEVER_OF_MP4))), None)
    if created:
        found[CREATED] = created
    return found | _place(next((tags[name] for name in _PLACES if name in tags), ""))


def _first(tags: Mapping[str, str], key: str, names: tuple[str, ...]) -> dict[str, str | int | float]:
    value = next((one_line(tags[name]) for name in names if tags.get(name, "").strip()), "")
    return {key: value} if value else {}


def _place(text: str) -> dict[str, str | int | float]:
    match = _ISO_6709.match(text)
    if not match:
        return {}
    latitude, longitude = float(match[1]), float(match[2])
    if abs(latitude) > 90 or abs(longitude) > 180:
        return {}
    return {LATITUDE: latitude, LONGITUDE: longitude}
