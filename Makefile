# make loop: from a clean clone to a verdict.  make test: everything CI checks.  Both need Python 3.11+ and make only.
PYTHON ?= python3
BIN := .venv/bin
PROCESSES ?= 2

.PHONY: loop test test-all check index clean

loop: .venv/installed
	$(BIN)/slmkit loop

test: .venv/installed check
	$(BIN)/pytest -n $(PROCESSES) -m "not slow and not gpu and not network"

test-all: .venv/installed check
	$(BIN)/pytest -n $(PROCESSES)

check: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy slmkit
	$(BIN)/slmkit check

# The list of all recipes, from the recipes; a test compares.
index: .venv/installed
	$(BIN)/slmkit ls --markdown > recipes/README.md

# torch first: its pinned build is the one the rest is then resolved against.
.venv/installed: pyproject.toml configs/constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c configs/constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c configs/constraints.txt -e '.[dev]'
	touch $@

clean:
	rm -rf .venv runs
