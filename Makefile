# Everything starts from `make`: only python3 (3.11 or newer) and make are needed.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
STAMP := $(shell date +%Y%m%d-%H%M%S)
WORKERS ?= auto
PYTEST := $(BIN)/python -m pytest
SPREAD := -n $(WORKERS) --maxprocesses 4 --dist worksteal
# One cluster, one gang of processes at a time, and what a file's tests share is made once.
BY_FILE := -n $(WORKERS) --maxprocesses 2 --dist loadfile
# The quick tests spend their time compiling; `make test-all` runs them as users run metarl.
HASTILY := JAX_DISABLE_MOST_OPTIMIZATIONS=1 XLA_FLAGS="$$($(BIN)/python tests/hasty_flags.py)"

.PHONY: help install demo test test-extras test-all bench docs lint clean

help:
	@echo "make demo         search an update rule on handwritten digits (some minutes), then open its report"
	@echo "make test         the quick tests"
	@echo "make test-extras  installs torch, ray, tensorboard, flax, sphinx and clients; tests that need them, tutorials, smoke reproductions, gangs of processes"
	@echo "make test-all     every test, the slow ones too"
	@echo "make bench        speed of search and training on this machine"
	@echo "make docs         builds the site into docs/_build/html"
	@echo "make lint         ruff and pyright"
	@echo "make clean        removes .venv and caches; runs/ is kept"
	@echo "PYTHON=python3.13 make test    chooses the interpreter of a new .venv"

install: $(VENV)/core

demo: $(VENV)/core
	$(BIN)/metarl search --preset demo --run-dir runs/demo-$(STAMP)

test: $(VENV)/dev
	$(HASTILY) $(PYTEST) -m "not slow and not extras" $(SPREAD)

test-extras: $(VENV)/extras
	$(PYTEST) -m "extras and not slow" $(BY_FILE)

test-all: $(VENV)/extras
	$(PYTEST) $(SPREAD)

bench: $(VENV)/core
	$(BIN)/metarl bench search
	$(BIN)/metarl bench train

docs: $(VENV)/docs
	$(BIN)/python -m sphinx -q -W --keep-going -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

lint: $(VENV)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis build dist
	rm -rf docs/_build docs/api docs/experiments docs/commands.md docs/front.md
	find metarl tests -name __pycache__ -type d -prune -exec rm -rf {} +

# Each file marks a finished installation; it is made again when what is to be installed has changed.
$(VENV)/core: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(INSTALL) --editable .
	touch $@

$(VENV)/dev: $(VENV)/core
	$(INSTALL) --editable '.[dev]'
	touch $@

$(VENV)/docs: $(VENV)/core
	$(INSTALL) --editable '.[docs]'
	touch $@

$(VENV)/extras: $(VENV)/dev
	$(INSTALL) --editable '.[dev,torch,ray,tensorboard,docs,flax,peers,mujoco]'
	touch $@
