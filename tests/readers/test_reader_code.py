"""Source code."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from reader_samples import Read

import llama_index_gemini_mm.media as module

JAVA = "\n".join(
    [
        "package shop;",
        "",
        "public class Lathe {",
        *(
            f"    /** Turns part {n}. */\n    int turn{n}(int speed) {{\n        return speed * {n};\n    }}\n"
            for n in range(60)
        ),
        "}",
    ]
)


def test_code_keeps_every_line(read: Read) -> None:
    """The stretches together are the file, and each begins at the margin after a blank line."""
    written = Path(module.__file__).read_text(encoding="utf-8")
    documents = read("media.py", written.encode())
    assert len(documents) > 3
    assert "".join(d.text for d in documents) == written
    lines = written.split("\n")
    for document in documents:
        first, last = document.metadata["line_start"], document.metadata["line_end"]
        assert document.text == "\n".join(lines[first - 1 : last]) + "\n"
    assert all(before.text.endswith("\n\n") and d.text[0] not in " )" for before, d in pairwise(documents))
    assert {d.metadata["title"] for d in documents} == {"media.py (Python)"}


def test_stretches_say_what_encloses_them(read: Read) -> None:
    """A method carries the name of its class, and a comment stays with what it is about."""
    first, *others = read("Lathe.java", JAVA.encode())
    assert first.metadata.get("heading_path") is None
    assert others
    assert {d.metadata["heading_path"] for d in others} == {"public class Lathe"}
    assert all(d.text.startswith("    /** Turns part") for d in others)
    assert {d.metadata["title"] for d in others} == {"Lathe.java (Java) > public class Lathe"}


@pytest.mark.parametrize(
    ("name", "data", "language"),
    [
        ("run", b"#!/usr/bin/env python3\nprint(1)\n", "Python"),
        ("deploy", b"#!/bin/bash -e\necho hi\n", "Shell"),
        ("Dockerfile", b"FROM scratch\n", "Dockerfile"),
        ("main.rs", b"fn main() {}\n", "Rust"),
        ("q.SQL", b"SELECT 1;\n", "SQL"),
    ],
)
def test_languages(read: Read, name: str, data: bytes, language: str) -> None:
    """Told by suffix, name, or the interpreter that is asked for."""
    (document,) = read(name, data)
    assert document.metadata["title"] == f"{name} ({language})"
    assert document.text == data.decode()


@pytest.mark.parametrize("line", ["var a=1;" * 20_000, "(" * 100_000, "a b " * 30_000, "x(" * 50_000])
def test_generated_code(read: Read, line: str) -> None:
    """One line of any length is cut, quickly, and keeps its number."""
    documents = read("app.min.js", line.encode())
    assert "".join(d.text for d in documents) == line
    assert {d.metadata["line_start"] for d in documents} == {1}


def test_binary_with_the_suffix_of_code(read: Read) -> None:
    """MPEG transport streams share ``.ts`` with TypeScript."""
    packet = b"\x47\x40\x11\x10" + bytes(184)
    with pytest.raises(Exception, match=r"(?!.*TypeScript)"):
        read("film.ts", packet * 20)


def test_lines_are_those_of_the_file(read: Read) -> None:
    """Windows line ends and form feeds change no number."""
    text = "".join(f"def f{n}():\r\n    return {n}\r\n\r\n" for n in range(300))
    documents = read("many.py", text.encode())
    places = [(d.metadata["line_start"], d.metadata["line_end"]) for d in documents]
    assert places[0][0] == 1
    assert places[-1][1] == 900
    assert all(last + 1 == first for (_, last), (first, _) in pairwise(places))
