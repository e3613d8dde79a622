"""The operator's manual: a PDF with text, tables, figures, an outline and one page that is only a drawing."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pymupdf
from PIL import Image, ImageFont

from _handbook import drawings
from _handbook.manual_text import PAGES

WIDTH, HEIGHT = 595, 842
BODY = pymupdf.Rect(56, 64, WIDTH - 56, HEIGHT - 56)
STYLE = """
@font-face { font-family: manual; src: url(manual.ttf); }
body { font-family: manual; font-size: 11.2px; line-height: 1.42; color: #26323e; }
h1 { font-size: 19px; color: #1f4f7a; margin: 0 0 6px 0; }
h2 { font-size: 13px; color: #1f4f7a; margin: 10px 0 3px 0; }
p { margin: 0 0 6px 0; }
li { margin: 0 0 3px 0; }
table { border-collapse: collapse; width: 100%; margin: 4px 0 8px 0; }
th, td { border: 0.6px solid #9fb0c0; padding: 3px 6px; text-align: left; }
th { background-color: #dce8f2; }
b { color: #1f4f7a; }
.warning b { color: #a0440c; }
.caption { font-size: 9px; color: #54646f; text-align: center; margin: 2px 0 8px 0; }
.figure { text-align: center; margin: 6px 0 0 0; }
.warning { background-color: #fdeed8; padding: 6px 8px; margin: 4px 0 8px 0; }
"""
OUTLINE = (
    (1, "1 Overview of the machine", 1),
    (2, "1.1 Technical data", 1),
    (1, "2 Spindle", 2),
    (2, "2.1 Warm-up", 2),
    (2, "2.2 Lubrication of the bearings", 2),
    (2, "2.3 Clamping force of the drawbar", 2),
    (1, "3 Tool changer", 3),
    (2, "3.1 Setting the swing arm", 3),
    (1, "4 Coolant system", 4),
    (2, "4.1 Mixing the coolant", 4),
    (2, "4.2 Changing the mechanical seal of the pump", 4),
    (1, "4.3 Coolant pump, exploded view", 5),
    (1, "5 Control panel and alarms", 6),
    (2, "5.1 List of alarms", 6),
    (2, "5.2 Spare parts", 6),
)
EXPLODED_PAGE = 5


def write_manual(path: Path) -> None:
    """Writes the manual; every page's text must fit its page at full size."""
    pictures = pymupdf.Archive()
    pictures.add(_png(drawings.machine_overview()), "machine.png")
    pictures.add(_png(drawings.tool_changer()), "tool_changer.png")
    pictures.add(_font(), "manual.ttf")
    with pymupdf.open() as manual:
        for number in range(1, len(PAGES) + 2):
            page = manual.new_page(width=WIDTH, height=HEIGHT)
            _running_heads(page, number)
            if number == EXPLODED_PAGE:
                _exploded_pump(page)
            else:
                _flow(page, PAGES[number - 1 if number < EXPLODED_PAGE else number - 2], pictures)
        manual.set_toc([list(entry) for entry in OUTLINE])
        manual.set_metadata(
            {
                "title": "Corvex M4 operator's manual",
                "author": "Corvex Machine Tools (invented)",
                "subject": "Operation and maintenance of the milling machine Corvex M4",
                "keywords": "milling machine, spindle, tool changer, coolant pump, alarms",
                "creationDate": "D:20260105080000Z",
                "modDate": "D:20260105080000Z",
            }
        )
        manual.subset_fonts()
        manual.save(path, garbage=4, deflate=True, no_new_id=True)


def _png(picture: Image.Image) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _font() -> bytes:
    """Pillow's own font, which is free of any condition; MuPDF would embed one that is not."""
    font = ImageFont.load_default(12)
    if not isinstance(font, ImageFont.FreeTypeFont) or not isinstance(font.path, BytesIO):
        raise TypeError("Pillow was built without FreeType")
    return font.path.getvalue()


def _running_heads(page: pymupdf.Page, number: int) -> None:
    page.insert_text(
        (56, 44), "Corvex M4  |  Operator's manual", fontsize=8.5, fontname="helv", color=(0.4, 0.46, 0.52)
    )
    page.insert_text(
        (WIDTH - 100, HEIGHT - 34), f"Page {number}", fontsize=8.5, fontname="helv", color=(0.4, 0.46, 0.52)
    )
    page.draw_line((56, 51), (WIDTH - 56, 51), color=(0.62, 0.7, 0.76), width=0.7)


def _flow(page: pymupdf.Page, html: str, pictures: pymupdf.Archive) -> None:
    spare, _ = page.insert_htmlbox(BODY, html, css=STYLE, archive=pictures, scale_low=1)
    if spare < 0:
        raise ValueError(f"the text of page {page.number + 1} does not fit")


def _exploded_pump(page: pymupdf.Page) -> None:
    """The coolant pump taken apart along its upright axis; only numbers and a caption beside the drawing."""
    page.insert_text(
        (56, 84), "4.3  Coolant pump, exploded view", fontsize=15, fontname="hebo", color=(0.12, 0.31, 0.48)
    )
    axis = 270.0
    page.draw_line((axis, 105), (axis, 740), color=(0.8, 0.25, 0.2), width=0.7, dashes="[10 3 2 3] 0")
    _motor(page, axis)
    _disc(page, axis, 345, 62, 12, (0.55, 0.6, 0.66))
    _spring(page, axis, 385)
    _disc(page, axis, 450, 34, 12, (0.93, 0.55, 0.2))
    _disc(page, axis, 492, 78, 8, (0.2, 0.22, 0.25))
    _impeller(page, axis, 548)
    _volute(page, axis, 640)
    heights = (200, 351, 402, 456, 496, 556, 660)
    for number, (y, reach) in enumerate(zip(heights, (60, 62, 20, 34, 78, 66, 100), strict=True), 1):
        _balloon(page, number, (axis + reach - 4, y), (440, y))
    page.insert_text(
        (120, 778),
        "Figure 3: Coolant pump, exploded view, with parts 1 to 7",
        fontsize=9.5,
        fontname="helv",
        color=(0.33, 0.39, 0.44),
    )


def _motor(page: pymupdf.Page, axis: float) -> None:
    _disc(page, axis, 118, 66, 26, (0.25, 0.28, 0.32))
    _disc(page, axis, 148, 60, 130, (0.28, 0.45, 0.66))
    for x in range(-42, 50, 14):
        page.draw_line((axis + x, 172), (axis + x, 268), color=(0.16, 0.29, 0.46), width=2.5)
    _disc(page, axis, 284, 72, 12, (0.28, 0.45, 0.66))
    page.draw_rect((axis - 7, 312, axis + 7, 334), color=(0.15, 0.2, 0.24), fill=(0.72, 0.76, 0.8))


def _disc(
    page: pymupdf.Page, axis: float, top: float, radius: float, height: float, colour: tuple[float, float, float]
) -> None:
    """A drum seen a little from above: its side, its lower edge and its upper face."""
    flat, ink = radius * 0.2, (0.15, 0.2, 0.24)
    dark = tuple(part * 0.78 for part in colour)
    light = tuple(min(part * 1.25 + 0.05, 1) for part in colour)
    bottom = top + height
    page.draw_oval((axis - radius, bottom - flat, axis + radius, bottom + flat), color=ink, fill=dark)
    page.draw_rect((axis - radius, top, axis + radius, bottom), color=None, fill=dark)
    for side in (-radius, radius):
        page.draw_line((axis + side, top), (axis + side, bottom), color=ink)
    page.draw_oval((axis - radius, top - flat, axis + radius, top + flat), color=ink, fill=light)


def _spring(page: pymupdf.Page, axis: float, top: float) -> None:
    for turn in range(5):
        y = top + turn * 9
        page.draw_oval((axis - 22, y - 6, axis + 22, y + 6), color=(0.35, 0.4, 0.46), width=2.2)


def _impeller(page: pymupdf.Page, axis: float, top: float) -> None:
    _disc(page, axis, top, 66, 10, (0.78, 0.62, 0.26))
    for blade in (-48, -28, 28, 48):
        page.draw_bezier(
            (axis, top), (axis + blade * 0.4, top - 12), (axis + blade, top - 10), (axis + blade, top + 6), width=3
        )
    _disc(page, axis, top - 8, 14, 8, (0.78, 0.62, 0.26))


def _volute(page: pymupdf.Page, axis: float, top: float) -> None:
    page.draw_rect((axis - 165, top + 22, axis - 80, top + 56), color=(0.15, 0.2, 0.24), fill=(0.3, 0.52, 0.58))
    page.draw_rect((axis - 176, top + 14, axis - 163, top + 64), color=(0.15, 0.2, 0.24), fill=(0.24, 0.42, 0.48))
    _disc(page, axis, top, 100, 72, (0.36, 0.62, 0.68))
    page.draw_oval((axis - 64, top - 12, axis + 64, top + 12), color=(0.15, 0.2, 0.24), fill=(0.16, 0.26, 0.3))


def _balloon(page: pymupdf.Page, number: int, part: tuple[float, float], at: tuple[float, float]) -> None:
    ink = (0.15, 0.2, 0.24)
    page.draw_line(part, (at[0] - 14, at[1]), color=ink, width=0.8)
    page.draw_circle(part, 2, color=ink, fill=ink)
    page.draw_circle(at, 14, color=ink, fill=(1, 1, 1), width=1.1)
    page.insert_text((at[0] - 3.6, at[1] + 4.6), str(number), fontsize=13, fontname="hebo", color=ink)
