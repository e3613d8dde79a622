"""A labelled mixed corpus out of labelled pictures and sounds: texts, pictures, sounds, films and PDF pages by topic.

The stand-in model knows no animals and hears no words. What a real model would see and hear in a file, it reads from
the file's own description: PNG text, ID3 and MP4 tags. So every medium carries one here, worded differently each time
and mixed with words that have nothing to do with the topic. Besides, pictures, films and pages share their pixels, and
sounds their spectrum.
"""

from __future__ import annotations

import csv
import io
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pymupdf
from llama_index.core.schema import Node
from PIL import Image, ImageOps, PngImagePlugin

from llama_index_gemini_mm import MediaStore, media
from llama_index_gemini_mm.codecs import svg
from llama_index_gemini_mm.limits import Modality
from llama_index_gemini_mm.media import MediaItem, MediaRef

RATE = 16_000
_SIDE = 192
_SECONDS = 4
_FRAMES = 8
_MIME = {"image": "image/png", "audio": "audio/mpeg", "video": "video/mp4", "document": "application/pdf"}
_WORDINGS = (
    "{} near the window",
    "This is {}, as we found it.",
    "Something about {}: more on the next page.",
    "{}, seen from the left side",
    "Here one meets {} again.",
    "My notes on {}",
    "{} (second attempt, evening)",
    "Nobody expected {} at this hour.",
)
_ASIDES = (
    "The shelf was painted last week.",
    "Please return it to the front desk.",
    "Prices do not include delivery.",
    "The meeting begins at noon in room four.",
    "It rained on the way home.",
    "A copy was sent to the archive.",
    "The key hangs behind the door.",
    "See the list at the end.",
    "We took the early train.",
    "All measures are in metres.",
)
_QUESTIONS = ("{}", "where is {}", "show me {}", "anything on {}?")


@dataclass(frozen=True)
class Topic:
    """What belongs together: its name in words, and the files that show or sound it."""

    name: str
    pictures: tuple[Path, ...]
    sounds: tuple[Path, ...]


@dataclass(frozen=True)
class Query:
    """A question of one modality, as what ``query_bundle`` takes, and the topic that answers it."""

    modality: Modality
    part: str | bytes
    topic: str


@dataclass(frozen=True)
class Corpus:
    """Nodes, the topic of each by its id, and the queries."""

    nodes: list[Node]
    topics: dict[str, str]
    queries: list[Query]


def read_topics(pairs: Path) -> list[Topic]:
    """The topics of a folder ``pairs`` with ``pairs.csv`` beside it; raises ``SystemExit`` when there is none."""
    table = pairs.parent / "pairs.csv"
    if not pairs.is_dir() or not table.is_file():
        raise SystemExit(f"no labelled media: {pairs} and {table} are needed; name another place with --pairs")
    files: dict[str, list[tuple[str, Path]]] = defaultdict(list)
    names: dict[str, str] = {}
    with table.open(encoding="utf-8", newline="") as rows:
        for row in csv.DictReader(rows):
            if row["file"].startswith(f"{pairs.name}/"):
                names.setdefault(row["group"], _name(row["caption"]))
                files[row["group"]].append((row["modality"], pairs.parent / row["file"]))
    return [
        Topic(names[group], *(tuple(path for kind, path in found if kind == wanted) for wanted in ("image", "audio")))
        for group, found in files.items()
    ]


def _name(caption: str) -> str:
    return caption.rstrip(".!").replace("a person saying ", "").replace("“", "").replace("”", "")


def build(topics: Sequence[Topic], store: MediaStore, seed: int) -> Corpus:
    """Nodes of all five modalities and queries of three; the same for the same seed."""
    corpus = Corpus([], {}, [])
    for number, topic in enumerate(topics):
        chance = random.Random(seed * 10_000 + number)
        for modality, content in _contents(topic, chance):
            node = _node(f"{seed}-{len(corpus.nodes)}", modality, content, store)
            corpus.nodes.append(node)
            corpus.topics[node.node_id] = topic.name
        corpus.queries.extend(_queries(topic, chance))
    return corpus


def _contents(topic: Topic, chance: random.Random) -> Iterator[tuple[Modality, str | bytes]]:
    for _ in range(3):
        yield "text", f"{_worded(topic, chance)} {chance.choice(_ASIDES)}"
    pictures = [_varied(_picture(topic), chance) for _ in range(2)]
    for picture in pictures:
        yield "image", _png(picture, _worded(topic, chance))
    kept = topic.sounds[1:3] or topic.sounds  # the first one asks, where there are several
    for sound in kept:
        yield "audio", _mp3(_samples(sound), _worded(topic, chance))
    samples = _samples(kept[-1]) if kept else None
    yield "video", _mp4(_varied(_picture(topic), chance), samples, _worded(topic, chance))
    yield "document", _pdf(pictures[0], f"{_worded(topic, chance)} {chance.choice(_ASIDES)}")


def _queries(topic: Topic, chance: random.Random) -> Iterator[Query]:
    yield Query("text", chance.choice(_QUESTIONS).format(topic.name), topic.name)
    yield Query("image", _png(_varied(_picture(topic), chance), _worded(topic, chance)), topic.name)
    if topic.sounds:
        yield Query("audio", _mp3(_samples(topic.sounds[0]), _worded(topic, chance)), topic.name)


