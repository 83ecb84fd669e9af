# Each target makes .venv and installs what it needs on first use.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: serve test check bench bench-quick clean
serve: $(VENV)/.installed
	$(BIN)/pronghorn --config examples/site/pronghorn.toml

test: $(VENV)/.installed-test
	$(BIN)/python -m pytest

check: $(VENV)/.installed-dev
	$(BIN)/ruff format --check src tests bench examples
	$(BIN)/ruff check src tests bench examples
	$(BIN)/mypy

# All of it, and docs/benchmarks.md; `make bench ARGS=--resume` goes on with a run that was interrupted.
bench: $(VENV)/.installed
	$(BIN)/python -m bench --page $(ARGS)

# Is the working tree slower than the last release, or than REV=abc123? Ends with 1 if so.
bench-quick: $(VENV)/.installed
	$(BIN)/python -m bench.versus $(REV)

clean:
	rm -rf $(VENV) build src/*.egg-info

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/.installed-test: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable '.[test]'
	touch $@ $(VENV)/.installed

$(VENV)/.installed-dev: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable '.[test,dev]'
	touch $@ $(VENV)/.installed $(VENV)/.installed-test
