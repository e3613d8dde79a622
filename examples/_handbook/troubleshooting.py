"""The troubleshooting guide: a Word document with headings, a table and a photo."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from docx import Document
from docx.document import Document as WordDocument
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.shared import Cm

from _handbook.packing import FIXED_DATE, jpeg, stamp_package
from _handbook.photos import worn_bearing

ALT_TEXT = "Worn spindle bearing: pits and brown scoring in the outer race"


@dataclass(frozen=True)
class Fault:
    """One fault: what is noticed, why it happens, what to do in order."""

    name: str
    symptom: str
    cause: str
    remedy: tuple[str, ...]


FAULTS = (
    Fault(
        "Grinding noise from the spindle",
        "A rough grinding noise that swells with every turn and grows louder with the speed. The recording "
        "“Grinding noise from the spindle” of this handbook is an example. The front bearing runs hot; the finish of "
        "the workpiece shows chatter marks.",
        "A front bearing of the spindle is worn: its race is pitted, or coolant has washed out the grease.",
        (
            "Stop the spindle at once. Do not use it again; a seized bearing destroys the shaft.",
            "Turn the shaft by hand. If it feels rough or catches, the bearing is worn.",
            "Replace the front bearings as a matched pair (order number M4-7014-P4) and renew the seal.",
            "Check the sealing air: 0.6 bar. Run the warm-up program and listen again.",
        ),
    ),
    Fault(
        "Squealing belt at start",
        "A shrill squeal for one or two seconds when the spindle starts; alarm 2055, belt slip.",
        "The drive belt is loose, worn or oily.",
        (
            "Lock out the main switch and open the belt cover.",
            "Measure the tension in the middle of the lower run: 68 Hz with a new belt, 60 Hz with a used one.",
            "Replace a belt with cracks, missing teeth or oil. The film “Replacing the drive belt” shows each step.",
        ),
    ),
    Fault(
        "Coolant pump rattles, pressure drops",
        "The pump crackles as if it were full of gravel; the jet breaks up; alarm 3110, coolant pressure low.",
        "Cavitation: the pump draws air because the level is low or the suction filter is blocked.",
        (
            "Fill the tank to the upper mark with mixed coolant.",
            "Clean the basket and replace the bag filter.",
            "Bleed the pump at the screw beside the hose. Let it run for two minutes.",
        ),
    ),
    Fault(
        "Coolant under the machine",
        "A puddle at the right of the machine; the level falls although no parts carry coolant away.",
        "A loose hose clamp at the pump, a brittle hose, or a leaking mechanical seal.",
        (
            "Dry the pump and watch where drops form.",
            "Tighten the clamp to 4 Nm, or cut the hose back by 3 cm and fit a new clamp.",
            "If drops come from the shaft, change the mechanical seal (manual, section 4.2).",
            "Bind the puddle with granulate: wet floors cause falls.",
        ),
    ),
    Fault(
        "Tool change stops half-way",
        "The swing arm stands between carousel and spindle; alarm 4020.",
        "The air pressure is too low, a chip blocks the gripper, or the arm has lost its setting.",
        (
            "Read the pressure gauge: at least 5.5 bar.",
            "In step mode move the arm back to its home position; hold the tool by hand.",
            "Clean the gripper fingers. If the tool touches the taper, set the arm anew.",
        ),
    ),
    Fault(
        "Red alarm lamp, screen stays dark",
        "The lamp on the control panel is red, but the screen shows nothing.",
        "The 24-volt supply of the screen has failed.",
        (
            "Press the emergency stop. Turn the main switch off, wait one minute, and turn it on again.",
            "Check fuse F7 in the cabinet (2 A, slow). Electrical work is for electricians only.",
        ),
    ),
)
QUICK_TABLE = (
    ("You notice", "Look first at", "May you go on?"),
    ("Grinding noise", "Front bearings of the spindle", "No, stop at once"),
    ("Squeal at start", "Tension of the drive belt", "Until the end of the shift"),
    ("Crackling pump", "Coolant level, bag filter", "No, the pump runs dry"),
    ("Puddle", "Hose clamp of the pump", "After tightening"),
    ("Red lamp", "Alarm number on the screen", "After the cause is removed"),
)


def write_troubleshooting(path: Path) -> None:
    """Writes the guide."""
    guide = Document()
    _properties(guide)
    guide.add_heading("Corvex M4: Troubleshooting", 0)
    guide.add_paragraph(
        "This guide is ordered by what you hear and see at the machine. Lock out the main switch before you open a "
        "cover. If a fault comes back after the remedy, stop the machine and call the maintenance department."
    )
    guide.add_heading("Quick overview", 1)
    _table(guide)
    guide.add_heading("Noises", 1)
    for number, fault in enumerate(FAULTS):
        if number == 3:
            guide.add_heading("Leaks, tool changes and alarms", 1)
        _fault(guide, fault)
        if number == 0:
            _photo(guide)
    guide.save(str(path))
    stamp_package(path)


def _properties(guide: WordDocument) -> None:
    core = guide.core_properties
    core.title, core.subject = "Corvex M4 troubleshooting", "Faults, causes and remedies"
    core.author, core.last_modified_by = "Corvex Machine Tools (invented)", "Corvex Machine Tools (invented)"
    core.comments, core.keywords = "", "noise, grinding, spindle, bearing, belt, coolant, tool changer"
    core.created = core.modified = FIXED_DATE


def _table(guide: WordDocument) -> None:
    table = guide.add_table(rows=0, cols=3, style="Light Grid Accent 1")
    for row in QUICK_TABLE:
        for cell, words in zip(table.add_row().cells, row, strict=True):
            cell.text = words


def _fault(guide: WordDocument, fault: Fault) -> None:
    guide.add_heading(fault.name, 2)
    for name, words in (("Symptom: ", fault.symptom), ("Cause: ", fault.cause)):
        paragraph = guide.add_paragraph()
        paragraph.add_run(name).bold = True
        paragraph.add_run(words)
    remedy = guide.add_paragraph()
    remedy.add_run("Remedy:").bold = True
    for step in fault.remedy:
        guide.add_paragraph(step, style="List Bullet")


def _photo(guide: WordDocument) -> None:
    picture = guide.add_picture(jpeg(worn_bearing()), width=Cm(9))
    picture._inline.docPr.set("descr", ALT_TEXT)
    picture._inline.docPr.set("name", "Worn bearing")
    guide.paragraphs[-1].alignment = WD_ALIGN_PARAGRAPH.CENTER
    caption = guide.add_paragraph("Figure 1: Worn spindle bearing with pits in the outer race", style="Caption")
    caption.alignment = WD_ALIGN_PARAGRAPH.CENTER
