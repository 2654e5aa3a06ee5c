# What one does with this project. Every target makes the virtual environment first, where pyproject.toml asks for it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

# Benchmark tables and data sets for tests that need them; without the folder those tests are skipped.
NAOPT_DATA ?= $(abspath $(wildcard ../shared/data))
ifneq ($(NAOPT_DATA),)
export NAOPT_DATA
endif

# Bytecode is kept, that of the tests with pytest's changes too: to make it again takes each worker seconds.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help install demo test check test-minimum
.DEFAULT_GOAL := help

help:
	@echo "make demo   search a cell for handwritten digits, train it, write a report (minutes)"
	@echo "make test   static checks and all tests, with coverage"
	@echo "make check  static checks only: ruff, mypy, import-linter"
	@echo "make test-minimum  a smoke test with the oldest versions that are allowed"

install: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(INSTALLED)
	@rm -rf runs/demo runs/demo-random runs/demo-final
	$(BIN)/naopt search --space conv-cell --task digits --searcher random --budget 60 --seed 1 --workers 2 --run runs/demo-random
	$(BIN)/naopt search --space conv-cell --task digits --searcher nao --budget 60 --seed 1 --workers 2 --run runs/demo
	$(BIN)/naopt train runs/demo --task digits --threads 2 --run runs/demo-final
	$(BIN)/naopt report runs/demo --against runs/demo-random

check: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: check
	$(BIN)/python -m slipcover --immediate --json --out coverage.json -m pytest -n auto --maxprocesses 4 --dist loadfile
	@$(BIN)/python -m slipcover --merge coverage.json --out coverage.json --fail-under 95

test-minimum:
	@test -x $(VENV)-minimum/bin/python || $(PYTHON) -m venv $(VENV)-minimum
	@$(VENV)-minimum/bin/python -m pip install --quiet --disable-pip-version-check -c constraints-minimum.txt -e .
	$(VENV)-minimum/bin/python -m tests.minimum.smoke
