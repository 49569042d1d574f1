# Everything a person does with this repository. `make` alone says what there is.
.DEFAULT_GOAL := help
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.PHONY: help setup models package demo test bench deploy check scan clean

PYTHON ?= $(firstword $(foreach name,python3.13 python3.12 python3.11 python3 python3.14,$(shell \
	$(name) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && command -v $(name))))
BIN := .venv/bin
VENV := .venv/.ready
SCAN := .venv-scan/.ready
STAGE ?= dev
TARGET ?= local

help: ## this page
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' Makefile

setup: $(VENV) ## a virtual environment with everything pinned
models: $(VENV) ## fetch, check and prepare the models
	@$(BIN)/python -m infra.models
package: models ## build what ships; TARGET=local or aws
	@$(BIN)/python -m infra.package --target $(TARGET)
demo: models ## the whole system on this machine, on real photographs
	@$(BIN)/python -m infra.package --target local
	@./vigil demo
check: $(VENV) ## lint, format and types
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
test: models $(SCAN) check ## everything the project promises
	@$(BIN)/python -m infra.package --target local
	@$(BIN)/pytest
bench: models ## measure: ratios on the screen, numbers and a plot in build/
	@$(BIN)/python -m infra.package --target local
	@$(BIN)/python -m infra.bench
deploy: models ## ship to AWS: make deploy STAGE=prod
	@$(BIN)/python -m infra.package --target aws
	@$(BIN)/python -m infra.deploy $(STAGE)
clean: ## remove what was built; the environments stay
	@rm -rf build .build .vigil .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV): requirements.txt requirements-dev.txt constraints.txt
	@test -n "$(PYTHON)" || { echo "setup: Python 3.11 or newer is needed, and none was found"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "setup: $(PYTHON) cannot make virtual \
	environments; on Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@echo "setup: installing pinned packages into .venv with $(PYTHON) (about a minute, once) …"
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -r requirements-dev.txt
	@touch $@

$(SCAN): requirements-scan.txt
	@echo "setup: installing the security scanner into .venv-scan (half a minute, once) …"
	@$(PYTHON) -m venv .venv-scan
	@.venv-scan/bin/python -m pip install -qq --disable-pip-version-check -r requirements-scan.txt
	@touch $@
