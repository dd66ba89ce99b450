# make book   build the book and print where it is
# make test   lint, types and tests
# make clean  remove everything that can be made again but downloads and runs
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
BIOME := npm exec --yes --package=@biomejs/biome@2.6.8 -- biome ci --error-on-warnings
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: help book test clean
.NOTPARALLEL:

help:
	@grep '^# make' Makefile | cut -c3-

book: $(VENV)/.book $(VENV)/.crf
	$(BIN)/python book/build.py $(ARGS)

test: $(VENV)/.test $(VENV)/.crf
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	@if command -v npm >/dev/null; then echo "$(BIOME)"; $(BIOME); \
	  else echo "no npm: the explorers' scripts are not linted"; fi
	$(BIN)/pytest --numprocesses 2 --dist loadfile $(ARGS)

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo "Python 3.10 or newer is needed; set PYTHON=/path/to/python3"; exit 1; }
	$(PYTHON) -m venv $(VENV)

# torch alone is a large download, so say what takes so long
$(VENV)/.book: requirements.txt pyproject.toml | $(VENV)/bin/python
	@echo "installing requirements.txt into $(VENV) (PyTorch is large: some minutes)"
	$(PIP) --requirement requirements.txt
	@touch $@

$(VENV)/.test: pyproject.toml | $(VENV)/bin/python
	@echo "installing what the tests need into $(VENV) (PyTorch is large: some minutes)"
	$(PIP) --editable '.[test]'
	@touch $@

$(VENV)/.crf: pyproject.toml | $(VENV)/bin/python
	@$(PIP) --editable '.[crf]' 2>/dev/null || \
	  echo "pydensecrf2 was not built (is there a C compiler?): all works but the CRF"
	@touch $@

clean:
	rm -rf build $(VENV) .pytest_cache .mypy_cache .ruff_cache
