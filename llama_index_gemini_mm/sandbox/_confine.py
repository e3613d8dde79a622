"""What a worker may use: so much memory, so much time, no network. The system's own means, where it has them.

Linux has all of them. macOS ignores the bound on memory, and elsewhere than on Linux only Python's own calls to the
network are refused, not those of C libraries. On Windows there is neither; the parent's clock holds everywhere.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import sys
from pathlib import Path
from typing import Any

_FORBIDDEN = frozenset(
    ("socket.connect", "socket.bind", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname", "urllib.Request")
)
_SET_NO_NEW_PRIVILEGES, _SET_SECCOMP, _FILTER = 38, 22, 2

_ARCHITECTURES = {"x86_64": (0xC000003E, 41, 425), "aarch64": (0xC00000B7, 198, 425)}
"""By machine: how the kernel names it, and the numbers of ``socket`` and ``io_uring_setup``."""
_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06
_ALLOW, _DENY = 0x7FFF0000, 0x00050000 | 13
"""Go on, or fail with EACCES."""
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16
"""Offsets in what the kernel shows of a call."""
_LOCAL = 1
"""Sockets between processes of this machine."""


def deny_network() -> None:
    """No connection leaves this process from now on, nor any that it starts."""
    sys.addaudithook(_refuse)
    if sys.platform == "linux" and platform.machine() in _ARCHITECTURES:
        _install_filter(*_ARCHITECTURES[platform.machine()])


def bound_memory(memory_bytes: int) -> None:
    """Allow so much memory beyond what is in use now, and no image of the memory after a crash."""
    if sys.platform == "win32":
        return
    import resource

    _lower(resource.RLIMIT_AS, _bytes_in_use() + memory_bytes)
    _lower(resource.RLIMIT_CORE, 0)


def renew_time(seconds: float) -> None:
    """Allow so much computing time beyond what is spent."""
    if sys.platform == "win32":
        return
    import resource

    spent = resource.getrusage(resource.RUSAGE_SELF)
    _lower(resource.RLIMIT_CPU, int(spent.ru_utime + spent.ru_stime + seconds) + 1)


def _refuse(event: str, args: tuple[Any, ...]) -> None:
    if event in _FORBIDDEN:
        raise PermissionError("reading a file must not use the network")


def _lower(kind: int, soft: int) -> None:
    """Set a soft limit, within the hard one that the system or an administrator has set."""
    import resource

    hard = resource.getrlimit(kind)[1]
    resource.setrlimit(kind, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))


def _bytes_in_use() -> int:
    """Address space in use; an estimate where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except OSError:
        return 2 * 2**30
    return pages * os.sysconf("SC_PAGE_SIZE")


def _install_filter(architecture: int, socket: int, io_uring_setup: int) -> None:
    """Have the kernel refuse sockets other than local ones, whoever asks. Jumps count instructions passed over."""
    program = b"".join(
        struct.pack("<HBBI", *instruction)
        for instruction in (
            (_LOAD, 0, 0, _ARCHITECTURE),
            (_EQUAL, 0, 6, architecture),
            (_LOAD, 0, 0, _NUMBER),
            (_EQUAL, 3, 0, io_uring_setup),
            (_EQUAL, 0, 3, socket),
            (_LOAD, 0, 0, _FIRST_ARGUMENT),
            (_EQUAL, 1, 0, _LOCAL),
            (_RETURN, 0, 0, _DENY),
            (_RETURN, 0, 0, _ALLOW),
        )
    )
    code = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("HP", len(program) // 8, ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    libc.prctl(_SET_SECCOMP, _FILTER, ctypes.create_string_buffer(header, len(header)), 0, 0)
