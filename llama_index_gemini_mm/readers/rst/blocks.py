"""The blocks of reStructuredText, with those of Sphinx's directives that docutils does not know."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import takewhile
from textwrap import dedent, indent
from typing import TYPE_CHECKING, Any

from llama_index_gemini_mm.readers._sections import Block, Heading, Paragraph, Picture
from llama_index_gemini_mm.readers._text import table
from llama_index_gemini_mm.readers.rst.tree import rst_tree

if TYPE_CHECKING:
    from docutils import nodes

_MAX_DEPTH = 8
"""Directives inside directives that docutils does not know."""
_ROLE = re.compile(r":[\w:.+-]+:`[~!]?([^`]*?)(?:\s*<[^<>`]*>)?`")
_DIRECTIVE = re.compile(r"\.\. (?:\|[^|\n]*\| )?([\w:.+-]+)::[ \t]*(.*)")
_OPTION = re.compile(r"[ \t]*:([\w-]+):[ \t]*(.*)")
_CODE = frozenset(("code-block", "sourcecode", "code", "prompt", "parsed-literal", "ipython", "graphviz", "mermaid"))
_DROPPED = frozenset(
    (
        *("toctree", "include", "literalinclude", "raw", "index", "contents", "currentmodule", "module", "highlight"),
        *("autosummary", "automodule", "autoclass", "autofunction", "automethod", "autodata", "autoattribute"),
        *("py:module", "py:currentmodule", "default-domain", "default-role", "only", "sectnum", "meta", "tags"),
    )
)
_ADMONITIONS = frozenset(
    ("attention", "caution", "danger", "error", "hint", "important", "note", "tip", "warning", "admonition")
)

Fetch = Callable[[str], bytes | None]
"""From a picture's link to its bytes."""


def rst_blocks(text: str, picture: Fetch) -> Iterator[Block]:
    """Yield headings, paragraphs, tables, code and pictures in reading order.

    A text that cannot be taken apart is yielded paragraph by paragraph.
    """
    yield from _Walk(picture).text(text)


