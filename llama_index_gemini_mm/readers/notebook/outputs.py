"""What the code of a notebook gave: text, tables, pictures, sounds and errors."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from typing import Any

from llama_index_gemini_mm.errors import CorruptFile
from llama_index_gemini_mm.readers._links import Links
from llama_index_gemini_mm.readers._sections import Block, Heading, Paragraph, Picture
from llama_index_gemini_mm.readers.html.blocks import html_blocks
from llama_index_gemini_mm.readers.html.tree import page_tree
from llama_index_gemini_mm.readers.markdown.blocks import markdown_blocks
from llama_index_gemini_mm.source import Source

_MAX_CHARS = 32_767
"""Characters of one text that a cell printed which are kept: its beginning and its end."""
_PICTURES = ("image/png", "image/jpeg", "image/webp", "image/gif", "image/bmp", "image/tiff", "image/svg+xml")
_MEDIA = re.compile(r"(?:audio|video)/[\w.+-]+|application/pdf")
_LIVE = "application/vnd.jupyter.widget-view+json"
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[@-Z\\-_])")
_REPR = re.compile(r"<[\w.]+(?: .*)?>", re.DOTALL)
"""What an object is called that has no words of its own: ``<Figure size 640x480 with 1 Axes>``."""


def joined(text: Any) -> str:
    """Text that a notebook may hold as a list of lines."""
    if isinstance(text, list):
        return "".join(line for line in text if isinstance(line, str))
    return text if isinstance(text, str) else ""


def decoded(data: Any) -> bytes | None:
    """Bytes from base64, or ``None``."""
    try:
        return base64.b64decode("".join(joined(data).split()), validate=True) or None
    except (binascii.Error, ValueError):
        return None


def output_blocks(outputs: Any, source: Source, links: Links) -> Iterator[Block]:
    """Yield what one cell gave; sounds, films and PDFs go to ``links``. State of widgets is passed over."""
    printed: list[str] = []
    for output in outputs if isinstance(outputs, list) else ():
        if not isinstance(output, dict):
            continue
        if output.get("output_type") == "stream":
            printed.append(joined(output.get("text")))
            continue
        yield from _text("".join(printed))
        printed = []
        # A heading in an output is none of the notebook: what comes after it does not stand under it.
        for block in _output(output, source, links):
            yield Paragraph(block.text) if isinstance(block, Heading) else block
    yield from _text("".join(printed))


def _output(output: dict[str, Any], source: Source, links: Links) -> Iterator[Block]:
    if output.get("output_type") == "error":
        yield from _text(f"{joined(output.get('ename'))}: {joined(output.get('evalue'))}")
        return
    forms = output.get("data")
    if isinstance(forms, dict) and _LIVE not in forms:
        yield from _shown(forms, source, links)


def _shown(forms: dict[str, Any], source: Source, links: Links) -> Iterator[Block]:
    """The best of the forms of one result: a picture or recording first, then the text with most structure."""
    words = joined(forms.get("text/plain")).strip()
    words = "" if _REPR.fullmatch(words) else words
    for kind, form in forms.items():
        if _MEDIA.fullmatch(str(kind)) and (data := decoded(form)):
            links.take(f"output.{kind.partition('/')[2].partition('+')[0]}", data)
            return
    if picture := next((data for kind in _PICTURES if (data := _picture(kind, forms.get(kind)))), None):
        yield Picture(picture, _plain(words)[:500])
    elif markdown := joined(forms.get("text/markdown")):
        yield from markdown_blocks(markdown, source, links.picture, links.play)
    elif page := joined(forms.get("text/html")):
        yield from _of_page(page, words, source, links)
    else:
        yield from _text(words or joined(forms.get("text/latex")))


def _picture(kind: str, form: Any) -> bytes | None:
    return joined(form).encode() or None if kind == "image/svg+xml" else decoded(form)


def _of_page(page: str, words: str, source: Source, links: Links) -> Iterator[Block]:
    """HTML as its blocks, or the plain words of the same result when there are none in it."""
    try:
        blocks = list(html_blocks(page_tree(source, page), links.picture, links.play))
    except CorruptFile:
        blocks = []
    yield from blocks or _text(words)


def _text(text: str) -> Iterator[Paragraph]:
    text = _plain(text)
    if len(text) > _MAX_CHARS:
        text = f"{text[: _MAX_CHARS * 3 // 4]}\n…\n{text[-_MAX_CHARS // 4 :]}"
    if text.strip():
        yield Paragraph(text.strip("\n"))


def _plain(text: str) -> str:
    """Text as it stands on a screen at last: without colours, and of a line that was written over its last state."""
    lines = _ESCAPES.sub("", text).replace("\r\n", "\n").split("\n")
    return "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in lines)
