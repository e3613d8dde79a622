"""Runs a program that sees nothing of the disk but what it needs, and no network: by Landlock, in Linux since 5.13.

    python landlock.py <folder> <program> [argument …]

The program reads where programs and fonts lie, and does as it likes in the folder. Where there is no Landlock (older
kernels, macOS, Windows) it does not run. Nothing of this package is imported, so that it starts at once.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import struct
import sys
from pathlib import Path

_CREATE, _ADD, _RESTRICT = 444, 445, 446
"""Numbers of the calls, the same on every machine."""
_SET_NO_NEW_PRIVILEGES = 38
_VERSION = 1
_BENEATH = 1
_EXECUTE, _WRITE, _READ, _LIST = 1, 2, 4, 8
_ALL = (1 << 13) - 1
"""Whatever can be done to files and folders, as the first version of Landlock has it."""
_TCP = 3
"""Waiting for connections and making them, from the fourth version on."""
_FIRST_WITH_TCP = 4
_READABLE = (
    *("/usr", "/lib", "/lib32", "/lib64", "/bin", "/sbin", "/opt", "/snap", "/nix", "/gnu", "/proc"),
    *(
        "/etc/fonts",
        "/etc/libreoffice",
        "/etc/ld.so.cache",
        "/etc/ld.so.conf",
        "/etc/ld.so.conf.d",
        "/etc/alternatives",
    ),
    *("/etc/localtime", "/etc/nsswitch.conf", "/etc/passwd", "/etc/group", "/etc/locale.alias"),
    *("/var/cache/fontconfig", "/var/lib/libreoffice", "/var/spool/libreoffice", "/sys/devices/system/cpu"),
)
_SOCKETS = ("/tmp", "/var/tmp")  # noqa: S108 - no file is made there
"""Where LibreOffice makes the socket by which a second one would find the first, and takes it away again."""
_MAKE_SOCKET, _REMOVE = 1 << 9, 1 << 5
_DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")


def main(folder: str, program: str, *arguments: str) -> None:
    """Become the program, confined."""
    confine(folder, Path(shutil.which(program) or program).resolve().parents[1])
    os.execv(program, [program, *arguments])  # noqa: S606 - the caller's program


def is_there() -> bool:
    """Whether this system has Landlock."""
    try:
        return sys.platform == "linux" and _call(_CREATE, None, 0, _VERSION) > 0
    except OSError:
        return False


def confine(folder: str, installed: Path) -> None:
    """Give up, in this process for good, all that is not needed to run what lies in ``installed``, for ``folder``.

    Raises ``OSError`` where that is not possible.
    """
    version = _call(_CREATE, None, 0, _VERSION)
    rules = struct.pack("QQ", _ALL, _TCP) if version >= _FIRST_WITH_TCP else struct.pack("Q", _ALL)
    ruleset = _call(_CREATE, rules, len(rules), 0)
    for path in (*_READABLE, str(installed)):
        _allow(ruleset, path, _EXECUTE | _READ | _LIST)
    for path in _DEVICES:
        _allow(ruleset, path, _READ | _WRITE)
    for path in _SOCKETS:
        _allow(ruleset, path, _MAKE_SOCKET | _REMOVE)
    _allow(ruleset, folder, _ALL)
    ctypes.CDLL(None).prctl(_SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    _call(_RESTRICT, ruleset, 0)


def _allow(ruleset: int, path: str, access: int) -> None:
    """Allow ``access`` to a file, or to a folder and all below it; nothing when there is no such path."""
    try:
        opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    access &= ~0 if Path(path).is_dir() else _EXECUTE | _WRITE | _READ
    _call(_ADD, ruleset, _BENEATH, struct.pack("=Qi", access, opened), 0)
    os.close(opened)


def _call(number: int, *arguments: int | bytes | None) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    values = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    result = int(libc.syscall(ctypes.c_long(number), *values))
    if result < 0:
        raise OSError(ctypes.get_errno(), "Landlock")
    return result


if __name__ == "__main__":
    main(*sys.argv[1:])
