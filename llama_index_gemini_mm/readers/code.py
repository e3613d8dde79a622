"""Source code: stretches of whole functions and classes, with their lines and what encloses them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from types import MappingProxyType

from llama_index.core.schema import Document

from llama_index_gemini_mm.media import Locator, one_line
from llama_index_gemini_mm.media_store import MediaStore
from llama_index_gemini_mm.readers import _unread
from llama_index_gemini_mm.readers._base import BY_SUFFIX, NO_MATCH, DocumentBuilder, Format, ReaderOptions
from llama_index_gemini_mm.readers._stretches import numbered, stretches
from llama_index_gemini_mm.readers._text import looks_like_text, text_stream
from llama_index_gemini_mm.source import Source

_MAX_CHARS = 3000
"""Characters of one document: about what one chunk holds, so that chunks begin where functions do."""
_MAX_DEFINITION = 300
"""Characters of a line that may begin a definition; longer ones are data, or were written by a program."""
_TAB = 4
_LANGUAGES = {
    "Ada": (".adb", ".ads"),
    "Assembler": (".asm", ".s"),
    "Batch": (".bat", ".cmd"),
    "C": (".c", ".h"),
    "C#": (".cs",),
    "C++": (".cc", ".cpp", ".cxx", ".hpp", ".hh", ".hxx", ".ino"),
    "CMake": (".cmake",),
    "CSS": (".css", ".scss", ".sass", ".less"),
    "CUDA": (".cu", ".cuh"),
    "Clojure": (".clj", ".cljs", ".cljc", ".edn"),
    "CoffeeScript": (".coffee",),
    "D": (".d",),
    "Dart": (".dart",),
    "Dockerfile": (".dockerfile",),
    "Elixir": (".ex", ".exs"),
    "Elm": (".elm",),
    "Erlang": (".erl", ".hrl"),
    "F#": (".fs", ".fsx", ".fsi"),
    "Fortran": (".f", ".f90", ".f95", ".for"),
    "GLSL": (".glsl", ".vert", ".frag"),
    "Go": (".go",),
    "GraphQL": (".graphql", ".gql"),
    "Groovy": (".groovy", ".gradle"),
    "Haskell": (".hs", ".lhs"),
    "Java": (".java",),
    "JavaScript": (".js", ".mjs", ".cjs", ".jsx"),
    "Julia": (".jl",),
    "Kotlin": (".kt", ".kts"),
    "Lisp": (".lisp", ".lsp", ".cl", ".el", ".scm", ".rkt"),
    "Lua": (".lua",),
    "Makefile": (".mk", ".mak"),
    "Nim": (".nim",),
    "Nix": (".nix",),
    "OCaml": (".ml", ".mli"),
    "Objective-C": (".m", ".mm"),
    "PHP": (".php", ".phtml"),
    "Pascal": (".pas", ".dpr"),
    "Perl": (".pl", ".pm"),
    "PowerShell": (".ps1", ".psm1", ".psd1"),
    "Prolog": (".pro",),
    "Protocol Buffers": (".proto",),
    "Python": (".py", ".pyi", ".pyx", ".pyw", ".pxd"),
    "R": (".r",),
    "Ruby": (".rb", ".rake", ".gemspec"),
    "Rust": (".rs",),
    "SQL": (".sql", ".ddl"),
    "Scala": (".scala", ".sc", ".sbt"),
    "Shell": (".sh", ".bash", ".zsh", ".fish", ".ksh", ".awk"),
    "Solidity": (".sol",),
    "Svelte": (".svelte",),
    "Swift": (".swift",),
    "Tcl": (".tcl",),
    "Terraform": (".tf", ".tfvars", ".hcl"),
    "Thrift": (".thrift",),
    "TypeScript": (".ts", ".tsx", ".mts", ".cts"),
    "VHDL": (".vhd", ".vhdl"),
    "Verilog": (".v", ".sv", ".svh"),
    "Visual Basic": (".vb", ".vbs", ".bas"),
    "Vue": (".vue",),
    "Zig": (".zig",),
}
_NAMED_FILES = {
    "dockerfile": "Dockerfile",
    "makefile": "Makefile",
    "gnumakefile": "Makefile",
    "cmakelists.txt": "CMake",
    "jenkinsfile": "Groovy",
    "vagrantfile": "Ruby",
    "gemfile": "Ruby",
    "rakefile": "Ruby",
}
_SHEBANGS = {
    "python": "Python",
    "bash": "Shell",
    "sh": "Shell",
    "zsh": "Shell",
    "node": "JavaScript",
    "ruby": "Ruby",
    "perl": "Perl",
    "php": "PHP",
    "lua": "Lua",
    "awk": "Shell",
    "rscript": "R",
}
_SHEBANG = re.compile(rb"#!\s*(?:\S*/)?(?:env\s+(?:-\S+\s+)*)?([a-zA-Z]+)")
_LANGUAGE_OF = MappingProxyType({suffix: name for name, suffixes in _LANGUAGES.items() for suffix in suffixes})
_DEFINES = re.compile(
    r"\s*(?:@|(?:(?:export|default|public|private|protected|internal|static|abstract|final|sealed|async|unsafe|pub(?:\(\w+\))?"
    r"|extern|inline|virtual|override|open|data|partial|readonly|declare|local|const)\s+)*"
    r"(?:class|struct|enum|union|interface|trait|impl|record|object|protocol|extension|namespace|module|package|mod"
    r"|def|defp|defmodule|fn|func|function|fun|sub|proc|procedure|type|contract|resource|message|service|rpc|CREATE)\b"
    r"|[\w:<>*&\[\], ]+\([^;]*\)?[^;=]*\{?\s*$)"
)
"""A line that begins a definition in most languages: by a word for it, or by a call's form without an end."""
_COMMENTS = ("#", "//", "*", "/*", "--", "@", ";")
_CLOSES = re.compile(r"\s*(?:[}\])]+[;,)]*|end\b.*|else\b.*|elif\b.*|except\b.*|finally\b.*|catch\b.*)\s*$")


