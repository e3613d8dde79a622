"""Pictures that look as if a technician had taken them: shaded, grainy, with a vignette."""

from __future__ import annotations

from math import cos, pi, sin

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from _handbook.canvas import DARK_STEEL, INK, STEEL, WHITE, Canvas, Colour, photograph

COOLANT: Colour = (40, 196, 190)
ALARM: Colour = (232, 32, 28)


def coolant_leak() -> Image.Image:
    """Coolant drips from the hose clamp of the pump into a puddle on the floor (1000 by 750 pixels)."""
    canvas = Canvas.blank(1000, 750, (122, 126, 128), scale=2)
    _concrete_floor(canvas)
    canvas.soft_ellipse((150, 560, 640, 650), (56, 58, 60), 18, 0.8)
    _coolant_pump(canvas)
    _hose(canvas)
    _puddle(canvas)
    return photograph(canvas.finish(), seed=11, grain=5)


def _concrete_floor(canvas: Canvas) -> None:
    rng = np.random.default_rng(3)
    wall = canvas.image.height * 52 // 100
    coarse = rng.normal(0, 1, (26, 40))
    stains = Image.fromarray(np.clip(128 + coarse * 22, 0, 255).astype(np.uint8)).resize(
        (canvas.image.width, canvas.image.height - wall), Image.Resampling.BICUBIC
    )
    ground = np.asarray(stains, dtype=np.float32)[..., None] * 0.35 + np.array([112, 108, 102])
    canvas.image.paste(Image.fromarray(np.clip(ground, 0, 255).astype(np.uint8)), (0, wall))
    canvas.rect((0, 0, 1000, 390), (172, 178, 176))
    canvas.rect((0, 352, 1000, 392), (96, 104, 106))


def _coolant_pump(canvas: Canvas) -> None:
    canvas.rect((190, 560, 560, 612), (70, 78, 84), INK, 1.5, 6)
    canvas.cylinder((250, 430, 500, 568), (64, 96, 134), upright=True, radius=16)
    canvas.cylinder((232, 412, 518, 446), DARK_STEEL, upright=True, radius=6)
    canvas.cylinder((272, 130, 478, 416), (70, 112, 160), upright=True, radius=18)
    for x in range(290, 470, 19):
        canvas.line([(x, 168), (x, 390)], (44, 76, 116), 4)
    canvas.cylinder((262, 100, 488, 150), (50, 56, 62), upright=True, radius=16)
    canvas.rect((326, 226, 424, 292), (206, 208, 198), INK, 1.2, 4)
    canvas.text((375, 246), "COOLANT", 15, anchor="mm", bold=0.3)
    canvas.text((375, 270), "PUMP  P1", 15, anchor="mm", bold=0.3)


def _hose(canvas: Canvas) -> None:
    canvas.cylinder((498, 470, 590, 520), (140, 148, 154))
    bend = [(590 + 170 * sin(step / 20 * pi / 2), 495 - 150 * (1 - cos(step / 20 * pi / 2))) for step in range(21)]
    pipe = [*bend, (762, 0)]
    canvas.line(pipe, (18, 20, 22), 50)
    canvas.line(pipe, (40, 43, 46), 40)
    canvas.line([(x - 9, y - 8) for x, y in pipe], (84, 88, 92), 7)
    canvas.rect((574, 464, 606, 526), (206, 196, 176), INK, 1.5, 4)
    canvas.rect((582, 452, 598, 468), (150, 142, 124), INK, 1.2, 2)


def _puddle(canvas: Canvas) -> None:
    canvas.soft_ellipse((470, 596, 910, 724), (22, 120, 122), 7, 0.95)
    canvas.soft_ellipse((482, 602, 896, 716), COOLANT, 6, 0.95)
    canvas.soft_ellipse((560, 622, 740, 656), (196, 250, 244), 9, 0.75)
    canvas.soft_ellipse((690, 670, 850, 694), (120, 232, 224), 8, 0.7)
    canvas.line([(590, 526), (588, 548)], COOLANT, 8)
    for y, radius in ((566, 8), (592, 6.5)):
        canvas.polygon([(588, y - radius * 2.2), (588 - radius, y), (588 + radius, y)], COOLANT)
        canvas.circle((588, y), radius, COOLANT)
        canvas.circle((585.5, y - 2), radius * 0.32, WHITE)
    for ring in (22, 36):
        canvas.outline((588 - ring, 634 - ring / 3, 588 + ring, 634 + ring / 3), WHITE, 1.5)


