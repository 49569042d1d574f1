# Everything a person does with this repository. `make` alone says what there is.
.DEFAULT_GOAL := help
SHELL := bash
export PYTHONPATH := layers:.:clients/python:clients/cli
.SHELLFLAGS := -euo pipefail -c
.PHONY: help trainer openapi setup models package demo test chaos soak bench learn simulate deploy check clean

BIN := .venv/bin
VENV := .venv/.ready
SCAN := .venv-scan/.ready
PIP := -m pip install -qq --disable-pip-version-check
PYTHONS := $(PYTHON) python3 python3.13 python3.12 python3.11 python3.14
AGAIN := $(MAKE) --no-print-directory
TARGET ?= local
STAGE ?= dev
SEED ?= 1
DROPS ?= 500
MINUTES ?= 10

help: ## this page
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' Makefile

setup: $(VENV) ## a virtual environment with everything pinned
models: $(VENV) ## fetch, check and prepare the models
	@$(BIN)/python -m models.build
package: models ## build what ships; TARGET=local or aws
	@$(BIN)/python -m infra.package --target $(TARGET)
demo: ## the whole system on this machine, on real photographs
	@$(AGAIN) package TARGET=local
	@./vigil demo
test: $(VENV) ## everything that is promised: checks, scans and tests
	@$(AGAIN) -j2 package check trainer $(SCAN) TARGET=local
	@$(BIN)/pytest
chaos: ## everything goes wrong at once: make chaos SEED=7 DROPS=500
	@$(AGAIN) package TARGET=local
	@$(BIN)/python -m tests.chaos --seed $(SEED) --drops $(DROPS)
soak: ## steady load, nothing piles up: make soak MINUTES=60
	@$(AGAIN) package TARGET=local
	@$(BIN)/python -m tests.soak --minutes $(MINUTES)
bench: ## measure: ratios on the screen, numbers and a plot in build/
	@$(AGAIN) package TARGET=local
	@$(BIN)/python -m tests.benchmark
learn: ## the life of a model, on real digits, until a bad canary
	@$(AGAIN) package trainer TARGET=local
	@$(BIN)/python -m tests.lifecycle
simulate: $(VENV) ## six hours of traffic under the balance controller, with a plot
	@$(BIN)/python -m tests.simulation
deploy: ## ship to AWS: make deploy STAGE=prod SET="Workers=40"
	@$(AGAIN) package TARGET=aws
	@$(BIN)/python -m infra.deploy $(STAGE) $(foreach one,$(SET),--set $(one))
check: $(VENV) ## lint, format and types
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --check --quiet
	@$(BIN)/mypy
trainer: $(VENV) ## the environment that training runs in, torch and all
	@$(BIN)/python -m models.training.environment >/dev/null || echo "training: its tests will be skipped"
openapi: $(VENV) ## docs/openapi.json and the client's types, from the operations
	@$(BIN)/python clients/python/generate.py
clean: ## remove what was built; the environments stay
	@rm -rf build .build .vigil .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV): requirements.txt requirements-dev.txt constraints.txt
	@for python in $(PYTHONS); do \
	  "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
	  "$$python" -c 'import ensurepip, venv' 2>/dev/null || { lacking=$$python; continue; }; \
	  echo "setup: installing pinned packages into .venv with $$python (about a minute, once) …"; \
	  "$$python" -m venv .venv; break; \
	done; \
	test -x $(BIN)/python || { echo "setup: $${lacking:+$$lacking cannot make virtual environments (on \
	Debian and Ubuntu: apt install python3-venv); }Python 3.11 or newer with venv is needed"; exit 1; }
	@$(BIN)/python $(PIP) -r requirements-dev.txt
	@touch $@

$(SCAN): requirements-scan.txt | $(VENV)
	@echo "setup: installing the security scanner into .venv-scan (half a minute, once) …"
	@$(BIN)/python -m venv .venv-scan
	@.venv-scan/bin/python $(PIP) -r requirements-scan.txt
	@touch $@
