"""``python -m llama_index_gemini_mm.cli``."""

from llama_index_gemini_mm.cli import main

main()
