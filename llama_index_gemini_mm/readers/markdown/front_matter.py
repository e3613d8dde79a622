"""What stands above a Markdown text: YAML or TOML between two rules."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from llama_index_gemini_mm import media

_BLOCK = re.compile(r"\A\ufeff?(---|\+\+\+)[ \t]*\n(.*?)(?:^|\n)(?:\1|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_MAX_CHARS = 1 << 16
_TITLE = re.compile(r"^title[ \t]*[:=][ \t]*(.+)$", re.MULTILINE)
_KEYS = {
    media.AUTHOR: ("author", "authors", "creator", "by"),
    media.CREATED: ("date", "created", "created_at", "published", "pubdate"),
    media.KEYWORDS: ("tags", "keywords", "categories"),
    media.LANGUAGE: ("lang", "language"),
}
_ISO_DATE = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?\S*)?")
_SUMMARY = ("description", "summary", "abstract", "subtitle", "excerpt")


def split_front_matter(text: str) -> tuple[Mapping[str, Any], str]:
    """The fields above a text, with lower-case names, and the text below; no fields when there is no such block."""
    found = _BLOCK.match(text[:_MAX_CHARS])
    if not found:
        return {}, text
    fields = _toml(found[2]) if found[1] == "+++" else _yaml(found[2])
    if not fields and (title := _TITLE.search(found[2])):
        fields = {"title": title[1].strip().strip("\"'")}
    return {str(key).lower(): value for key, value in fields.items()}, text[found.end() :]


def title_in(fields: Mapping[str, Any]) -> str:
    """The title among the fields, or nothing."""
    return _words(fields.get("title"))


def summary_in(fields: Mapping[str, Any]) -> str:
    """What the fields say that the text is about."""
    return "\n".join(dict.fromkeys(words for name in _SUMMARY if (words := _words(fields.get(name)))))


def metadata_in(fields: Mapping[str, Any]) -> dict[str, str]:
    """Author, date, keywords and language under the keys of ``media.py``."""
    extra = {key: next((w for name in names if (w := _words(fields.get(name)))), "") for key, names in _KEYS.items()}
    if not _ISO_DATE.fullmatch(extra[media.CREATED]):
        del extra[media.CREATED]
    return {key: media.one_line(value) for key, value in extra.items() if value}


def _yaml(text: str) -> Mapping[str, Any]:
    import yaml  # type: ignore[import-untyped]

    try:
        fields = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, TypeError, AttributeError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}


def _toml(text: str) -> Mapping[str, Any]:
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError):
        return {}


def _words(value: object) -> str:
    """A value as words: several are parted by commas, of a person the name is taken, anything deeper is left out."""
    if isinstance(value, dict):
        value = value.get("name")
    if isinstance(value, list):
        return ", ".join(filter(None, (_words(each) for each in value if not isinstance(each, list))))
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value).strip() if isinstance(value, str | int | float) and not isinstance(value, bool) else ""
