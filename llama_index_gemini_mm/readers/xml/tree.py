"""XML as a tree, with nothing in it expanded, fetched or opened."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from llama_index_gemini_mm.codecs.markup import xml_parser
from llama_index_gemini_mm.errors import CorruptFile, FileTooLarge
from llama_index_gemini_mm.readers._bounds import MAX_CELLS, MAX_XML_DEPTH
from llama_index_gemini_mm.readers._text import MAX_TEXT_BYTES
from llama_index_gemini_mm.readers._tree import Leaf, Path, readable
from llama_index_gemini_mm.source import Source

_MAX_SIGNS = 100_000


def xml_root(source: Source, data: bytes) -> Any:
    """The root element of ``data``; ``source`` is what errors are about.

    Entities are not expanded: those that stand for signs become these, all others vanish.

    Raises:
        FileTooLarge: more than 64 MiB, or nested deeper than 256.
        CorruptFile: not well-formed, or cut off.
    """
    from lxml import etree

    if len(data) > MAX_TEXT_BYTES:
        raise FileTooLarge(source.location, f"XML of {len(data) >> 20} MiB, at most {MAX_TEXT_BYTES >> 20} are read")
    try:
        root = etree.fromstring(data, xml_parser(remove_comments=True, remove_pis=True))
    except etree.XMLSyntaxError as error:
        if "depth" in str(error):
            raise FileTooLarge(source.location, f"XML nested deeper than {MAX_XML_DEPTH}") from error
        raise CorruptFile(source.location, f"not well-formed XML, or cut off, at line {error.lineno}") from error
    except (etree.LxmlError, ValueError) as error:
        raise CorruptFile(source.location, f"not readable XML ({type(error).__name__})") from error
    if root is None:
        raise CorruptFile(source.location, "XML without an element")
    _put_signs(root)
    return root


def _put_signs(root: Any) -> None:
    """Put the signs that HTML names, such as ``&eacute;``, in the place of the entities left in a tree."""
    from lxml import etree

    for count, entity in enumerate(list(root.iter(etree.Entity))):
        sign = html.unescape(entity.text or "")
        if sign != entity.text and count < _MAX_SIGNS:
            entity.tail = sign + (entity.tail or "")
    etree.strip_elements(root, etree.Entity, with_tail=False)


def local(element: Any) -> str:
    """The name of an element without its namespace."""
    return str(element.tag).rpartition("}")[2]


def xml_leaves(source: Source, root: Any) -> Iterator[Leaf]:
    """Yield attributes and texts with their paths; elements that stand side by side under one name are counted.

    Raises ``FileTooLarge`` for more elements and attributes than a table may have cells.
    """
    from lxml import etree

    open_: list[_Open] = []
    count = 0
    for event, element in etree.iterwalk(root, events=("start", "end"), tag="{*}*"):
        if event == "end":
            open_.pop()
            continue
        path = open_[-1].path_of(local(element)) if open_ else (local(element),)
        open_.append(_Open(path, Counter(map(local, element.iterchildren("{*}*")))))
        count += 1 + len(element.attrib)
        if count > MAX_CELLS:
            raise FileTooLarge(source.location, f"XML of more than {MAX_CELLS:,} elements and attributes")
        yield from _own_leaves(element, path)


@dataclass
class _Open:
    """An element whose end has not come: its path, how many children of each name it has, and how many have come."""

    path: Path
    names: Counter[str]
    seen: Counter[str] = field(default_factory=Counter)

    def path_of(self, name: str) -> Path:
        """The path of the child that comes next."""
        place = self.seen[name]
        self.seen[name] += 1
        return (*self.path, name, place) if self.names[name] > 1 else (*self.path, name)


def _own_leaves(element: Any, path: Path) -> Iterator[Leaf]:
    for name, value in element.attrib.items():
        if value.strip():
            yield (*path, f"@{name.rpartition('}')[2]}"), readable(" ".join(value.split()))
    words = " ".join(" ".join(filter(None, (element.text, *(child.tail for child in element)))).split())
    if words:
        yield path, readable(words)
