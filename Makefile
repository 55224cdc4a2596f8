# keyroll: every target does its own set-up and says what it does. `make help` lists them.

PY := .venv/bin/python
# Labs need root (or a host that grants user namespaces): as an ordinary user they go through sudo.
ROOT := $(shell [ "$$(id -u)" = 0 ] || echo sudo --preserve-env=CI,PYTEST_ADDOPTS PYTHONDONTWRITEBYTECODE=1)
# Lab tests wait more than they compute, so more workers than cores pay off.
N ?= 4
SCENARIO ?= tests/scenarios/rollover/two-keys.yaml

.DEFAULT_GOAL := help
.PHONY: help setup demo test check bench format clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup:  ## install system packages (apt, sudo where needed) and the virtual environment .venv
	@.ci/setup

demo: setup  ## play Juniper's two-key example: a thirty-minute rollover, proven hitless, in seconds
	@$(ROOT) .venv/bin/keyroll run $(SCENARIO)

test: setup  ## play all tests and scenarios but the slow ones (N=4 workers)
	@$(ROOT) $(PY) -m pytest -n $(N) -m "not slow" tests

check: setup  ## format, lint, strict types, import rules
	@.venv/bin/ruff format --check --quiet . || { echo 'check: run "make format"'; exit 1; }
	@.venv/bin/ruff check --quiet .
	@.venv/bin/mypy
	@.venv/bin/lint-imports --no-logo

format: setup  ## format the code, and mend what the linter can mend
	@.venv/bin/ruff format --quiet .
	@.venv/bin/ruff check --fix --quiet .

bench: setup  ## measure, as ratios within one run
	@for bench in bench/bench_*.py; do echo "== $$bench"; $(ROOT) $(PY) $$bench || exit 1; done

clean:  ## remove the virtual environment and caches (run folders stay)
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
