"""Languages that a file's name gives."""

from __future__ import annotations

import re

from llama_index_gemini_mm.readers.video.language import bcp47

_TWO_LETTERS = (
    "aaabafakamanarasavayazbabebgbhbibmbnbobrbscacechcocrcscucvcydadedvdzeeeleneoeseteufafffifjfofrfygagdglgngugvha"
    "hehihohrhthuhyhziaidieigiiikioisitiujajvkakgkikjkkklkmknkokrkskukvkwkylalblglilnloltlulvmgmhmimkmlmnmrmsmtmynanb"
    "ndnengnlnnnonrnvnyocojomorospapiplpsptqurmrnrorurwsascsdsesgsiskslsmsnsosqsrssstsusvswtatetgthtitktltntotrtstttw"
    "tyugukuruzvevivowawoxhyiyozazhzu"
)
_CODES = frozenset(re.findall("..", _TWO_LETTERS))
"""ISO 639-1."""
_TAG = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z]{4})?(?:[-_](?:[A-Za-z]{2}|\d{3}))?")


def known_language(code: str) -> str | None:
    """The BCP 47 tag of ``en``, ``eng``, ``pt_BR`` or ``zh-Hans``; ``None`` for what names no well-known language."""
    tag = bcp47(code.replace("_", "-")) if _TAG.fullmatch(code) else ""
    return tag if tag.partition("-")[0] in _CODES else None
