# Each target makes .venv and installs what it needs on first use.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

COMPILED := .venv-compiled

.PHONY: serve test test-compiled check bench bench-quick importtime clean
serve: $(VENV)/.installed
	$(BIN)/pronghorn --config examples/site/pronghorn.toml

test: $(VENV)/.installed-test
	$(BIN)/python -m pytest

# The same tests with the compiled modules; `make test-compiled TESTS="tests/http tests/wsgi"` runs some of them.
TESTS ?= tests
test-compiled: $(COMPILED)/.installed
	$(COMPILED)/bin/python -m pytest $(TESTS) tests_compiled

check: $(VENV)/.installed-dev
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy

# All of it, and docs/benchmarks.md; `make bench ARGS=--resume` goes on with a run that was interrupted.
bench: $(VENV)/.installed
	$(BIN)/python -m bench --page $(ARGS)

# Is the working tree slower than the last release, or than REV=abc123? Ends with 1 if so.
bench-quick: $(VENV)/.installed
	$(BIN)/python -m bench.versus $(REV)

# What a start imports, how long it takes, what an idle process holds: docs/start.md.
importtime: $(VENV)/.installed
	$(BIN)/python -m bench.start

clean:
	rm -rf $(VENV) $(COMPILED) build src/*.egg-info

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

$(COMPILED)/.installed: pyproject.toml setup.py $(shell find src -name '*.py' -o -name '*.p[xy][dx]')
	rm -rf $(COMPILED) build
	$(PYTHON) -m venv $(COMPILED)
	PRONGHORN_COMPILE=require $(COMPILED)/bin/python -m pip install --quiet '.[test]'
	touch $@
