"""Damaged files, as disks, networks and enemies make them: seeded, so that a find can be looked at again."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

_INTERESTING = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF)
MAX_BYTES = 80_000
"""Larger files are slow to read and show nothing that smaller ones do not."""

Mutation = Callable[[bytearray, random.Random], bytearray]


def flipped(data: bytearray, chance: random.Random) -> bytearray:
    """A few bits turned over."""
    for _ in range(chance.randint(1, 30)):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return data


def cut_off(data: bytearray, chance: random.Random) -> bytearray:
    """The rest never came."""
    return data[: chance.randrange(len(data))]


def hole(data: bytearray, chance: random.Random) -> bytearray:
    """A stretch is missing from the middle."""
    start = chance.randrange(len(data))
    return data[:start] + data[start + chance.randint(1, 2000) :]


def blanked(data: bytearray, chance: random.Random) -> bytearray:
    """A block of the disk was lost."""
    start = chance.randrange(len(data))
    length = min(chance.choice((16, 512, 4096)), len(data) - start)
    data[start : start + length] = bytes(length)
    return data


def repeated(data: bytearray, chance: random.Random) -> bytearray:
    """A stretch comes several times."""
    start = chance.randrange(len(data))
    piece = data[start : start + chance.randint(1, 400)]
    return data[:start] + piece * chance.randint(2, 20) + data[start:]


def measured_wrongly(data: bytearray, chance: random.Random) -> bytearray:
    """A number says something else: a length, a count, an offset."""
    for _ in range(chance.randint(1, 4)):
        number = chance.choice(_INTERESTING)
        size, form = chance.choice(((1, "B"), (2, "H"), (4, "I")))
        if len(data) > size:
            start = chance.randrange(len(data) - size)
            order = chance.choice("<>")
            data[start : start + size] = struct.pack(f"{order}{form}", number % (1 << 8 * size))
    return data


def renamed_numbers(data: bytearray, chance: random.Random) -> bytearray:
    """A number written in digits is another, or very large."""
    places = [i for i, byte in enumerate(data) if 0x30 <= byte <= 0x39]
    for _ in range(min(len(places), 3)):
        at = chance.choice(places)
        data[at : at + 1] = chance.choice((b"9" * 12, b"-1", b"0", b"1e9"))
        places = [i for i in places if i < at]
        if not places:
            break
    return data


MUTATIONS: tuple[Mutation, ...] = (flipped, cut_off, hole, blanked, repeated, measured_wrongly, renamed_numbers)


def mutants(files: list[Path], count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """``count`` damaged files with their names, taking the files in turn; the same seed gives the same."""
    chance = random.Random(seed)
    usable = [file for file in files if 0 < file.stat().st_size <= MAX_BYTES]
    for number in range(count):
        file = usable[number % len(usable)]
        data = bytearray(file.read_bytes())
        for mutation in chance.sample(MUTATIONS, chance.choice((1, 1, 2))):
            data = mutation(data, chance) if data else data
        yield f"{number:05d}_{file.name}", bytes(data)
