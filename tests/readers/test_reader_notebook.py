"""Jupyter notebooks."""

from __future__ import annotations

import base64
import json
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output, new_raw_cell
from reader_samples import Read, picture, wav

from llama_index_gemini_mm import MediaStore
from llama_index_gemini_mm.errors import CorruptFile, FileTooLarge
from llama_index_gemini_mm.media import MediaRef

TABLE = "<table><tr><th>speed</th><th>noise</th></tr><tr><td>500</td><td>loud</td></tr></table>"


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _display(**forms: Any) -> Any:
    return new_output("display_data", data={name.replace("_", "/"): form for name, form in forms.items()})


def _notebook(*cells: Any, **metadata: Any) -> bytes:
    return nbformat.writes(new_notebook(cells=list(cells), metadata=metadata)).encode()


def test_cells_in_their_order(read: Read) -> None:
    """Markdown makes sections, code is fenced in its language, and what it printed follows it."""
    noisy = new_code_cell(
        "measure(500)\n",
        outputs=[
            new_output("stream", text="10%\r100%\n"),
            new_output("stream", text="\x1b[31mloud\x1b[0m\n"),
            new_output("execute_result", data={"text/plain": "'42 dB'"}),
            new_output("error", ename="ValueError", evalue="too fast", traceback=["\x1b[0;31m---"]),
        ],
    )
    cells = (
        new_markdown_cell("# Noise\nIt *grinds*."),
        noisy,
        new_markdown_cell("## Later"),
        new_raw_cell("raw words"),
    )
    first, second = read("study.ipynb", _notebook(*cells, language_info={"name": "python"}))
    assert first.text == (
        "It *grinds*.\n\n```python\nmeasure(500)\n```\n\n100%\nloud\n\n'42 dB'\n\nValueError: too fast"
    )
    assert first.metadata["heading_path"] == "Noise"
    assert (second.text, second.metadata["heading_path"]) == ("raw words", "Noise > Later")
    assert {d.metadata["file_type"] for d in (first, second)} == {"application/x-ipynb+json"}


def test_pictures_of_outputs_and_attachments(read: Read, store: MediaStore) -> None:
    """They carry the code or words before them, and not the name of the object that drew them."""
    red, blue = picture("red"), picture("blue", kind="JPEG")
    attached = new_markdown_cell(
        "Look:\n\n![Spindle](attachment:s.png)", attachments={"s.png": {"image/png": _base64(red)}}
    )
    plot = new_code_cell(
        "plot('noise over speed')",
        outputs=[_display(image_jpeg=_base64(blue), text_plain="<Figure size 640x480 with 1 Axes>")],
    )
    documents = read("study.ipynb", _notebook(attached, plot))
    images = [d for d in documents if d.metadata["modality"] == "image"]
    assert [store.read(MediaRef.parse(d.metadata["media_ref"])) for d in images] == [red, blue]
    assert images[0].text == "Spindle\nLook:"
    assert images[1].text == "```\nplot('noise over speed')\n```"
    assert not any("Figure size" in d.text for d in documents)


def test_rich_outputs(read: Read) -> None:
    """Tables become Markdown, Markdown is read as such, live widgets are passed over, recordings are files inside."""
    sound = f'<audio controls src="data:audio/wav;base64,{_base64(wav())}"></audio>'
    outputs = [
        _display(text_html=TABLE, text_plain="   speed noise"),
        _display(text_markdown="# An answer\n**Bold** words", text_plain="<IPython.core.display.Markdown object>"),
        new_output(
            "display_data",
            data={"application/vnd.jupyter.widget-view+json": {"model_id": "x"}, "text/plain": "HBox(children=())"},
        ),
        _display(text_html=sound, text_plain="<IPython.lib.display.Audio object>"),
    ]
    text, audio = read("study.ipynb", _notebook(new_markdown_cell("# Title"), new_code_cell("run()", outputs=outputs)))
    assert text.text == (
        "```\nrun()\n```\n\n| speed | noise |\n| --- | --- |\n| 500 | loud |\n\nAn answer\n\n**Bold** words"
    )
    assert audio.metadata["modality"] == "audio"
    assert audio.metadata["container_path"] == "study.ipynb!/media 1"


def test_old_notebooks(read: Read) -> None:
    """Version 3 had worksheets, headings of their own, and pictures outside of a bundle."""
    cells = [
        {"cell_type": "heading", "level": 2, "source": ["Old heading"], "metadata": {}},
        {"cell_type": "markdown", "source": ["old words"], "metadata": {}},
        {
            "cell_type": "code",
            "language": "python",
            "input": ["1 + 1"],
            "metadata": {},
            "outputs": [
                {"output_type": "pyout", "text": ["2"], "prompt_number": 1, "metadata": {}},
                {"output_type": "display_data", "png": _base64(picture("red")), "metadata": {}},
            ],
        },
    ]
    notebook = {"nbformat": 3, "nbformat_minor": 0, "metadata": {"name": ""}, "worksheets": [{"cells": cells}]}
    text, image = read("old.ipynb", json.dumps(notebook).encode())
    assert text.text == "old words\n\n```\n1 + 1\n```\n\n2"
    assert text.metadata["heading_path"] == "Old heading"
    assert image.metadata["mime_type"] == "image/png"


@pytest.mark.parametrize(
    ("data", "error", "reason"),
    [
        (b"[1, 2]", CorruptFile, "JSON, but not a notebook"),
        (b'{"cells": 3, "nbformat": 4}', CorruptFile, "without cells"),
        (b'{"nbformat": 4, "cells": [{"cell_type": "markd', CorruptFile, "not JSON, or cut off"),
        (b'{"nbformat": 3, "worksheets": 5}', CorruptFile, "not a readable notebook of an old version"),
        (b'{"nbformat": 3, "nbformat_minor": "0", "worksheets": []}', CorruptFile, "of an old version"),
        (b"[" * 100_000, FileTooLarge, "nested deeper"),
    ],
)
def test_broken_notebooks_are_named(read: Read, data: bytes, error: type[Exception], reason: str) -> None:
    """Cut off, too deep, or something else."""
    with pytest.raises(error, match=reason):
        read("broken.ipynb", data)


def test_odd_cells_are_passed_over(read: Read) -> None:
    """What has the wrong type costs itself alone."""
    cells = [
        3,
        {"cell_type": "code", "source": {}, "outputs": "x"},
        {
            "cell_type": "code",
            "source": "1",
            "outputs": [4, {"output_type": "display_data", "data": {"image/png": "!"}}],
        },
        {"cell_type": "markdown", "source": ["kept"], "attachments": ["x"]},
    ]
    (document,) = read("odd.ipynb", json.dumps({"nbformat": 4, "metadata": [], "cells": cells}).encode())
    assert document.text == "```\n1\n```\n\nkept"


def test_notebook_by_content(read: Read) -> None:
    """A notebook that was saved as .json is one."""
    (document,) = read("book.json", _notebook(new_markdown_cell("words")))
    assert document.metadata["file_type"] == "application/x-ipynb+json"
