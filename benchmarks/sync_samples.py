"""Folders to sync: small files of many kinds, all different, and many tiny texts."""

from __future__ import annotations

import io
import random
import wave
from collections.abc import Callable, Mapping
from pathlib import Path

import docx
import numpy as np
import pymupdf
from PIL import Image

_RATE = 16_000
_SIDE = 96
_SECONDS = 3
_PER_FOLDER = 100
_NOUNS = (
    "spindle",
    "bearing",
    "belt",
    "pump",
    "valve",
    "gear",
    "filter",
    "motor",
    "sensor",
    "clutch",
    "nozzle",
    "shaft",
)
_VERBS = ("is checked", "was replaced", "makes noise", "runs hot", "needs oil", "stands still", "is aligned", "leaks")
_SHARES: Mapping[str, int] = {"txt": 30, "md": 10, "html": 10, "png": 15, "wav": 10, "pdf": 15, "docx": 10}
"""Out of a hundred files."""


def mixed(folder: Path, count: int) -> None:
    """``count`` files in folders of a hundred, the kinds mixed."""
    kinds = [kind for kind, share in _SHARES.items() for _ in range(share)]
    random.Random(0).shuffle(kinds)
    for number in range(count):
        kind, chance = kinds[number % len(kinds)], random.Random(number)
        place = folder / f"{number // _PER_FOLDER:03}"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number:05}.{kind}").write_bytes(_MAKE[kind](chance))


def tiny(folder: Path, count: int) -> None:
    """``count`` texts of a sentence."""
    for number in range(count):
        place = folder / f"{number // _PER_FOLDER:03}"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number:05}.txt").write_text(f"Sheet {number}: {_sentence(random.Random(number))}", "utf-8")


def _sentence(chance: random.Random) -> str:
    return f"The {chance.choice(_NOUNS)} {chance.randrange(1000)} {chance.choice(_VERBS)}."


def _words(chance: random.Random, sentences: int = 40) -> str:
    return " ".join(_sentence(chance) for _ in range(sentences))


def _text(chance: random.Random) -> bytes:
    return "\n\n".join(_words(chance) for _ in range(3)).encode()


def _markdown(chance: random.Random) -> bytes:
    return "".join(f"## {_sentence(chance)}\n\n{_words(chance)}\n\n" for _ in range(3)).encode()


def _html(chance: random.Random) -> bytes:
    body = "".join(f"<h2>{_sentence(chance)}</h2><p>{_words(chance)}</p>" for _ in range(3))
    return f"<html><head><title>{_sentence(chance)}</title></head><body>{body}</body></html>".encode()


def _png(chance: random.Random) -> bytes:
    noise = np.random.default_rng(chance.randrange(2**32)).integers(0, 255, (_SIDE, _SIDE, 3), dtype=np.uint8)
    target = io.BytesIO()
    Image.fromarray(noise).save(target, "PNG", compress_level=1)
    return target.getvalue()


def _wav(chance: random.Random) -> bytes:
    tone = np.sin(np.arange(_RATE * _SECONDS) * chance.uniform(0.05, 0.5)) * 12_000
    target = io.BytesIO()
    with wave.open(target, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(_RATE)
        out.writeframes(tone.astype(np.int16).tobytes())
    return target.getvalue()


def _pdf(chance: random.Random) -> bytes:
    with pymupdf.open() as document:
        for _ in range(2):
            page = document.new_page()
            page.insert_textbox((50, 50, 545, 790), _words(chance), fontsize=11)
        return bytes(document.tobytes())


def _docx(chance: random.Random) -> bytes:
    document, target = docx.Document(), io.BytesIO()
    for _ in range(3):
        document.add_heading(_sentence(chance))
        document.add_paragraph(_words(chance))
    document.save(target)
    return target.getvalue()


_MAKE: Mapping[str, Callable[[random.Random], bytes]] = {
    "txt": _text,
    "md": _markdown,
    "html": _html,
    "png": _png,
    "wav": _wav,
    "pdf": _pdf,
    "docx": _docx,
}
