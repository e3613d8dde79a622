"""Members of ZIP archives locked by AES, as WinZip, 7-Zip and most others lock them today.

``zipfile`` knows the old cipher alone. Laid out in https://www.winzip.com/en/support/aes-encryption/: a salt, two bytes
that tell most wrong passwords, the cipher text, and ten bytes of its HMAC.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import struct
import zipfile
import zlib
from typing import BinaryIO, cast

from llama_index_gemini_mm.errors import FileTooLarge
from llama_index_gemini_mm.readers._archive import read_bounded
from llama_index_gemini_mm.readers._bounds import MAX_PART_BYTES

METHOD = 99
_EXTRA = 0x9901
_SALT_BYTES = {1: 8, 2: 12, 3: 16}
_KEY_BYTES = {1: 16, 2: 24, 3: 32}
_CHECK_BYTES, _MAC_BYTES, _ROUNDS = 2, 10, 1000
_LOCAL_HEADER = struct.Struct("<26xHH")
_BLOCK, _CHUNK = 16, 1 << 20


def unlocked(package: zipfile.ZipFile, member: zipfile.ZipInfo, location: str, password: str) -> bytes | None:
    """The bytes of ``member`` when ``password`` fits, or ``None``.

    Raises ``FileTooLarge``, ``NotImplementedError`` for what lies under the cipher, and what ``zlib`` raises.
    """
    strength, method = _described(member)
    raw = _stored(package, member, location)
    salt_end = _SALT_BYTES[strength]
    body, mac = raw[salt_end + _CHECK_BYTES : -_MAC_BYTES], raw[-_MAC_BYTES:]
    size = _KEY_BYTES[strength]
    keys = hashlib.pbkdf2_hmac("sha1", password.encode(), raw[:salt_end], _ROUNDS, 2 * size + _CHECK_BYTES)
    if keys[-_CHECK_BYTES:] != raw[salt_end : salt_end + _CHECK_BYTES]:
        return None
    if not hmac.compare_digest(hmac.digest(keys[size : 2 * size], body, "sha1")[:_MAC_BYTES], mac):
        return None
    plain = _deciphered(body, keys[:size])
    if method == zipfile.ZIP_STORED:
        return plain
    if method != zipfile.ZIP_DEFLATED:
        raise NotImplementedError
    return read_bounded(_Inflated(plain), location, member.compress_size)


def _described(member: zipfile.ZipInfo) -> tuple[int, int]:
    """The strength of the key, and the method of packing under the cipher, from the extra field."""
    extra = member.extra
    while len(extra) >= 4:
        kind, size = struct.unpack("<HH", extra[:4])
        if kind == _EXTRA and size >= 7:
            strength, method = struct.unpack("<4xBH", extra[4:11])
            if strength in _SALT_BYTES:
                return strength, method
        extra = extra[4 + size :]
    raise NotImplementedError


def _stored(package: zipfile.ZipFile, member: zipfile.ZipInfo, location: str) -> bytes:
    """The bytes as they lie in the archive."""
    if member.compress_size > MAX_PART_BYTES:
        raise FileTooLarge(location, f"a file of more than {MAX_PART_BYTES >> 20} MiB inside")
    stream = cast("BinaryIO", package.fp)
    stream.seek(member.header_offset)
    name, extra = _LOCAL_HEADER.unpack(stream.read(_LOCAL_HEADER.size))
    stream.seek(name + extra, io.SEEK_CUR)
    return stream.read(member.compress_size)


def _deciphered(body: bytes, key: bytes) -> bytes:
    """AES in counter mode with a counter that starts at 1 and has its low byte first, which the library's has last."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    # A counter is a block like any other: its cipher text is the key stream.
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()  # noqa: S305
    plain = bytearray()
    for start in range(0, len(body), _CHUNK):
        chunk = body[start : start + _CHUNK]
        first = start // _BLOCK + 1
        counters = b"".join(n.to_bytes(_BLOCK, "little") for n in range(first, first + -(-len(chunk) // _BLOCK)))
        stream = encryptor.update(counters)[: len(chunk)]
        plain += (int.from_bytes(chunk, "big") ^ int.from_bytes(stream, "big")).to_bytes(len(chunk), "big")
    return bytes(plain)


class _Inflated:
    """A deflated text as a stream, so that its bounds are kept while it grows."""

    def __init__(self, data: bytes) -> None:
        self._inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        self._rest = data

    def read(self, size: int, /) -> bytes:
        data = self._inflater.decompress(self._rest, size)
        self._rest = self._inflater.unconsumed_tail
        return data
