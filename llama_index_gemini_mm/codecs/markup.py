"""How the XML of strangers is parsed: nothing in it is expanded, fetched or opened, and its depth is bounded."""

from __future__ import annotations

from typing import Any, TypedDict


class _Options(TypedDict):
    resolve_entities: bool
    no_network: bool
    load_dtd: bool
    huge_tree: bool


XML_OPTIONS: _Options = {"resolve_entities": False, "no_network": True, "load_dtd": False, "huge_tree": False}
"""What every parser of ``lxml`` is given, ``etree.iterparse`` too."""


def xml_parser(*, recover: bool = False, remove_comments: bool = False, remove_pis: bool = False) -> Any:
    """A parser for ``lxml.etree``.

    Args:
        recover: read on behind what is not well-formed.
        remove_comments: leave comments out of the tree.
        remove_pis: leave processing instructions out of the tree.
    """
    from lxml import etree

    return etree.XMLParser(**XML_OPTIONS, recover=recover, remove_comments=remove_comments, remove_pis=remove_pis)
