"""MediaReader, the registry, and SimpleDirectoryReader."""

from __future__ import annotations

import pickle
from collections import Counter
from pathlib import Path

import fsspec
import pytest
from llama_index.core import SimpleDirectoryReader
from llama_index.core.schema import MetadataMode
from reader_samples import docx_file, pdf, picture, wav, write

from llama_index_gemini_mm import MediaReader, MediaStore, ReaderOptions, media_file_extractor
from llama_index_gemini_mm.errors import ConfigurationError, CorruptFile, SourceError, UnsupportedFormat
from llama_index_gemini_mm.media import MediaRef
from llama_index_gemini_mm.media_store import mark_storage
from llama_index_gemini_mm.readers import ReadReport, Skipped, find_format, formats
from llama_index_gemini_mm.source import Source

FILES = {
    "b.wav": wav(),
    "a.TXT": b"words",
    "sub/c.png": picture(),
    "sub/deeper/d.md": b"# Head\n\nBody",
    ".hidden": b"hidden",
    ".git/config": b"hidden",
    "sub/.cache/e.txt": b"hidden",
}


def names(documents: list) -> list[str]:
    return [d.metadata["file_name"] for d in documents]


def test_folder_in_order(tmp_path: Path, store: MediaStore) -> None:
    """Files are sorted by path; what is hidden is not read unless asked for; depth can be bounded."""
    folder = write(tmp_path / "f", FILES)
    assert names(MediaReader(store).load_data(folder)) == ["a.TXT", "b.wav", "c.png", "d.md"]
    assert names(MediaReader(store, recursive=False).load_data(str(folder))) == ["a.TXT", "b.wav"]
    assert len(MediaReader(store, hidden=True).load_data(folder)) == 7


def test_links_out_of_the_folder_are_not_followed(tmp_path: Path, store: MediaStore) -> None:
    """A link to a file outside, and a link that makes a loop."""
    outside = write(tmp_path / "out", {"secret.txt": b"secret"})
    folder = write(tmp_path / "f", {"a.txt": b"words"})
    (folder / "link.txt").symlink_to(outside / "secret.txt")
    (folder / "loop").symlink_to(folder)
    (folder / "inside.txt").symlink_to(folder / "a.txt")
    assert names(MediaReader(store).load_data(folder)) == ["a.txt", "inside.txt"]


@pytest.mark.parametrize("hidden", [False, True])
def test_what_this_package_stores_is_left_out(tmp_path: Path, hidden: bool) -> None:
    """A media store, or the storage of an index, inside the folder that is read; named itself, it is refused."""
    folder = write(tmp_path / "f", {"a.txt": b"words", "d.png": picture(), "index.pdf": pdf()})
    mark_storage(folder / "storage")
    write(folder / "storage", {"manifest.json": b"[1]"})
    reader = MediaReader(folder / "deep" / "media", hidden=hidden)
    first = names(reader.load_data(folder))

    assert (folder / "deep" / "media").is_dir()
    assert names(reader.load_data(folder)) == first
    assert set(first) == {"a.txt", "d.png", "index.pdf"}
    with pytest.raises(SourceError, match="storage"):
        reader.load_data(folder / "storage")


def test_a_store_behind_a_url_is_left_out() -> None:
    memory = fsspec.filesystem("memory")
    memory.pipe("/shared/a.png", picture())
    reader = MediaReader("memory://shared/media")
    reader.media_store.add_bytes(b"blob", "text/plain")

    assert names(reader.load_data("memory://shared")) == ["a.png"]


def test_a_folder_with_files_is_never_taken_for_storage(tmp_path: Path, store: MediaStore) -> None:
    """Not even when somebody keeps an index among them."""
    folder = write(tmp_path / "f", {"a.txt": b"words"})
    mark_storage(folder)
    MediaStore(folder).add_bytes(b"blob", "text/plain")

    assert "a.txt" in names(MediaReader(store).load_data(folder))


def test_one_bad_file(tmp_path: Path, store: MediaStore, caplog: pytest.LogCaptureFixture) -> None:
    """It stops nothing when skipped, is listed with its reason, and is raised otherwise."""
    files = {"a.txt": b"words", "b.pdf": b"%PDF-1.7 nothing", "c.exe": b"MZ\0\0", "d.png": picture()}
    folder = write(tmp_path / "f", files)
    reader = MediaReader(store, on_error="skip")
    assert names(reader.load_data(folder)) == ["a.txt", "d.png"]
    assert (reader.report.files, reader.report.documents) == (4, 2)
    corrupt, unsupported = reader.report.skipped
    assert (corrupt.file, corrupt.error) == (str(folder / "b.pdf"), "CorruptFile")
    assert unsupported == Skipped(
        str(folder / "c.exe"), "UnsupportedFormat", "a Windows program, which no reader knows"
    )
    assert str(reader.report).startswith("2 documents from 4 files, 2 skipped\n")
    assert "skipped b.pdf: CorruptFile" in caplog.text
    assert str(tmp_path) not in caplog.text
    with pytest.raises(CorruptFile):
        MediaReader(store).load_data(folder)


