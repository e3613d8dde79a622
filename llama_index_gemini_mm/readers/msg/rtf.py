"""Unpacking the RTF that Outlook keeps a message in (MS-OXRTFCP)."""

from __future__ import annotations

import struct

_HEADER = struct.Struct("<IIII")
_PACKED, _PLAIN = 0x75465A4C, 0x414C454D
_WINDOW = 4096
_START = (
    rb"{\rtf1\ansi\mac\deff0\deftab720{\fonttbl;}{\f0\fnil \froman \fswiss \fmodern \fscript \fdecor MS Sans "
    rb"SerifSymbolArialTimes New RomanCourier{\colortbl\red0\green0\blue0" + b"\r\n"
    rb"\par \pard\plain\f0\fs20\b\i\u\tab\tx"
)
"""What every dictionary begins with."""


def unpacked_rtf(data: bytes, limit: int) -> bytes:
    """The RTF in a compressed body, at most ``limit`` bytes of it; empty when it is not one."""
    if len(data) < _HEADER.size:
        return b""
    _, size, kind, _ = _HEADER.unpack_from(data)
    size = min(size, limit)
    body = data[_HEADER.size :]
    if kind == _PLAIN:
        return body[:size]
    return _inflated(body, size) if kind == _PACKED else b""


def _inflated(body: bytes, size: int) -> bytes:
    """Runs of eight tokens, each a byte or a reference of twelve bits of place and four of length into the window."""
    window = bytearray(_START.ljust(_WINDOW, b"\0"))
    write = len(_START)
    out = bytearray()
    place = 0
    while place < len(body) and len(out) < size:
        control = body[place]
        place += 1
        for bit in range(8):
            if not control >> bit & 1:
                run = body[place : place + 1]
                place += 1
            else:
                token = int.from_bytes(body[place : place + 2], "big")
                place += 2
                offset, length = token >> 4, (token & 0xF) + 2
                if offset == write:
                    return bytes(out[:size])
                run = _copied(window, write, offset, length)
            for byte in run:
                window[write] = byte
                write = (write + 1) % _WINDOW
            out += run
            if not run:
                return bytes(out[:size])
    return bytes(out[:size])


def _copied(window: bytearray, write: int, offset: int, length: int) -> bytes:
    """Bytes out of the window, into which a reference may write while it is read."""
    gap = (write - offset) % _WINDOW
    return bytes(window[(offset + n % gap) % _WINDOW] for n in range(length))
