"""A short animated film: how to replace the drive belt, one caption for each step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import cos, pi, sin
from pathlib import Path

import av
from PIL import Image

from _handbook.belt import NEW, WORN, BeltDrive, draw_belt_drive
from _handbook.canvas import INK, WHITE, Canvas, Colour
from _handbook.sounds import MUSIC_RATE, audio_frame, belt_replacement

WIDTH, HEIGHT, FRAME_RATE = 640, 360, 15
UNIT = 0.62
TAGS = {
    "title": "Replacing the drive belt of the spindle",
    "comment": "Corvex M4: lock out, loosen the tension bolt, take off the worn belt, fit the new one, tighten.",
    "genre": "Instruction",
}


@dataclass(frozen=True)
class Step:
    """One step of the work: when it starts (seconds) and what its caption says."""

    start: float
    caption: str
    ground: Colour


STEPS = (
    Step(0, "1  Stop the spindle and lock out the main switch", (250, 226, 222)),
    Step(4, "2  Loosen the tension bolt, slide the motor in", (250, 240, 214)),
    Step(8, "3  Take off the worn belt", (240, 230, 218)),
    Step(12, "4  Fit the new toothed belt on both pulleys", (222, 236, 248)),
    Step(16, "5  Tighten to 68 Hz and make a test run", (222, 244, 226)),
)
SECONDS = 20.0


def write_belt_film(path: Path) -> None:
    """Writes the film as H.264 (yuv420p) with an AAC sound track."""
    with av.open(str(path), "w", options={"fflags": "+bitexact", "movflags": "+faststart"}) as container:
        container.metadata.update(TAGS)
        video = container.add_stream("libx264", rate=FRAME_RATE, options={"crf": "25", "preset": "medium"})
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        sound = container.add_stream("aac", rate=MUSIC_RATE)
        sound.layout, sound.bit_rate = "mono", 64_000
        for picture in frames():
            container.mux(video.encode(av.VideoFrame.from_image(picture)))
        container.mux(video.encode(None))
        clicks = (1.9, 4.6, 5.1, 5.6, 6.1, 12.4, 14.6, 16.2, 16.6, 17.0)
        track = belt_replacement(SECONDS, stop=2.0, start=17.6, clicks=clicks, rate=MUSIC_RATE)
        container.mux(sound.encode(audio_frame(track, MUSIC_RATE)))
        container.mux(sound.encode(None))


def frames() -> Iterator[Image.Image]:
    """The pictures of the film in order."""
    for number in range(int(SECONDS * FRAME_RATE)):
        yield frame_at(number / FRAME_RATE)


def frame_at(time: float) -> Image.Image:
    """The picture at ``time`` seconds."""
    step = next(step for step in reversed(STEPS) if step.start <= time)
    canvas = Canvas.blank(WIDTH, HEIGHT, step.ground, scale=2)
    drive = _drive_at(time)
    draw_belt_drive(canvas, drive)
    if step is STEPS[0]:
        _main_switch(canvas, _part(time, 1.4, 2.0))
    elif step is STEPS[1]:
        _spanner(canvas, drive.motor[0] - 112, _part(time, 4.4, 6.4))
    elif step is STEPS[4]:
        _tension_meter(canvas, _part(time, 16.3, 17.4))
    _captions(canvas, step, time)
    return canvas.finish()


def _part(time: float, start: float, end: float) -> float:
    """How much of the span from ``start`` to ``end`` is over, eased at both ends (0 to 1)."""
    part = min(max((time - start) / (end - start), 0.0), 1.0)
    return part * part * (3 - 2 * part)


def _drive_at(time: float) -> BeltDrive:
    loose = _part(time, 5.4, 7.2) - _part(time, 16.2, 17.2)
    if time < 12:
        off = _part(time, 9.0, 11.2)
        belt = WORN if off < 1 else None
    else:
        off = 1 - _part(time, 12.2, 14.4)
        belt = NEW
    return BeltDrive(
        motor=(208 + 16 * loose, 196),
        spindle=(446, 196),
        turn=_turn(time),
        slack=20 * loose * (1 - off),
        lift=260 * off,
        belt=belt,
        unit=UNIT,
    )


def _turn(time: float) -> float:
    """The angle of the motor pulley: it runs, slows down until 2.4 s, stands, and starts again at 17.6 s."""
    running = min(time, 1.4) * 5
    slowing = 2.5 * (1 - (1 - min(max(time - 1.4, 0), 1)) ** 2)
    return running + slowing + 2.5 * max(time - 17.6, 0) ** 2


def _main_switch(canvas: Canvas, turned: float) -> None:
    canvas.rect((548, 84, 622, 178), (240, 200, 40), INK, 1.5, 6)
    canvas.circle((585, 124), 28, (206, 40, 36), INK)
    angle = -pi / 2 * (1 - turned)
    x, y = 23 * sin(angle), 23 * cos(angle)
    canvas.line([(585 - x, 124 - y), (585 + x, 124 + y)], WHITE, 7)
    canvas.text((585, 165), "OFF" if turned == 1 else "ON", 17, anchor="mm", bold=0.3)


def _spanner(canvas: Canvas, x: float, part: float) -> None:
    angle = 1.1 + 0.5 * sin(part * 6 * pi)
    y = 241.0
    end = (x - 66 * cos(angle), y - 66 * sin(angle))
    canvas.line([(x, y), end], INK, 11)
    canvas.line([(x, y), end], (150, 160, 172), 8)
    canvas.circle((x, y), 12, (150, 160, 172), INK)
    canvas.circle((x, y), 6, (226, 160, 40), INK, 1)


def _tension_meter(canvas: Canvas, part: float) -> None:
    canvas.rect((544, 94, 626, 170), (62, 70, 80), INK, 1.5, 8)
    canvas.rect((552, 103, 618, 143), (196, 226, 190), INK, 1, 3)
    canvas.text((585, 123), f"{40 + 28 * part:.0f} Hz", 22, anchor="mm", bold=0.3)
    canvas.text((585, 157), "TENSION", 13, WHITE, "mm")


def _captions(canvas: Canvas, step: Step, time: float) -> None:
    canvas.rect((0, 0, WIDTH, 40), (34, 60, 84))
    canvas.text((16, 20), "Replacing the drive belt", 21, WHITE, bold=0.3)
    canvas.text((WIDTH - 16, 20), "Corvex M4", 17, (186, 206, 224), "rm")
    canvas.rect((0, HEIGHT - 48, WIDTH, HEIGHT), (255, 255, 255))
    canvas.rect((0, HEIGHT - 50, WIDTH * time / SECONDS, HEIGHT - 46), (230, 130, 40))
    canvas.text((16, HEIGHT - 23), step.caption, 23)
