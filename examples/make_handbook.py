"""Makes the sample that the examples index: an invented handbook of a milling machine in five media.

    python examples/make_handbook.py [FOLDER]

Two runs with the same library versions give the same bytes. Existing files of the sample are replaced, others stay.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from _handbook import drawings, photos, sounds
from _handbook.film import write_belt_film
from _handbook.manual import write_manual
from _handbook.schedule import write_schedule
from _handbook.training import write_training
from _handbook.troubleshooting import write_troubleshooting
from PIL import Image, PngImagePlugin

HERE = Path(__file__).parent
ALBUM = "Corvex M4 maintenance handbook"


def main(folder: Path) -> None:
    """Makes all files of the sample in ``folder``, and the query picture beside it."""
    for name in ("pictures", "sounds", "videos"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    make_pictures(folder)
    make_sounds(folder / "sounds")
    write_belt_film(folder / "videos" / "belt_replacement.mp4")
    write_schedule(folder / "maintenance_schedule.md")
    write_manual(folder / "operators_manual.pdf")
    write_troubleshooting(folder / "troubleshooting.docx")
    make_training(folder / "safety_training.pptx")


def make_pictures(folder: Path) -> None:
    """Two drawings and two photos, with descriptions, and the query picture without one."""
    spindle, place = drawings.spindle_cutaway(), folder / "pictures"
    _png(
        place / "spindle_cutaway.png",
        spindle,
        "Spindle, cut-away view",
        "Cut-away drawing of the spindle: drive pulley, shaft, front and rear bearings, drawbar, cooling jacket",
    )
    _png(
        place / "belt_drive.png",
        drawings.belt_drive(),
        "Belt drive of the spindle",
        "Drawing of the belt drive: motor pulley, toothed belt, spindle pulley, tension bolt",
    )
    _jpeg(place / "coolant_leak.jpg", photos.coolant_leak(), "Coolant leak: puddle on the floor under the coolant pump")
    _jpeg(
        place / "control_panel_alarm.jpg",
        photos.control_panel_alarm(),
        "Control panel with the red alarm lamp lit and alarm 2041, spindle temperature high",
    )
    photos.as_if_photographed(spindle).save(folder.parent / "query_spindle.jpg", quality=82, optimize=True)


def make_training(path: Path) -> None:
    """The slides, with a sound that exists only inside them."""
    with TemporaryDirectory() as scratch:
        horn = Path(scratch) / "warning_horn.mp3"
        sounds.write_sound(
            horn, sounds.warning_horn(), sounds.MUSIC_RATE, _tags("Warning horn", "Three blasts of the horn")
        )
        write_training(path, horn)


def make_sounds(folder: Path) -> None:
    """A healthy spindle, a worn one, and a pump that draws air."""
    sounds.write_sound(
        folder / "spindle_normal.wav",
        sounds.spindle_normal(),
        sounds.SPEECH_RATE,
        _tags("Normal spindle", "Smooth hum of a healthy spindle at 3,000 rpm"),
        "pcm_s16le",
    )
    sounds.write_sound(
        folder / "spindle_grinding.mp3",
        sounds.spindle_grinding(),
        sounds.MUSIC_RATE,
        _tags("Grinding noise from the spindle", "Abnormal sound of a worn front bearing at 3,000 rpm"),
    )
    sounds.write_sound(
        folder / "coolant_pump_cavitation.mp3",
        sounds.coolant_pump_cavitation(),
        sounds.MUSIC_RATE,
        _tags("Coolant pump with cavitation", "The pump draws air and crackles like gravel"),
    )


def _tags(title: str, comment: str) -> dict[str, str]:
    return {"title": title, "comment": comment, "album": ALBUM, "genre": "Machine sound"}


def _png(path: Path, picture: Image.Image, title: str, description: str) -> None:
    notes = PngImagePlugin.PngInfo()
    notes.add_text("Title", title)
    notes.add_text("Description", description)
    picture.save(path, optimize=True, pnginfo=notes)


def _jpeg(path: Path, picture: Image.Image, description: str) -> None:
    exif = Image.Exif()
    exif[0x010E] = description
    picture.save(path, quality=86, optimize=True, exif=exif)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "handbook")
