"""Files as other programs write them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from llama_index_gemini_mm import MediaReader, MediaStore

CORPUS = Path(__file__).parent.parent / "corpus" / "readers"

FOUND = [
    ("footnotes.docx", {"text": 1}, "Eto ochen prostoy[1] text so snoskoy\n\n[1] snoska"),
    ("testWORD_3imgs.docx", {"text": 1, "image": 3}, "The Alfresco logo is above this"),
    ("testWORD_charts.docx", {"text": 1}, "|  | NUMBER |\n| --- | --- |\n| January | 5 |"),
    ("testWORD_sdtInTextBox.docx", {"text": 1}, "rich-text-content-control_inside-text-box"),
    ("testWORD_various.docx", {"text": 2}, "- Bullet 1\n- Bullet 2\n- Bullet 3"),
    ("testPPT_groups.pptx", {"text": 1, "image": 1}, "- smart1\n- smart2\n- Smart3"),
    ("testPPT_embeddedMP3.pptx", {"audio": 1}, "Test Artist\nTest Album\nRock\nTest Comment"),
    ("testAACid3.aac", {"audio": 1}, ""),
    ("testMP3noid3.mp3", {"audio": 1}, ""),
    ("testVORBIS.ogg", {"audio": 1}, ""),
    ("testPDF_JBIG2.pdf", {"text": 1, "image": 1}, "This is a sample file to test images compressed using JBIG2."),
]


@pytest.mark.parametrize(("name", "counts", "words"), FOUND)
def test_found_files(tmp_path: Path, store: MediaStore, name: str, counts: dict[str, int], words: str) -> None:
    """Each gives what it holds, whether or not its suffix says what it is."""
    copy = tmp_path / "copy.unknown"
    copy.write_bytes((CORPUS / name).read_bytes())
    for path in (CORPUS / name, copy):
        documents = MediaReader(store).load_data(path)
        assert Counter(d.metadata["modality"] for d in documents) == counts
        assert words in "\n".join(d.text for d in documents)
        assert all(Path(d.metadata["file_path"]) == path for d in documents)


def test_alternative_texts_of_a_found_document(store: MediaStore) -> None:
    """Pictures carry the words their author gave them and the paragraph before them."""
    documents = MediaReader(store).load_data(CORPUS / "testWORD_3imgs.docx")
    captions = [d.text for d in documents if d.metadata["modality"] == "image"]
    assert captions[0] == "A description...\nThe quick brown fox jumps over the lazy dog"
    assert captions[1] == captions[2] == "A description...\nMore images follow...."


def test_place_of_embedded_sound(store: MediaStore) -> None:
    """A sound in a deck says where in the package it lies and on which slide it plays."""
    (sound,) = MediaReader(store).load_data(CORPUS / "testPPT_embeddedMP3.pptx")
    assert sound.metadata["container_path"] == "testPPT_embeddedMP3.pptx!/ppt/media/media1.mp3"
    assert (sound.metadata["slide"], sound.metadata["mime_type"]) == (1, "audio/mpeg")
    assert sound.metadata["end_seconds"] > 0
