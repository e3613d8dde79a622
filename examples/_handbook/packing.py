"""Small helpers for files that hold other files: pictures in memory, packages with a fixed date."""

from __future__ import annotations

from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from PIL import Image

FIXED_DATE = datetime(2026, 1, 5, 8, 0, tzinfo=UTC).replace(tzinfo=None)


def jpeg(picture: Image.Image, quality: int = 88) -> BytesIO:
    """The picture as a JPEG file in memory, without metadata."""
    buffer = BytesIO()
    picture.save(buffer, "JPEG", quality=quality, optimize=True)
    buffer.seek(0)
    return buffer


def stamp_package(path: Path) -> None:
    """Writes an Office package anew with one fixed date in all its entries, so that two runs give equal bytes."""
    with ZipFile(path) as package:
        members = [(name, package.read(name)) for name in package.namelist()]
    with ZipFile(path, "w") as package:
        for name, data in members:
            entry = ZipInfo(name, FIXED_DATE.timetuple()[:6])
            entry.compress_type = ZIP_DEFLATED
            entry.external_attr = 0o600 << 16
            package.writestr(entry, data)