def test_report_of_a_call(tmp_path: Path, store: MediaStore) -> None:
    """Each call has its own report; a caller may bring one; reading lazily fills it as it goes."""
    folder = write(tmp_path / "f", {"a.txt": b"words", "b.png": b""})
    reader, mine = MediaReader(store, on_error="skip"), ReadReport()
    lazy = reader.lazy_load_data(folder, report=mine)
    assert next(lazy).text == "words"
    assert mine.skipped == []
    assert list(lazy) == []
    assert [s.reason for s in mine.skipped] == ["the file is empty"]
    assert reader.report.files == 0
    reader.load_data(folder / "a.txt")
    assert (reader.report.files, reader.report.skipped) == (1, [])


def test_missing_and_wrong(store: MediaStore, tmp_path: Path) -> None:
    """A path that does not exist is an error in either mode, and so is an impossible setting."""
    for on_error in ("raise", "skip"):
        with pytest.raises(SourceError, match="no such file or folder"):
            MediaReader(store, on_error=on_error).load_data(tmp_path / "nowhere")
    with pytest.raises(SourceError, match="no such file or folder"):
        MediaReader(store).load_data("memory://nowhere/at/all")
    with pytest.raises(ConfigurationError, match="on_error"):
        MediaReader(store, on_error="ignore")


def test_everything_that_can_be_named(tmp_path: Path, store: MediaStore) -> None:
    """Paths, strings, file URLs, fsspec URLs and folders, sources, and lists of them."""
    folder = write(tmp_path / "f", {"a.txt": b"words", "d/b.png": picture()})
    memory = fsspec.filesystem("memory")
    memory.pipe("/readers/x.txt", b"far words")
    memory.pipe("/readers/sub/y.wav", wav())
    memory.pipe("/readers/.z.txt", b"hidden")
    reader = MediaReader(store)
    named = [
        folder / "a.txt",
        str(folder / "d"),
        f"file://{folder}/a.txt",
        "memory://readers",
        "memory://readers/x.txt",
    ]
    documents = reader.load_data([*named, Source.of_bytes(b"bytes", "c.txt")])
    assert names(documents) == ["a.txt", "b.png", "a.txt", "y.wav", "x.txt", "x.txt", "c.txt"]
    assert documents[3].metadata["file_path"] == "memory:///readers/sub/y.wav"
    assert store.read(MediaRef.parse(documents[3].metadata["media_ref"])) == wav()
    assert documents[0].node_id == documents[2].node_id


async def test_async(tmp_path: Path, store: MediaStore) -> None:
    """The same documents without blocking the loop."""
    folder = write(tmp_path / "f", {"a.txt": b"words", "b.pdf": pdf()})
    reader = MediaReader(store)
    found = await reader.aload_data(folder)
    assert [d.node_id for d in found] == [d.node_id for d in reader.load_data(folder)]


def test_pickling(tmp_path: Path, store: MediaStore) -> None:
    """A reader travels to worker processes with its options."""
    reader = pickle.loads(pickle.dumps(MediaReader(store, ReaderOptions(passwords=("hush",)), on_error="skip")))
    assert (reader.media_store, reader.options.passwords, reader.on_error) == (store, ("hush",), "skip")
    assert "hush" not in repr(reader.options)


def test_extra_metadata(tmp_path: Path, store: MediaStore) -> None:
    """A caller's keys are added and hidden from the model; dates, and what the package says itself, are not touched."""
    folder = write(tmp_path / "f", {"a.png": picture()})
    extra = {
        "team": "B",
        "file_path": "elsewhere",
        "last_modified_date": "2020-01-01",
        "media_ref": f"media://{'0' * 64}",
        "modality": "audio",
    }
    (document,) = MediaReader(store).load_data(folder / "a.png", extra_info=extra)
    assert document.metadata["team"] == "B"
    assert document.metadata["file_path"] == str(folder / "a.png")
    assert document.metadata["modality"] == "image"
    assert "last_modified_date" not in document.metadata
    assert "0" * 64 not in document.metadata["media_ref"]
    seen = document.get_content(MetadataMode.EMBED)
    assert seen == f"media_ref: {document.metadata['media_ref']}\ntitle: a"
    (text,) = MediaReader(store).load_data(Source.of_bytes(b"words", "w.txt"), extra_info=extra)
    assert text.get_content(MetadataMode.EMBED) == "title: w\n\nwords"


