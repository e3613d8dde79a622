"""Subtitles beside films."""

from __future__ import annotations

import pysubs2
import pytest
from llama_index.core.schema import Document
from reader_samples import Read

from llama_index_gemini_mm.errors import CorruptFile, NothingToRead
from llama_index_gemini_mm.readers._cues import Cue, grouped

VTT = """WEBVTT - a talk
Kind: captions
Language: de

STYLE
::cue { color: red }

NOTE a comment
of two lines

intro
00:01.000 --> 00:04.000 align:start
<v Roger>Hi <c.yellow>there</c> <00:00:02.000>friend

NOTE not said

00:04.000 --> 00:05.000
<v.loud Anna Lee>Hello &amp; bye</v>
"""
TTML = """<?xml version="1.0" encoding="UTF-8"?>
<tt xmlns="http://www.w3.org/ns/ttml" xmlns:p="http://www.w3.org/ns/ttml#parameter" p:tickRate="10000000" xml:lang="de">
<head/><body><div begin="10s"><p begin="00:00:01.500" end="00:00:03.000">Hallo<br/><span>schöne</span> Welt</p>
<p begin="40000000t" dur="2s">zwei</p></div></body></tt>"""


def _said(documents: list[Document]) -> list[tuple[float, float, str]]:
    return [(d.metadata["start_seconds"], d.metadata["end_seconds"], d.text) for d in documents]


def test_srt(read: Read) -> None:
    """Cues are joined to stretches with their times; tags go, the name gives film and language."""
    subtitles = pysubs2.SSAFile()
    for start, end, text in ((1, 4, "{\\i1}Hello{\\i0} world\\Nsecond line"), (5, 6, "42"), (65, 66.5, "A < B")):
        subtitles.append(pysubs2.SSAEvent(start=1000 * start, end=int(1000 * end), text=text))
    documents = read("My_Film.2020.en.forced.srt", subtitles.to_string("srt").replace("\n", "\r\n").encode())
    assert _said(documents) == [(1.0, 6.0, "Hello world\nsecond line\n42"), (65.0, 66.5, "A < B")]
    assert {(d.metadata["title"], d.metadata["language"]) for d in documents} == {("My Film.2020", "en")}
    assert {d.metadata["file_type"] for d in documents} == {"application/x-subrip"}


def test_webvtt(read: Read) -> None:
    """Speakers stay; notes, styles, identifiers and times within words go; the header may name the language."""
    (document,) = read("talk.vtt", VTT.encode())
    assert _said([document]) == [(1.0, 5.0, "Roger: Hi there friend\nAnna Lee: Hello & bye")]
    assert document.metadata["language"] == "de"


def test_substation_alpha(read: Read) -> None:
    """Names stand before words; comments and drawings are not said."""
    subtitles = pysubs2.SSAFile()
    subtitles.append(pysubs2.SSAEvent(start=1000, end=2500, name="Bob", text="{\\b1}Hi{\\b0}\\Nyou, there"))
    subtitles.append(pysubs2.SSAEvent(start=1000, end=2500, text="secret", type="Comment"))
    subtitles.append(pysubs2.SSAEvent(start=3000, end=4500, text="{\\p1}m 0 0 l 100 0{\\p0}"))
    assert _said(read("film.ass", subtitles.to_string("ass").encode())) == [(1.0, 2.5, "Bob: Hi\nyou, there")]


def test_timed_text(read: Read) -> None:
    """Times of a division are added to those of its paragraphs; ticks and durations count."""
    (document,) = read("film.ttml", TTML.encode())
    assert _said([document]) == [(11.5, 16.0, "Hallo\nschöne Welt\nzwei")]
    assert document.metadata["language"] == "de"


def test_content_before_suffix(read: Read) -> None:
    """WebVTT named .srt, SubRip named .txt, and a code page of its country."""
    (document,) = read("film.srt", VTT.encode())
    assert document.metadata["file_type"] == "text/vtt"
    (document,) = read("film.ru.txt", "1\n00:00:01,000 --> 00:00:04,000\nПривет, как дела сегодня\n".encode("cp1251"))
    assert (document.text, document.metadata["language"]) == ("Привет, как дела сегодня", "ru")


@pytest.mark.parametrize(
    ("name", "language", "title"),
    [
        ("film.pt-BR.vtt", "pt-BR", "film"),
        ("film.ger.sdh.vtt", "de", "film"),
        ("film.hi.vtt", "hi", "film"),
        ("film.en.hi.vtt", "en", "film"),
        ("film.zh_hans.vtt", "zh-hans", "film"),
        ("A.Day.vtt", None, "A.Day"),
        ("no.vtt", None, "no"),
    ],
)
def test_languages_in_names(read: Read, name: str, language: str | None, title: str) -> None:
    """Tags of BCP 47 and codes of three letters, with or without flags behind them."""
    (document,) = read(name, b"WEBVTT\n\n00:01.000 --> 00:04.000\nwords\n")
    assert document.metadata.get("language") == language
    assert document.metadata["title"] == title


def test_grouping_by_pauses_and_length() -> None:
    """Half a minute at most, unless one cue is longer, and never over a long silence."""
    steady = [Cue(float(n), n + 0.9, f"word {n}") for n in range(65)]
    assert [(c.start, round(c.end, 1)) for c in grouped(steady)] == [(0.0, 29.9), (30.0, 59.9), (60.0, 64.9)]
    assert [c.text for c in grouped([Cue(0, 1, "a"), Cue(20, 21, "b"), Cue(21, 80, "c")])] == ["a", "b", "c"]
    assert [c.text for c in grouped([Cue(5, 6, "later"), Cue(0, 1, "first")])] == ["first\nlater"]


def test_lines_that_stay_are_said_once() -> None:
    """Live captions repeat the last line while the next one appears."""
    cues = [
        Cue(0, 2, "hello there"),
        Cue(2, 2.01, "hello there"),
        Cue(2.01, 4, "hello there\nnext"),
        Cue(9, 10, "next"),
    ]
    assert [c.text for c in grouped(cues)] == ["hello there\nnext\nnext"]


def test_what_holds_no_subtitles(read: Read) -> None:
    """Words without times are named; a file in order may be silent."""
    with pytest.raises(CorruptFile, match="without the times"):
        read("words.srt", b"just some words\n")
    with pytest.raises(NothingToRead):
        read("silent.vtt", b"WEBVTT\n\n")


@pytest.mark.timeout(20)
@pytest.mark.parametrize("filler", ["\n" * 300_000, " \n" * 200_000, "<v " * 100_000, "{\\" * 100_000])
def test_hostile_subtitles_take_no_time(read: Read, filler: str) -> None:
    """Runs that a pattern could try again and again."""
    (document,) = read("evil.srt", f"1\n00:00:01,000 --> 00:00:04,000\na{filler}b\n".encode())
    assert document.text.startswith("a")


def test_entities_in_timed_text_are_not_expanded(read: Read) -> None:
    """They vanish, and what is around them stays."""
    bomb = '<!DOCTYPE tt [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;"><!ENTITY x SYSTEM "file:///etc/passwd">]>'
    data = f'{bomb}<tt xmlns="http://www.w3.org/ns/ttml"><body><p begin="1s" end="2s">hi &b;&x; there</p></body></tt>'
    (document,) = read("film.ttml", data.encode())
    assert document.text == "hi there"
