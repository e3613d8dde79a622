"""Pictures inside documents: whether one can be used, and finding the bytes that a link names."""

from __future__ import annotations

import base64
import binascii
import io
from pathlib import Path
from urllib.parse import unquote, unquote_to_bytes

from llama_index_gemini_mm.codecs import Undecodable
from llama_index_gemini_mm.readers.image import decoded_info, is_picture
from llama_index_gemini_mm.source import Source

MAX_LINKED_BYTES = 64 * 2**20


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


def linked_bytes(source: Source, link: str, root: str | None) -> bytes | None:
    """What a picture link in a file names: a ``data:`` URI, or a file below ``root`` (by default the file's folder).

    Anything else gives ``None``: nothing is fetched from the network, and no link leads out of the folder, be it by
    ``..``, an absolute path, or a symbolic link.
    """
    if link[:5].lower() == "data:":
        return _data_uri(link)
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
