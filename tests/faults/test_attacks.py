"""One test for each kind of attack: it costs one file, which is named with its reason, and nothing else happens."""

from __future__ import annotations

import io
import os
import sys
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import fault_tasks as tasks
import pytest
from llama_index.core.schema import BaseNode, MetadataMode

from llama_index_gemini_mm import MediaNodeParser, MediaReader, MediaStore, ReaderOptions, media
from llama_index_gemini_mm.errors import CorruptFile, EncryptedFile, FileTooLarge, SourceError, UnsupportedFormat
from llama_index_gemini_mm.media import read_embed_text
from llama_index_gemini_mm.readers import ReadReport
from llama_index_gemini_mm.sandbox import Bounds

HARD = Path(__file__).parent.parent / "corpus" / "hard"
PNG = (HARD / "image" / "transparent.png").read_bytes()
SECRET = "the secret of the house"


def what_became(
    path: Path, store: MediaStore, options: ReaderOptions | None = None
) -> tuple[list[BaseNode], ReadReport]:
    """The documents of a file or folder, and what was left out."""
    report = ReadReport()
    reader = MediaReader(store, options, on_error="skip")
    return list(reader.load_data(path, report=report)), report


def stored(store: MediaStore) -> bytes:
    """Everything that lies in the media store."""
    return b"".join(path.read_bytes() for path in Path(store.root).rglob("*") if path.is_file())


BOMBS = (
    *("image/bomb_header_only.png", "image/bomb_30000x30000_1bit.png", "image/bomb.tif", "image/bomb_screen.gif"),
    *("image/use_bomb.svg", "pdf/bomb_image_900Mpx.pdf", "pdf/bomb_flate_flate_1GB.pdf", "pdf/form_xobject_1e9.pdf"),
    *("docx/bomb_document_xml_100MB.docx", "epub/bomb.epub", "eml/multipart_bomb.eml", "zip/overlap_100GB.zip"),
)


@pytest.mark.parametrize("name", [name for name in BOMBS if (HARD / name).exists()])
def test_bombs_are_known_before_they_go_off(name: str, store: MediaStore) -> None:
    """The reason is a bound of ours, and neither the clock nor the memory of the worker."""
    with pytest.raises(FileTooLarge) as caught:
        MediaReader(store).load_data(HARD / name)

    assert not any(word in caught.value.reason for word in ("of memory", "came out of it", "computing"))


def test_a_workbook_with_one_cell_in_the_last_corner(store: MediaStore) -> None:
    (document,) = MediaReader(store).load_data(HARD / "xlsx" / "corner_cell.xlsx")

    assert len(document.text) < 1000


@pytest.mark.parametrize("name", ["deep_200.zip", "flat_150MB.zip", "nested_10x6_10TB.zip"])
def test_a_bomb_in_an_archive_costs_that_member(name: str, store: MediaStore) -> None:
    documents, report = what_became(HARD / "zip" / name, store)

    assert documents == []
    assert {skipped.error for skipped in report.skipped} == {"FileTooLarge"}


def test_an_archive_that_holds_itself(tmp_path: Path, store: MediaStore) -> None:
    """A quine cannot be written down here; one that says it holds what it is comes near: the same file, without end."""
    inner = b""
    for _ in range(40):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("again.zip", inner or PNG)
            archive.writestr("a.txt", "words")
        inner = packed.getvalue()
    (tmp_path / "again.zip").write_bytes(inner)

    documents, report = what_became(tmp_path / "again.zip", store)

    assert 1 <= len(documents) <= 10
    assert {skipped.error for skipped in report.skipped} == {"FileTooLarge"}


@pytest.mark.parametrize(
    "name", ["docx/billion_laughs.docx", "docx/xxe.docx", "image/billion_laughs.svg", "image/xxe.svg"]
)
def test_entities_are_not_expanded(name: str, store: MediaStore) -> None:
    documents, _ = what_became(HARD / name, store)

    everything = " ".join(d.get_content(MetadataMode.ALL) for d in documents)
    assert "root:" not in everything
    assert "lollol" not in everything


@pytest.mark.parametrize("suffix", [".xml", ".svg", ".html", ".fodt"])
def test_an_entity_opens_no_file(suffix: str, tmp_path: Path, store: MediaStore) -> None:
    (tmp_path / "secret").write_text(SECRET)
    root = {".svg": "svg xmlns='http://www.w3.org/2000/svg'", ".html": "html"}.get(suffix, "text")
    end = root.partition(" ")[0]
    text = f'<!DOCTYPE {end} [<!ENTITY x SYSTEM "{(tmp_path / "secret").as_uri()}">]><{root}><p>words &x;</p></{end}>'
    (tmp_path / f"a{suffix}").write_text(text)

    documents, _ = what_became(tmp_path / f"a{suffix}", store)

    assert not any(SECRET in d.get_content(MetadataMode.ALL) for d in documents)
    assert SECRET.encode() not in stored(store)


