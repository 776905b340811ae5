# Atoll's make targets. Each does all of its own set-up, so `make demo` or `make test` is the first command in a fresh
# clone. `make PYTHON=/path/to/python3 …` chooses the interpreter, `make JOBS=1 test` the number of test processes.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
JS := tests/conformance/js
JS_INSTALLED := $(JS)/node_modules/.installed

# One test process a core, four at most: more do not help tests that start region processes of their own.
JOBS ?= $(shell n=$$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2); echo $$((n > 4 ? 4 : n)))
PYTEST_ARGS ?=
BENCH_ARGS ?=
SIM_ARGS ?= --seeds 200
DIFFERENTIAL_ARGS ?=

NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
ifndef PYTHON
PYTHON := $(shell for p in python3.11 python3; do $$p -c '$(NEW_ENOUGH)' >/dev/null 2>&1 && { echo $$p; break; }; done)
endif

.PHONY: help setup demo test check simulate mutants bench differential docs clean

help: ## Say what can be made
	@echo "Atoll: DynamoDB Global Tables that you can hold in your hand."
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s  %s\n", $$1, $$2 }' Makefile

setup: $(INSTALLED) ## Make the virtual environment and install everything into it

$(INSTALLED): pyproject.toml
	@if [ -z "$(PYTHON)" ] || ! $(PYTHON) -c '$(NEW_ENOUGH)'; then \
	  echo "Atoll needs Python 3.11 or later as python3.11 or python3, or: make PYTHON=/path/to/python3" >&2; exit 1; fi
	@echo "setup: virtual environment in $(VENV), packages of pyproject.toml (a minute or two, once)"
	@[ -x $(BIN)/python ] || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test,check]'
	@touch $@

# System packages are installed by the target that needs them, where they are missing and the machine is Debian's.
define debian
command -v $(1) >/dev/null || { echo "setup: $(2) from Debian's packages (once)"; \
  as=$$([ "$$(id -u)" = 0 ] || echo sudo); \
  { $$as apt-get update -qq && $$as apt-get install -y -qq $(2) >/dev/null; } || \
  { echo "$(1) is missing and could not be installed; install it and run make again" >&2; exit 1; }; }
endef

$(JS_INSTALLED): $(JS)/package.json
	@$(call debian,npm,nodejs npm)
	@echo "setup: JavaScript SDK in $(JS)/node_modules (once)"
	@cd $(JS) && npm install --no-package-lock --no-audit --no-fund --loglevel=error
	@touch $@

demo: $(INSTALLED) ## Run three regions, a global table and gentle traffic; Ctrl-C ends it
	@$(BIN)/atoll demo

test: $(INSTALLED) $(JS_INSTALLED) ## Run every test
	@$(call debian,chromium,chromium)
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadfile $(PYTEST_ARGS)

check: $(INSTALLED) ## Run every gate: ruff, mypy, import-linter, tidy
	@echo "check: ruff" && $(BIN)/ruff check --quiet . && $(BIN)/ruff format --check --quiet .
	@echo "check: mypy" && $(BIN)/mypy --no-error-summary
	@echo "check: import-linter" && PYTHONPATH=. $(BIN)/lint-imports --no-logo
	@echo "check: tidy" && $(BIN)/python -m pytest tests/tidy

simulate: $(INSTALLED) ## Simulate fleets under faults, by seed (SIM_ARGS="--seeds 1-10000")
	@$(BIN)/atoll sim $(SIM_ARGS)

mutants: $(INSTALLED) ## Hunt seeded bugs: each must be caught, and the product never flagged (MUTANTS_ARGS="--seeds 12")
	@cd tests/simulation && PYTHONPATH=../..:. ../../$(BIN)/python -m mutants $(MUTANTS_ARGS)

bench: $(INSTALLED) ## Measure speed, memory and replication lag; write docs/reference/performance.md
	@$(call debian,wrk,wrk)
	@$(call debian,npm,nodejs npm)
	@$(BIN)/python -m bench $(BENCH_ARGS)

differential: $(INSTALLED) ## Compare thousands of requests with DynamoDB Local (ATOLL_ORACLE_URL, or java and Maven)
	@$(BIN)/python tests/differential/run.py $(DIFFERENTIAL_ARGS)

docs: $(INSTALLED) ## Write the generated reference pages anew
	@$(BIN)/python docs/generate.py

clean: ## Remove everything that make has made
	rm -rf $(VENV) $(JS)/node_modules build dist *.egg-info .bench .oracle
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
