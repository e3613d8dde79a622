"""What an item costs of the model's window, estimated without asking the service, and rather too high than too low.

The tokenizer of ``gemini-embedding-2`` is not public, but its counts for short texts, as seen in traffic, are those of
the open Gemma 3 tokenizer (262,144 pieces) to the token; countTokens adds one. The estimate was fitted to that one over
the Universal Declaration of Human Rights in 532 translations, a program's messages in 72 languages, source code and
mail; it was checked on other messages in 90 languages, logs, JSON, numbers, base64 and random letters. How it works
(``scripts.py`` holds the numbers):

- A letter of the Latin or Cyrillic script costs the probability that a token begins at it, given the two letters before
  it, and a little more. Words of common languages come out at one or two tokens, strings of chance at many.
- The first letter of a word in any other script costs a token, each further one a fraction fixed by script, enough for
  the language of that script which fares worst.
- Digits, signs and Han characters cost a token each, line breaks and runs of blanks one together.
- What the vocabulary lacks costs a token for each byte of UTF-8, which is what the tokenizer makes of it.

How many tokens are estimated for one, over whole texts of 1,000 characters and more:

    script                            least   usual   most
    Latin (466 texts)                  0.90    1.15   1.77   English 1.4, Spanish 1.4, German 1.4, Vietnamese 1.8
    Cyrillic (47)                      0.98    1.16   1.44   Russian 1.3 to 1.4
    Han (18), with kana (4)            1.06    1.4    1.68   Chinese 1.4, Japanese 1.6
    Arabic (16)                        1.07    1.7    1.90   Arabic 1.7, Persian 1.8
    Devanagari (10)                    1.29    1.7    1.94   Hindi 1.7 to 1.9
    Hangul, Hebrew, Greek, Thai        1.04    1.25   1.84
    Georgian, Armenian, Ethiopic,
    Tibetan, Khmer, Lao, of India      1.08    1.15   1.39
    Myanmar                            1.07    1.1    2.06
    not in the vocabulary (Vai, Yi…)   1.00    1.0    1.1    Tifinagh and Canadian syllabics up to 2.7
    code, logs, JSON, base64           1.01    1.15   1.5
    CAPITALS throughout                0.93    1.3    2.3    Armenian 0.93, English 2.3

Too low come out 9 of these 618 texts, all in small languages: Moro by a tenth, the others by 2 % or less. Letters of
other scripts in random order, which is no text, can cost up to four times the estimate. A few words alone vary more
than whole texts: ``hello`` is one token and estimated at two.

Media cost what the table in ``limits.py`` says; captions, titles and task prefixes are text like any other.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from llama_index_gemini_mm.engine.items import EmbedItem, Part
from llama_index_gemini_mm.engine.scripts import UNIT, costs
from llama_index_gemini_mm.limits import MAX_INPUT_TOKENS, Modality


def text_tokens(text: str) -> int:
    """Tokens of a text: at most one more than it has bytes in UTF-8, and 0 only for none."""
    units = sum(int(block.sum()) for block in costs(text))
    if _ends_in_one_blank(text):
        units += UNIT
    return -(-units // UNIT)


def _ends_in_one_blank(text: str) -> bool:
    """Such a blank has no word behind it that it could be a part of, and so is a token."""
    return text.endswith(" ") and not text.endswith("  ")


def tokens_by_modality(item: EmbedItem) -> dict[Modality, int]:
    """Tokens of one item, by medium. A part that knows its own count is believed."""
    counts: dict[Modality, int] = {}
    for part in item.parts:
        counts[part.modality] = counts.get(part.modality, 0) + _part_tokens(part)
    return counts


def tokens_of(item: EmbedItem) -> int:
    """Tokens of one item."""
    return sum(map(_part_tokens, item.parts))


def counted(item: EmbedItem) -> EmbedItem:
    """``item`` with the count of each text written down, so that it is made once."""
    parts = tuple(
        part if part.tokens is not None or part.text is None else Part(text=part.text, tokens=text_tokens(part.text))
        for part in item.parts
    )
    return EmbedItem(parts, item.role, item.title, item.name)


def _part_tokens(part: Part) -> int:
    if part.tokens is not None:
        return part.tokens
    return text_tokens(part.text or "")


def truncated(item: EmbedItem, limit: int = MAX_INPUT_TOKENS) -> EmbedItem:
    """``item`` with its words cut at the end so that its estimate fits; media are left as they are."""
    room = limit - sum(_part_tokens(part) for part in item.parts if part.text is None)
    parts: list[Part] = []
    for part in item.parts:
        if part.text is None:
            parts.append(part)
            continue
        fits = _part_tokens(part) <= room
        parts.append(part if fits else Part(text=_beginning(part.text, max(room, 0))))
        room -= _part_tokens(parts[-1])
    return replace(item, parts=tuple(parts))


def _beginning(text: str, limit: int) -> str:
    """The longest beginning of ``text`` whose estimate is at most ``limit``."""
    room, length = limit * UNIT, 0
    for block in costs(text):
        spent = np.cumsum(block, dtype=np.int64)
        fitting = int(np.searchsorted(spent, room, side="right"))
        length += fitting
        if fitting < len(block):
            break
        room -= int(spent[-1])
    beginning = text[:length]
    return beginning if text_tokens(beginning) <= limit else beginning[:-1]
