"""Cutting film without decoding it: packets are copied as they are, where the model takes their kind."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

import av
from av.error import FFmpegError

from llama_index_gemini_mm.codecs._container import MAX_LEAP_SECONDS, TOLERANCE, opened, origin, seconds, seek
from llama_index_gemini_mm.codecs.video.frames import moving_picture, pixel_aspect

if TYPE_CHECKING:
    from av.container import InputContainer

_CODECS = {"h264": 4, "hevc": 21}
"""What is copied, and the byte of the decoder's set-up that says how long the length before each unit is."""
_DEMUXERS = ("mov", "matroska", "flv")
"""Containers that keep H.264 as MP4 does; the others would need their packets rewritten."""
_CONFIGURATION_RECORD = 1
"""What the decoder's set-up starts with where packets are length-prefixed, as MP4 wants them."""
_PIXELS = ("yuv420p", "yuvj420p")
_MAX_BYTES = 16 * 2**20
"""A camera's film of half a minute can be hundreds of megabytes; encoded anew it is a few."""
_MAX_SIDE = 1080
_MAX_RATE = 61
"""Frames a second. Slow motion and broken rates are encoded anew, at a rate that the model looks at."""
_LEAD = 0.5
_SHORT = 0.2
"""Seconds by which copied film may start early or late, or end short."""
_LATE = 0.1


def copied(stream: BinaryIO, mime_type: str, start: float, end: float) -> bytes | None:
    """The film from the key frame at ``start`` to ``end`` seconds as MP4 without sound, from time 0.

    ``None`` where it must be encoded anew: another codec, no key frame near, larger than the model looks at, damaged,
    or to be shown otherwise than it is stored (turned, interlaced, pixels that are not square): whether the model
    heeds such notes in a container is not known.
    """
    with opened(stream, mime_type) as container:
        picture = moving_picture(container)
        if not _fits(container, picture):
            return None
        seek(container, start)
        packets = _with_decoding_times(container.demux(picture))
        zero, key = origin(container), next((p for p in packets if p.is_keyframe), None)
        if key is None or not -_LEAD <= seconds(key.pts, key.time_base) - zero - start <= _LATE:
            return None
        return _muxed(picture, key, packets, zero, end) if _is_shown_as_stored(picture, key) else None


def _fits(container: InputContainer, picture: Any) -> bool:
    context = picture.codec_context
    return (
        context.codec.canonical_name in _CODECS
        and (context.extradata or b"")[:1] == bytes((_CONFIGURATION_RECORD,))
        and container.format.name.split(",")[0] in _DEMUXERS
        and context.pix_fmt in _PIXELS
        and min(context.width, context.height) <= _MAX_SIDE
        and context.width % 2 == context.height % 2 == 0
        and (picture.average_rate or 0) <= _MAX_RATE
        and abs(pixel_aspect(picture) - 1) < TOLERANCE
    )


def _is_shown_as_stored(picture: Any, key: Any) -> bool:
    """Whether the key frame decodes, to one that is neither turned nor interlaced."""
    try:
        frame = next(iter([*picture.codec_context.decode(key), *picture.codec_context.decode(None)]), None)
    except FFmpegError:
        return False
    return frame is not None and not frame.rotation and not frame.interlaced_frame


def _muxed(picture: Any, key: Any, packets: Iterator[Any], zero: float, end: float) -> bytes | None:
    """The packets from ``key`` on, or ``None`` when they or their times are damaged, too many, or end too early."""
    target = io.BytesIO()
    first, reached, size = key.pts, seconds(key.pts, key.time_base) - zero, 0
    prefix = (picture.codec_context.extradata[_CODECS[picture.codec_context.codec.canonical_name]] & 3) + 1
    with av.open(target, "w", format="mp4") as out:
        copy = out.add_stream_from_template(picture)
        for packet in _chain(key, packets):
            at = seconds(packet.pts, packet.time_base) - zero
            if at >= end:
                # What follows in the order of decoding may be shown earlier, but needs this packet.
                break
            if packet.pts < first:
                # Shown before the key frame, from which alone it cannot be decoded.
                continue
            size += packet.size
            if size > _MAX_BYTES or at - reached > MAX_LEAP_SECONDS or not _is_whole(packet, prefix):
                return None
            length = seconds(packet.duration, packet.time_base)
            reached = max(reached, at + (length if length < MAX_LEAP_SECONDS else 0.0))
            packet.pts, packet.dts = packet.pts - first, packet.dts - first
            packet.stream = copy
            out.mux(packet)
        else:
            reached = end
    return target.getvalue() if reached >= end - _SHORT else None


def _chain(key: Any, packets: Iterator[Any]) -> Iterator[Any]:
    yield key
    yield from packets


def _is_whole(packet: Any, prefix: int) -> bool:
    """Whether the units in a packet fill it exactly: where bytes are lost or offsets wrong, their lengths go astray."""
    data, at = memoryview(packet), 0
    while at + prefix <= len(data):
        at += prefix + int.from_bytes(data[at : at + prefix])
    return at == len(data)


def _with_decoding_times(packets: Iterable[Any]) -> Iterator[Any]:
    """Packets with time stamps; after a seek Matroska leaves the first few without the one for decoding."""
    early: list[Any] = []
    for packet in packets:
        if packet.pts is None:
            continue
        early.append(packet)
        if packet.dts is None:
            continue
        for behind, waiting in enumerate(early[-2::-1], 1):
            waiting.dts = packet.dts - behind * (packet.duration or 1)
        yield from early
        early.clear()
