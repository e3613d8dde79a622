"""What the tags of a recording say: title, caption, and who, when and in which language."""

from __future__ import annotations

import re
from collections.abc import Mapping

from llama_index_gemini_mm import media
from llama_index_gemini_mm.readers._base import Extra, humanise
from llama_index_gemini_mm.readers.video.language import bcp47
from llama_index_gemini_mm.source import Source

_WHO = ("artist", "album_artist", "composer", "album", "show", "genre")
_WHAT = ("description", "comment", "synopsis", "lyrics")
"""Tags that say what is heard; encoders and numbers do not."""
_AUTHORS = ("artist", "album_artist", "author", "performer", "composer")
_DATES = ("date", "originaldate", "year", "creation_time")
_ISO_DATE = re.compile(r"[12]\d{3}(-\d\d(-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?)?)?")
_NO_LANGUAGE = ("und", "mis", "mul", "zxx", "xxx")


def title_of(tags: Mapping[str, str], source: Source) -> str:
    """The tagged title, else the file's name."""
    return tags.get("title", "").strip() or humanise(source)


def words_of(tags: Mapping[str, str]) -> str:
    """What the tags say besides the title, one a line, each once."""
    return _lines([*_named(tags, _WHO), *_named(tags, _WHAT)])


def makers_of(tags: Mapping[str, str]) -> str:
    """The part of ``words_of`` that is true of every chapter and of the cover: who made it, and what it belongs to."""
    return _lines(_named(tags, _WHO))


def facts_of(tags: Mapping[str, str]) -> Extra:
    """Author, date, genre and language under the keys of ``media.py``, as far as they are known."""
    date = next((found[0] for name in _DATES if (found := _ISO_DATE.match(tags.get(name, "").replace(" ", "T")))), "")
    language = tags.get("language", "").lower()
    facts = {
        media.AUTHOR: media.one_line(next(iter(_named(tags, _AUTHORS)), "")),
        media.CREATED: date,
        media.KEYWORDS: media.one_line(tags.get("genre", "")),
        media.LANGUAGE: "" if language in _NO_LANGUAGE else bcp47(language),
    }
    return {key: value for key, value in facts.items() if value}


def _named(tags: Mapping[str, str], names: tuple[str, ...]) -> list[str]:
    """The tags of these names; ``lyrics-eng`` is lyrics, ``id3v1 comment`` a comment."""
    return [
        value
        for wanted in names
        for name, value in tags.items()
        if name == wanted or (wanted in ("lyrics", "comment") and wanted in re.split(r"[\s-]", name))
    ]


def _lines(values: list[str]) -> str:
    return "\n".join(dict.fromkeys(value.strip() for value in values if value.strip()))
