"""Features of text: stems, pieces of words, and a weak trace of the task prefix."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

from llama_index_gemini_mm.emulator.features.space import Features, blend
from llama_index_gemini_mm.emulator.tokens import count_tokens, cut_to_tokens
from llama_index_gemini_mm.limits import Modality

_UNSPACED = r"\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[^\W_{_UNSPACED}]+|[{_UNSPACED}]+")
_IS_UNSPACED = re.compile(rf"[{_UNSPACED}]")
_QUERY = re.compile(r"task: ([^|\n]{1,60}) \| query: ")
_DOCUMENT = re.compile(r"title: ([^|\n]*) \| text: ")
_STOP_WEIGHT = 0.15
_STOP_WORDS = frozenset(
    """
    a about an and any are as at be been but by can could did do does for from had has have he her his how i if in
    into is it its me my no nor not of on one or our she should so some such that the their them then there these
    they this those to was we were what when where which who whom whose why will with would you your das dem den der
    des die ein eine einer im ist mit oder und von zu de des du en est et la le les un une el los y
    """.split()  # noqa: SIM905 - a list of quoted words would hide them
)
_SUFFIXES = ("ingly", "edly", "ings", "ing", "ers", "ies", "ed", "er", "es", "ly", "s")


@dataclass(frozen=True)
class Text:
    """A text part."""

    text: str
    modality: ClassVar[Modality] = "text"

    @property
    def tokens(self) -> int:
        """Its cost."""
        return count_tokens(self.text)

    def cut(self, tokens: int) -> Text:
        """As much of its beginning as costs no more than ``tokens``."""
        return Text(cut_to_tokens(self.text, tokens))

    def features(self) -> Features:
        """What the stand-in model sees in it."""
        return text_features(self.text)


def text_features(text: str) -> Features:
    """Features of one text part; empty for white space alone."""
    text = unicodedata.normalize("NFKC", text)
    prefix, title, rest = _split_prefix(text)
    words = Counter(_words(rest))
    for word in _words(title):
        words[word] += 1
    weights = {word: _weight(word) * (1.0 + math.log(count)) for word, count in words.items()}
    features = word_features(weights) or {f"c:{sign}": 1.0 for sign in rest if not sign.isspace()}
    return blend((features, 1.0), ({f"prefix:{prefix}": 1.0} if prefix else {}, 0.2))


def word_features(weights: Mapping[str, float]) -> Features:
    """Features of single words with their weights: each word's stem, and its trigrams with little weight."""
    stems: Features = {}
    pieces: Features = {}
    for word, weight in weights.items():
        name, trigrams = _names(word)
        stems[name] = stems.get(name, 0.0) + weight
        share = weight / math.sqrt(len(trigrams))
        for trigram in trigrams:
            pieces[trigram] = pieces.get(trigram, 0.0) + share
    return blend((stems, 1.0), (pieces, 0.45))


def stem(word: str) -> str:
    """A rough English stem: grinding, grinds, grinder and grind are one; noise, noises and noisy are one."""
    if len(word) < 4 or not word.isascii() or not word.isalpha():
        return word
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= 3 and not word.endswith("ss"):
            word = word[: -len(suffix)] + ("y" if suffix == "ies" else "")
            break
    if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "aeosl":
        word = word[:-1]
    return word.rstrip("ey") if len(word.rstrip("ey")) >= 3 else word


def _split_prefix(text: str) -> tuple[str, str, str]:
    """The task, the title and the text that the documented prefixes name."""
    if query := _QUERY.match(text):
        return f"query {query[1]}", "", text[query.end() :]
    if document := _DOCUMENT.match(text):
        title = document[1].strip()
        return "document", "" if title == "none" else title, text[document.end() :]
    return "", "", text


def _words(text: str) -> Iterable[str]:
    for match in _WORD.finditer(text.casefold()):
        run = match[0]
        if _IS_UNSPACED.match(run):
            yield from run
            yield from (run[at : at + 2] for at in range(len(run) - 1))
        else:
            yield run


def _weight(word: str) -> float:
    return _STOP_WEIGHT if word in _STOP_WORDS else 1.0


@lru_cache(maxsize=32_768)
def _names(word: str) -> tuple[str, tuple[str, ...]]:
    """The feature of a word's stem, and those of its trigrams in their order and each once."""
    marked = f"^{word[:40]}$"
    trigrams = dict.fromkeys(f"g:{marked[at : at + 3]}" for at in range(max(1, len(marked) - 2)))
    return f"w:{stem(word)}", tuple(trigrams)
