"""The files that ``read_throughput.py`` reads, made once: nothing in them is anyone's."""

from __future__ import annotations

import random
import shutil
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pymupdf
from av.audio.stream import AudioStream
from av.video.stream import VideoStream

SOUND_SECONDS = 3600
FILM_SECONDS = 600
_LONG_FILM_SECONDS = 7200
_RATE = 44_100
_FILES = 20_000
_TEXT = (
    "The bearing of the spindle is checked each morning for oil, play and temperature, and what is found goes into the "
    "book beside the machine. Where the housing is warmer than the hand can bear the spindle is stopped."
)
_WORDS = _TEXT.split()


def make(scenario: str, folder: Path, pdfs: Path | None) -> None:
    """What a scenario needs, unless it is there already."""
    folder.mkdir(parents=True, exist_ok=True)
    if scenario in ("pdf", "pdf-peers"):
        _pdfs(folder / "pdfs", pdfs)
    if scenario == "audio" and not (folder / "hour.mp3").exists():
        _sound(folder / "hour.mp3", SOUND_SECONDS)
    if scenario == "video" and not (folder / "film.mp4").exists():
        _film(folder / "film.mp4", FILM_SECONDS, 720)
    if scenario == "memory":
        _for_memory(folder)
    if scenario == "start":
        (folder / "small.md").write_text("# Spindle\n\nOil it.\n", encoding="utf-8")


def _pdfs(folder: Path, others: Path | None) -> None:
    folder.mkdir(exist_ok=True)
    if not (folder / "manual.pdf").exists():
        _manual(folder / "manual.pdf", 300)
    for file in sorted(others.glob("*.pdf")) if others else ():
        shutil.copyfile(file, folder / file.name)


def _manual(path: Path, pages: int) -> None:
    """Headings, paragraphs, a page number; a table on every tenth page, a picture on every fifteenth."""
    chance = random.Random(20261128)
    picture = pymupdf.Pixmap(pymupdf.csRGB, pymupdf.IRect(0, 0, 320, 240))
    document = pymupdf.open()
    for number in range(1, pages + 1):
        page = document.new_page()
        page.insert_text((72, 72), f"{number}. Section about the spindle", fontsize=18)
        for paragraph in range(8):
            words = " ".join(chance.choices(_WORDS, k=60))
            top = 100 + 80 * paragraph
            page.insert_textbox((72, top, 523, top + 78), words, fontsize=10)
        page.insert_text((290, 800), str(number), fontsize=9)
        if number % 10 == 0:
            _table(page)
        if number % 15 == 0:
            picture.set_rect(picture.irect, (number % 256, 120, 200))
            page.insert_image((350, 640, 510, 760), pixmap=picture)
    document.save(path, deflate=True)


def _table(page: pymupdf.Page) -> None:
    for row in range(5):
        for column in range(4):
            box = pymupdf.Rect(72 + 70 * column, 700 + 16 * row, 142 + 70 * column, 716 + 16 * row)
            page.draw_rect(box, width=0.5)
            page.insert_text((box.x0 + 3, box.y1 - 4), f"{row * column}", fontsize=8)


def _sound(path: Path, length: int) -> None:
    """Bursts of sound that waver as speech does, with pauses between them."""
    noise = np.random.default_rng(20261128)
    with av.open(str(path), "w") as out:
        track = out.add_stream("libmp3lame", rate=_RATE, options={"b": "128k"})
        assert isinstance(track, AudioStream)
        track.layout = "stereo"
        for start in range(0, length, 10):
            at = np.arange(10 * _RATE) / _RATE + start
            loud = (np.sin(2 * np.pi * at / 3.3) > -0.6) * (0.2 + 0.1 * np.sin(2 * np.pi * 4 * at))
            samples = loud * (np.sin(2 * np.pi * 180 * at) + 0.3 * noise.standard_normal(len(at)))
            both = np.repeat((samples * 12000).astype(np.int16), 2).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(both, format="s16", layout="stereo")
            frame.sample_rate = _RATE
            out.mux(track.encode(frame))
        out.mux(track.encode(None))


def _film(path: Path, length: int, height: int, rate: int = 25) -> None:
    """A new scene every seven seconds, and a dot that moves; with sound."""
    width = height * 16 // 9
    chance = np.random.default_rng(20261128)
    with av.open(str(path), "w") as out:
        options = {"preset": "ultrafast", "crf": "28", "g": str(2 * rate)}
        film = out.add_stream("libx264", rate=rate, options=options)
        assert isinstance(film, VideoStream)
        film.width, film.height, film.pix_fmt = width, height, "yuv420p"
        sound = out.add_stream("aac", rate=_RATE)
        assert isinstance(sound, AudioStream)
        sound.layout = "mono"
        scene = chance.integers(0, 255, (height // 8, width // 8, 3), dtype=np.uint8)
        for number in range(rate * length):
            if number % (7 * rate) == 0:
                scene = chance.integers(0, 255, (height // 8, width // 8, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
            pixels = scene.copy()
            left = number * 5 % (width - 40)
            pixels[height // 2 : height // 2 + 40, left : left + 40] = 255
            picture = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            picture.pts, picture.time_base = number, Fraction(1, rate)
            out.mux(film.encode(picture))
            if number % rate == 0:
                tone = np.sin(2 * np.pi * 220 * (np.arange(_RATE) / _RATE)).astype(np.float32).reshape(1, -1) * 0.2
                heard = av.AudioFrame.from_ndarray(tone, format="fltp", layout="mono")
                heard.sample_rate = _RATE
                out.mux(sound.encode(heard))
        out.mux(film.encode(None))
        out.mux(sound.encode(None))


def _for_memory(folder: Path) -> None:
    if not (folder / "long.mp4").exists():
        _film(folder / "long.mp4", _LONG_FILM_SECONDS, 144, rate=5)
    if not (folder / "long.pdf").exists():
        _manual(folder / "long.pdf", 1000)
    many = folder / "many"
    if not many.exists():
        for number in range(_FILES):
            inside = many / f"{number % 100:02d}"
            inside.mkdir(parents=True, exist_ok=True)
            (inside / f"{number}.md").write_text(f"# Sheet {number}\n\n{_TEXT}\n", encoding="utf-8")
