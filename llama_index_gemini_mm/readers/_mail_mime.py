"""From the bytes of a MIME message to a ``Mail``, by the standard library within bounds."""

from __future__ import annotations

import base64
import binascii
import quopri
import re
from email import message_from_bytes, policy
from email.errors import HeaderParseError, MessageError
from email.header import decode_header
from email.message import Message
from email.utils import getaddresses, parsedate_to_datetime

from llama_index_gemini_mm.errors import EncryptedFile, FileTooLarge
from llama_index_gemini_mm.readers._base import corrupt
from llama_index_gemini_mm.readers._mail import MAX_MAIL_BYTES, MAX_PARTS, Attached, Body, Mail, mail_name, people
from llama_index_gemini_mm.readers._text import decode
from llama_index_gemini_mm.readers.html.tree import page_text
from llama_index_gemini_mm.source import Source

AnyMessage = Message

_HEADER = re.compile(rb"([!-9;-~]{1,80}):[^\n]*\n(?:[ \t][^\n]*\n)*")
_UNIX_FROM = re.compile(rb"\A>?From [^\n]*\n")
_BOUNDARY = re.compile(rb"boundary\s{0,9}=\s{0,9}(?:\"([^\"\r\n]{1,200})\"|([^\s;\"]{1,200}))", re.IGNORECASE)
_SEPARATOR = re.compile(rb"^--([^\r\n]{1,210})", re.MULTILINE)
_INNER = re.compile(rb"^content-type:\s{0,9}message/", re.IGNORECASE | re.MULTILINE)
_SAVED_PAGE = frozenset(("snapshot-content-location", "x-maf-information"))
_RELATED_PAGE = re.compile(rb"^content-type:\s*multipart/related(?:[^\n]*\n[ \t])*[^\n]*text/html", re.I | re.M)
_SIGNATURES = frozenset(
    (
        "application/pgp-signature",
        "application/pkcs7-signature",
        "application/x-pkcs7-signature",
        "application/pgp-keys",
    )
)
_SMIME = frozenset(("application/pkcs7-mime", "application/x-pkcs7-mime"))
_WORDS = frozenset(("text/plain", "text/html"))
_BROKEN = (
    *(MessageError, ValueError, LookupError, TypeError, AttributeError, AssertionError, OverflowError),
    binascii.Error,
)
"""What the standard library raises on headers and encodings that no standard knows."""
_KNOWN_ENCODINGS = frozenset(("base64", "quoted-printable", "x-uuencode", "uuencode", "uue", "x-uue", "7bit", "8bit"))
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]")
_TOO_SHORT_TO_GUESS = 100
_FOLD = re.compile(r"\r?\n[ \t]*")


def header_names(head: bytes) -> list[str]:
    """The names, in lower case, of the header lines that these bytes begin with."""
    text = head.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").lstrip(b"\n")
    start = _UNIX_FROM.match(text)
    place = start.end() if start else 0
    names: list[str] = []
    while line := _HEADER.match(text, place):
        names.append(line[1].decode("ascii").lower())
        place = line.end()
    return names


def is_saved_page(head: bytes) -> bool:
    """Whether these first bytes are those of a web page that a browser has saved as a mail (MHTML)."""
    names = header_names(head)
    if not _SAVED_PAGE.isdisjoint(names):
        return True
    is_sent = not {"received", "message-id", "to"}.isdisjoint(names)
    return not is_sent and "mime-version" in names and _RELATED_PAGE.search(head.replace(b"\r\n", b"\n")) is not None


