"""LibreOffice as a converter: one document in, one document out, and nothing else of the machine is touched."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from llama_index_gemini_mm.errors import CorruptFile, FileTooLarge, MissingDependency
from llama_index_gemini_mm.readers._bounds import MAX_PART_BYTES
from llama_index_gemini_mm.readers.legacy_office import landlock
from llama_index_gemini_mm.source import Source

_SECONDS = 90
"""A bound on one conversion, below that on the process it is made in; the start of LibreOffice takes two or three."""
_HOW = (
    "install it so that `soffice` is on PATH (apt-get install libreoffice-writer-nogui libreoffice-calc-nogui "
    "libreoffice-impress-nogui; brew install --cask libreoffice; libreoffice.org)"
)
_WHY = (
    "old files can make it embed other files of this disk, which only Linux 5.13 and later prevent; save the file in "
    "its new format yourself"
)
_FILTERS = {
    "docx": "docx:MS Word 2007 XML",
    "xlsx": "xlsx:Calc MS Excel 2007 XML",
    "pptx": "pptx:Impress MS PowerPoint 2007 XML",
}
_SETTINGS = (
    ("org.openoffice.Office.Common/Security/Scripting", "MacroSecurityLevel", "3"),
    ("org.openoffice.Office.Common/Security/Scripting", "DisableMacrosExecution", "true"),
    ("org.openoffice.Office.Common/Security/Scripting", "BlockUntrustedRefererLinks", "true"),
    ("org.openoffice.Office.Calc/Content/Update", "Link", "2"),
    ("org.openoffice.Office.Writer/Content/Update", "Link", "0"),
)
"""No macros, and no link is followed. Those to pictures in RTF are even so; ``landlock`` prevents that."""


def converted(source: Source, suffix: str, target: str) -> bytes:
    """The bytes of ``source``, a file of the kind ``suffix``, as ``target``: ``docx``, ``xlsx`` or ``pptx``.

    Raises:
        MissingDependency: there is no LibreOffice.
        CorruptFile: LibreOffice cannot read it, or not within 90 seconds.
        FileTooLarge: it is larger than a file inside another may be, before or after.
    """
    program = shutil.which("soffice") or shutil.which("libreoffice")
    if program is None:
        raise MissingDependency(source.location, "LibreOffice", how=_HOW)
    if not landlock.is_there():
        raise MissingDependency(source.location, "LibreOffice, confined by Landlock", how=_WHY)
    _check_size(source, source.size)
    with tempfile.TemporaryDirectory(prefix="gemini-mm-office-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        document = folder / f"document{suffix}"
        document.write_bytes(source.read())
        profile = _profile(folder)
        command = [sys.executable, "-I", landlock.__file__, str(folder), program]
        command += [f"-env:UserInstallation={profile.as_uri()}", "--headless", "--norestore", "--nolockcheck"]
        command += ["--convert-to", _FILTERS[target], "--outdir", str(folder / "out"), str(document)]
        _run(source, command, folder)
        result = folder / "out" / f"document.{target}"
        if not result.is_file():
            raise CorruptFile(source.location, f"LibreOffice cannot read this {suffix} file")
        _check_size(source, result.stat().st_size)
        return result.read_bytes()


def _check_size(source: Source, size: int) -> None:
    if size > MAX_PART_BYTES:
        reason = f"{size >> 20} MiB to be converted, at most {MAX_PART_BYTES >> 20} are read"
        raise FileTooLarge(source.location, reason)


def _profile(folder: Path) -> Path:
    """A profile of its own: conversions do not wait for each other, and no setting of the user has a part in them."""
    items = "".join(
        f'<item oor:path="/{path}"><prop oor:name="{name}" oor:op="fuse"><value>{value}</value></prop></item>'
        for path, name, value in _SETTINGS
    )
    settings = folder / "profile" / "user" / "registrymodifications.xcu"
    settings.parent.mkdir(parents=True)
    settings.write_text(
        '<?xml version="1.0" encoding="UTF-8"?><oor:items xmlns:oor="http://openoffice.org/2001/registry">'
        f"{items}</oor:items>",
        encoding="utf-8",
    )
    return folder / "profile"


def _run(source: Source, command: Sequence[str], folder: Path) -> None:
    """Run in a group of its own, so that nothing it starts outlives it."""
    environment = {**os.environ, "HOME": str(folder), "TMPDIR": str(folder)}
    nothing = subprocess.DEVNULL
    process = subprocess.Popen(  # noqa: S603 - the program, and names that are made here
        command, stdin=nothing, stdout=nothing, stderr=nothing, env=environment, cwd=folder, start_new_session=True
    )
    try:
        process.wait(_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise CorruptFile(source.location, f"LibreOffice did not read it within {_SECONDS} seconds") from error
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        if os.name == "posix":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    process.wait()
