"""ZIP and TAR archives."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import stat
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path

import pytest
from llama_index.core.schema import Document
from reader_samples import Read, docx_file, picture, wav

from llama_index_gemini_mm import MediaStore, ReaderOptions
from llama_index_gemini_mm.errors import CorruptFile, EncryptedFile, FileTooLarge, SourceError, UnsupportedFormat
from llama_index_gemini_mm.readers._archive import Names, harmless_name
from llama_index_gemini_mm.readers._registry import find_format, read_source
from llama_index_gemini_mm.readers.zip.members import member_names
from llama_index_gemini_mm.source import Source

CORPUS = Path(__file__).parent.parent / "corpus" / "readers"


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as package:
        for name, data in files.items():
            package.writestr(name, data)
    return target.getvalue()


def tarred(files: dict[str, bytes], mode: str = "w") -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode=mode) as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return target.getvalue()


def noted(
    data: bytes, name: str, store: MediaStore, options: ReaderOptions | None = None
) -> tuple[list[Document], list[SourceError]]:
    notes: list[SourceError] = []
    return list(read_source(Source.of_bytes(data, name), store, options, notes.append)), notes


FILES = {
    "b/note.txt": b"words",
    "a.png": picture("red"),
    "sound.wav": wav(),
    "doc/report.docx": docx_file(),
    "__MACOSX/a.png": b"junk",
    ".DS_Store": b"junk",
    "b/.hidden": b"junk",
    "folder/": b"",
}


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("x.zip", zipped(FILES)),
        ("x.tar", tarred(FILES)),
        ("x.tar.gz", tarred(FILES, "w:gz")),
        ("x.tgz", tarred(FILES, "w:gz")),
        ("x.tar.bz2", tarred(FILES, "w:bz2")),
        ("x.tar.xz", tarred(FILES, "w:xz")),
        ("no_suffix", zipped(FILES)),
        ("nor_here", tarred(FILES)),
    ],
)
def test_files_in_an_archive_are_read_by_name(read: Read, name: str, data: bytes) -> None:
    documents = read(name, data)
    places = list(dict.fromkeys(d.metadata["container_path"] for d in documents))
    assert places == [f"{name}!/{inner}" for inner in ("a.png", "b/note.txt", "doc/report.docx", "sound.wav")]
    assert {d.metadata["modality"] for d in documents} == {"text", "image", "audio"}
    assert documents[0].metadata["file_name"] == name
    assert documents[1].text == "words"


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_single_packed_file_loses_its_last_suffix(read: Read, pack: object) -> None:
    (document,) = read("notes.md.gz", pack(b"# Title\n\nwords"))  # type: ignore[operator]
    assert document.metadata["container_path"] == "notes.md.gz!/notes.md"
    assert document.metadata["heading_path"] == "Title"


@pytest.mark.parametrize(
    ("name", "harmless"),
    [
        ("../../../etc/passwd", "etc/passwd"),
        ("/etc/passwd", "etc/passwd"),
        ("..\\..\\win.txt", "win.txt"),
        ("C:\\evil\\x.txt", "evil/x.txt"),
        ("a/../../b.txt", "a/b.txt"),
        ("\u202etxt.exe", "txt.exe"),
        ("a\n\0b.txt", "ab.txt"),
        ("mail.eml!/inner.txt", "mail.eml/inner.txt"),
        ("..", "unnamed"),
        ("", "unnamed"),
        ("x" * 500 + ".txt", "x" * 146 + ".txt"),
    ],
)
def test_names_lead_nowhere(name: str, harmless: str) -> None:
    assert harmless_name(name) == harmless


def test_names_that_recur_are_kept_apart() -> None:
    names = Names()
    assert [names.take(n) for n in ("a.txt", "a.txt", "../a.txt", "a (2).txt", "b")] == [
        "a.txt",
        "a (2).txt",
        "a (3).txt",
        "a (2) (2).txt",
        "b",
    ]


def test_links_and_devices_are_left_out(read: Read, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("TOP SECRET")
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as package:
        link = zipfile.ZipInfo("link.txt")
        link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
        package.writestr(link, str(secret))
        package.writestr("ok.txt", "ok")
    assert [d.text for d in read("x.zip", target.getvalue())] == ["ok"]

    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE):
            member = tarfile.TarInfo(f"special{kind!r}")
            member.type, member.linkname = kind, str(secret)
            archive.addfile(member)
        member = tarfile.TarInfo("ok.txt")
        member.size = 2
        archive.addfile(member, io.BytesIO(b"ok"))
    assert [d.text for d in read("x.tar", target.getvalue())] == ["ok"]


def test_names_in_an_old_encoding(read: Read) -> None:
    documents = read("x.zip", (CORPUS / "testZipEntryNameCharsetShiftSJIS.zip").read_bytes())
    assert [d.metadata["container_path"] for d in documents] == ["x.zip!/文章1.txt", "x.zip!/文章2.txt"]


def test_packages_belong_to_their_own_format() -> None:
    assert find_format(Source.of_bytes(docx_file(), "x.zip")).name == "docx"
    assert find_format(Source.of_bytes(zipped({"a.txt": b"x"}), "x.docx")).name == "zip"


def test_unreadable_member_costs_itself_alone(store: MediaStore) -> None:
    documents, notes = noted(zipped({"a.exe": b"MZ\x90\0\3", "b.txt": b"ok", "c.png": b""}), "x.zip", store)
    assert [d.text for d in documents] == ["ok"]
    assert [(type(n), n.path) for n in notes] == [(UnsupportedFormat, "x.zip!/a.exe"), (CorruptFile, "x.zip!/c.png")]


def test_broken_member_costs_itself_alone(store: MediaStore) -> None:
    data = zipped({"a.txt": b"first words", "b.txt": b"second words"}, zipfile.ZIP_STORED)
    documents, notes = noted(data.replace(b"first words", b"worst words", 1), "x.zip", store)
    assert [d.text for d in documents] == ["second words"]
    assert [(type(n), n.path) for n in notes] == [(CorruptFile, "x.zip!/a.txt")]


@pytest.mark.parametrize("data", [zipped(FILES)[:900], b"PK\x03\x04" + bytes(100), tarred(FILES, "w:gz")[:900]])
def test_half_an_archive_is_named(read: Read, data: bytes) -> None:
    with pytest.raises(CorruptFile, match="not a readable"):
        read("x.zip", data)


def _locked(name: str, data: bytes, password: bytes) -> bytes:
    """A member locked by the old cipher of PKWARE, with the check byte from its checksum."""
    keys = [0x12345678, 0x23456789, 0x34567890]
    table = [zlib.crc32(bytes([n ^ 0xFF])) ^ 0xFFFFFFFF ^ 0xFF000000 for n in range(256)]
    table = []
    for n in range(256):
        for _ in range(8):
            n = (n >> 1) ^ 0xEDB88320 if n & 1 else n >> 1
        table.append(n)

    def update(byte: int) -> None:
        keys[0] = (keys[0] >> 8) ^ table[(keys[0] ^ byte) & 0xFF]
        keys[1] = ((keys[1] + (keys[0] & 0xFF)) * 134775813 + 1) & 0xFFFFFFFF
        keys[2] = (keys[2] >> 8) ^ table[(keys[2] ^ (keys[1] >> 24)) & 0xFF]

    for byte in password:
        update(byte)
    crc = zlib.crc32(data)
    body = bytearray()
    for byte in bytes(11) + bytes([crc >> 24]) + data:
        k = keys[2] | 2
        body.append(byte ^ (((k * (k ^ 1)) >> 8) & 0xFF))
        update(byte)
    raw = name.encode()
    common = struct.pack("<HHHHHIII", 20, 1, 0, 0, 0, crc, len(body), len(data))
    local = b"PK\3\4" + common + struct.pack("<HH", len(raw), 0) + raw + bytes(body)
    central = b"PK\1\2" + struct.pack("<H", 20) + common + struct.pack("<HHHHHII", len(raw), 0, 0, 0, 0, 0, 0) + raw
    return local + central + b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(central), len(local), 0)


def _locked_by_aes(name: str, data: bytes, password: bytes) -> bytes:
    """A member locked by AES-256 as WinZip lays it out."""
    import hashlib
    import hmac

    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    salt = bytes(range(16))
    keys = hashlib.pbkdf2_hmac("sha1", password, salt, 1000, 66)
    packer = zlib.compressobj(wbits=-15)
    plain = packer.compress(data) + packer.flush()
    encryptor = Cipher(algorithms.AES(keys[:32]), modes.ECB()).encryptor()
    stream = b"".join(encryptor.update(n.to_bytes(16, "little")) for n in range(1, len(plain) // 16 + 2))
    cipher = bytes(a ^ b for a, b in zip(plain, stream, strict=False))
    body = salt + keys[64:] + cipher + hmac.digest(keys[32:64], cipher, "sha1")[:10]
    raw, extra = name.encode(), struct.pack("<HHH2sBH", 0x9901, 7, 2, b"AE", 3, 8)
    common = struct.pack("<HHHHHIII", 51, 1, 99, 0, 0, 0, len(body), len(data))
    local = b"PK\3\4" + common + struct.pack("<HH", len(raw), len(extra)) + raw + extra + body
    tail = struct.pack("<HHHHHII", len(raw), len(extra), 0, 0, 0, 0, 0) + raw + extra
    central = b"PK\1\2" + struct.pack("<H", 51) + common + tail
    return local + central + b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(central), len(local), 0)


@pytest.mark.parametrize("lock", [_locked, _locked_by_aes])
def test_locked_members_open_by_password(store: MediaStore, lock: object) -> None:
    data = lock("a.txt", b"secret words " * 40, b"open")  # type: ignore[operator]
    (document,), _ = noted(data, "x.zip", store, ReaderOptions(passwords=("wrong", "open")))
    assert document.text == "secret words " * 40
    for passwords in ((), ("wrong",)):
        documents, notes = noted(data, "x.zip", store, ReaderOptions(passwords=passwords))
        assert documents == []
        assert [(type(n), n.path) for n in notes] == [(EncryptedFile, "x.zip!/a.txt")]


def test_bombs_are_refused_by_what_they_unpack_to(store: MediaStore) -> None:
    zeros = bytes(20 * 2**20)
    for name, data in (("x.zip", zipped({"a.bin": zeros})), ("x.tar.gz", tarred({"a.bin": zeros}, "w:gz"))):
        try:
            _, notes = noted(data, name, store)
        except FileTooLarge:
            continue
        assert [type(n) for n in notes] == [FileTooLarge]
    with pytest.raises(FileTooLarge, match="200 times"):
        noted(gzip.compress(zeros), "a.gz", store)


def test_size_that_lies_does_not_help(store: MediaStore) -> None:
    data = bytearray(zipped({"a.bin": bytes(20 * 2**20)}))
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        place = data.index(signature) + offset
        data[place : place + 4] = struct.pack("<I", 100)
    _, notes = noted(bytes(data), "x.zip", store)
    assert [type(n) for n in notes] == [CorruptFile]


def test_members_that_share_their_bytes_are_refused(read: Read) -> None:
    data = zipped({"k": bytes(100_000)}, zipfile.ZIP_DEFLATED)
    place = data.index(b"PK\x01\x02")
    central, end = data[place : data.index(b"PK\x05\x06")], bytearray(data[data.index(b"PK\x05\x06") :])
    end[8:12] = struct.pack("<HH", 500, 500)
    end[12:16] = struct.pack("<I", 500 * len(central))
    with pytest.raises(FileTooLarge, match="share their bytes"):
        read("x.zip", data[:place] + central * 500 + bytes(end))


def test_nested_archives_end_at_the_bound(store: MediaStore) -> None:
    data = zipped({"bottom.txt": b"x"})
    for _ in range(12):
        data = zipped({f"{n}.zip": data for n in range(10)})
    documents, notes = noted(data, "x.zip", store)
    assert documents == []
    assert [type(n) for n in notes] == [FileTooLarge]


def test_the_entries_of_a_large_package_are_counted_where_they_are_listed(tmp_path: Path) -> None:
    """The length of the list stands in a record of its own; behind it comes a comment."""
    for count in (70_000, 100_001):
        with zipfile.ZipFile(tmp_path / "x.zip", "w") as package:
            for number in range(count):
                package.writestr(zipfile.ZipInfo(str(number)), b"")
            package.comment = b"the end"
        names = member_names(Source.of_path(tmp_path / "x.zip"))
        assert (len(names) if names else None) == (count if count <= 100_000 else None)


def test_too_many_entries_are_counted_before_they_are_listed(read: Read) -> None:
    listed = b"PK\x01\x02" * 100_001
    with pytest.raises(FileTooLarge, match="100,000 entries"):
        read("x.zip", b"PK\x03\x04" + listed + struct.pack("<4s8xIIH", b"PK\x05\x06", len(listed), 4, 0))


def test_tar_member_of_negative_size_leads_in_no_circle(read: Read) -> None:
    header = bytearray(tarfile.TarInfo("a.txt").tobuf())
    header[124:136] = b"\xff" * 10 + b"\xfc\x00"
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    with pytest.raises(SourceError):
        read("x.tar", bytes(header) + bytes(10240))


def test_cut_member_of_a_tar_is_named(store: MediaStore) -> None:
    with pytest.raises(CorruptFile):
        noted(tarred({"a.txt": b"x" * 5000})[:3000], "x.tar", store)
