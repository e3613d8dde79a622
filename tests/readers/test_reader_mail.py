"""Mails, Outlook messages and mailboxes."""

from __future__ import annotations

import gzip
import mailbox
from collections import Counter
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

import pytest
from llama_index.core.schema import Document
from reader_samples import Read, picture, wav

from llama_index_gemini_mm import MediaStore
from llama_index_gemini_mm.errors import EncryptedFile, FileTooLarge, SourceError, UnsupportedFormat
from llama_index_gemini_mm.media import MediaRef
from llama_index_gemini_mm.readers._registry import find_format, read_source
from llama_index_gemini_mm.source import Source

CORPUS = Path(__file__).parent.parent / "corpus" / "readers"


def mail(subject: str = "Grinding noise", text: str = "It grinds.\n\n> since when?\n") -> EmailMessage:
    message = EmailMessage(policy=SMTP)
    message["Subject"] = subject
    message["From"] = "Änne Öhler <anne@example.org>"
    message["To"] = "ben@example.org, Carl <carl@example.org>"
    message["Date"] = "Fri, 2 May 2025 10:11:12 +0200"
    message.set_content(text)
    return message


def noted(data: bytes, name: str, store: MediaStore) -> tuple[list[Document], list[SourceError]]:
    notes: list[SourceError] = []
    return list(read_source(Source.of_bytes(data, name), store, note=notes.append)), notes


def test_mail_is_one_document_that_says_who_wrote_to_whom(read: Read) -> None:
    (document,) = read("a.eml", bytes(mail()))
    assert document.text == "It grinds.\n\n> since when?"
    said = {k: document.metadata[k] for k in ("title", "sender", "recipients", "created", "file_type")}
    assert said == {
        "title": "Grinding noise",
        "sender": "Änne Öhler <anne@example.org>",
        "recipients": "ben@example.org, Carl <carl@example.org>",
        "created": "2025-05-02T10:11:12+02:00",
        "file_type": "message/rfc822",
    }


def test_mail_is_known_by_its_headers_whatever_it_is_called(read: Read) -> None:
    (document,) = read("a.txt", b"Received: x\r\n" + bytes(mail()))
    assert document.metadata["title"] == "Grinding noise"
    assert find_format(Source.of_bytes(b"Just: words\n\nmore words\n", "a.eml")).name == "text"


def test_html_body_shows_its_pictures_at_their_place(read: Read, store: MediaStore) -> None:
    message = mail()
    page = '<h1>News</h1><p>The bearing:</p><img src="cid:one@x" alt="Worn"><p>After <img src="cid:gone@x" alt="it">'
    message.add_alternative(page, subtype="html")
    html = message.get_payload()[1]
    html.add_related(picture("red"), "image", "png", cid="<one@x>", filename="red.png")
    html.add_related(picture("blue"), "image", "png", cid="<two@x>", filename="blue.png")
    text, shown, attached = read("a.eml", bytes(message))
    assert text.text == "News\n\nThe bearing:\n\nAfter it"
    assert shown.text == "Worn\nThe bearing:"
    assert (shown.metadata["title"], shown.metadata["sender"]) == ("Grinding noise", "Änne Öhler <anne@example.org>")
    assert "container_path" not in shown.metadata
    assert store.read(MediaRef.parse(shown.metadata["media_ref"])) == picture("red")
    assert attached.metadata["container_path"] == "a.eml!/blue.png"


def test_attachments_are_files_with_decoded_harmless_names(read: Read) -> None:
    message = mail()
    message.add_attachment(picture(), "image", "png", filename="../../etc/Größe.png")
    message.add_attachment(b"first", "text", "plain", filename="C:\\notes.txt")
    message.add_attachment(b"second", "text", "plain", filename="notes.txt")
    message.add_attachment(wav(), "audio", "wav", filename="noise.wav")
    documents = read("a.eml", bytes(message))
    assert [d.metadata.get("container_path") for d in documents] == [
        None,
        "a.eml!/etc/Größe.png",
        "a.eml!/notes.txt",
        "a.eml!/notes (2).txt",
        "a.eml!/noise.wav",
    ]
    assert [d.text for d in documents[2:4]] == ["first", "second"]
    assert len({d.id_ for d in documents}) == len(documents)


