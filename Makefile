# The single door to the project: people, hooks and CI call these steps by name.
# `make demo` and `make test` each work alone on a fresh machine with Python >= 3.10, cargo, a C compiler
# and the package registries; what they need beyond that they create in .venv and target.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
EXT    := $(VENV)/.extension
RUST   := $(shell find src -name '*.rs' 2>/dev/null) Cargo.toml Cargo.lock

.PHONY: demo test lint bench check develop test-rust test-python test-postgresql tools clean

demo: $(EXT)
	@bash examples/demo.sh $(abspath $(BIN))

test: ON_BOTH = -m "not each_repo"
test: lint test-rust test-python test-postgresql

check: test

develop: $(EXT)

tools:
	@command -v cargo >/dev/null || { echo "error: cargo is missing" >&2; echo "hint: install Rust from https://rustup.rs or your package manager" >&2; exit 2; }
	@command -v cc >/dev/null || { echo "error: a C compiler (cc) is missing" >&2; echo "hint: install gcc or clang, e.g. apt-get install gcc" >&2; exit 2; }
	@command -v $(PYTHON) >/dev/null || { echo "error: $(PYTHON) is missing" >&2; echo "hint: install Python 3.10 or newer, or set PYTHON=/path/to/python3" >&2; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { echo "error: $(PYTHON) is older than Python 3.10" >&2; echo "hint: make PYTHON=/path/to/newer/python3" >&2; exit 2; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "error: $(PYTHON) lacks the venv module" >&2; echo "hint: apt-get install python3-venv" >&2; exit 2; }

$(STAMP): pyproject.toml | tools
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	@$(BIN)/python -c 'import tomllib' 2>/dev/null || $(BIN)/python -m pip install --quiet --disable-pip-version-check tomli
	@$(BIN)/python .ci/requirements.py | xargs -d '\n' $(BIN)/python -m pip install --quiet --disable-pip-version-check
	@touch $@

$(EXT): $(STAMP) $(RUST)
	@VIRTUAL_ENV=$(abspath $(VENV)) $(BIN)/maturin develop --release --quiet
	@touch $@

lint: $(EXT)
	cargo fmt --check
	cargo clippy --quiet --all-targets -- -D warnings
	cargo clippy --quiet --features python -- -D warnings
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m mypy.stubtest redun._core --allowlist .ci/stubtest-allowlist.txt
	$(BIN)/lint-imports

test-rust:
	cargo test --quiet

test-python: $(EXT)
	$(BIN)/python -m pytest -n 2 --quiet

# The tests that have a repo, on PostgreSQL instead of SQLite. Those about repos (`each_repo`) are on both
# in `test-python` already, so that `make test` leaves them out here.
test-postgresql: $(EXT)
	$(BIN)/python -m pytest -n 2 --quiet --repo=postgresql $(ON_BOTH)

bench: $(EXT)
	cargo bench --quiet
	$(BIN)/python benches/run.py

clean:
	rm -rf target $(VENV) dist