class CodeFormat(Format):
    """Programs in some sixty languages; a document for every 3,000 characters, cut between definitions."""

    name = "code"
    suffixes = tuple(_LANGUAGE_OF)
    mime_types = ("text/plain",)

    def score(self, source: Source) -> int:
        """Match text by its suffix, its name or the interpreter it asks for."""
        if not _language(source) or _unread.wrapped(source) or not looks_like_text(source.head):
            return NO_MATCH
        return BY_SUFFIX + 1

    def read(self, source: Source, store: MediaStore, options: ReaderOptions) -> Iterator[Document]:
        """Yield the code in stretches, titled by file, language and what encloses each."""
        builder = DocumentBuilder(source, store, self.mime_types[0])
        title = f"{source.name} ({_language(source)})"
        outline = _Outline()
        with text_stream(source) as stream:
            for part in stretches(numbered(stream, _MAX_CHARS), _rank, _MAX_CHARS):
                around = outline.around(part.text)
                if part.text.strip():
                    at = Locator(headings=around)
                    yield builder.text(part.text, title=" > ".join((title, *around)), at=at, extra=part.lines())


class _Outline:
    """The definitions that are open where a stretch begins, by indentation alone."""

    def __init__(self) -> None:
        self._open: list[tuple[int, str]] = []

    def around(self, text: str) -> tuple[str, ...]:
        """What encloses the first line of ``text``, which comes next, from the outermost inwards."""
        lines = [line for line in text.split("\n") if line.strip()]
        first = _indent(lines[0]) if lines else 0
        found = tuple(words for depth, words in self._open if depth < first)
        for line in lines:
            if not _CLOSES.match(line):
                self._enter(line)
        return found

    def _enter(self, line: str) -> None:
        depth = _indent(line)
        self._open = [(d, words) for d, words in self._open if d < depth]
        if _defines(line):
            self._open.append((depth, one_line(line.strip().rstrip("{:").strip())))


def _indent(line: str) -> int:
    text = line.expandtabs(_TAB)
    return len(text) - len(text.lstrip())


def _rank(before: str, line: str) -> int:
    """By indentation; then definitions after a blank line, other lines after one, and lines that no comment is about.

    Never at a bracket that closes, or at a blank line.
    """
    if not line.strip() or _CLOSES.match(line):
        return 1000
    if not before.strip():
        return 4 * _indent(line) + (0 if _defines(line) else 1)
    return 4 * _indent(line) + (3 if before.lstrip().startswith(_COMMENTS) else 2)


def _defines(line: str) -> bool:
    return len(line) <= _MAX_DEFINITION and _DEFINES.match(line) is not None


def _language(source: Source) -> str | None:
    shebang = _SHEBANG.match(source.head)
    asked = _SHEBANGS.get(shebang[1].decode().lower()) if shebang else None
    name = source.name.lower()
    return _LANGUAGE_OF.get(source.suffix) or _NAMED_FILES.get(name) or asked


FORMAT = CodeFormat()