def test_mail_in_a_mail_is_named_by_its_subject(read: Read) -> None:
    outer = mail()
    outer.add_attachment(mail("Re: a/b", "The inner one."))
    first, inner = read("a.eml", bytes(outer))
    assert first.metadata["title"] == "Grinding noise"
    assert (inner.text, inner.metadata["container_path"]) == ("The inner one.", "a.eml!/Re: a-b.eml")
    assert inner.metadata["sender"].startswith("Änne")


def test_mail_of_attachments_alone_is_found_by_its_subject(read: Read) -> None:
    message = mail()
    message.set_content(picture(), "image", "png", filename="x.png", disposition="attachment")
    text, image = read("a.eml", bytes(message))
    assert (text.text, image.metadata["modality"]) == ("Grinding noise", "image")


@pytest.mark.parametrize(
    ("raw", "title", "text"),
    [
        (b"Subject: =?iso-8859-1?Q?Ger=E4usch?=\n\nx", "Geräusch", "x"),
        (b"Subject: =?none?B?VEVTVA=?=\n\nx", "TEST", "x"),
        ("Subject: Geräusch\n\nÜber".encode("cp1252"), "Geräusch", "Über"),
        (b"Subject: a\nContent-Transfer-Encoding: quoted printable\n\n=C3=9Cber", "a", "Über"),
        (b"Subject: a\nContent-Type: text/plain; charset=nonsense\n\n\xc3\x9cber", "a", "Über"),
        (
            b"Subject: a\nDate: yesterday\nFrom: \nContent-Type: multipart/mixed; boundary=b\n\nno parts",
            "a",
            "no parts",
        ),
        (b"Subject: a\nContent-Transfer-Encoding: base64\n\nw5xi@@ZXI\n", "a", "Über"),
    ],
)
def test_faults_that_people_read_over(read: Read, raw: bytes, title: str, text: str) -> None:
    (document,) = read("a.eml", raw)
    assert (document.metadata["title"], document.text) == (title, text)


def test_encrypted_mails_are_named(read: Read) -> None:
    head = b"From: a@example.org\nSubject: x\nMIME-Version: 1.0\n"
    for rest in (
        b'Content-Type: multipart/encrypted; protocol="application/pgp-encrypted"; boundary=b\n\n--b\n\nx\n--b--\n',
        b"Content-Type: application/pkcs7-mime; smime-type=enveloped-data\nContent-Transfer-Encoding: base64\n\nMIIB\n",
        b"Content-Type: text/plain\n\n-----BEGIN PGP MESSAGE-----\n\nhQEM\n-----END PGP MESSAGE-----\n",
    ):
        with pytest.raises(EncryptedFile):
            read("a.eml", head + rest)


def test_signatures_are_not_attachments(read: Read) -> None:
    raw = (
        b"From: a@example.org\nSubject: x\nContent-Type: multipart/signed; boundary=b\n\n"
        b"--b\n\nSigned words.\n--b\nContent-Type: application/pgp-signature; name=a.asc\n\nxyz\n--b--\n"
    )
    (document,) = read("a.eml", raw)
    assert document.text == "Signed words."


def test_winmail_dat_costs_itself_alone(store: MediaStore) -> None:
    message = mail()
    message.add_attachment(b"\x78\x9f\x3e\x22" + bytes(99), "application", "ms-tnef", filename="winmail.dat")
    documents, notes = noted(bytes(message), "a.eml", store)
    assert len(documents) == 1
    assert [(type(n), n.path) for n in notes] == [(UnsupportedFormat, "a.eml!/winmail.dat")]


def test_very_many_parts_are_counted_before_they_are_parsed(read: Read) -> None:
    part = b"--b\nContent-Type: text/plain\n\nx\n"
    with pytest.raises(FileTooLarge, match="1,000 parts"):
        read("a.eml", b"Subject: a\nContent-Type: multipart/mixed; boundary=b\n\n" + part * 200_000)
    with pytest.raises(FileTooLarge):
        read("b.eml", b"Subject: a\n" + b"Content-Type: message/rfc822\n\n" * 900)


def test_lines_of_dashes_are_no_parts(read: Read) -> None:
    message = mail(text="--- a/file\n" * 5000)
    message.add_attachment(b"x", "text", "plain", filename="x.txt")
    assert len(read("a.eml", bytes(message))) == 2


