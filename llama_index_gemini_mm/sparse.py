"""BM25 as sparse vectors, the same for every engine: words of any script, numbers and part numbers, without a model.

A document's number for a term is BM25's share of it, a query's is 1. How rare a term is, is left to the engine, which
knows all documents (Qdrant: ``Modifier.IDF``).
"""

from __future__ import annotations

import hashlib
import re
import sys
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from operator import add

_UNSPACED = (
    "\u0e00-\u0e7f\u0e80-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao, Myanmar, Khmer
    "\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Han, kana
    "\u1100-\u11ff\u3130-\u318f\uac00-\ud7af"  # Hangul: words have blanks between them, but endings stick to them
)
"""Scripts that set no blanks where a search needs them."""
_JOINTS = r"[-_./:+]"
"""What holds the parts of one term together, standing alone between two of them: XJ-900/4b, 12:30, max_retries."""
_DASHES = dict.fromkeys(map(ord, "\u2010\u2011\u2013\u2212"), "-")
_INVISIBLE = dict.fromkeys([0xAD, 0x640, 0x200C, 0x200D, 0x2060, 0xFEFF])
"""Soft hyphen, tatweel, joiners: they change how a word looks and not what it is."""
_ASCII_TERMS = re.compile(rf"()([a-z0-9]+(?:{_JOINTS}[a-z0-9]+)*)")
_COUNT_AND_UNIT = re.compile(r"(\d+)([^\W\d_]+)|([^\W\d_]+)(\d+)")
_LAST_WITH_MARKS = 0x1FFFF


@dataclass(frozen=True)
class SparseVector:
    """Indices, ascending and each once, below 2**32, and the value of each."""

    indices: tuple[int, ...]
    values: tuple[float, ...]


@dataclass(frozen=True)
class Bm25:
    """BM25's constants.

    ``k1`` says how soon more of the same term counts no more, ``b`` how much a long text is discounted.
    ``average_length`` is in terms. It is a constant, so that a vector depends on its own text alone; the value lies
    between a caption and a full chunk of text.
    """

    k1: float = 1.2
    b: float = 0.75
    average_length: float = 256.0

    def value(self, count: int, length: int) -> float:
        """The share of a term that stands ``count`` times among ``length`` terms."""
        return count * (self.k1 + 1) / (count + self.k1 * (1 - self.b + self.b * length / self.average_length))


def document_vector(text: str, bm25: Bm25 = Bm25()) -> SparseVector | None:
    """The sparse vector of a node's text; ``None`` when there are no words."""
    counts = Counter(terms(text))
    length = counts.total()
    shares = {count: bm25.value(count, length) for count in set(counts.values())}
    return _vector((term, shares[count]) for term, count in counts.items())


def query_vector(text: str) -> SparseVector | None:
    """The sparse vector of a query: 1 for each of its terms; ``None`` when there are no words."""
    return _vector((term, 1.0) for term in dict.fromkeys(terms(text)))


def terms(text: str) -> list[str]:
    """What a text is found by, in its order: words with case and accents folded, and more for what is no plain word.

    - ``XJ-900/4b`` gives ``xj9004b``, as ``XJ900/4B`` does, and ``xj``, ``900``, ``4b``, ``4``, ``b``;
    - ``10mm`` gives ``10mm``, ``10``, ``mm``, and so is found by ``10 mm``;
    - ``1.5`` gives ``1.5``, ``1``, ``5``, for here the point tells it from 15;
    - scripts without blanks give their pairs of characters.
    """
    found: list[str] = []
    folded = _folded(text)
    pattern = _ASCII_TERMS if folded.isascii() else _patterns()
    for unspaced, word in pattern.findall(folded):
        if unspaced:
            found.extend(_pairs(unspaced))
        elif word.isalpha():
            found.append(word)
        else:
            found.extend(_pieces(word))
    return found


def _vector(weights: Iterable[tuple[str, float]]) -> SparseVector | None:
    values: dict[int, float] = {}
    for term, weight in weights:
        index = _index(term)
        values[index] = values.get(index, 0.0) + weight
    if not values:
        return None
    indices, ordered = zip(*sorted(values.items()), strict=True)
    return SparseVector(indices, ordered)


@lru_cache(maxsize=1 << 16)
def _index(term: str) -> int:
    """The same on every machine; two of a million terms share one about a hundred times."""
    return int.from_bytes(hashlib.blake2b(term.encode("utf-8", "surrogatepass"), digest_size=4).digest(), "little")


def _folded(text: str) -> str:
    if text.isascii():
        return text.lower()
    bare = unicodedata.normalize("NFKD", text).translate(_folding())
    return unicodedata.normalize("NFKC", bare.casefold())


def _pairs(run: str) -> Iterator[str]:
    """Neighbouring characters of a script without blanks, each with its marks; one alone stands for itself."""
    signs = _clusters().findall(run)
    return map(add, signs, signs[1:]) if len(signs) > 1 else iter(signs)


@lru_cache(maxsize=1 << 14)
def _pieces(word: str) -> tuple[str, ...]:
    """A term of several parts, or of letters and digits: the whole and its parts, each once."""
    parts = re.split(_JOINTS, word)
    whole = word if word[0].isdecimal() and not any(map(str.isalpha, word)) else "".join(parts)
    found = [whole, *parts]
    for part in parts:
        if match := _COUNT_AND_UNIT.fullmatch(part):
            found.extend(filter(None, match.groups()))
    return tuple(dict.fromkeys(found))


@cache
def _patterns() -> re.Pattern[str]:
    """Runs of scripts without blanks, and other terms; with vowel signs, which Python takes for no letters."""
    unspaced = re.compile(f"[{_UNSPACED}]")
    letters = _class_of(lambda sign: sign.isalnum() and not unspaced.match(sign)) + _marks()
    return re.compile(rf"([{_UNSPACED}][{_UNSPACED}{_marks()}]*)|([{letters}]+(?:{_JOINTS}[{letters}]+)*)")


@cache
def _clusters() -> re.Pattern[str]:
    return re.compile(rf"[^{_marks()}][{_marks()}]*|.")


@cache
def _marks() -> str:
    return _class_of(lambda sign: unicodedata.category(sign) in ("Mn", "Mc"))


def _class_of(holds: Callable[[str], bool]) -> str:
    """The inside of a character class; as ranges, for ``re`` is slow at alternatives."""
    points = [point for point in range(_LAST_WITH_MARKS + 1) if holds(chr(point))]
    starts = [p for p, before in zip(points, [-2, *points], strict=False) if p != before + 1]
    ends = [p for p, after in zip(points, [*points[1:], -2], strict=True) if p != after - 1]
    return "".join(f"{re.escape(chr(a))}-{re.escape(chr(b))}" for a, b in zip(starts, ends, strict=True))


@cache
def _folding() -> dict[int, str | None]:
    """What folding does to single characters after decomposition: accents vanish, digits of all scripts become ours.

    By their combining class: those of points of Hebrew and Arabic (10 to 36) and accents (from 200) go. Vowel signs,
    viramas, tones and voicing marks of other scripts have other classes, and are letters of their words.
    """
    table: dict[int, str | None] = {**_DASHES, **_INVISIBLE}
    for point in range(min(sys.maxunicode, _LAST_WITH_MARKS) + 1):
        sign = chr(point)
        mark = unicodedata.combining(sign)
        if 10 <= mark <= 36 or mark >= 200:
            table[point] = None
        elif point > 0x7F and unicodedata.category(sign) == "Nd":
            table[point] = str(unicodedata.decimal(sign))
    return table