def parsed_mail(source: Source) -> Mail:
    """The message that ``source`` holds.

    Raises:
        FileTooLarge: longer than 128 MiB, more than 1,000 parts, or nested too deeply.
        EncryptedFile: S/MIME or OpenPGP.
        CorruptFile: nothing that can be taken apart.
    """
    if source.size > MAX_MAIL_BYTES:
        raise FileTooLarge(source.location, f"a mail of {source.size >> 20} MiB, at most {MAX_MAIL_BYTES >> 20}")
    data = source.read()
    _check_parts(source, data)
    try:
        with corrupt(source, "mail", *_BROKEN):
            message = message_from_bytes(data, policy=policy.compat32)
            if _is_encrypted(message):
                raise EncryptedFile(source.location, "the mail is encrypted; save a copy that is not")
            parts = _Parts()
            parts.walk(message)
    except RecursionError as error:
        raise FileTooLarge(source.location, "a mail with too many parts inside one another") from error
    return Mail(
        subject=header(message, "subject"),
        sender=people(_people(message, "from") or _people(message, "sender")),
        recipients=people([person for name in ("to", "cc", "bcc") for person in _people(message, name)]),
        created=_date(message),
        bodies=tuple(parts.bodies),
        attached=tuple(parts.attached),
    )


def _check_parts(source: Source, data: bytes) -> None:
    """Count the parts before they are parsed, which takes a millisecond each, and longer inside one another."""
    boundaries = {a or b for a, b in _BOUNDARY.findall(data)}
    lines = (line.rstrip() for line in _SEPARATOR.findall(data)) if boundaries else ()
    count = sum(1 for line in lines if line in boundaries or line.removesuffix(b"--") in boundaries)
    count += sum(1 for _ in _INNER.finditer(data))
    if max(count, len(boundaries)) > MAX_PARTS:
        raise FileTooLarge(source.location, f"a mail of more than {MAX_PARTS:,} parts")


def _is_encrypted(message: AnyMessage) -> bool:
    kind = message.get_content_type()
    if kind == "multipart/encrypted":
        return True
    said = str(message.get_param("smime-type", "", unquote=True)).lower()
    return kind in _SMIME and said not in ("signed-data", "certs-only", "compressed-data")


class _Parts:
    """The words and the files of a message in the order in which they stand."""

    def __init__(self) -> None:
        self.bodies: list[Body] = []
        self.attached: list[Attached] = []

    def walk(self, part: AnyMessage) -> None:
        kind = part.get_content_type()
        children = _children(part)
        if kind in _SIGNATURES:
            return
        if part.get_content_maintype() == "multipart" and children:
            self._several(kind, children)
        elif self._is_words(part, kind):
            self._body(part, kind)
        else:
            self._attach(part, kind)

    def _several(self, kind: str, children: list[AnyMessage]) -> None:
        best = _best(children) if kind == "multipart/alternative" else None
        for child in children:
            other = child.get_content_type()
            if best is None or child is best or not (other in _WORDS or other.startswith("multipart/")):
                self.walk(child)

    def _is_words(self, part: AnyMessage, kind: str) -> bool:
        """Whether a part is shown as words; a named text after the first is a file that its sender attached."""
        if part.get_content_disposition() == "attachment":
            return False
        is_multipart_without_parts = part.get_content_maintype() == "multipart"
        return is_multipart_without_parts or (kind in _WORDS and not (_file_name(part) and self.bodies))

    def _body(self, part: AnyMessage, kind: str) -> None:
        is_html = kind == "text/html"
        charset = _charset(part)
        text = page_text(payload(part), charset) or "" if is_html else _worded(payload(part), charset)
        if text.strip():
            self.bodies.append(Body(text, is_html, header(part, "content-location")))

    def _attach(self, part: AnyMessage, kind: str) -> None:
        name, data = _file_name(part), payload(part)
        if kind == "message/rfc822":
            inner = _children(part)
            name = name or mail_name(header(inner[0], "subject") if inner else "")
        elif kind == "message/delivery-status":
            name = name or "delivery status.txt"
        content_id = header(part, "content-id").strip("<> ")
        self.attached.append(Attached(name, data, kind, content_id, header(part, "content-location")))


def _children(part: AnyMessage) -> list[AnyMessage]:
    inner = part.get_payload()
    return [child for child in inner if isinstance(child, Message)] if isinstance(inner, list) else []


def _best(alternatives: list[AnyMessage]) -> AnyMessage | None:
    """The last form that is HTML, or else plain text: by the standard the last one is the best."""
    for wanted in ("text/html", "text/plain"):
        for child in reversed(alternatives):
            if any(part.get_content_type() == wanted and payload(part).strip() for part in child.walk()):
                return child
    return None