def control_panel_alarm() -> Image.Image:
    """The control panel with the red alarm lamp lit and an alarm on the screen (1000 by 720 pixels)."""
    canvas = Canvas.blank(1000, 720, (46, 44, 48), scale=2)
    canvas.soft_ellipse((150, -60, 900, 520), (84, 64, 66), 120, 0.8)
    canvas.rect((80, 150, 920, 690), (64, 67, 74), (22, 22, 26), 3, 22)
    canvas.rect((92, 162, 908, 678), (84, 88, 96), None, 0, 16)
    _alarm_lamp(canvas)
    _alarm_screen(canvas)
    _panel_keys(canvas)
    _emergency_stop(canvas)
    return photograph(canvas.finish(), seed=12, grain=4)


def _alarm_lamp(canvas: Canvas) -> None:
    canvas.glow((500, 84), 150, ALARM, 0.65)
    canvas.cylinder((452, 124, 548, 152), (70, 72, 76), upright=True, radius=3)
    canvas.cylinder((462, 40, 538, 126), ALARM, upright=True, radius=18)
    canvas.glow((494, 84), 26, (255, 214, 190), 0.95)


def _alarm_screen(canvas: Canvas) -> None:
    canvas.rect((124, 192, 592, 492), (16, 18, 22), (8, 8, 10), 3, 8)
    canvas.rect((140, 208, 576, 476), (30, 38, 52))
    canvas.rect((140, 208, 576, 262), (196, 26, 26))
    canvas.text((358, 235), "ALARM  2041", 31, WHITE, "mm", 0.7)
    canvas.text((160, 296), "SPINDLE TEMPERATURE HIGH", 24, (255, 204, 92), bold=0.3)
    for row, (name, value) in enumerate((("Front bearing", "78 °C"), ("Limit", "65 °C"), ("Spindle speed", "0 rpm"))):
        canvas.text((160, 340 + row * 36), name, 21, (190, 204, 220))
        canvas.text((556, 340 + row * 36), value, 21, WHITE, "rm")
    canvas.text((160, 454), "Feed hold. Let the spindle cool down.", 19, (150, 168, 190))


def _panel_keys(canvas: Canvas) -> None:
    for row in range(4):
        for column in range(5):
            x, y = 628 + column * 52, 196 + row * 52
            canvas.rect((x, y + 3, x + 42, y + 45), (34, 36, 40), None, 0, 6)
            canvas.rect((x, y, x + 42, y + 40), (206, 208, 204), (40, 42, 46), 1, 6)
            canvas.text((x + 21, y + 20), "789XF456YS123ZT0.-+="[row * 5 + column], 19, anchor="mm")
    for x, words in ((200, "FEED"), (352, "SPEED")):
        canvas.glow((x, 588), 50, (30, 31, 34), 0.8)
        canvas.ball((x, 582), 38, (60, 63, 68))
        canvas.line([(x, 582), (x + 18, 552)], WHITE, 4)
        canvas.text((x, 646), words, 18, (220, 224, 228), "mm")
    for x, colour in ((470, (58, 160, 84)), (540, (214, 178, 52))):
        canvas.rect((x, 556, x + 50, 606), colour, (24, 24, 26), 2, 8)
    canvas.text((495, 646), "START", 18, (220, 224, 228), "mm")
    canvas.text((565, 646), "HOLD", 18, (220, 224, 228), "mm")


def _emergency_stop(canvas: Canvas) -> None:
    canvas.circle((760, 546), 92, (232, 196, 36), (40, 36, 20), 2)
    canvas.glow((764, 552), 70, (90, 70, 10), 0.7)
    canvas.ball((760, 546), 62, (206, 36, 34))
    canvas.text((760, 656), "EMERGENCY STOP", 19, (235, 235, 235), "mm", 0.3)


def worn_bearing() -> Image.Image:
    """A spindle bearing with pits and brown scoring in its outer race (900 by 700 pixels)."""
    canvas = Canvas.blank(900, 700, (58, 62, 68), scale=2)
    centre = (450.0, 350.0)
    canvas.glow((470, 372), 330, (28, 30, 34), 0.9)
    for radius, colour in (
        (305, (182, 186, 192)),
        (292, (206, 210, 216)),
        (252, (150, 152, 158)),
        (244, (112, 108, 106)),
    ):
        canvas.circle(centre, radius, colour, (60, 62, 66), 1.2)
    _pits(canvas, centre[0], centre[1])
    for ball in range(14):
        angle = ball * 2 * pi / 14 + 0.1
        at = (centre[0] + 204 * cos(angle), centre[1] + 204 * sin(angle))
        canvas.circle(at, 41, (176, 136, 66), (90, 66, 30), 1.2)
        canvas.ball(at, 33, (186, 192, 200))
    for radius, colour in ((168, (150, 152, 158)), (160, (206, 210, 216)), (124, (178, 182, 188)), (112, (44, 47, 52))):
        canvas.circle(centre, radius, colour, (60, 62, 66), 1.2)
    canvas.text((450, 210), "M4-7014  P4", 17, (96, 98, 104), "mm")
    return photograph(canvas.finish(), seed=13, grain=6)


