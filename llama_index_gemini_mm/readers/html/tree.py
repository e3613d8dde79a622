"""HTML and XHTML as a tree, and what a page says about itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from html.entities import html5
from typing import Any

from llama_index_gemini_mm import media
from llama_index_gemini_mm.codecs.markup import xml_parser
from llama_index_gemini_mm.errors import CorruptFile
from llama_index_gemini_mm.readers._base import corrupt
from llama_index_gemini_mm.readers._text import decode
from llama_index_gemini_mm.source import Source

_DECLARED = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([\w.:-]+)", re.IGNORECASE)
_XML_ENCODING = re.compile(rb"\A\s*<\?xml[^>]{0,100}?encoding\s*=\s*[\"']([\w.:-]+)", re.IGNORECASE)
_XML_DECLARATION = re.compile(r"\A\s*<\?xml[^>]*\?>")
_XHTML = re.compile(r"<html[^>]{0,500}\bxmlns\s*=\s*[\"']http://www\.w3\.org/1999/xhtml", re.IGNORECASE)
_ENTITY = re.compile(r"&([A-Za-z][A-Za-z0-9]{1,30};)")
_OF_XML = frozenset(("amp;", "lt;", "gt;", "quot;", "apos;"))
_CONTROLS = dict.fromkeys([*range(9), 11, 12, *range(14, 32)])
_HEAD_CHARS = 4096
_ISO_DATE = re.compile(r"\d{4}(?:-\d\d(?:-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?)?)?")
_DATES = ("article:published_time", "dcterms.created", "dcterms.date", "dc.date", "date")
_XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"


def page_text(data: bytes, declared: str | None = None) -> str | None:
    """The markup of a page; its encoding is ``declared`` from outside, or by itself, or guessed."""
    found = _DECLARED.search(data[:_HEAD_CHARS]) or _XML_ENCODING.match(data[:_HEAD_CHARS])
    return decode(data, declared or (found[1].decode("ascii") if found else None))


def page_tree(source: Source, markup: str) -> Any:
    """The root of a page as lxml elements with bare tag names; ``source`` is what errors are about.

    Raises ``CorruptFile`` for a page without content, or nested deeper than is read.
    """
    text = _XML_DECLARATION.sub("", markup).translate(_CONTROLS)
    if not text.strip():
        raise CorruptFile(source.location, "the HTML page has no content")
    if _XHTML.search(text[:_HEAD_CHARS]):
        root = _strict(text)
        if root is not None:
            return root
    return _lenient(source, text)


def _strict(text: str) -> Any:
    """XHTML read as XML, in which ``<title/>`` and ``<script/>`` are closed; ``None`` when it is not well-formed."""
    from lxml import etree

    parser = xml_parser(remove_comments=True, remove_pis=True)
    try:
        root = etree.fromstring(_ENTITY.sub(_character, text).encode(), parser)
    except (etree.XMLSyntaxError, ValueError):
        return None
    for element in root.iter("{*}*"):
        element.tag = etree.QName(element).localname
    return root


def _character(entity: re.Match[str]) -> str:
    """What a named entity of HTML stands for, which XML alone does not know."""
    return entity[0] if entity[1] in _OF_XML else html5.get(entity[1], entity[0])


def _lenient(source: Source, text: str) -> Any:
    from lxml import etree, html

    for deep in (False, True):
        parser = html.HTMLParser(no_network=True, huge_tree=deep, remove_pis=True)
        with corrupt(source, "HTML page", etree.LxmlError, ValueError):
            root = html.document_fromstring(text, parser=parser)
        if not any(entry.type == etree.ErrorTypes.ERR_RESOURCE_LIMIT for entry in parser.error_log):
            break
    else:
        raise CorruptFile(source.location, "the HTML page is nested too deeply")
    if root is None:
        raise CorruptFile(source.location, "the HTML page has no content")
    return root


@dataclass(frozen=True)
class About:
    """What a page says about itself: its title, what its links are relative to, a summary, and metadata."""

    title: str
    base: str
    description: str
    extra: Mapping[str, str]


def about(root: Any) -> About:
    """Read the head of a page; whatever is missing is empty."""
    named: dict[str, str] = {}
    for meta in root.iterfind(".//head/meta"):
        name = (meta.get("name") or meta.get("property") or "").strip().lower()
        named.setdefault(name, media.one_line(meta.get("content") or ""))
    base = root.find(".//head/base[@href]")
    extra = {
        media.AUTHOR: named.get("author") or named.get("dc.creator") or "",
        media.KEYWORDS: named.get("keywords") or "",
        media.LANGUAGE: media.one_line(root.get("lang") or root.get(_XML_LANG) or ""),
        media.CREATED: next((date for name in _DATES if (date := iso_date(named.get(name, "")))), ""),
    }
    return About(
        title=" ".join((root.findtext(".//head/title") or "").split()) or named.get("og:title", ""),
        base=base.get("href").strip() if base is not None else "",
        description=named.get("description") or named.get("og:description") or "",
        extra={key: value for key, value in extra.items() if value},
    )


def iso_date(text: str) -> str:
    """The date at the beginning of ``text`` when it is one in ISO 8601; else empty."""
    found = _ISO_DATE.match(text.strip())
    return found[0] if found else ""
