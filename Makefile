# Everything a developer, the demo and CI do, by name. `make help` lists it.
# On a fresh machine: Python 3.11, make and the package registry are all that is needed.

VENV    ?= .venv
PYTHON  ?= python3.11
BIN     := $(VENV)/bin
STAMP   := $(VENV)/.installed
WORKERS ?= 2
FUZZ    ?= 100000
SECONDS ?= 60

.DEFAULT_GOAL := help
.PHONY: help install demo test test-slow test-all lint format ui docs bench bench-deid bench-midi bench-text fuzz fuzz-atheris lock clean

help: ## Show what there is
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

install: $(STAMP) ## Install everything, pinned and hashed, into .venv

$(STAMP): requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

demo: $(STAMP) ## Two deliveries from two hospitals to a signed, pulled, verified release
	$(BIN)/aida demo

test: $(STAMP) ## The default suite: under 10 minutes on 2 cores
	$(BIN)/pytest -n $(WORKERS) --dist loadgroup -m "not slow and not browser"

test-slow: $(STAMP) ## What takes minutes: large deliveries, kills, the UI in a browser
	$(BIN)/pytest -m "slow or browser"

test-all: test test-slow ## Both

lint: $(STAMP) ## Ruff and mypy (strict)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(STAMP) ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

ui: $(STAMP) ## The Dagster UI on http://127.0.0.1:3000
	$(BIN)/aida ui

docs: $(STAMP) ## Make the pages that are generated from contracts and code
	$(BIN)/python -m tools.make_docs

bench-deid: $(STAMP) ## De-identification beside its peers; writes docs/benchmarks/deid.md
	$(BIN)/python -m benchmarks.deid

bench: $(STAMP) ## Figures that the docs quote; prints them
	$(BIN)/python -m pytest -q -s -p aida_pipelines_tests.servers benchmarks/storage.py

bench-midi: $(STAMP) ## De-identification scored in the form of the MIDI-B challenge
	$(BIN)/python -m benchmarks.midi

bench-text: $(STAMP) ## Free text: identifiers found, words kept; fails below its targets
	$(BIN)/python -m benchmarks.text

fuzz: $(STAMP) ## Mutated files (FUZZ=100000) through de-identification and verification; fails on what must not be
	$(BIN)/python -m benchmarks.fuzz $(FUZZ)

fuzz-atheris: $(STAMP) ## The same under a coverage-guided fuzzer, for SECONDS (60)
	$(BIN)/python -m benchmarks.fuzz_atheris -max_total_time=$(SECONDS)

lock: ## Pin every dependency with its hash (needs uv)
	uv pip compile --quiet --generate-hashes --no-emit-index-url --no-emit-find-links --python-version 3.11 --extra dev --extra build pyproject.toml -o requirements.lock

clean: ## Remove what was made here (not AIDA_HOME)
	rm -rf $(VENV) .pytest_cache .ruff_cache .mypy_cache .hypothesis build dist *.egg-info