def _pits(canvas: Canvas, x: float, y: float) -> None:
    rng = np.random.default_rng(21)
    for step in range(60):
        angle = -1.35 + step / 60 * 1.5
        radius = 249 + 4 * sin(step * 1.7)
        canvas.circle((x + radius * cos(angle), y + radius * sin(angle)), 7, (134, 84, 48))
    for angle, radius, size in zip(
        rng.uniform(-1.3, 0.1, 70), rng.uniform(243, 268, 70), rng.uniform(2, 6.5, 70), strict=True
    ):
        at = (x + radius * cos(angle), y + radius * sin(angle))
        canvas.circle(at, size, (62, 44, 34))
        canvas.circle((at[0] + size * 0.3, at[1] + size * 0.3), size * 0.45, (168, 120, 82))


def lockout() -> Image.Image:
    """The main switch turned off and held by a padlock with a warning tag (800 by 720 pixels)."""
    canvas = Canvas.blank(800, 720, (190, 198, 202), scale=2)
    canvas.rect((110, 60, 560, 640), (216, 220, 220), (120, 126, 130), 3, 14)
    canvas.rect((170, 120, 500, 450), (240, 200, 40), INK, 2, 12)
    canvas.text((335, 152), "0   OFF", 30, anchor="mm", bold=0.6)
    canvas.circle((335, 290), 112, (236, 190, 30), INK)
    canvas.ball((335, 290), 92, (200, 40, 36))
    canvas.rect((312, 180, 358, 400), (222, 52, 46), (120, 20, 18), 2, 16)
    canvas.text((335, 92), "MAIN SWITCH", 24, anchor="mm", bold=0.4)
    _padlock(canvas)
    _warning_tag(canvas)
    return photograph(canvas.finish(), seed=14, grain=4, vignette=0.25)


def _padlock(canvas: Canvas) -> None:
    shackle = [(335 - 34 * cos(step / 20 * pi), 420 - 54 * sin(step / 20 * pi)) for step in range(21)]
    canvas.line([(301, 480), *shackle, (369, 480)], (70, 74, 80), 17)
    canvas.line([(301, 480), *shackle, (369, 480)], STEEL, 12)
    canvas.cylinder((280, 474, 390, 580), (44, 92, 178), upright=True, radius=12)
    canvas.circle((335, 520), 12, (24, 28, 36))
    canvas.polygon([(331, 522), (339, 522), (343, 554), (327, 554)], (24, 28, 36))


def _warning_tag(canvas: Canvas) -> None:
    canvas.soft_ellipse((520, 380, 780, 650), (130, 136, 140), 12, 0.7)
    canvas.rect((524, 360, 760, 640), (252, 250, 240), INK, 2, 14)
    canvas.circle((560, 392), 11, (120, 126, 130), INK)
    canvas.line([(374, 448), (470, 436), (560, 392)], (80, 84, 90), 3)
    canvas.rect((540, 418, 744, 480), (204, 36, 32), None, 0, 4)
    canvas.text((642, 449), "DANGER", 34, WHITE, "mm", 0.8)
    for row, words in enumerate(("Do not", "switch on.", "Maintenance", "in progress")):
        canvas.text((642, 508 + row * 33), words, 25, anchor="mm")


def as_if_photographed(drawing: Image.Image) -> Image.Image:
    """A printed drawing on a desk, taken with a phone: cropped, tilted, warmer, smaller, grainy."""
    part = drawing.crop((20, 110, drawing.width - 10, drawing.height - 70)).resize((860, 480), Image.Resampling.LANCZOS)
    desk = Image.new("RGB", (960, 600), (120, 112, 106))
    shadow = Image.new("L", desk.size, 0)
    ImageDraw.Draw(shadow).rectangle((60, 76, 924, 562), 150)
    desk.paste((52, 46, 42), (0, 0, *desk.size), shadow.filter(ImageFilter.GaussianBlur(10)))
    desk.paste(part, (50, 62))
    tilted = desk.rotate(2.5, Image.Resampling.BICUBIC, fillcolor=(120, 112, 106)).crop((36, 36, 924, 564))
    warm = Image.fromarray(np.clip(np.asarray(tilted) * np.array([1.0, 0.97, 0.91]), 0, 255).astype(np.uint8))
    return photograph(warm, seed=15, grain=5, vignette=0.3)


def loudspeaker() -> Image.Image:
    """A loudspeaker sign on orange, the cover of a sound (480 by 480 pixels)."""
    canvas = Canvas.blank(480, 480, (236, 140, 44))
    canvas.polygon([(100, 190), (160, 190), (250, 110), (250, 370), (160, 290), (100, 290)], WHITE)
    for radius in (60, 110, 160):
        arc = [(255 + radius * cos(step / 20), 240 + radius * sin(step / 20)) for step in range(-16, 17)]
        canvas.line(arc, WHITE, 16)
    return canvas.finish()
