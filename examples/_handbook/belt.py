"""The belt drive as a drawing that can move: the still picture and the film share it."""

from __future__ import annotations

from dataclasses import dataclass
from math import acos, cos, hypot, pi, sin

from _handbook.canvas import DARK_STEEL, INK, STEEL, WHITE, Canvas, Colour, Point

WORN: Colour = (112, 74, 50)
NEW: Colour = (34, 38, 44)
MOTOR_RADIUS = 62.0
SPINDLE_RADIUS = 104.0


@dataclass(frozen=True)
class BeltDrive:
    """One moment of the drive.

    Attributes:
        motor: Centre of the motor pulley in pixels.
        spindle: Centre of the spindle pulley in pixels.
        turn: Angle of the motor pulley in radians.
        slack: How far the slack belt hangs, in pixels; 0 is a tight belt.
        lift: Height by which the belt is taken off, in pixels.
        belt: Colour of the belt, or None when there is no belt.
        unit: Pixels per drawing unit; 1 for the still picture.
    """

    motor: Point
    spindle: Point
    turn: float = 0.35
    slack: float = 0.0
    lift: float = 0.0
    belt: Colour | None = NEW
    unit: float = 1.0


def draw_belt_drive(canvas: Canvas, drive: BeltDrive) -> None:
    """Draws motor, pulleys, tension bolt and belt."""
    _bench(canvas, drive)
    _pulley(canvas, drive.motor, MOTOR_RADIUS * drive.unit, drive.turn, 5)
    _pulley(canvas, drive.spindle, SPINDLE_RADIUS * drive.unit, drive.turn * MOTOR_RADIUS / SPINDLE_RADIUS, 6)
    if drive.belt:
        path = _belt_path(drive)
        width = 13 * drive.unit
        canvas.line([*path, path[0]], INK, width + 2)
        canvas.line([*path, path[0]], drive.belt, width)
        _belt_marks(canvas, path, drive)


def _bench(canvas: Canvas, drive: BeltDrive) -> None:
    unit = drive.unit
    x, y = drive.motor
    base = drive.spindle[1] + 128 * unit
    canvas.rect((x - 190 * unit, base, drive.spindle[0] + 170 * unit, base + 24 * unit), (120, 128, 138), INK, 1.5)
    canvas.cylinder((x - 108 * unit, y - 96 * unit, x + 50 * unit, base), (72, 132, 106), radius=10 * unit)
    for fin in range(7):
        height = y - 78 * unit + fin * 26 * unit
        canvas.line([(x - 100 * unit, height), (x + 42 * unit, height)], (46, 92, 74), 3 * unit)
    bolt = y + 72 * unit
    canvas.cylinder((x - 188 * unit, bolt - 8 * unit, x - 106 * unit, bolt + 8 * unit), STEEL)
    canvas.rect((x - 196 * unit, bolt - 20 * unit, x - 174 * unit, bolt + 20 * unit), (226, 160, 40), INK, 1.3, 3)
    canvas.rect(
        (drive.spindle[0] - 34 * unit, drive.spindle[1], drive.spindle[0] + 34 * unit, base), DARK_STEEL, INK, 1.5
    )


def _pulley(canvas: Canvas, centre: Point, radius: float, turn: float, spokes: int) -> None:
    canvas.circle(centre, radius, (150, 160, 172), INK, 1.6)
    canvas.circle(centre, radius * 0.82, (206, 212, 220), INK, 1)
    for spoke in range(spokes):
        angle = turn + spoke * 2 * pi / spokes
        hole = (centre[0] + radius * 0.53 * cos(angle), centre[1] + radius * 0.53 * sin(angle))
        canvas.circle(hole, radius * 0.19, (112, 122, 134), INK, 1)
    canvas.ball(centre, radius * 0.24, (160, 168, 178))


def _belt_path(drive: BeltDrive) -> list[Point]:
    """The closed centre line of the belt: two straight runs and an arc around each pulley."""
    (mx, my), (sx, sy) = drive.motor, drive.spindle
    small, large = MOTOR_RADIUS * drive.unit + 6 * drive.unit, SPINDLE_RADIUS * drive.unit + 6 * drive.unit
    tilt = acos((small - large) / hypot(sx - mx, sy - my))
    upper = _arc((mx, my), small, tilt, 2 * pi - tilt)
    lower = _arc((sx, sy), large, -tilt, tilt)
    points = [*upper, *_run(upper[-1], lower[0], drive.slack), *lower, *_run(lower[-1], upper[0], drive.slack * 0.7)]
    return [(x, y - drive.lift) for x, y in points]


def _arc(centre: Point, radius: float, start: float, end: float) -> list[Point]:
    steps = 40
    angles = [start + (end - start) * step / steps for step in range(steps + 1)]
    return [(centre[0] + radius * cos(angle), centre[1] + radius * sin(angle)) for angle in angles]


def _run(start: Point, end: Point, slack: float) -> list[Point]:
    steps = 24
    parts = [step / steps for step in range(1, steps)]
    return [
        (start[0] + (end[0] - start[0]) * part, start[1] + (end[1] - start[1]) * part + slack * sin(pi * part))
        for part in parts
    ]


def _belt_marks(canvas: Canvas, path: list[Point], drive: BeltDrive) -> None:
    """White ticks that travel with the belt, so that its motion can be seen."""
    pitch = 46 * drive.unit
    until = pitch - (drive.turn * MOTOR_RADIUS * drive.unit) % pitch
    for (ax, ay), (bx, by) in zip(path, [*path[1:], path[0]], strict=True):
        length = hypot(bx - ax, by - ay)
        while until < length:
            part = until / length
            at = (ax + (bx - ax) * part, ay + (by - ay) * part)
            canvas.circle(at, 2.6 * drive.unit, WHITE)
            until += pitch
        until -= length