@pytest.mark.parametrize(
    "name",
    ["html/deep_20000.html", "docx/deep_nesting.docx", "ipynb/deep.ipynb", "eml/nested_60.eml", "pdf/nested_30.pdf"],
)
def test_deep_nesting_ends(name: str, store: MediaStore) -> None:
    _, report = what_became(HARD / name, store)

    assert {skipped.error for skipped in report.skipped} <= {"FileTooLarge", "CorruptFile"}
    assert report.skipped


class _Counting(BaseHTTPRequestHandler):
    """Serves a picture, and counts."""

    def do_GET(self) -> None:
        self.server.hits.append(self.path)  # type: ignore[attr-defined]
        self.send_response(200)
        self.end_headers()
        self.wfile.write(PNG)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def web() -> Iterator[tuple[str, list[str]]]:
    """A server on this machine, and what it was asked for."""
    server = HTTPServer(("127.0.0.1", 0), _Counting)
    server.hits = []  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", server.hits  # type: ignore[attr-defined]
    server.shutdown()
    server.server_close()


def linking(name: str, link: str) -> bytes:
    """A document of the kind that ``name`` says, with a picture that lies elsewhere."""
    if name.endswith(".docx"):
        target = io.BytesIO()
        with zipfile.ZipFile(HARD / "docx" / "rel_traversal_external.docx") as old, zipfile.ZipFile(target, "w") as new:
            for member in old.namelist():
                new.writestr(member, old.read(member).replace(b"file:///etc/passwd", link.encode()))
        return target.getvalue()
    return TEXTS[name].replace("LINK", link).encode()


TEXTS = {
    "a.md": "# Head\n\nwords\n\n![picture](LINK)\n",
    "a.html": '<html><body><p>words</p><img src="LINK"><link rel="stylesheet" href="LINK"></body></html>',
    "a.svg": """<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"
        width="90" height="90">
        <text y="20">words</text><rect y="40" width="40" height="40"/>
        <image xlink:href="LINK" width="9" height="9"/></svg>""",
    "a.rst": "Head\n====\n\nwords\n\n.. image:: LINK\n.. include:: LINK\n",
    "a.eml": "Subject: s\nFrom: a@b.c\nMIME-Version: 1.0\nContent-Type: text/html\n\n<p>words</p><img src='LINK'>\n",
    "a.ipynb": """{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [
        {"cell_type": "markdown", "id": "a", "metadata": {}, "source": "words ![p](LINK)"}]}""",
}
KINDS = ("a.md", "a.html", "a.svg", "a.rst", "a.eml", "a.ipynb", "a.docx")


@pytest.mark.parametrize("fetch_remote", [False, True])
@pytest.mark.parametrize("name", KINDS)
def test_no_document_reaches_the_network(
    name: str, fetch_remote: bool, tmp_path: Path, store: MediaStore, web: tuple[str, list[str]]
) -> None:
    """Nor, when pictures on the web are wanted, an address inside the house."""
    address, hits = web
    (tmp_path / name).write_bytes(linking(name, f"{address}/p.png"))

    documents, _ = what_became(tmp_path / name, store, ReaderOptions(fetch_remote=fetch_remote))

    assert any("words" in d.text or d.metadata[media.MODALITY] == "image" for d in documents)
    assert hits == []


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("form", ["absolute", "url", "dots", "link"])
def test_no_document_reaches_a_file_outside(name: str, form: str, tmp_path: Path, store: MediaStore) -> None:
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    outside.mkdir()
    inside.mkdir()
    secret = PNG + SECRET.encode()
    (outside / "p.png").write_bytes(secret)
    (inside / "link.png").symlink_to(outside / "p.png")
    links = {
        "absolute": str(outside / "p.png"),
        "url": (outside / "p.png").as_uri(),
        "dots": "../outside/p.png",
        "link": "link.png",
    }
    (inside / name).write_bytes(linking(name, links[form]))

    documents, _ = what_became(inside, store)

    assert documents
    assert SECRET.encode() not in stored(store)


@pytest.mark.parametrize("name", ["concat_as.mp4", "hls_as.avi", "playlist_as.mp4"])
def test_a_playlist_is_no_film(name: str, store: MediaStore) -> None:
    with pytest.raises(UnsupportedFormat, match="playlist"):
        MediaReader(store).load_data(HARD / "wrong_ext" / name)


def test_names_in_archives_lead_nowhere(tmp_path: Path, store: MediaStore) -> None:
    names = ("../../up.txt", "/abs.txt", "C:\\drive.txt", "ok/../../more.txt")
    packed = tmp_path / "a.tar"
    with tarfile.open(packed, "w") as archive:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = 5
            archive.addfile(member, io.BytesIO(b"words"))
        link = tarfile.TarInfo("link.txt")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    before = {path for path in tmp_path.rglob("*") if "media" not in path.parts}

    for path in (packed, HARD / "zip" / "traversal.zip"):
        documents, _ = what_became(path, store)
        inside = [d.metadata[media.CONTAINER_PATH].partition("!/")[2] for d in documents]
        assert inside
        assert all(
            ".." not in name.split("/") and not name.startswith(("/", "\\")) and ":" not in name for name in inside
        )
        assert not any("root:" in d.text for d in documents)
    assert {path for path in tmp_path.rglob("*") if "media" not in path.parts} == before


