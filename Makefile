# Everything that one does with a clone. `make` alone lists it.
#   ARGS='...'   passed on: to `folkmoot demo`, to pytest, or to the fuzzer
#   PYTHON=...   the Python to make the environments with, instead of the first suitable one
#   INSTALL=0    never install Debian packages
.POSIX:
.SUFFIXES:
.PHONY: help setup demo test test-slow test-all faults soak fuzz check format bench constraints secrets clean

PYTHON ?=
INSTALL ?= 1
ARGS ?=
export PYTHON INSTALL ARGS

PYTEST = .venv/bin/python -m pytest
# Most tests wait for something most of the time: two at once take little more than half of it. ARGS=-n0: one after another.
SPREAD = --numprocesses=2 --dist=loadfile --no-loadscope-reorder
SPREAD_AUTHOR = --numprocesses=2 --dist=worksteal
PYTEST_AUTHOR = .venv-author/bin/python -m pytest tests/author

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' Makefile | expand -t 20

setup: ## make .venv, for working on Folkmoot
	@.ci/venv dev

demo: ## a federation learns, end to end, on this machine
	@.ci/venv demo
	@.venv/bin/folkmoot demo $(ARGS)

test: setup ## the tests, against real brokers and databases: some minutes
	@.ci/services
	@.ci/venv author
	$(PYTEST) $(SPREAD) $(ARGS) -m "not slow" --ignore tests/author
	$(PYTEST_AUTHOR) $(SPREAD_AUTHOR) $(ARGS) -m "not slow"

test-slow: setup ## the tests that take minutes each
	@.ci/services
	@.ci/venv author
	$(PYTEST) $(SPREAD) $(ARGS) -m slow --ignore tests/author
	$(PYTEST_AUTHOR) $(SPREAD_AUTHOR) $(ARGS) -m slow

test-all: test test-slow ## every test there is

fuzz: setup ## five minutes for each reader of bytes from elsewhere; ARGS='messages --seconds 60' for less
	.venv/bin/python -m tests.fuzz $(ARGS)

faults: setup ## everything that can go wrong, done to real processes: an hour; ARGS=kill. for some of it
	@.ci/services
	@.venv/bin/python -m tests.faults $(ARGS)

soak: setup ## 500 devices that come and go for 20 minutes; ARGS='--devices 100 --minutes 3' for less
	@.ci/services
	@.venv/bin/python -m benchmarks.soak $(ARGS)

check: setup ## lint, types, import contracts, pins
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/mypy --strict .ci
	.venv/bin/lint-imports
	.venv/bin/python .ci/pins.py check

format: setup ## put the sources into house style
	.venv/bin/ruff check --fix
	.venv/bin/ruff format

bench: setup ## measure beside other systems, write docs/benchmarks.md; ARGS='round fold' for some of it, ARGS=--long for all
	@.ci/services
	@.ci/venv author
	.venv/bin/python -m benchmarks $(ARGS)

constraints: setup ## pin what pyproject.toml asks for; ARGS=--upgrade: the newest of everything
	.venv/bin/python .ci/pins.py write $(ARGS)

secrets: ## make the passwords that compose.yaml needs, in secrets/
	@.ci/venv demo
	@.venv/bin/python .ci/passwords.py secrets

clean: ## remove everything that make made
	rm -rf .venv .venv-author .peers .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .fuzz build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
