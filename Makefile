# What a developer types. `make test` is the README's test command; CI runs `make test lint`.

PYTHON ?= python3

.PHONY: install test lint format bench docs

install:  ## Build the extension and install the package.
	$(PYTHON) -m pip install .

test:  ## Install the test extra; run the Python and the Rust tests, doctests and guides included.
	$(PYTHON) -m pip install '.[test]'
	$(PYTHON) -m pytest
	cargo test --workspace --locked

lint:  ## Formatting, lints and types, as CI checks them.
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .
	$(PYTHON) -m mypy
	lint-imports
	$(PYTHON) -m mypy.stubtest moodcore._core --mypy-config-file pyproject.toml

format:  ## Format everything.
	cargo fmt --all
	$(PYTHON) -m ruff format .
	$(PYTHON) -m ruff check --fix .

bench:  ## Criterion, pytest-benchmark, and the table beside the peers.
	cargo bench -p moodcore-benches
	$(PYTHON) -m pytest benches/python --benchmark-enable --benchmark-only
	$(PYTHON) benches/peers.py

docs:  ## Build the documentation into docs/_build and check its links.
	$(PYTHON) -m pip install '.[docs]'
	$(PYTHON) -m sphinx -W --keep-going -b html docs docs/_build
	$(PYTHON) docs/check_links.py docs/_build
