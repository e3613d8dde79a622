"""The house rules, held by reading the source: imports run one way, functions and files stay small."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import llama_index_gemini_mm

PACKAGE = Path(llama_index_gemini_mm.__file__).parent
NAME = PACKAGE.name
FILES = sorted(PACKAGE.rglob("*.py"))

# A room may import only from rooms further to the right.
ORDER = [
    *("cli", "demo", "index", "collection", "query_engine", "hits", "migrate", "tune", "push", "sync", "manifest"),
    *("retriever", "vector_store", "calibration", "fusion", "sparse", "storage_lock"),
    *("batch", "embedding", "embedding_settings", "calls", "portions", "queries", "inputs", "pricing"),
    *(
        "node_parser",
        "readers",
        "modalities",
        "engine",
        "media_store",
        "codecs",
        "media",
        "source",
        "sandbox",
        "limits",
        "errors",
        "layout",
        "closing",
    ),
]
MAY_IMPORT = {room: set(ORDER[position:]) for position, room in enumerate(ORDER)}
MAY_IMPORT["emulator"] = {"emulator", "limits", "errors"}
MAY_IMPORT["cli"] = MAY_IMPORT["cli"] | {"emulator"}
LONGEST_FUNCTION, LONGEST_FILE = 60, 400


def room_of(file: Path) -> str:
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_rooms(file: Path) -> set[str]:
    rooms: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            modules = [f"{_base(node, file)}.{alias.name}" for alias in node.names]
        else:
            continue
        rooms |= {m.split(".")[1] for m in modules if m.startswith(f"{NAME}.")}
    return rooms & (MAY_IMPORT.keys())


def _base(node: ast.ImportFrom, file: Path) -> str:
    """The absolute name of the module an import names, relative ones too."""
    if not node.level:
        return node.module or ""
    package = [NAME, *file.relative_to(PACKAGE).parts[:-1]]
    return ".".join([*package[: len(package) - node.level + 1], *filter(None, [node.module])])


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(PACKAGE)))
def test_imports_run_one_way(file: Path) -> None:
    """Readers know no limits, the engine no LlamaIndex, and only the command line knows the emulator."""
    room = room_of(file)
    if room == "__init__":
        return

    assert imported_rooms(file) <= MAY_IMPORT[room]
    source = file.read_text(encoding="utf-8")
    if room == "engine":
        assert "llama_index.core" not in source
    if room == "readers":
        assert f"{NAME}.engine" not in source
        assert "MAX_INPUT_TOKENS" not in source


def test_every_module_has_its_place() -> None:
    """No module stands outside the order."""
    assert {room_of(f) for f in FILES} - {"__init__"} == set(MAY_IMPORT)


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(PACKAGE)))
def test_functions_and_files_stay_small(file: Path) -> None:
    """Long ones want to be two."""
    source = file.read_text(encoding="utf-8")
    functions = [n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]

    assert source.count("\n") <= LONGEST_FILE
    assert [f.name for f in functions if (f.end_lineno or 0) - f.lineno >= LONGEST_FUNCTION] == []


def test_exported_names_exist() -> None:
    """Everything in __all__ can be imported, and dir() shows it."""
    assert sorted(llama_index_gemini_mm.__all__) == dir(llama_index_gemini_mm)
    for name in llama_index_gemini_mm.__all__:
        assert getattr(llama_index_gemini_mm, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = llama_index_gemini_mm.Nothing


@pytest.mark.parametrize("program", ["import llama_index_gemini_mm", "import llama_index_gemini_mm.cli"])
def test_imports_are_lazy(program: str) -> None:
    """Neither the package nor its command line loads the SDK, LlamaIndex or a media library."""
    heavy = ("google.genai", "llama_index.core", "numpy", "av", "pymupdf", "PIL", "qdrant_client", "aiohttp")
    check = f"{program}\nimport sys\nprint([m for m in {heavy!r} if m in sys.modules])"

    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, timeout=60, check=True)

    assert done.stdout.strip() == "[]"
