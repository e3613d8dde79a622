"""Technical drawings of the invented milling machine Corvex M4."""

from __future__ import annotations

from math import cos, pi, sin

from PIL import Image

from _handbook.belt import BeltDrive, draw_belt_drive
from _handbook.canvas import DARK_STEEL, INK, STEEL, WHITE, Canvas, Colour, Point

PAPER: Colour = (226, 236, 246)
HOUSING: Colour = (92, 138, 190)
BEARING: Colour = (236, 132, 40)
BRASS: Colour = (214, 172, 74)
ENAMEL: Colour = (58, 104, 92)


def polar(centre: Point, radius: float, angle: float) -> Point:
    """The point at ``radius`` pixels and ``angle`` radians, clockwise from the right."""
    return centre[0] + radius * cos(angle), centre[1] + radius * sin(angle)


def spindle_cutaway() -> Image.Image:
    """The spindle cut open along its axis, with names at the parts (1200 by 720 pixels)."""
    canvas = Canvas.blank(1200, 720, PAPER)
    _grid(canvas, 1200, 720)
    _spindle_housing(canvas)
    _spindle_shaft(canvas)
    for x in (232, 790, 850):
        _ball_bearing(canvas, x)
    _spindle_labels(canvas)
    return canvas.finish()


def _grid(canvas: Canvas, width: int, height: int) -> None:
    for x in range(0, width, 40):
        canvas.line([(x, 0), (x, height)], (208, 222, 236), 0.7)
    for y in range(0, height, 40):
        canvas.line([(0, y), (width, y)], (208, 222, 236), 0.7)


def _spindle_housing(canvas: Canvas) -> None:
    canvas.rect((190, 205, 950, 515), (240, 244, 248), INK)
    for top in (205, 450):
        canvas.hatch((190, top, 950, top + 65), HOUSING, (62, 104, 156))
        for x in range(330, 740, 58):
            canvas.rect((x, top + 20, x + 34, top + 46), (120, 214, 236), INK, 1.2, 5)
    canvas.hatch((950, 235, 985, 312), (110, 154, 204), (62, 104, 156), 9)
    canvas.hatch((950, 408, 985, 485), (110, 154, 204), (62, 104, 156), 9)


def _spindle_shaft(canvas: Canvas) -> None:
    canvas.cylinder((80, 220, 160, 500), DARK_STEEL, radius=6)
    for y in range(238, 500, 16):
        canvas.line([(82, y), (158, y)], (58, 66, 76), 3)
    canvas.cylinder((150, 314, 1010, 406), STEEL)
    canvas.rect((150, 338, 1010, 382), (70, 80, 92), INK, 1)
    canvas.rect((360, 328, 720, 392), (70, 80, 92), INK, 1)
    canvas.cylinder((60, 348, 930, 372), BRASS, radius=4)
    for x in range(368, 712, 24):
        canvas.line([(x, 332), (x + 12, 346)], (226, 230, 236), 4)
        canvas.line([(x + 12, 346), (x + 24, 332)], (226, 230, 236), 4)
        canvas.line([(x, 388), (x + 12, 374)], (226, 230, 236), 4)
        canvas.line([(x + 12, 374), (x + 24, 388)], (226, 230, 236), 4)
    canvas.polygon([(930, 340), (1010, 322), (1010, 398), (930, 380)], (148, 160, 172), INK)
    canvas.cylinder((1010, 300, 1044, 420), (150, 162, 176), radius=4)
    canvas.cylinder((1044, 328, 1090, 392), (132, 144, 158), radius=3)
    canvas.cylinder((1090, 344, 1164, 376), BRASS, radius=3)
    for x in range(1096, 1160, 16):
        canvas.line([(x, 375), (x + 14, 345)], (140, 104, 34), 3)


def _ball_bearing(canvas: Canvas, x: float) -> None:
    for outer, inner, middle in ((270, 314, 292), (450, 406, 428)):
        near, far = min(outer, inner), max(outer, inner)
        canvas.rect((x, near, x + 52, far), (252, 206, 158), INK, 1.2)
        canvas.rect((x, near, x + 52, near + 11), BEARING, INK, 1)
        canvas.rect((x, far - 11, x + 52, far), BEARING, INK, 1)
        canvas.ball((x + 26, middle), 15, (214, 222, 230))


def _spindle_labels(canvas: Canvas) -> None:
    canvas.line([(30, 360), (1185, 360)], (196, 60, 50), 0.9)
    canvas.text((40, 48), "Spindle, cut-away view", 32, bold=0.5)
    canvas.text((40, 86), "Corvex M4 · drawing M4-S-010", 19, (84, 100, 118))
    above = (("Rear bearing", (258, 150), (258, 292)), ("Cooling jacket", (500, 150), (521, 236)))
    for words, at, target in (*above, ("Front bearings", (846, 150), (816, 284)), ("Seal", (968, 180), (968, 270))):
        canvas.label(words, at, target)
    canvas.label("Drive pulley", (120, 585), (120, 460))
    canvas.label("Disc springs", (430, 585), (430, 384))
    canvas.label("Drawbar", (640, 585), (780, 360))
    canvas.label("Shaft", (905, 585), (915, 396))
    canvas.label("Tool holder", (1068, 585), (1066, 380))
    canvas.rect((820, 650, 1170, 698), WHITE, INK, 1.2)
    canvas.text((995, 674), "Scale 1 : 2   ·   Sheet 1 of 1", 18, anchor="mm")


