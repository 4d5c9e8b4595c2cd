# make loop: from a clean clone to a verdict.  make test: everything CI checks.  Both need Python 3.11+ and make only.
PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c configs/constraints.txt
PROCESSES ?= 2

.PHONY: loop test test-all check index clean

loop: .venv/installed
	$(BIN)/slmkit loop

test: .venv/installed check
	$(BIN)/pytest -n $(PROCESSES) --dist worksteal -m "not slow and not gpu and not network"

test-all: .venv/installed check
	$(BIN)/pytest -n $(PROCESSES) --dist worksteal

check: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy slmkit
	$(BIN)/lint-imports --no-cache
	$(BIN)/slmkit check

# The list of all recipes, from the recipes; a test compares.
index: .venv/installed
	$(BIN)/slmkit ls --markdown > recipes/README.md

# The pinned pip resolves in half the time of the one that Python 3.11 brings. torch first: its pinned build is the one
# the rest is then resolved against. Byte code is written at the end, by all cores, and not by pip on one.
.venv/installed: pyproject.toml configs/constraints.txt
	$(PYTHON) -m venv .venv
	$(INSTALL) pip
	$(INSTALL) --no-compile torch
	$(INSTALL) --no-compile -e '.[dev]'
	$(BIN)/python -m compileall -qq -j 0 -x '/tests?/' .venv/lib slmkit || true
	touch $@

clean:
	rm -rf .venv runs
