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
NPM := $(shell command -v npm 2>/dev/null)

.PHONY: help demo test check client wheel bench docs

help: ## Show the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/'

demo: $(VENV)/demo.stamp example/node_modules ## Run the shared task board; ONCE=1 shows three events and exits
	$(BIN)/python example/manage.py demo $(if $(ONCE),--once)

test: $(VENV)/test.stamp example/node_modules client/node_modules server/tests/clients/node_modules ## Run the tests; CHAOS=1 kills, hangs and crashes all around the outbox
	$(BIN)/python -m $(if $(CHAOS),tests.outbox.chaos,pytest -n $(WORKERS) --dist worksteal) $(ARGS)

check: $(VENV)/check.stamp ## Lint, check formatting and types, those of all examples too
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m mypy
	$(BIN)/python -m typing_tests.examples

client: client/node_modules ## Build the browser's client into the app's static file
	npm run --prefix client --silent build

wheel: $(VENV)/check.stamp ## Build wheels and source distributions of both packages into dist/
	rm -rf dist
	$(BIN)/python -m build
	$(BIN)/python -m build --outdir dist server

bench: $(VENV)/test.stamp ## Measure, and write the tables of the docs
	$(BIN)/python -m benchmarks $(ARGS)

docs: $(VENV)/docs.stamp $(if $(PICTURES),example/node_modules) ## Build the documentation into docs/_build; PICTURES=1 takes its pictures anew
	$(if $(PICTURES),$(BIN)/python example/screenshot.py)
	$(if $(PICTURES),$(BIN)/python example/screenshot_console.py)
	$(if $(PICTURES),$(BIN)/python example/screenshot_outbox.py)
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet --fresh-env docs docs/_build

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

# pusher-js, other clients, and what builds ours; without npm the demo takes pusher-js from the public CDN, and tests
# that need a client skip.
%/node_modules: %/package-lock.json
	$(if $(NPM),npm ci --prefix $* --no-audit --no-fund --ignore-scripts --silent && touch $@,@echo "npm not found: going on without $@")