class _Walk:
    def __init__(self, picture: Fetch, depth: int = 0) -> None:
        self._fetch = picture
        self._depth = depth
        self._names: dict[str, str] = {}
        """What substitutions stand for."""

    def text(self, text: str) -> Iterator[Block]:
        from docutils import nodes

        tree = rst_tree(text) if self._depth <= _MAX_DEPTH else None
        if tree is None:
            yield from (Paragraph(part.strip("\n")) for part in text.split("\n\n") if part.strip())
            return
        for definition in tree.findall(nodes.substitution_definition):
            self._names |= dict.fromkeys(definition["names"], definition.astext())
        yield from self._inside(tree, 0)

    def _inside(self, node: nodes.Element, level: int) -> Iterator[Block]:
        for child in node.children:
            yield from self._block(child, level)

    def _block(self, node: Any, level: int) -> Iterator[Block]:
        kind = node.tagname
        if kind == "section":
            yield from self._inside(node, level + 1)
        elif kind == "title" and node.parent.tagname == "section":
            yield from [Heading(level, words)] if (words := " ".join(self._words(node).split())) else ()
        elif kind in _ADMONITIONS:
            yield from self._labelled(kind.capitalize(), node, level)
        elif kind in _LISTS:
            yield from self._list(node, level)
        elif handler := _HANDLERS.get(kind):
            yield from handler(self, node, level)
        elif kind not in _SILENT:
            yield from self._inside(node, level)

    def _paragraph(self, node: Any, level: int) -> Iterator[Block]:
        words = self._words(node)
        if words.strip():
            yield Paragraph(words, is_caption=node.tagname == "caption")
        yield from self._pictures(node)

    def _literal(self, node: Any, level: int) -> Iterator[Block]:
        language = next((name for name in reversed(node.get("classes", ())) if name != "code"), "")
        yield Paragraph(f"```{language}\n{node.astext()}\n```")

    def _list(self, node: Any, level: int) -> Iterator[Block]:
        """A list with all that is in it as one block, and then the pictures in it."""
        lines = []
        for number, item in enumerate(node.children, node.get("start", 1)):
            marker = {"bullet_list": "- ", "enumerated_list": f"{number}. "}.get(node.tagname, "")
            lines.append(marker + indent(self._plain(item), " " * len(marker)).lstrip(" "))
        if text := "\n".join(lines).strip():
            yield Paragraph(text)
        yield from self._pictures(node)

    def _named(self, node: Any, level: int) -> Iterator[Block]:
        """A term and its definition, a field and its value, a footnote and its words."""
        names = [child for child in node.children if child.tagname in _NAMES]
        name = ", ".join(" ".join(self._words(child).split()) for child in names)
        others = "\n".join(self._plain(child) for child in node.children if child not in names).strip()
        form = f"[{name}] {others}" if node.tagname in ("footnote", "citation") else f"{name}: {others}"
        yield Paragraph(form.strip())

    def _labelled(self, label: str, node: Any, level: int) -> Iterator[Block]:
        """A box in the text: its label goes before its first paragraph."""
        blocks = list(self._inside(node, level))
        if blocks and isinstance(blocks[0], Paragraph):
            blocks[0] = Paragraph(f"{label}: {blocks[0].text}")
        yield from blocks

    def _table(self, node: Any, level: int) -> Iterator[Block]:
        from docutils import nodes

        rows = [[" ".join(self._plain(cell).split()) for cell in row.children] for row in node.findall(nodes.row)]
        title = next((self._words(child) for child in node.children if child.tagname == "title"), "")
        if text := "\n\n".join(filter(None, (title, table(rows)))):
            yield Paragraph(text)
        yield from self._pictures(node)

    def _image(self, node: Any, level: int) -> Iterator[Block]:
        yield from self._shown(node.get("uri", ""), node.get("alt", ""))

    def _shown(self, link: str, alt: str) -> Iterator[Block]:
        """A picture, or if it cannot be had what it is said to show."""
        data = self._fetch(link)
        if data:
            yield Picture(data, " ".join(alt.split()))
        elif alt.strip():
            yield Paragraph(" ".join(alt.split()))

    def _message(self, node: Any, level: int) -> Iterator[Block]:
        """What docutils could not do: a directive it does not know stands in the message as it is written."""
        written = next((child.astext() for child in node.children if child.tagname == "literal_block"), "")
        if found := _DIRECTIVE.match(written):
            rest = written[found.end() :].strip("\n").split("\n")
            yield from self._directive(found[1].lower(), found[2].strip(), rest)

    def _directive(self, name: str, argument: str, lines: list[str]) -> Iterator[Block]:
        given = [match for match in map(_OPTION.fullmatch, takewhile(_OPTION.fullmatch, lines)) if match]
        options = {match[1]: match[2] for match in given}
        body = dedent("\n".join(lines[len(given) :])).strip("\n")
        if name in _DROPPED:
            return
        if name in ("image", "figure"):
            yield from self._shown(argument, options.get("alt", ""))
        elif name in _CODE:
            yield from [Paragraph(f"```{argument}\n{body}\n```")] if body else ()
            return
        elif argument:
            yield Paragraph(f"{name.rpartition(':')[2]}: {self._plain_roles(argument)}")
        if body:
            inner = _Walk(self._fetch, self._depth + 1)
            yield from (Paragraph(b.text) if isinstance(b, Heading) else b for b in inner.text(body))

    def _plain(self, node: Any) -> str:
        """All words in a block."""
        blocks = self._block(node, 0) if node.tagname in _HANDLERS or node.tagname in _LISTS else self._inside(node, 0)
        return "\n".join(block.text for block in blocks if isinstance(block, Paragraph))

    def _pictures(self, node: Any) -> Iterator[Block]:
        for image in node.findall(lambda inner: inner is not node and getattr(inner, "tagname", "") == "image"):
            yield from self._image(image, 0)

    def _words(self, node: Any) -> str:
        """The words in a paragraph, with what substitutions stand for and without roles."""
        kind = node.tagname
        if kind == "#text":
            return str(node.astext())
        if kind == "problematic":
            return self._plain_roles(node.astext())
        if kind == "substitution_reference":
            return self._names.get(str(node.get("refname", "")), str(node.astext()))
        if kind == "literal":
            return f"`{node.astext()}`"
        if kind in ("footnote_reference", "citation_reference"):
            return f"[{node.astext()}]"
        return "" if kind == "image" else "".join(map(self._words, node.children))

    def _plain_roles(self, text: str) -> str:
        return _ROLE.sub(r"\1", text)


_HANDLERS: dict[str, Callable[[_Walk, Any, int], Iterator[Block]]] = {
    **dict.fromkeys(("paragraph", "title", "subtitle", "rubric", "caption", "line", "attribution"), _Walk._paragraph),
    **dict.fromkeys(("literal_block", "doctest_block", "math_block"), _Walk._literal),
    **dict.fromkeys(("definition_list_item", "field", "option_list_item", "footnote", "citation"), _Walk._named),
    "table": _Walk._table,
    "image": _Walk._image,
    "system_message": _Walk._message,
}
_LISTS = frozenset(("bullet_list", "enumerated_list", "definition_list", "field_list", "option_list", "line_block"))
_NAMES = frozenset(("term", "classifier", "field_name", "option_group", "label"))
_SILENT = frozenset(("comment", "target", "substitution_definition", "pending", "meta", "transition", "raw", "#text"))