def payload(part: AnyMessage) -> bytes:
    """The content of a part, decoded as far as it goes; a message inside is written out again."""
    children = _children(part)
    encoding = header(part, "content-transfer-encoding").lower()
    if part.get_content_maintype() == "message" and children:
        written = b"\n".join(map(_written, children))
        # The library takes a message apart even where it is encoded as a whole, which the standard forbids.
        return _decoded(written, encoding)
    content = part.get_payload(decode=True)
    data = content if isinstance(content, bytes) else b""
    return data if encoding in _KNOWN_ENCODINGS else _decoded(data, encoding)


def _written(message: AnyMessage) -> bytes:
    try:
        return message.as_bytes(unixfrom=False)
    except _BROKEN:
        return b""


def _decoded(raw: bytes, encoding: str) -> bytes:
    """Content without its transfer encoding. What people misspell (``quoted printable``) is meant all the same."""
    if "base64" in encoding:
        letters = _NOT_BASE64.sub(b"", raw)
        return base64.b64decode(letters[: len(letters) - (len(letters) % 4 == 1)] + b"===")
    return quopri.decodestring(raw) if "quoted" in encoding else raw


def _charset(part: AnyMessage) -> str | None:
    try:
        return part.get_content_charset()
    except _BROKEN:
        return None


def header(message: AnyMessage, name: str) -> str:
    """A header as one line of readable text; empty when it is missing."""
    return read_words(_raw(message, name), _charset(message))


def _raw(message: AnyMessage, name: str) -> str:
    values = (str(value) for key, value in message.raw_items() if key.lower() == name)
    return next(values, "")


def read_words(raw: str, charset: str | None = None) -> str:
    """Header text with its encoded words decoded (RFC 2047), and bytes that ought not to be there guessed."""
    text = _FOLD.sub(" ", raw)
    if not text.isascii():
        text = _worded(text.encode("utf-8", "surrogateescape"), charset)
    if "=?" in text:
        try:
            text = "".join(_piece(piece, encoding) for piece, encoding in decode_header(text))
        except (HeaderParseError, binascii.Error, ValueError):
            return " ".join(text.split())
    return " ".join(text.split())


def _worded(data: bytes, charset: str | None) -> str:
    """Text in an encoding that may be missing: a guess needs more than a few words, which are mostly Latin."""
    if charset is None and len(data) < _TOO_SHORT_TO_GUESS:
        try:
            return data.decode()
        except UnicodeDecodeError:
            return data.decode("cp1252", errors="replace")
    return decode(data, charset) or data.decode("cp1252", errors="replace")


def _piece(piece: bytes | str, encoding: str | None) -> str:
    if isinstance(piece, str):
        return piece
    if encoding is None:
        return piece.decode("raw-unicode-escape", errors="replace")
    return decode(piece, encoding) or ""


def _people(message: AnyMessage, name: str) -> list[str]:
    """Addresses of a header as ``Name <address>``; what is none as it is written."""
    raws = [_FOLD.sub(" ", str(value)) for key, value in message.raw_items() if key.lower() == name]
    charset = _charset(message)
    found = []
    for pair in getaddresses([raw for raw in raws if raw.strip()]):
        spoken, address = (read_words(words, charset).strip("\"' ") for words in pair)
        found.append(f"{spoken} <{address}>" if spoken and address and spoken != address else spoken or address)
    return list(filter(None, found)) or [read_words(raw, charset) for raw in raws]


def _date(message: AnyMessage) -> str:
    try:
        return parsedate_to_datetime(_raw(message, "date").strip()).isoformat()
    except _BROKEN:
        return ""


def _file_name(part: AnyMessage) -> str:
    for name in ("content-disposition", "content-type"):
        if not (raw := _raw(part, name)).isascii():
            part.replace_header(name, read_words(raw))
    try:
        return read_words(part.get_filename() or "")
    except _BROKEN:
        return ""