def test_mails_in_mails_give_their_beginning(store: MediaStore) -> None:
    message = mail("level 0", "level 0")
    for level in range(1, 21):
        outer = mail(f"level {level}", f"level {level}")
        outer.add_attachment(message)
        message = outer
    documents, notes = noted(bytes(message), "a.eml", store)
    assert [d.text for d in documents] == [f"level {20 - n}" for n in range(9)]
    assert [type(n) for n in notes] == [FileTooLarge]


def test_mailbox_gives_its_messages_one_by_one(tmp_path: Path, store: MediaStore, read: Read) -> None:
    box = mailbox.mbox(tmp_path / "box")
    for number in range(3):
        message = mail(f"Message {number}", "From here on it grinds.\n")
        if number == 1:
            message.add_attachment(picture(), "image", "png", filename="a.png")
        box.add(message)
    box.close()
    data = (tmp_path / "box").read_bytes()
    documents = read("Inbox", data)
    assert [(d.metadata["container_path"], d.text) for d in documents if d.metadata["modality"] == "text"] == [
        (f"Inbox!/{n + 1:04} Message {n}.eml", "From here on it grinds.") for n in range(3)
    ]
    assert [d.metadata["container_path"] for d in documents if d.metadata["modality"] == "image"] == [
        "Inbox!/0002 Message 1.eml!/a.png"
    ]


def test_outlook_message_with_a_message_and_a_pdf_in_it(read: Read) -> None:
    documents = read("a.msg", gzip.decompress((CORPUS / "testMSG_att_msg.msg.gz").read_bytes()))
    first, inner, *rest = documents
    assert first.text == "Test email with 1 msg attachment, 1 pdf"
    assert first.metadata["sender"] == first.metadata["recipients"] == "Nick Booth <nick.booth@pof.com.au>"
    assert (first.metadata["title"], first.metadata["created"]) == ("test email", "2010-06-17T23:54:19+00:00")
    assert (inner.text, inner.metadata["container_path"]) == ("Blah blah blah", "a.msg!/Test Attachment.eml")
    assert inner.metadata["sender"] == "Nick Booth <nick.booth@pof.com.au>"
    assert {d.metadata["container_path"] for d in rest} == {"a.msg!/smbprn.00009008.KdcPjl.pdf"}


def test_outlook_message_in_a_code_page(read: Read) -> None:
    (document,) = read("testMSG_chinese.msg.gz", (CORPUS / "testMSG_chinese.msg.gz").read_bytes())
    assert document.metadata["title"] == "Alfresco MSG format testing ( MSG 格式測試 )"
    assert document.metadata["recipients"] == "Tests Chang@FT (張毓倫) <tests.chang@fengttt.com>"
    assert "中文測試" in document.text
    assert document.metadata["container_path"] == "testMSG_chinese.msg.gz!/testMSG_chinese.msg"


def test_half_an_outlook_message_is_named_or_gives_its_beginning(store: MediaStore) -> None:
    data = gzip.decompress((CORPUS / "testMSG_att_msg.msg.gz").read_bytes())
    counts: Counter[str] = Counter()
    for part in range(1, 8):
        try:
            noted(data[: len(data) * part // 8], "a.msg", store)
        except SourceError as error:
            counts[type(error).__name__] += 1
    assert set(counts) <= {"CorruptFile", "UnsupportedFormat", "FileTooLarge"}


def test_rtf_body_of_outlook_is_unpacked() -> None:
    from llama_index_gemini_mm.readers.msg.rtf import unpacked_rtf

    # The two examples of MS-OXRTFCP, section 4.
    simple = bytes.fromhex(
        "2d0000002b0000004c5a4675f1c5c7a703000a007263706731323542320af32068656c090020627705b06c647d0a800fa0"
    )
    assert unpacked_rtf(simple, 1000) == b"{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n"
    crossing = bytes.fromhex("1a0000001c0000004c5a4675e2d44b51410004205758595a0d6e7d010eb0")
    assert unpacked_rtf(crossing, 1000) == b"{\\rtf1 WXYZWXYZWXYZWXYZWXYZ}"
    assert unpacked_rtf(crossing, 5) == b"{\\rtf"
    assert unpacked_rtf(b"nonsense", 5) == b""
