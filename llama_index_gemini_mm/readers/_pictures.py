"""Pictures inside documents: whether one can be used, and finding the bytes that a link names."""

from __future__ import annotations

import base64
import binascii
import io
from collections.abc import Callable
from functools import partial
from pathlib import Path
from urllib.parse import unquote, unquote_to_bytes

from llama_index_gemini_mm.codecs import Undecodable
from llama_index_gemini_mm.readers._base import ReaderOptions
from llama_index_gemini_mm.readers._remote import Remote
from llama_index_gemini_mm.readers.image import decoded_info, is_picture
from llama_index_gemini_mm.readers.svg import is_drawing
from llama_index_gemini_mm.sandbox import ask_parent, inside_worker
from llama_index_gemini_mm.source import HEAD_BYTES, Source

MAX_LINKED_BYTES = 64 * 2**20
NOWHERE = Source.of_bytes(b"", "")
"""A file whose links are relative to nothing on this disk: a mail, a page in an e-book."""
FETCH = "fetch"
"""The service of the parent process that does so."""
Fetch = Callable[[str], bytes | None]
"""From an http(s) link to the bytes of a picture."""


def is_large_enough(width: float, height: float, shown: float, min_side: int) -> bool:
    """Whether a picture of ``width`` x ``height`` pixels is more than an ornament.

    Its shorter side has ``min_side`` pixels, or is ``shown`` that large on its page (in pixels of 1/96 inch) and has a
    quarter of them: a small picture shown large is meant to be seen, a stretched dot is a rule.
    """
    side = min(width, height)
    return side >= min_side or (shown >= min_side and side >= min_side / 4)


def usable_mime(data: bytes, min_side: int, shown: float = 0.0) -> str | None:
    """The MIME type of a picture that can be decoded and is large enough, or ``None``."""
    if not is_picture(data[:64]):
        return None
    try:
        info = decoded_info(io.BytesIO(data))
    except Undecodable:
        return None
    return info.mime_type if info and is_large_enough(info.width, info.height, shown, min_side) else None


def drawn(data: bytes) -> tuple[bytes, str]:
    """An SVG drawing as a picture, and the words in it; other bytes as they are, and no words.

    Of a drawing that shows nothing, or that cannot be drawn, nothing is left.
    """
    if not is_drawing(data[:HEAD_BYTES]):
        return data, ""
    from llama_index_gemini_mm.codecs import svg

    try:
        drawing = svg.render(data)
    except Undecodable:
        return b"", ""
    return (b"", "") if drawing.is_blank else (drawing.data, drawing.caption)


def remote(options: ReaderOptions) -> Fetch | None:
    """What fetches the pictures that one document links to by http(s); ``None`` unless the options ask for it.

    A worker has no network: there, its parent fetches them.
    """
    if not options.fetch_remote:
        return None
    return partial(ask_parent, FETCH) if inside_worker() else Remote()


def linked_bytes(source: Source, link: str, root: str | None, fetch: Fetch | None = None) -> bytes | None:
    """What a picture link in a file names: a ``data:`` URI, or a file below ``root`` (by default the file's folder).

    An http(s) link is given to ``fetch``, when there is one (see ``remote``). Anything else gives ``None``: no link
    leads out of the folder, be it by ``..``, an absolute path, or a symbolic link.
    """
    if link[:5].lower() == "data:":
        return _data_uri(link)
    if link[:8].lower().startswith(("http://", "https://", "//")):
        return fetch(link) if fetch else None
    path = unquote(link.partition("#")[0].partition("?")[0])
    if source.local_path is None or not path or "\0" in path or ":" in path or path.startswith(("/", "\\")):
        return None
    folder = source.local_path.parent
    allowed = Path(root or folder).resolve()
    try:
        target = (folder / path).resolve()
        if not target.is_relative_to(allowed) or not target.is_file() or target.stat().st_size > MAX_LINKED_BYTES:
            return None
        return target.read_bytes()
    except OSError:
        return None


def _data_uri(uri: str) -> bytes | None:
    head, _, body = uri.partition(",")
    if len(body) > 2 * MAX_LINKED_BYTES:
        return None
    if not head.lower().endswith(";base64"):
        return unquote_to_bytes(body)
    try:
        return base64.b64decode("".join(unquote(body).split()) + "==")
    except (binascii.Error, ValueError):
        return None
