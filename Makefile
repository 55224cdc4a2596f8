# keyroll: every target does its own set-up. `make help` lists the targets.

PY := .venv/bin/python
# Environment variables that sudo passes on.
KEPT := CI,SEED,PYTEST_ADDOPTS,KEYROLL_IMAGE,CRPD_IMAGE,VJUNOS_IMAGE,VJUNOS_EVOLVED_IMAGE,CJUNOS_EVOLVED_IMAGE
KEPT := $(KEPT),KEYROLL_MGMT_SUBNET,KEYROLL_RUNTIME_DIR,DOCKER_HOST,TMPDIR
# Labs need root (or a host that grants user namespaces): an ordinary user runs them with sudo.
ROOT := $(shell [ "$$(id -u)" = 0 ] || echo sudo --preserve-env=$(KEPT) PYTHONDONTWRITEBYTECODE=1)
# Lab tests wait more than they compute, so more workers than cores finish sooner. One process imports the tests for all of
# them (pytest_keyroll.preload); each worker still collects the tests itself, which takes 3 s of processor time.
N ?= 8
# Where routers run: embedded, or through containerlab: containerlab (the emulated image), crpd, vjunos,
# vjunos-evolved, cjunos-evolved.
LAB ?= embedded
ARGS ?= $(if $(filter embedded,$(LAB)),tests,tests/scenarios tests/lab/containerlab)
# The base of the emulated router's image; `rootfs` makes one with debootstrap, for machines that cannot pull images.
BASE ?= debian:bookworm-slim
IMAGE ?= keyroll-router:latest
# How many runs `make soak` adds to the tests (.ci/repeat; SEED= repeats a run with a printed seed).
REPEATS ?= 200
# Stamp file: its time is that of the last compilation of the tests with rewritten asserts.
REWRITTEN := .venv/.keyroll-rewritten
# KERNEL_PEER=1: `make test` also plays these tests in a guest whose kernel has TCP-AO.
GUEST := tests/lab/kernel_peer/boot
# Ends a guest that hangs; these tests take some minutes in it on a busy machine.
GUEST_SECONDS := 900
AGAINST_KERNEL := tests/lab/wire/test_kernel_tcp_ao.py tests/lab/wire/test_kernel_router.py tests/lab/check/test_prediction_on_kernel.py
SCENARIO ?= tests/scenarios/rollover/bgp-and-ldp.yaml --variant both

.DEFAULT_GOAL := help
.PHONY: help setup demo test kernel-peer receipts mutants soak docs image dist check coverage bench format clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup:  ## install system packages (apt, sudo where needed) and the virtual environment .venv
	@.ci/setup
	@$(PY) -m compileall -q harness fixtures

demo: setup  ## play Juniper's two-key example for BGP and LDP: a thirty-minute rollover, proven hitless, in seconds
	@$(ROOT) .venv/bin/keyroll run $(SCENARIO)

# Rewriting the asserts of all tests takes longer than loading the compiled result. It is done once, as the tree's owner, so
# that root owns no cache file. Errors in tests are ignored here, because the test run reports them.
$(REWRITTEN): pyproject.toml $(shell find tests -name '*.py') | setup
	@PYTHONDONTWRITEBYTECODE= PYTEST_ADDOPTS= $(PY) -m pytest -q -p no:cacheprovider --collect-only tests/unit tests/lab >/dev/null 2>&1 || true
	@touch $@

test: $(REWRITTEN)  ## play all tests and scenarios except the slow ones (N=8 workers, LAB=embedded, ARGS=tests, SHARD=3/8, KERNEL_PEER=1)
	@$(ROOT) $(PY) -m pytest -n $(N) --dist worksteal -m "not slow" -p pytest_keyroll.preload --keyroll-figures 20 $(if $(SHARD),--keyroll-shard $(SHARD)) --keyroll-lab $(LAB) $(ARGS)
	@$(if $(KERNEL_PEER),kernel=$$(tests/lab/kernel_peer/build) && $(GUEST) --seconds $(GUEST_SECONDS) "$$kernel" -- $(PY) -m pytest -q -p no:cacheprovider $(AGAINST_KERNEL),:)

kernel-peer:  ## build a User-Mode Linux with TCP-AO, once (400 processor seconds); `make test KERNEL_PEER=1` plays the wire path against it
	@tests/lab/kernel_peer/build

receipts: $(REWRITTEN) mutants  ## break every scenario on purpose, and the emulated router too: the named check must turn red
	@$(ROOT) $(PY) -m pytest -n $(N) --dist worksteal -m "not slow" -p pytest_keyroll.preload --keyroll-receipts tests/scenarios

mutants: $(REWRITTEN)  ## the second half of receipts: emulated routers that show a wrong state
	@$(ROOT) $(PY) -m pytest -n $(N) --dist worksteal -p pytest_keyroll.preload tests/lab/receipts

soak: $(REWRITTEN)  ## play everything: slow tests, every mutation, a hundred kills, a thousand examples of each property; then REPEATS=200 more runs, two at once for each core
	@$(ROOT) $(PY) -m pytest -n $(N) --dist worksteal -p pytest_keyroll.preload --keyroll-receipts --hypothesis-profile soak $(if $(SEED),--hypothesis-seed $(SEED)) --keyroll-lab $(LAB) $(ARGS)
	@$(if $(filter embedded,$(LAB)),$(ROOT) .ci/repeat $(REPEATS),:)

docs: setup  ## write docs/scenarios.md from the scenario files, docs/emulated.md from the emulator's statements, and README's pictures
	@.venv/bin/keyroll list --markdown >docs/scenarios.md.new && mv docs/scenarios.md.new docs/scenarios.md
	@$(PY) -m keyroll.emulator.junos.configuration.emulated >docs/emulated.md.new && mv docs/emulated.md.new docs/emulated.md
	@$(ROOT) $(PY) docs/pictures/draw.py

check: setup  ## format, lint, strict types, import rules
	@.venv/bin/ruff format --check --quiet . || { echo 'check: run "make format"'; exit 1; }
	@.venv/bin/ruff check --quiet .
	@.venv/bin/mypy
	@.venv/bin/lint-imports --no-logo
	@.venv/bin/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml

# Lab runs are not measured, because their processes are forked: a verdict needs a unit test, not only a lab that reaches it.
coverage: $(REWRITTEN)  ## measure what the unit tests cover, against a floor for each room that judges
	@$(PY) -m pytest -q -n $(N) -m "not slow" --cov --cov-report= tests/unit
	@.ci/coverage

format: setup  ## format the code, and apply what the linter can fix
	@.venv/bin/ruff format --quiet .
	@.venv/bin/ruff check --fix --quiet .

image: setup  ## build the emulated router's container image (IMAGE=keyroll-router:latest, BASE=rootfs without a registry)
	@$(ROOT) PYTHON=$(PY) image/build $(IMAGE) $(BASE)

dist: setup  ## build the wheel and the source distribution into dist/, and check their description as a package index would
	@$(PY) -m pip install --quiet --disable-pip-version-check --editable '.[release]'
	@rm -rf dist
	@$(PY) -m build --outdir dist . >build.log 2>&1 || { tail -n 30 build.log; exit 1; }
	@rm -f build.log
	@$(PY) -m twine check --strict dist/*

bench: setup  ## measure speed, as ratios within one run
	@code=0; for bench in bench/bench_*.py; do echo "== $$bench"; $(ROOT) $(PY) $$bench || code=1; done; exit $$code

clean:  ## remove the virtual environment and caches (run folders stay)
	@$(ROOT) rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist # labs ran as root
	@find harness fixtures tests -name __pycache__ -prune -exec rm -rf {} +
