"""The safety training: four slides with pictures, a sound and the speaker's notes."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from pptx import Presentation
from pptx.dml.color import RGBColor
from pptx.enum.shapes import MSO_SHAPE
from pptx.presentation import Presentation as Deck
from pptx.slide import Slide
from pptx.util import Inches, Pt

from _handbook.packing import FIXED_DATE, jpeg, stamp_package
from _handbook.photos import lockout, loudspeaker

NAVY, ORANGE, GREY = RGBColor(31, 79, 122), RGBColor(230, 130, 40), RGBColor(38, 50, 62)


@dataclass(frozen=True)
class Lesson:
    """What one slide says and what the speaker adds."""

    title: str
    points: tuple[str, ...]
    notes: str


WELCOME = Lesson(
    "Safety training: milling machine Corvex M4",
    ("For operators and maintenance staff", "Repeat once a year; sign the attendance list"),
    "Welcome. The training takes 30 minutes. Ask who has not worked on the machine before, and pair them with an "
    "experienced operator.",
)
PROTECTION = Lesson(
    "Personal protective equipment",
    (
        "Safety goggles whenever the door is open",
        "No gloves, rings or loose sleeves near a turning spindle",
        "Gloves only for handling tools, chips and coolant",
        "Safety shoes; hair tied back",
        "Ear protection above 85 dB",
    ),
    "Explain why gloves are forbidden near the spindle: a caught glove pulls the hand in within a tenth of a second. "
    "Show the skin protection plan for coolant.",
)
LOCKOUT = Lesson(
    "Lockout before maintenance",
    (
        "Turn the main switch to 0",
        "Hang your own padlock and warning tag",
        "Release the air pressure and wait 40 seconds",
        "Try to start: nothing may move",
        "Only the owner removes the padlock",
    ),
    "Let everyone hang a padlock and a tag once. One person, one lock, one key. Mention the accident in which a "
    "colleague switched the machine on during a belt change.",
)
LISTEN = Lesson(
    "Stop when the machine sounds wrong",
    (
        "Warning horn: leave the danger zone",
        "Rough or rattling noise: press feed hold, then stop",
        "Report it; do not wait for an alarm",
    ),
    "Play the sound: it is the horn that warns before the machine starts on its own. Everyone must leave the danger "
    "zone at once.",
)


def write_training(path: Path, horn: Path) -> None:
    """Writes the deck; ``horn`` is the MP3 file which the last slide plays."""
    deck = Presentation()
    deck.slide_width, deck.slide_height = Inches(13.333), Inches(7.5)
    core = deck.core_properties
    core.title, core.subject = "Corvex M4 safety training", "Protection, lockout, warning horn"
    core.author, core.last_modified_by = "Corvex Machine Tools (invented)", "Corvex Machine Tools (invented)"
    core.created = core.modified = FIXED_DATE
    _slide(deck, WELCOME, layout=0)
    _slide(deck, PROTECTION)
    _picture(_slide(deck, LOCKOUT), jpeg(lockout()), "Main switch locked with a blue padlock and a danger tag")
    _sound(_slide(deck, LISTEN), horn)
    deck.save(str(path))
    stamp_package(path)


def _slide(deck: Deck, lesson: Lesson, layout: int = 1) -> Slide:
    slide = deck.slides.add_slide(deck.slide_layouts[layout])
    title, body = slide.shapes.title, slide.placeholders[1]
    wide = layout == 0
    title.left, title.top, title.width, title.height = (
        Inches(0.7),
        Inches(2.2 if wide else 0.5),
        Inches(11.9),
        Inches(1.1),
    )
    body.left, body.top = Inches(0.7), Inches(3.5 if wide else 1.9)
    body.width, body.height = Inches(11.9 if wide or lesson is PROTECTION else 6.4), Inches(1.6 if wide else 5.0)
    title.text = lesson.title
    title.text_frame.paragraphs[0].font.size = Pt(40 if wide else 36)
    title.text_frame.paragraphs[0].font.bold = True
    title.text_frame.paragraphs[0].font.color.rgb = NAVY
    body.text = "\n".join(lesson.points)
    for paragraph in body.text_frame.paragraphs:
        paragraph.font.size, paragraph.font.color.rgb = Pt(26), GREY
    bar = slide.shapes.add_shape(MSO_SHAPE.RECTANGLE, 0, Inches(7.3), deck.slide_width, Inches(0.2))
    bar.fill.solid()
    bar.fill.fore_color.rgb = ORANGE
    bar.line.fill.background()
    slide.notes_slide.notes_text_frame.text = lesson.notes
    return slide


def _picture(slide: Slide, picture: BytesIO, alt_text: str) -> None:
    shape = slide.shapes.add_picture(picture, Inches(7.4), Inches(1.9), height=Inches(4.8))
    shape.name = "Lockout"
    shape._element.nvPicPr.cNvPr.set("descr", alt_text)


def _sound(slide: Slide, horn: Path) -> None:
    place = (Inches(8.2), Inches(2.2), Inches(3.6), Inches(3.6))
    shape = slide.shapes.add_movie(str(horn), *place, poster_frame_image=jpeg(loudspeaker()), mime_type="audio/mpeg")
    shape.name = "Warning horn"
    shape._element.nvPicPr.cNvPr.set("descr", "Sound of the warning horn before the machine starts")