def test_simple_directory_reader(tmp_path: Path, store: MediaStore) -> None:
    """As its file extractor nothing is read as garbage, and every modality keeps its media."""
    files = {"a.wav": wav(), "b.PNG": picture(), "c.docx": docx_file(), "d.txt": b"words", "e.exe": b"MZ\0\0junk"}
    folder = write(tmp_path / "f", files)
    extractor = media_file_extractor(store)
    documents = SimpleDirectoryReader(folder, file_extractor=extractor).load_data()
    assert [d.metadata["modality"] for d in documents] == [
        *("audio", "image"),
        *("text", "text", "image", "image", "text"),
        "text",
    ]
    for document in documents:
        lines = document.get_content(MetadataMode.EMBED).partition("\n\n")[0].split("\n")
        assert {line.partition(":")[0] for line in lines} <= {"media_ref", "title", "file_path"}
    with pytest.raises(Exception, match="Error loading file") as caught:
        SimpleDirectoryReader(folder, file_extractor=extractor, raise_on_error=True).load_data()
    assert isinstance(caught.value.__cause__, UnsupportedFormat)


def test_simple_directory_reader_with_workers(tmp_path: Path, store: MediaStore) -> None:
    """Readers and documents cross process borders unharmed."""
    folder = write(tmp_path / "f", {"a.wav": wav(), "b.png": picture()})
    reader = SimpleDirectoryReader(folder, file_extractor=media_file_extractor(store))
    there = reader.load_data(num_workers=2)
    here = reader.load_data()
    assert [(d.node_id, d.metadata["media_ref"]) for d in there] == [(d.node_id, d.metadata["media_ref"]) for d in here]


def test_simple_directory_reader_on_another_filesystem(store: MediaStore) -> None:
    """Content behind fsspec is kept, because a URL alone may not lead back to it."""
    memory = fsspec.filesystem("memory")
    memory.pipe("/simple/a.png", picture("green"))
    reader = SimpleDirectoryReader("/simple", fs=memory, file_extractor=media_file_extractor(store))
    (document,) = reader.load_data()
    memory.rm("/simple/a.png")
    assert store.read(MediaRef.parse(document.metadata["media_ref"])) == picture("green")
    assert document.metadata["file_path"] == "memory:///simple/a.png"


def test_extractor_covers_what_would_be_garbage() -> None:
    """Every suffix of every format, and those of binary files without a reader, in lower case."""
    extractor = media_file_extractor()
    assert set(extractor) >= {s for f in formats() for s in f.suffixes}
    assert set(extractor) >= {".xlsx", ".epub", ".msg", ".zip", ".exe", ".heic", ".mkv", ".webm", ".flac", ".ipynb"}
    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in extractor)


def test_formats_are_described() -> None:
    """Each format knows its name, suffixes and types, and only one suffix belongs to two: TypeScript and film."""
    suffixes = Counter(s for f in formats() for s in f.suffixes)
    assert [suffix for suffix, count in suffixes.items() if count > 1] == [".ts", ".mts"]
    assert {f.name for f in formats()} >= {"text", "markdown", "html", "pdf", "docx", "pptx", "image", "audio", "video"}
    assert all("/" in mime_type for f in formats() for mime_type in f.mime_types)


def test_formats_of_other_packages(tmp_path: Path, store: MediaStore) -> None:
    """A package that declares an entry point adds a format, found by content like the others."""
    write(
        tmp_path / "site",
        {
            "shouting.py": (
                b"from llama_index_gemini_mm.readers import DocumentBuilder, Format\n"
                b"class Shouting(Format):\n"
                b"    name, suffixes, mime_types = 'shouting', ('.shout',), ('text/x-shout',)\n"
                b"    def score(self, source):\n"
                b"        return self.score_by_magic(source, matches=source.head.startswith(b'SHOUT'))\n"
                b"    def read(self, source, store, options):\n"
                b"        words = source.read().decode()[6:].upper()\n"
                b"        yield DocumentBuilder(source, store, 'text/x-shout').text(words)\n"
                b"FORMAT = Shouting()\n"
            ),
            "shouting-1.dist-info/METADATA": b"Metadata-Version: 2.1\nName: shouting\nVersion: 1\n",
            "shouting-1.dist-info/entry_points.txt": b"[llama_index_gemini_mm.formats]\nshout = shouting:FORMAT\n",
        },
    )
    import subprocess
    import sys

    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r})\n"
        "from llama_index_gemini_mm import MediaReader\n"
        "from llama_index_gemini_mm.source import Source\n"
        "print(MediaReader('store').load_data(Source.of_bytes(b'SHOUT words', 'a.txt'))[0].text)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "WORDS"


def test_find_format() -> None:
    """Content goes before the suffix; among texts the suffix decides."""
    for data, name, expected in (
        (pdf(), "a.docx", "pdf"),
        (docx_file(), "a.pptx", "docx"),
        (b"# Head", "a.md", "markdown"),
        (b"# Head", "a.txt", "text"),
        (b"<!doctype html><p>", "a.md", "html"),
    ):
        assert find_format(Source.of_bytes(data, name)).name == expected
