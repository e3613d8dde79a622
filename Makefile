# make demo         index a bundled mixed-media folder offline and search it
# make test         the whole suite, with branch coverage
# make test-matrix  what touches the SDK, once more with google-genai 2, beside LlamaIndex's own Gemini embedding
# make bench        how fast files are read, texts embedded, vectors stored and searched, next to others
# make lint         ruff and mypy
# make handbook     make the bundled sample anew

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
VENV2 := .venv-genai2
SDK_TESTS := tests/engine tests/emulator tests/test_embedding.py tests/test_drop_in.py tests/test_index.py \
	tests/test_embedding_calls.py tests/test_batch.py tests/test_cli_batch.py tests/test_migrate.py
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

# Installers that link files from a cache must copy them here: nltk refuses data files with several hard links.
export UV_LINK_MODE := copy

.PHONY: demo test test-matrix bench lint format handbook clean

demo: $(VENV)/.installed
	$(BIN)/gemini-mm demo

test: $(VENV)/.tested
	$(BIN)/python -m pytest -n 2 --dist worksteal --cov --cov-report=term --cov-fail-under=90

test-matrix: $(VENV2)/.tested
	$(VENV2)/bin/python -m pytest -n 2 --dist worksteal $(SDK_TESTS)

bench: $(VENV)/.tested
	$(BIN)/python benchmarks/embed_throughput.py --json benchmarks/results/embed_throughput.json
	$(BIN)/python benchmarks/cached_lookup.py
	$(BIN)/python benchmarks/read_throughput.py --json benchmarks/results/read_throughput.json
	$(BIN)/python benchmarks/index_and_search.py --json benchmarks/results/index_and_search.json

lint: $(VENV)/.tested
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.tested
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

handbook: $(VENV)/.installed
	$(BIN)/python examples/make_handbook.py

clean:
	rm -rf $(VENV) $(VENV2) .venv-peers build dist .mypy_cache .pytest_cache .ruff_cache .coverage .coverage.*

$(VENV)/bin/python $(VENV2)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(patsubst %/bin/python,%,$@)

$(VENV)/.installed: pyproject.toml | $(VENV)/bin/python
	$(PIP) install --editable .
	@touch $@

$(VENV)/.tested: pyproject.toml | $(VENV)/bin/python
	$(PIP) install --editable '.[test]'
	@touch $(VENV)/.installed $@

$(VENV2)/.tested: pyproject.toml | $(VENV2)/bin/python
	$(VENV2)/bin/python -m pip --disable-pip-version-check --quiet install 'google-genai<3' \
		llama-index-embeddings-google-genai --editable '.[test]'
	@touch $@