def _worded(topic: Topic, chance: random.Random) -> str:
    return chance.choice(_WORDINGS).format(topic.name)


def _node(name: str, modality: Modality, content: str | bytes, store: MediaStore) -> Node:
    node_id = media.stable_id("mixed", name)
    if isinstance(content, str):
        return media.build(Node, node_id, modality, content, {})
    ref = MediaRef(store.add_bytes(content, _MIME[modality]))
    item = MediaItem(ref, _MIME[modality], store.local_path(ref.sha256))
    return media.build(Node, node_id, modality, "", {}, media=item)


def _picture(topic: Topic) -> Image.Image:
    """The topic's picture on white; of a topic that only sounds, the spectrum over time of its sound."""
    if not topic.pictures:
        return _spectrogram(_samples(topic.sounds[-1]))
    path = topic.pictures[0]
    if path.suffix == ".svg":
        return _on_white(Image.open(io.BytesIO(svg.render(path.read_bytes()).data)))
    with Image.open(path) as image:
        return _on_white(image)


def _on_white(image: Image.Image) -> Image.Image:
    image = ImageOps.contain(image.convert("RGBA"), (_SIDE, _SIDE))
    sheet = Image.new("RGBA", (_SIDE, _SIDE), "white")
    sheet.alpha_composite(image, ((_SIDE - image.width) // 2, (_SIDE - image.height) // 2))
    return sheet.convert("RGB")


def _spectrogram(samples: np.ndarray) -> Image.Image:
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(samples, (0, 512)), 512)[::256]
    power = np.log(np.abs(np.fft.rfft(windows * np.hanning(512))) ** 2 + 1e-3).T[::-1]
    levels = (power - power.min()) / (np.ptp(power) or 1.0) * 255
    return Image.fromarray(levels.astype(np.uint8)).convert("RGB").resize((_SIDE, _SIDE))


def _varied(image: Image.Image, chance: random.Random) -> Image.Image:
    """Mirrored or not, cut a little, brighter or darker."""
    if chance.random() < 0.5:
        image = ImageOps.mirror(image)
    left, top = chance.randrange(_SIDE // 8), chance.randrange(_SIDE // 8)
    side = _SIDE - _SIDE // 8
    image = image.crop((left, top, left + side, top + side))
    light = chance.uniform(0.75, 1.0)
    return image.point(lambda level: round(level * light))


def _samples(path: Path) -> np.ndarray:
    """The first seconds of a sound, mono, 16 kHz, within ±1."""
    with av.open(str(path)) as file:
        resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE)
        frames = [part for frame in file.decode(audio=0) for part in resampler.resample(frame)]
        found = np.concatenate([part.to_ndarray()[0] for part in [*frames, *resampler.resample(None)]])
    return found[: _SECONDS * RATE]


def _png(image: Image.Image, description: str) -> bytes:
    info, target = PngImagePlugin.PngInfo(), io.BytesIO()
    info.add_text("Description", description)
    image.save(target, "PNG", pnginfo=info)
    return target.getvalue()


def _mp3(samples: np.ndarray, title: str) -> bytes:
    target = io.BytesIO()
    with av.open(target, "w", format="mp3") as out:
        out.metadata["title"] = title
        track = out.add_stream("libmp3lame", rate=RATE)
        track.layout = "mono"
        _mux(out, track, samples)
    return target.getvalue()


def _mux(out: av.container.OutputContainer, track: av.AudioStream, samples: np.ndarray) -> None:
    frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1).astype(np.float32), format="flt", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = RATE, 0, Fraction(1, RATE)
    for part in av.AudioResampler(track.format, track.layout, track.rate, track.frame_size or None).resample(frame):
        out.mux(track.encode(part))
    out.mux(track.encode(None))


def _mp4(image: Image.Image, samples: np.ndarray | None, title: str) -> bytes:
    """A slow zoom into the picture, with the sound if there is one."""
    target = io.BytesIO()
    with av.open(target, "w", format="mp4") as out:
        out.metadata["title"] = title
        track = out.add_stream("libx264", rate=_FRAMES // _SECONDS)
        track.width, track.height, track.pix_fmt = _SIDE, _SIDE, "yuv420p"
        track.codec_context.thread_count = 1  # so that every run makes the same file
        speech = out.add_stream("aac", rate=RATE, layout="mono") if samples is not None else None
        for number in range(_FRAMES):
            rim = number * 2
            view = image.crop((rim, rim, image.width - rim, image.height - rim)).resize((_SIDE, _SIDE))
            frame = av.VideoFrame.from_ndarray(np.asarray(view), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(_SECONDS, _FRAMES)
            out.mux(track.encode(frame))
        out.mux(track.encode(None))
        if speech is not None and samples is not None:
            _mux(out, speech, samples)
    return target.getvalue()


def _pdf(image: Image.Image, text: str) -> bytes:
    with pymupdf.open() as document:
        page = document.new_page(width=300, height=400)
        page.insert_textbox((20, 20, 280, 120), text)
        page.insert_image((60, 150, 240, 330), stream=_png(image, ""))
        return bytes(document.tobytes())
