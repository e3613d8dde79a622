"""The maintenance schedule: a Markdown page that links a picture of the sample."""

from __future__ import annotations

from pathlib import Path

TEXT = """# Corvex M4: maintenance schedule

Regular care keeps the milling machine accurate and safe. Enter every task in the log with date, spindle hours and
initials. Times are for one shift a day; halve the intervals for cast iron and graphite.

## Every day

| Task | Where | Time |
| --- | --- | --- |
| Run the warm-up program O9010 | Spindle | 18 min |
| Check the coolant level and top it up with mixed coolant | Tank | 2 min |
| Remove chips from table, guideway covers and door rail | Enclosure | 10 min |
| Wipe the taper of the tool holders dry | Tool changer | 5 min |

## Every week

- Listen to the spindle at 3,000 rpm without a tool and compare it with the recording of the normal spindle.
- Measure the coolant concentration with the refractometer; clean the chip basket and the bag filter.
- Fill the central lubrication with guideway oil ISO VG 68. It uses about half a litre a week.
- Test the emergency stop and the door switch.

## Every three months: drive belt

Measure the belt tension with the frequency meter in the middle of the lower run. A used belt needs 60 Hz, a new one
68 Hz. Replace the belt after 4,000 hours or when you see cracks, missing teeth or oil. The tension bolt sits behind the
motor; a quarter of a turn changes the tension by about 4 Hz.

![Belt drive of the spindle with motor pulley, toothed belt, spindle pulley and tension bolt](pictures/belt_drive.png)

## Every six months

- Measure the clamping force of the drawbar: 12 kN when new, at least 9 kN.
- Grease the gripper fingers of the tool changer with two strokes of lithium grease NLGI 2.
- Clean the fans and filter mats of the electrical cabinet.

## Every year

- Replace the coolant and clean the tank.
- Check the level of the machine bed: at most 0.02 mm per metre.
- Have the spindle run-out, the hydraulic oil and the battery of the control inspected by the service.

## Lubricants and consumables

| Place | Product | Amount |
| --- | --- | --- |
| Guideways and ball screws | Oil ISO VG 68 | 3 litres |
| Hydraulic unit | Oil HLP 32 | 7 litres |
| Gripper fingers | Lithium grease NLGI 2 | 2 strokes |
| Coolant | Emulsion, 5 to 9 % | 180 litres |
"""


def write_schedule(path: Path) -> None:
    """Writes the page with Unix line ends."""
    path.write_text(TEXT, encoding="utf-8", newline="\n")
