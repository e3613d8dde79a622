"""The comments on slides, in the form before 2021 and the one since."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llama_index_gemini_mm.readers._ooxml import DRAWING, related_roots
from llama_index_gemini_mm.readers.pptx.shapes import P

_MODERN = "{http://schemas.microsoft.com/office/powerpoint/2018/8/main}"


class Comments:
    """The comments of a ``pptx.Presentation``."""

    def __init__(self, deck: Any) -> None:
        roots = [*related_roots(deck.part, "commentAuthors"), *related_roots(deck.part, "authors")]
        people = (each for root in roots for each in root.iter(f"{P}cmAuthor", f"{_MODERN}author"))
        self._names = {each.get("id"): " ".join((each.get("name") or "").split()) for each in people}

    def on(self, slide: Any) -> Iterator[str]:
        """Each comment on a slide and each answer, with the name of its author."""
        for root in related_roots(slide.part, "comments"):
            for comment in root.iter(f"{P}cm", f"{_MODERN}cm", f"{_MODERN}reply"):
                name = self._names.get(comment.get("authorId"), "")
                if text := _text(comment):
                    kind = "Reply" if comment.tag == f"{_MODERN}reply" else "Comment"
                    yield f"{kind}{f' by {name}' if name else ''}: {text}"


def _text(comment: Any) -> str:
    old = comment.findtext(f"{P}text")
    body = comment.find(f"{_MODERN}txBody")
    paragraphs = () if body is None else body.iterchildren(f"{DRAWING}p")
    modern = "\n".join("".join(t.text or "" for t in p.iter(f"{DRAWING}t")) for p in paragraphs)
    return " ".join((old or modern).split())