def test_links_in_a_folder_do_not_lead_out(tmp_path: Path, store: MediaStore) -> None:
    (tmp_path / "secret.txt").write_text(SECRET)
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.txt").write_text("words")
    (folder / "b.txt").symlink_to(tmp_path / "secret.txt")
    (folder / "up").symlink_to(tmp_path)

    documents, _ = what_became(folder, store)

    assert [d.text for d in documents] == ["words"]


BROKEN: tuple[tuple[str, type[SourceError], str], ...] = (
    ("zero/zero.pdf", CorruptFile, "the file is empty"),
    ("zero/random.jpg", UnsupportedFormat, "binary data named .jpg"),
    ("truncated/50pct.mp4", CorruptFile, "cut off: 16,910 of at least 37,027 bytes are missing"),
    ("truncated/50pct.pdf", CorruptFile, "the PDF is cut off: its end is missing"),
    ("truncated/50pct.jpg", CorruptFile, "the picture is cut off"),
    ("truncated/50pct.docx", CorruptFile, "broken or cut off"),
    ("video/moov_missing.mp4", CorruptFile, "never finished"),
    ("wrong_ext/exe_as.png", UnsupportedFormat, "a Windows program named .png"),
    ("pdf/enc_user_pw_secret.pdf", EncryptedFile, "needs a password"),
)


@pytest.mark.parametrize(("name", "error", "reason"), BROKEN)
def test_broken_files_are_told_apart(name: str, error: type[SourceError], reason: str, store: MediaStore) -> None:
    with pytest.raises(error, match=reason):
        MediaReader(store).load_data(HARD / name)


FORGED = f"media_ref: media://{'0' * 64}#t=0,9"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.txt", FORGED),
        ("a.md", f"# Head\n\n{FORGED}\n"),
        ("a.html", f"<pre>{FORGED}</pre>"),
        ("a.csv", f"a,b\n{FORGED},x\n"),
        ("a.json", f'{{"media_ref": "media://{"0" * 64}"}}'),
        ("a.eml", f"Subject: {FORGED}\nFrom: a@b.c\nMIME-Version: 1.0\n\n{FORGED}\n"),
        ("a.srt", f"1\n00:00:01,000 --> 00:00:02,000\n{FORGED}\n"),
        ("a.rst", f"Head\n====\n\n{FORGED}\n"),
        ("a.py", f'"""\n{FORGED}\n"""\n'),
    ],
)
def test_words_cannot_pass_for_a_reference(name: str, text: str, tmp_path: Path, store: MediaStore) -> None:
    """Whatever a file says: what the embedding model is given remains its words."""
    (tmp_path / name).write_text(text)

    nodes = MediaNodeParser(media_store=store).get_nodes_from_documents(MediaReader(store).load_data(tmp_path / name))

    assert nodes
    for node in nodes:
        assert read_embed_text(node.get_content(MetadataMode.EMBED)).ref is None


FAULTS: tuple[tuple[Callable[[list[BaseNode]], Iterable[BaseNode]], type[SourceError], str], ...] = (
    (tasks.crash, CorruptFile, "crashed"),
    (tasks.hang, FileTooLarge, "within 15 s"),
    (tasks.grow, FileTooLarge, "of memory"),
    (tasks.recurse, FileTooLarge, "nested too deeply"),
    (tasks.fail, CorruptFile, "ZeroDivisionError"),
)


@pytest.mark.parametrize(("fault", "error", "reason"), FAULTS, ids=[fault.__name__ for fault, _, _ in FAULTS])
def test_a_fault_costs_one_file(
    fault: Callable[[list[BaseNode]], Iterable[BaseNode]],
    error: type[SourceError],
    reason: str,
    tmp_path: Path,
    store: MediaStore,
) -> None:
    """Whatever happens in the process that reads, the files before and after are read."""
    if fault is tasks.grow and sys.platform != "linux":
        pytest.skip("only Linux bounds the memory of a process")
    for name in ("a.txt", tasks.VICTIM, "z.txt"):
        (tmp_path / name).write_text("words")
    reader = MediaReader(store, bounds=Bounds(memory_bytes=2 * 2**30, seconds=15))
    became: dict[str, object] = {}
    for source, nodes in reader.read_all(reader.scan(tmp_path), then=fault):
        try:
            became[source.name] = [node.get_content() for node in nodes(lambda _: None)]
        except SourceError as raised:
            became[source.name] = raised

    assert (became["a.txt"], became["z.txt"]) == (["words"], ["words"])
    raised = became[tasks.VICTIM]
    assert isinstance(raised, error)
    assert reason in raised.reason
    assert os.fspath(tmp_path / tasks.VICTIM) == raised.path
