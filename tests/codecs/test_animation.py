"""Animated pictures: which frames stand for one, and the film that it makes."""

from __future__ import annotations

import io

import pytest
from PIL import Image, ImageDraw

from llama_index_gemini_mm.codecs import Undecodable, animation, image, video
from media_samples import encoded, gif, png

COLORS = ("red", "lime", "blue", "yellow", "black", "white", "cyan", "magenta")


def moving(form: str, colors: tuple[str, ...], duration: int | list[int] = 100) -> bytes:
    shots = [Image.new("RGB", (64, 48), color) for color in colors]
    options = {"save_all": True, "append_images": shots[1:], "duration": duration}
    return encoded(shots[0], form, **options, **({"quality": 95} if form == "AVIF" else {}))


def shown(data: bytes, most: int = 6) -> list[tuple[int, ...]]:
    """The colours in the middle of the frames, in full steps."""
    frames = [Image.open(io.BytesIO(d)).convert("RGB") for d, _ in animation.frames(io.BytesIO(data), None, most)]
    return [tuple(round(v / 255) for v in frame.getpixel((30, 20))) for frame in frames]


@pytest.mark.parametrize("form", ["GIF", "PNG", "WEBP", "AVIF"])
def test_frames_of_every_format(form: str) -> None:
    """All frames of a short animation, in order, each as a still picture."""
    data = moving(form, ("red", "lime", "blue"))
    assert animation.count(io.BytesIO(data)) == 3
    assert shown(data) == [(1, 0, 0), (0, 1, 0), (0, 0, 1)]


def test_of_many_frames_the_different_ones() -> None:
    """Six at most: the first, the last, and those that show something else; frames that repeat one are left out."""
    colors = ("red",) * 5 + ("lime",) * 5 + ("red",) * 5 + ("blue",) * 5 + ("yellow",)
    assert shown(moving("WEBP", colors)) == [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0)]
    assert len(shown(moving("WEBP", COLORS))) == 6
    assert shown(moving("WEBP", COLORS))[0] == (1, 0, 0)
    assert shown(moving("WEBP", COLORS))[-1] == (1, 0, 1)


def test_an_animation_that_ends_as_it_began() -> None:
    """The last frame is none of its own, and those between are still found."""
    assert shown(moving("WEBP", ("red", "blue", "red"))) == [(1, 0, 0), (0, 0, 1)]


def test_the_same_animation_gives_the_same_frames() -> None:
    """Frames are bytes that can be counted on."""
    data = moving("WEBP", COLORS)
    assert animation.frames(io.BytesIO(data), None, 4) == animation.frames(io.BytesIO(data), None, 4)


def test_a_still_has_one_frame() -> None:
    """A picture that does not move gives itself."""
    assert animation.frames(io.BytesIO(png()), None, 6) == [(png(), "image/png")]


def test_boxes_hold_in_every_frame() -> None:
    """A part of an animation is that part of each frame."""
    frames = animation.frames(io.BytesIO(gif()), (0, 0, 0.5, 1), 6)
    assert [Image.open(io.BytesIO(data)).size for data, _ in frames] == [(8, 16), (8, 16)]


def test_broken_animation_of_a_sound_png() -> None:
    """A PNG whose animation breaks the rules shows the picture that other programs show."""
    data = moving("PNG", ("red", "lime", "blue"))
    first = data.index(b"fcTL", data.index(b"IDAT")) - 4
    second = data.index(b"fcTL", first + 8) - 4
    broken = data[:first] + data[second:]
    assert animation.count(io.BytesIO(broken)) == 1
    assert shown(broken) == [(1, 0, 0)]


def test_cut_off_animation() -> None:
    """One that ends early is refused, not shortened."""
    data = moving("GIF", COLORS)
    with pytest.raises(Undecodable, match="cut off"):
        image.check(io.BytesIO(data[: len(data) // 2]))


def test_long_animations_are_looked_at_in_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one with more pixels than are decoded, the beginning."""
    monkeypatch.setattr(image, "MAX_WORK", 3 * 64 * 48)
    assert shown(moving("WEBP", COLORS)) == [(1, 0, 0), (0, 1, 0), (0, 0, 1)]


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG"])
def test_film(form: str) -> None:
    """The film lasts as long as the animation, shows its frames at their times, and has even sides."""
    shots = [Image.new("RGB", (61, 33), color) for color in ("red", "lime", "blue")]
    for shot in shots:
        ImageDraw.Draw(shot).point((1, 1), "white")
    data = encoded(shots[0], form, save_all=True, append_images=shots[1:], duration=[1000, 500, 1500])
    film, seconds = animation.film(io.BytesIO(data))
    info = video.probe(io.BytesIO(film), "video/mp4")
    assert seconds == 3.0
    assert info.duration == pytest.approx(3.0, abs=0.1)
    assert (info.codec, info.width % 2, info.height % 2, info.has_sound) == ("h264", 0, 0, False)
    import av

    with av.open(io.BytesIO(film)) as container:
        times = [(round(frame.time, 2), frame.to_image().getpixel((30, 16))) for frame in container.decode(video=0)]
    assert [time for time, _ in times[:3]] == [0.0, 1.0, 1.5]
    assert [max(range(3), key=color.__getitem__) for _, color in times[:3]] == [0, 1, 2]
