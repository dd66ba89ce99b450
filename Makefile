# make book   build the book and print where it is
# make test   lint, types and tests
# make clean  remove everything that can be made again but downloads and runs
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: help book test clean
help:
	@grep '^# make' Makefile | cut -c3-

book: $(VENV)/.book
	$(BIN)/python book/build.py $(ARGS)

test: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest --numprocesses 2 --dist loadfile $(ARGS)

# torch alone is a large download, so say what takes so long
$(VENV)/.core: requirements.txt pyproject.toml weaktr_core/crf-requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo "Python 3.10 or newer is needed; set PYTHON=/path/to/python3"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing requirements.txt into $(VENV) (PyTorch is large: some minutes)"
	$(PIP) --requirement requirements.txt
	$(PIP) --no-deps --editable .
	@$(PIP) --requirement weaktr_core/crf-requirements.txt 2>/dev/null || \
	  echo "pydensecrf2 was not built (is there a C compiler?): all works but the CRF"
	@touch $@

$(VENV)/.book: $(VENV)/.core book/requirements.txt
	@echo "installing book/requirements.txt"
	$(PIP) --requirement book/requirements.txt
	@touch $@

$(VENV)/.test: $(VENV)/.core tests/requirements.txt
	@echo "installing tests/requirements.txt"
	$(PIP) --requirement tests/requirements.txt
	@touch $@

clean:
	rm -rf build $(VENV) .pytest_cache .mypy_cache .ruff_cache