def tool_changer() -> Image.Image:
    """The carousel of twelve tools with the swing arm below it (900 by 720 pixels)."""
    canvas = Canvas.blank(900, 720, (252, 244, 214))
    centre = (400.0, 350.0)
    canvas.circle(centre, 262, (196, 170, 84), INK)
    canvas.circle(centre, 250, (232, 208, 124), INK)
    canvas.circle(centre, 112, (196, 170, 84), INK)
    for pocket in range(12):
        _pocket(canvas, centre, pocket)
    canvas.ball(centre, 58, (150, 158, 168))
    canvas.text(centre, "M4", 30, WHITE, "mm", 0.8)
    _swing_arm(canvas)
    canvas.text((40, 44), "Tool changer", 32, bold=0.5)
    canvas.label("Carousel", (700, 130), (566, 158), "lm")
    canvas.label("Tool pocket", (700, 300), (622, 296), "lm")
    canvas.label("Swing arm", (700, 560), (556, 632), "lm")
    canvas.label("Gripper", (700, 640), (606, 660), "lm")
    return canvas.finish()


def _pocket(canvas: Canvas, centre: Point, pocket: int) -> None:
    angle = pocket * pi / 6 + pi / 2
    tools: tuple[Colour, ...] = ((184, 72, 56), (72, 120, 84), (86, 96, 110))
    at = polar(centre, 196, angle)
    canvas.circle(at, 43, (92, 84, 60), INK)
    canvas.ball(at, 34, (178, 186, 194))
    canvas.circle(at, 17, tools[pocket % 3], INK)
    number = polar(centre, 132, angle)
    canvas.circle(number, 15, WHITE, INK, 1)
    canvas.text(number, str(pocket + 1), 17, anchor="mm")


def _swing_arm(canvas: Canvas) -> None:
    canvas.line([(200, 650), (600, 650)], INK, 43)
    canvas.line([(200, 650), (600, 650)], (240, 176, 32), 40)
    canvas.ball((400, 650), 34, (120, 128, 138))
    for x in (200, 600):
        canvas.circle((x, 650), 31, (206, 144, 20), INK)
        canvas.circle((x, 650), 17, (252, 244, 214), INK)


def belt_drive() -> Image.Image:
    """The toothed belt between motor and spindle, with names at the parts (960 by 600 pixels)."""
    canvas = Canvas.blank(960, 600, (240, 232, 240))
    drive = BeltDrive(motor=(260, 330), spindle=(660, 330))
    draw_belt_drive(canvas, drive)
    canvas.text((36, 44), "Belt drive of the spindle", 32, bold=0.5)
    canvas.label("Motor pulley", (160, 130), (250, 300))
    canvas.label("Toothed belt", (450, 130), (450, 241))
    canvas.label("Spindle pulley", (740, 130), (700, 270))
    canvas.label("Tension bolt", (130, 545), (100, 402))
    canvas.label("Test point for belt tension", (460, 545), (450, 418))
    return canvas.finish()


def machine_overview() -> Image.Image:
    """The whole machine from the front with numbered parts (1000 by 720 pixels)."""
    canvas = Canvas.blank(1000, 720, (246, 247, 244))
    canvas.soft_ellipse((90, 610, 860, 690), (150, 154, 150), 18, 0.8)
    canvas.rect((130, 110, 740, 640), ENAMEL, INK, 2, 14)
    canvas.rect((130, 110, 740, 190), (74, 126, 112), INK, 2, 14)
    canvas.text((435, 150), "CORVEX  M4", 34, WHITE, "mm", 0.6)
    canvas.rect((190, 225, 600, 520), (44, 54, 60), INK, 2, 8)
    _machine_inside(canvas)
    canvas.rect((620, 225, 712, 520), (74, 126, 112), INK, 1.5, 6)
    canvas.rect((604, 340, 614, 420), STEEL, INK, 1.2, 4)
    _machine_outside(canvas)
    for number, at in enumerate(((395, 265), (395, 392), (666, 370), (882, 350), (300, 596), (560, 596)), 1):
        canvas.circle(at, 19, WHITE, INK, 1.6)
        canvas.text(at, str(number), 21, anchor="mm", bold=0.3)
    return canvas.finish()


def _machine_inside(canvas: Canvas) -> None:
    canvas.rect((200, 235, 590, 510), (92, 108, 116))
    canvas.cylinder((340, 236, 450, 340), (190, 198, 206), upright=True)
    canvas.cylinder((362, 340, 428, 374), DARK_STEEL, upright=True)
    canvas.polygon([(378, 374), (412, 374), (404, 412), (386, 412)], (206, 162, 62), INK)
    canvas.rect((250, 440, 540, 472), (172, 180, 188), INK, 1.5)
    canvas.rect((340, 412, 450, 440), (96, 134, 190), INK, 1.5)
    canvas.rect((290, 472, 500, 510), (120, 130, 140), INK, 1.5)
    canvas.line([(470, 250), (440, 330), (420, 395)], (72, 192, 206), 5)


def _machine_outside(canvas: Canvas) -> None:
    canvas.rect((160, 556, 440, 636), (40, 74, 66), INK, 1.5, 6)
    canvas.rect((456, 556, 714, 636), (54, 140, 158), INK, 1.5, 6)
    canvas.line([(740, 250), (820, 250)], DARK_STEEL, 16)
    canvas.rect((800, 190, 964, 430), (66, 74, 84), INK, 2, 10)
    canvas.rect((818, 208, 946, 310), (150, 206, 226), INK, 1.5, 4)
    for row in range(2):
        for column in range(4):
            canvas.rect((822 + column * 32, 384 + row * 20, 846 + column * 32, 398 + row * 20), STEEL, INK, 1, 3)
    canvas.circle((925, 350), 13, (206, 44, 40), INK)
    for step, colour in enumerate(((206, 44, 40), (236, 178, 40), (70, 170, 90))):
        canvas.rect((660, 38 + step * 24, 690, 62 + step * 24), colour, INK, 1.3, 3)
