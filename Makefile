# What a developer types. `make test` is the README's test command; CI runs
# `make dist test lint PACKAGE=<the wheel in dist>`.

PYTHON ?= python3
# What `make test` installs: the checkout, or a file in dist.
PACKAGE ?= .
# Build tools of a release; the second line is for wheels of other platforms only.
RELEASE_TOOLS = 'maturin>=1.8,<2' 'twine>=6.1'
CROSS_TOOLS = 'ziglang>=0.13'
# What `make test-minimums` runs: all that reads, stores or draws with another package.
VERSION_TESTS ?= tests/tables tests/songs tests/predict tests/estimators tests/model_files \
	tests/tuning tests/runs tests/plots tests/cli/test_data.py tests/cli/test_tune.py

.PHONY: install test test-minimums test-newest test-peers lint format bench docs dist wheels

install:  ## Build the extension and install the package.
	$(PYTHON) -m pip install .

test:  ## Install the test extra; run the Python and the Rust tests, doctests and guides included.
	$(PYTHON) -m pip install '$(PACKAGE)[test]'
	$(PYTHON) -m pytest
	cargo test --workspace --locked

test-minimums test-newest: test-%:  ## Run tests with the lowest or newest versions allowed.
	$(PYTHON) -m pip install 'uv>=0.8'
	uv venv --clear target/$*
	uv pip install --python target/$* --only-binary :all: --no-binary moodcore \
		--no-binary libsvm-official '$(PACKAGE)[test]' --resolution $(if $(filter minimums,$*),lowest-direct,highest)
	uv pip check --python target/$*
	target/$*/bin/python -m pytest -W ignore::DeprecationWarning \
		-W 'ignore:The number of unique classes:UserWarning' $(VERSION_TESTS)

test-peers:  ## Run scikit-learn's own tests of similar estimators on ours.
	$(PYTHON) tests/peers/run.py

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

bench:  ## Criterion, pytest-benchmark, and the comparison with other libraries.
	cargo bench -p moodcore
	$(PYTHON) -m pytest benches/python --benchmark-enable --benchmark-only
	$(PYTHON) benches/peers.py

docs:  ## Build the documentation into docs/_build and check its links.
	$(PYTHON) -m pip install '.[docs]'
	$(PYTHON) -m sphinx -W --keep-going -b html docs docs/_build
	$(PYTHON) docs/check_links.py docs/_build

dist:  ## Build the source distribution and a wheel from it into dist; check both and the crate.
	$(PYTHON) -m pip install $(RELEASE_TOOLS)
	rm -rf dist
	maturin sdist --out dist
	$(PYTHON) -m pip wheel --no-deps --wheel-dir dist dist/moodcore-*.tar.gz
	$(PYTHON) -m twine check --strict dist/*
	CARGO_PROFILE_DEV_OPT_LEVEL=0 cargo package -p moodcore --locked --allow-dirty

wheels:  ## Build the wheels of a release for Linux on x86-64 and aarch64 into dist.
	$(PYTHON) -m pip install $(RELEASE_TOOLS) $(CROSS_TOOLS)
	rustup target add x86_64-unknown-linux-gnu aarch64-unknown-linux-gnu
	for target in x86_64-unknown-linux-gnu aarch64-unknown-linux-gnu; do \
		maturin build --release --zig --compatibility manylinux2014 \
			--target $$target --out dist || exit 1; \
	done
	$(PYTHON) -m twine check --strict dist/*
