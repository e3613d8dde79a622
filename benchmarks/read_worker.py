"""One subject of ``read_throughput.py`` in a process of its own: prints what it measured and what it did as JSON."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

Result = tuple[float, str]
"""Seconds or MiB, and what was done."""


def _pdfs(samples: Path) -> list[Path]:
    return sorted((samples / "pdfs").glob("*.pdf"))


def pdf_bare(samples: Path) -> Result:
    """PyMuPDF alone: every page's text with boxes and its pictures, and the list of these, as a dictionary each."""
    import pymupdf

    started, pages = time.perf_counter(), 0
    for file in _pdfs(samples):
        with pymupdf.open(file) as document:
            if document.needs_pass:
                continue
            for page in document:
                page.get_text("dict")
                page.get_image_info(xrefs=True)
                pages += 1
    return time.perf_counter() - started, f"{pages} pages"


def _read(samples: Path, workers: int, files: list[Path]) -> Result:
    from llama_index_gemini_mm import MediaReader, MediaStore
    from llama_index_gemini_mm.readers import find_format
    from llama_index_gemini_mm.source import Source

    with tempfile.TemporaryDirectory() as folder:
        reader = MediaReader(MediaStore(folder), on_error="skip", workers=workers)
        find_format(Source.of_path(files[0]))  # what is imported once is not counted
        warm = min(files, key=lambda file: file.stat().st_size)
        for _ in reader.lazy_load_data([warm] * max(workers, 1)):
            pass
        started = time.perf_counter()
        counts = Counter(d.metadata["modality"] for d in reader.lazy_load_data(files))
        seconds = time.perf_counter() - started
    return seconds, ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))


def pdf_ours(samples: Path) -> Result:
    """This package, in the same process."""
    return _read(samples, 0, _pdfs(samples))


def pdf_workers_1(samples: Path) -> Result:
    """This package, in one worker process; each file twice, for two workers to have enough to do."""
    return _read(samples, 1, _copies(samples))


def pdf_workers_2(samples: Path) -> Result:
    """The same in two."""
    return _read(samples, 2, _copies(samples))


def _copies(samples: Path) -> list[Path]:
    """Equal shares for two workers, whatever the sizes of the files are."""
    return [file for file in _pdfs(samples) for _ in range(2)]


def _of_peers(samples: Path) -> list[Path]:
    """What a peer manages in bearable time: files of up to 300 kB."""
    return [file for file in _pdfs(samples) if file.stat().st_size < 300_000]


def peers_ours(samples: Path) -> Result:
    """This package on the peers' files."""
    return _read(samples, 0, _of_peers(samples))


def docling(samples: Path) -> Result:
    """Docling's converter as it comes."""
    from docling.document_converter import DocumentConverter

    converter = DocumentConverter()
    started, done = time.perf_counter(), 0
    for result in converter.convert_all(_of_peers(samples), raises_on_error=False):
        done += result.status.name == "SUCCESS"
    return time.perf_counter() - started, f"{done} files"


def unstructured(samples: Path) -> Result:
    """Unstructured's fast strategy, which reads text only."""
    from unstructured.partition.pdf import partition_pdf

    started, done = time.perf_counter(), 0
    for file in _of_peers(samples):
        try:
            done += bool(partition_pdf(filename=str(file), strategy="fast"))
        except Exception:  # noqa: BLE001 - locked and broken files, each with an error of another library
            continue
    return time.perf_counter() - started, f"{done} files"


def audio_bare(samples: Path) -> Result:
    """PyAV alone: decode every frame."""
    import av

    started, frames = time.perf_counter(), 0
    with av.open(str(samples / "hour.mp3")) as container:
        for _ in container.decode(audio=0):
            frames += 1
    return time.perf_counter() - started, f"{frames} frames"


def _cut_up(file: Path) -> Result:
    """Read, split, and cut every segment into the bytes that are uploaded."""
    from llama_index_gemini_mm import MediaNodeParser, MediaReader, MediaStore, media

    with tempfile.TemporaryDirectory() as folder:
        store = MediaStore(folder)
        reader, parser = MediaReader(store, workers=0), MediaNodeParser(media_store=store, isolated=False)
        started, size, counts = time.perf_counter(), 0, Counter[str]()
        for node in parser.get_nodes_from_documents(reader.load_data(file)):
            item = media.media_of(node)
            counts[node.metadata["modality"]] += 1
            size += len(store.cut(item.ref)[0]) if item else 0
        seconds = time.perf_counter() - started
    what = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
    return seconds, f"{what}, {size / 2**20:.0f} MiB"


def audio_ours(samples: Path) -> Result:
    """This package: segments cut at pauses, as they are uploaded."""
    return _cut_up(samples / "hour.mp3")


def video_ours(samples: Path) -> Result:
    """This package: film and sound cut at scene changes, as they are uploaded."""
    return _cut_up(samples / "film.mp4")


def _memory(file: Path) -> Result:
    """The largest resident size of this process while workers read and split a file or folder."""
    from llama_index_gemini_mm import MediaNodeParser, MediaReader, MediaStore

    with tempfile.TemporaryDirectory() as folder:
        store = MediaStore(folder)
        reader, parser = MediaReader(store, on_error="skip"), MediaNodeParser(media_store=store)
        nodes = sum(_count(documents) for _, documents in reader.read_all(reader.scan(file), then=parser))
    return _peak_mib(), f"{nodes} nodes"


def _peak_mib() -> float:
    """From Linux's own account; what ``getrusage`` says includes the process that started this one."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith("VmHWM"))) / 1024


def _count(documents: Callable[..., Iterable[Any]]) -> int:
    return sum(1 for _ in documents(lambda _: None))


def memory_film(samples: Path) -> Result:
    """Two hours of film."""
    return _memory(samples / "long.mp4")


def memory_pdf(samples: Path) -> Result:
    """1,000 pages."""
    return _memory(samples / "long.pdf")


def memory_folder(samples: Path) -> Result:
    """20,000 small files."""
    return _memory(samples / "many")


def first_file(samples: Path) -> Result:
    """One file by a reader that has just been made: a worker has to be started."""
    return _small(samples, before=0)


def later_file(samples: Path) -> Result:
    """One file by a reader whose worker waits."""
    return _small(samples, before=1)


def _small(samples: Path, before: int) -> Result:
    from llama_index_gemini_mm import MediaReader, MediaStore

    with tempfile.TemporaryDirectory() as folder:
        reader = MediaReader(MediaStore(folder))
        for _ in range(before):
            reader.load_data(samples / "small.md")
        started = time.perf_counter()
        documents = reader.load_data(samples / "small.md")
        return time.perf_counter() - started, f"{len(documents)} document"


SUBJECTS: dict[str, Callable[[Path], Result]] = {
    "pdf-bare": pdf_bare,
    "pdf-ours": pdf_ours,
    "pdf-workers-1": pdf_workers_1,
    "pdf-workers-2": pdf_workers_2,
    "peers-ours": peers_ours,
    "docling": docling,
    "unstructured": unstructured,
    "audio-bare": audio_bare,
    "audio-ours": audio_ours,
    "video-ours": video_ours,
    "memory-film": memory_film,
    "memory-pdf": memory_pdf,
    "memory-folder": memory_folder,
    "first-file": first_file,
    "later-file": later_file,
}


def main() -> None:
    """Measure once."""
    value, did = SUBJECTS[sys.argv[1]](Path(sys.argv[2]))
    print(json.dumps({"value": value, "did": did}))


if __name__ == "__main__":
    main()
