"""Small real files, made with the libraries that make such files."""

from __future__ import annotations

import io
import math
import struct
import wave
from collections.abc import Callable
from pathlib import Path

import av
import docx
import numpy as np
import pptx
import pymupdf
from docx.shared import Inches as DocxInches
from llama_index.core.schema import Document
from PIL import Image, ImageDraw
from PIL.PngImagePlugin import PngInfo
from pptx.util import Inches

Read = Callable[..., list[Document]]
"""What the fixtures ``read`` and ``read_bytes`` are: a file name, bytes, and reader options."""


def picture(color: str = "red", size: tuple[int, int] = (120, 90), kind: str = "PNG", **options: object) -> bytes:
    """A picture of a disc."""
    image = Image.new("RGB", size, "white")
    ImageDraw.Draw(image).ellipse((10, 10, size[0] - 10, size[1] - 10), fill=color)
    target = io.BytesIO()
    image.save(target, kind, **options)
    return target.getvalue()


def described_png(title: str, caption: str) -> bytes:
    """A picture with text chunks."""
    info = PngInfo()
    info.add_text("Title", title)
    info.add_text("Description", caption)
    return picture(pnginfo=info)


def wav(seconds: float = 1.0, hertz: int = 440) -> bytes:
    """A tone, 8 kHz mono."""
    frames = b"".join(
        struct.pack("<h", int(9000 * math.sin(2 * math.pi * hertz * n / 8000))) for n in range(int(8000 * seconds))
    )
    target = io.BytesIO()
    with wave.open(target, "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(frames)
    return target.getvalue()


def recording(
    container: str, codec: str, *, film: str | None = None, rate: int = 44100, tags: dict[str, str] | None = None
) -> bytes:
    """One second of sound in a container, with frames of a moving disc when ``film`` names a codec.

    An empty ``codec`` leaves the sound out.
    """
    target = io.BytesIO()
    with av.open(target, "w", format=container) as out:
        out.metadata.update(tags or {})
        if film:
            stream = out.add_stream(film, rate=25)
            stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        if codec:
            sound = out.add_stream(codec, rate=rate, layout="mono")
            sound.bit_rate = 64000
        out.start_encoding()
        if film:
            for n in range(25):
                frame = av.VideoFrame.from_image(Image.new("RGB", (96, 64), (10 * n, 80, 120)))
                out.mux(stream.encode(frame))
            out.mux(stream.encode(None))
        if codec:
            for frame in _tone(sound, rate):
                out.mux(sound.encode(frame))
            out.mux(sound.encode(None))
    return target.getvalue()


def _tone(stream: av.AudioStream, rate: int) -> list[av.AudioFrame]:
    samples = (8000 * np.sin(np.arange(rate) * 2 * math.pi * 440 / rate)).astype(np.int16)
    size = stream.codec_context.frame_size or 1024
    frames = []
    for start in range(0, rate - size + 1, size):
        frame = av.AudioFrame.from_ndarray(samples[None, start : start + size], format="s16", layout="mono")
        frame.sample_rate, frame.pts = rate, start
        frames.append(frame)
    return frames


def pdf(*, password: str | None = None, text: str = "The spindle grinds when the bearing is worn. " * 20) -> bytes:
    """Three pages: text with a figure, a scan, and a drawing; an outline over the first and last."""
    with pymupdf.open() as document:
        page = document.new_page()
        page.insert_textbox((72, 60, 520, 300), text, fontsize=11)
        page.insert_image((100, 320, 340, 500), stream=picture("green", (240, 180), "JPEG", quality=90))
        page.insert_text((100, 520), "Figure 1: The worn bearing")
        page.insert_image((540, 20, 560, 40), stream=picture("black", (20, 20)))
        document.new_page().insert_image((0, 0, 595, 842), stream=picture("blue", (595, 842), "JPEG", quality=60))
        drawing = document.new_page()
        for n in range(60):
            drawing.draw_line((100, 100 + 8 * n), (500, 580 - 8 * n))
        drawing.insert_text((100, 80), "Exploded view")
        document.set_toc([[1, "Spindle", 1], [2, "Noise", 1], [1, "Drawings", 3]])
        document.set_metadata({"title": "Lathe manual"})
        document.set_page_labels([{"startpage": 0, "prefix": "", "style": "r", "firstpagenum": 1}])
        locked = {"encryption": pymupdf.PDF_ENCRYPT_AES_256, "user_pw": password, "owner_pw": "x"} if password else {}
        return bytes(document.tobytes(**locked))


def docx_file(*, tail: str = "End of the report.") -> bytes:
    """Two levels of headings, a table, two pictures: one with alternative text, one with a caption."""
    document = docx.Document()
    document.core_properties.title = "Service report"
    document.add_heading("Machine", 1)
    document.add_paragraph("The machine was inspected.")
    document.add_heading("Spindle", 2)
    document.add_paragraph("The photo shows the spindle.")
    shape = document.add_picture(io.BytesIO(picture("red")), width=DocxInches(2))
    shape._inline.docPr.set("descr", "Red spindle, front view")
    document.add_picture(io.BytesIO(picture("blue")), width=DocxInches(2))
    document.add_paragraph("Figure 2: Blue bearing", style="Caption")
    document.add_heading("Parts", 1)
    table = document.add_table(2, 2)
    for cell, text in zip(table._cells, ("Part", "Count", "Bearing", "4"), strict=True):
        cell.text = text
    document.add_paragraph(tail)
    target = io.BytesIO()
    document.save(target)
    return target.getvalue()


def pptx_file() -> bytes:
    """Two slides: text, table and notes; a grouped and a plain picture, a sound and a film."""
    deck = pptx.Presentation()
    first = deck.slides.add_slide(deck.slide_layouts[1])
    first.shapes.title.text = "Grinding noise"
    first.placeholders[1].text = "Comes from the spindle"
    table = first.shapes.add_table(2, 2, Inches(1), Inches(4), Inches(4), Inches(1)).table
    for cell, text in zip(table.iter_cells(), ("Speed", "Noise", "500", "loud"), strict=True):
        cell.text = text
    first.notes_slide.notes_text_frame.text = "Play the recording"
    second = deck.slides.add_slide(deck.slide_layouts[5])
    second.shapes.title.text = "Pictures and sound"
    plain = second.shapes.add_picture(io.BytesIO(picture("red")), Inches(1), Inches(2), Inches(2))
    plain._element._nvXxPr.cNvPr.set("descr", "A red disc")
    group = second.shapes.add_group_shape()
    group.shapes.add_picture(io.BytesIO(picture("blue")), Inches(4), Inches(2), Inches(2))
    film = io.BytesIO(recording("mp4", "aac", film="mpeg4"))
    second.shapes.add_movie(film, Inches(1), Inches(5), Inches(2), Inches(1), mime_type="video/mp4")
    second.shapes.add_movie(io.BytesIO(wav()), Inches(5), Inches(5), Inches(1), Inches(1), mime_type="audio/wav")
    target = io.BytesIO()
    deck.save(target)
    return target.getvalue()


def write(folder: Path, files: dict[str, bytes]) -> Path:
    """Write files, folders in between included."""
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder
