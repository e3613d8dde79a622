"""reStructuredText as docutils' tree, with every way out of the text closed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from docutils import nodes

_MAX_CHARS = 1 << 20
"""A longer text is not parsed: at 200 KB a second it would take too long."""
_MAX_EFFORT = 100_000_000
"""Marks of a paragraph times its characters, over all paragraphs: docutils looks for the end of each mark that begins.
This much takes some four seconds; manuals reach a tenth of it."""
_MARKS = "*`|_["


def rst_tree(text: str) -> nodes.document | None:
    """The tree of a text; ``None`` for one that would take too long, nests too deeply, or is more than docutils can do.

    No transforms are applied: references stay what they are.
    """
    from docutils import ApplicationError, DataError, frontend, utils
    from docutils.parsers.rst import Parser

    if len(text) > _MAX_CHARS or _effort(text) > _MAX_EFFORT:
        return None
    settings = frontend.get_default_settings(Parser)
    settings.file_insertion_enabled = False
    settings.raw_enabled = False
    settings._disable_config = True
    settings.report_level = settings.halt_level = 5
    settings.warning_stream = False
    settings.syntax_highlight = "none"
    settings.line_length_limit = _MAX_CHARS
    document = utils.new_document("text", settings)
    try:
        Parser().parse(text, document)
    except (
        ApplicationError,
        DataError,
        RecursionError,
        AssertionError,
        LookupError,
        AttributeError,
        TypeError,
        ValueError,
    ):
        return None
    return document


def _effort(text: str) -> int:
    return sum(len(block) * sum(map(block.count, _MARKS)) for block in text.split("\n\n"))
