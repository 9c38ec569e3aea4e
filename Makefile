# The words of the project, the same here and in CI. Each target does its own set-up.

PYTHON ?= python3
VENV ?= .venv
# What is installed: the source, so that changes count; CI also puts built wheels here.
PACKAGE ?= -e .
SERVER ?= -e ./server
CONSTRAINTS ?= constraints.txt
# Processes that share the tests, more than processors: about half of the time is waiting.
WORKERS ?= 4
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: help demo test chaos check client wheel bench docs pictures

help: ## Show this list; each target does its own set-up, in .venv
	@sed -nE 's/^([a-z]+):[^#]*## (.*)/\1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "  make %-10s%s\n", $$1, $$2}'

demo: $(VENV)/demo.stamp example/node_modules ## Run the shared task board; ONCE=1 shows three events and exits
	$(BIN)/python example/manage.py demo $(if $(ONCE),--once)

test: $(VENV)/test.stamp example/node_modules client/node_modules server/tests/clients/node_modules ## Run the tests of both packages; ARGS="-k views" for some, WORKERS=8 for more processes
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(ARGS)

chaos: $(VENV)/test.stamp ## Kill, hang and crash everything around the outbox, and see that nothing is lost
	$(BIN)/python -m tests.outbox.chaos $(ARGS)

check: $(VENV)/check.stamp ## Lint; check formatting, types and import contracts, those of all examples too
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m mypy
	$(BIN)/lint-imports
	$(BIN)/python -m typing_tests.examples

client: client/node_modules ## Build the browser's client into the app's static file
	npm run --prefix client --silent build

wheel: $(VENV)/check.stamp ## Build wheels and source distributions of both packages into dist/
	rm -rf dist
	$(BIN)/python -m build
	$(BIN)/python -m build --outdir dist server

bench: $(VENV)/test.stamp ## Measure, and write the tables of docs/performance.md; ARGS=--quick tries it
	$(BIN)/python -m benchmarks $(ARGS)

docs: $(VENV)/docs.stamp ## Build the documentation into docs/_build
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet --fresh-env docs docs/_build

pictures: $(VENV)/test.stamp example/node_modules ## Take the pictures of the documentation anew
	$(BIN)/python example/screenshot.py
	$(BIN)/python example/screenshot_console.py
	$(BIN)/python example/screenshot_outbox.py

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python 3.10 or newer is needed: make PYTHON=…")'
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --upgrade 'pip>=25.1'

$(VENV)/demo.stamp: $(VENV)/bin/python pyproject.toml server/pyproject.toml $(CONSTRAINTS)
	$(PIP) install --constraint $(CONSTRAINTS) $(SERVER) $(PACKAGE)[server]
	touch $@

$(VENV)/test.stamp: $(VENV)/demo.stamp
	$(PIP) install --constraint $(CONSTRAINTS) --group test
	touch $@

$(VENV)/check.stamp: $(VENV)/test.stamp
	$(PIP) install --constraint $(CONSTRAINTS) --group check
	touch $@

$(VENV)/docs.stamp: $(VENV)/test.stamp
	$(PIP) install --constraint $(CONSTRAINTS) --group docs
	touch $@

# pusher-js, other clients, and what builds ours; without npm the demo takes pusher-js from the
# public CDN, and tests that need a client skip.
%/node_modules: %/package-lock.json
	@if command -v npm >/dev/null; then \
	  npm ci --prefix $* --no-audit --no-fund --ignore-scripts --silent && touch $@; \
	else echo "npm not found: going on without $@"; fi
