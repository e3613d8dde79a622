"""Old Office files through LibreOffice, and Office files behind a password."""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from reader_samples import Read, picture

from llama_index_gemini_mm.errors import CorruptFile, EncryptedFile, MissingDependency
from llama_index_gemini_mm.readers import find_format, read_source
from llama_index_gemini_mm.readers.legacy_office.soffice import converted
from llama_index_gemini_mm.source import Source

CORPUS = Path(__file__).parent.parent / "corpus" / "readers"
RTF = rb"{\rtf1\ansi {\b The spindle} grinds.\par}"
with_libreoffice = pytest.mark.skipif(shutil.which("soffice") is None, reason="LibreOffice is not installed")


def has_landlock() -> bool:
    """Whether the kernel tells a version of Landlock."""
    return sys.platform == "linux" and ctypes.CDLL(None).syscall(444, None, 0, 1) > 0


def corpus(name: str) -> bytes:
    """A file of others."""
    return (CORPUS / name).read_bytes()


@pytest.mark.parametrize(
    ("name", "words", "file_type"),
    [
        ("testWORD.doc", "This is a sample Microsoft Word Document.", "application/msword"),
        ("testEXCEL.xls", "| Number | Square |", "application/vnd.ms-excel"),
        ("testPPT.ppt", "Created with Microsoft", "application/vnd.ms-powerpoint"),
        ("testEXCEL_various.xlsb", "| currency | $3.03 |", "application/vnd.ms-excel.sheet.binary.macroEnabled.12"),
    ],
)
@with_libreoffice
def test_old_files_are_read_as_what_they_are(read: Read, name: str, words: str, file_type: str) -> None:
    """Their documents are those of the new formats, and name the file itself."""
    documents = read(name, corpus(name))
    assert any(words in d.text for d in documents)
    for document in documents:
        assert document.metadata["file_path"].endswith(f"files/{name}")
        assert document.metadata["file_type"] == file_type
        assert document.metadata["file_size"] == len(corpus(name))
        assert document.metadata["source_sha256"] == Source.of_bytes(corpus(name), name).sha256
        assert "container_path" not in document.metadata


@with_libreoffice
def test_places_come_from_the_new_format(read: Read) -> None:
    """Headings, sheets and slides."""
    assert read("a.doc", corpus("testWORD.doc"))[1].metadata["heading_path"].endswith("Heading Level 3")
    assert read("a.xls", corpus("testEXCEL.xls"))[0].metadata["sheet"] == "Feuil1"
    assert read("a.ppt", corpus("testPPT.ppt"))[0].metadata["slide"] == 1


@with_libreoffice
def test_rtf_is_known_by_its_content(read: Read) -> None:
    """Whatever it is called."""
    (document,) = read("letter.doc", RTF)
    assert (document.text, document.metadata["file_type"]) == ("The spindle grinds.", "application/rtf")


@pytest.mark.parametrize("name", ["testWORD.doc", "testEXCEL.xls", "testPPT.ppt", "testEXCEL_various.xlsb"])
def test_without_libreoffice_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: object, name: str
) -> None:
    """The error says how to get it."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingDependency, match="needs LibreOffice: install it so that `soffice` is on PATH"):
        list(read_source(Source.of_path(CORPUS / name), store))


@pytest.mark.skipif(os.name != "posix", reason="a script takes the place of LibreOffice")
def test_a_conversion_that_fails_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A LibreOffice that makes nothing, and the folder it worked in."""
    program = tmp_path / "soffice"
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(CorruptFile, match=r"LibreOffice cannot read this \.doc file"):
        converted(Source.of_bytes(b"x", "a.doc"), ".doc", "docx")
    assert [p.name for p in tmp_path.iterdir()] == ["soffice"]


@with_libreoffice
@pytest.mark.skipif(not has_landlock(), reason="this system has no Landlock")
def test_a_link_does_not_bring_in_a_local_picture(read: Read, tmp_path: Path) -> None:
    """LibreOffice would embed the picture that an RTF file links to."""
    linked = tmp_path / "private.png"
    linked.write_bytes(picture("red"))
    field = rb'{\field{\*\fldinst INCLUDEPICTURE "%s" \\d}{\fldrslt x}}' % str(linked).encode()
    documents = read("letter.rtf", RTF[:-1] + field + b"}")
    assert [d.metadata["modality"] for d in documents] == ["text"]


@pytest.mark.parametrize("name", ["testEXCEL_protected_passtika.xlsx", "testWORD_protected_passtika.doc"])
def test_passwords_are_asked_for(read: Read, name: str) -> None:
    """Without one, and with a wrong one."""
    with pytest.raises(EncryptedFile, match="needs a password; give it in ReaderOptions"):
        read(name, corpus(name))
    with pytest.raises(EncryptedFile, match="none of the passwords fits"):
        read(name, corpus(name), passwords=("wrong",))


def test_a_locked_workbook_is_read_with_its_password(read: Read) -> None:
    """By its content, whatever it is called; the documents name the locked file."""
    data = corpus("testEXCEL_protected_passtika.xlsx")
    for name in ("locked.xlsx", "locked.bin"):
        (document,) = read(name, data, passwords=("wrong", "tika"))
        assert document.text == "This is an Encrypted Excel spreadsheet."
        assert document.metadata["source_sha256"] == Source.of_bytes(data, name).sha256
        assert document.metadata["file_type"].endswith("spreadsheetml.sheet")


@with_libreoffice
def test_a_locked_old_document_is_read_with_its_password(read: Read) -> None:
    """It is decrypted, then converted."""
    (document,) = read("locked.doc", corpus("testWORD_protected_passtika.doc"), passwords=("tika",))
    assert "encrypted" in document.text.lower()


@pytest.mark.parametrize(
    "broken", [lambda data: data[:600], lambda data: data[: len(data) // 4], lambda data: data[:8] + bytes(900)]
)
def test_broken_old_files_are_named(read: Read, broken: Callable[[bytes], bytes]) -> None:
    """Cut off, or with nothing behind the first bytes."""
    with pytest.raises(CorruptFile, match="not a readable Office document"):
        read("broken.doc", broken(corpus("testWORD.doc")))


def test_other_ole_files_are_left_to_others() -> None:
    """A message of Outlook is an OLE file too."""
    for name in ("testWORD.doc", "testEXCEL.xls", "testPPT.ppt"):
        assert find_format(Source.of_bytes(corpus(name), "a.bin")).name == "legacy_office"
