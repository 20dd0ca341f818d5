# Everything from a bare clone: only Python >= 3.11, git and make are needed.
PYTHON ?= python3
UV_VERSION := 0.13.9
BIN := .venv/bin

.PHONY: help setup demo test check lock clean

help:
	@echo "make demo   set everything up and run the whole pipeline on sample data"
	@echo "make test   set everything up and run the tests"
	@echo "make check  format, lint and types (needs the set-up, and makes it)"
	@echo "make lock   pin the newest versions that pyproject.toml allows into requirements.lock"

setup: .venv/ready

.venv/ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: Python 3.11 or newer is needed; name one with: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	$(BIN)/uv pip sync --quiet --python $(BIN)/python requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

demo: setup
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/sslflow sample data/sample
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/sslflow run --source data/sample
	@echo
	@echo "The report:                   $(CURDIR)/reports/index.html"
	@echo "Prefect's and MLflow's pages: $(BIN)/sslflow ui   (http://127.0.0.1:4200 and http://127.0.0.1:5000)"
	@echo "Go on from here:              . $(BIN)/activate && dvc repro    (finds nothing to do)"

# One thread in each of as many processes as there are cores; test files stay whole, in the order of tests/conftest.py.
test: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n logical --maxprocesses 8 --dist loadfile --no-loadscope-reorder

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

lock: setup
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-emit-index-url --upgrade --extra dev pyproject.toml --output-file requirements.lock

clean:
	rm -rf .venv data/dataset data/embeddings data/selection data/sample models metrics plots reports runs .state
