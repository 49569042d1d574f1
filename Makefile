# All commands for this repository. `make` lists them.
.DEFAULT_GOAL := help
SHELL := bash
export PYTHONPATH := layers:.:clients/python:clients/cli
.SHELLFLAGS := -euo pipefail -c
.PHONY: models-check help trainer openapi setup models package demo test test-fast fuzz chaos soak bench capacity lifecycle simulate deploy check lock mutation clean

BIN := .venv/bin
VENV := .venv/.ready
SCAN := .venv-scan/.ready
MUTATION := .venv-mutation/.ready
PIP := -m pip install -qq --disable-pip-version-check
PYTHONS := $(PYTHON) python3 python3.13 python3.12 python3.11 python3.14
AGAIN := $(MAKE) --no-print-directory
LOCK := build/uv/bin/uv pip compile -q --generate-hashes --universal --python-version 3.11 --no-annotate --no-header
TARGET ?= local
STAGE ?= dev
SEED ?= 1
DROPS ?= 500
DATA ?= ../shared/data
MINUTES ?= 10
PARALLEL := -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

setup: $(VENV) ## create the virtual environment with pinned packages
models: $(VENV) ## fetch and prepare the models, or those that MODELS names
	@$(BIN)/python -m models.build $(MODELS)
models-check: $(VENV) ## measure the bundled models: make models-check DATA=FOLDER
	@$(BIN)/python -m models.evaluation.bundled --data $(DATA)
package: models ## build the deployment package; TARGET=local or aws
	@$(BIN)/python -m infra.package --target $(TARGET)
demo: ## run the whole system on this machine, on real photographs
	@$(AGAIN) package TARGET=local
	@./vigil demo
test: $(VENV) ## all checks, scans and tests
	@$(AGAIN) -j2 package check trainer $(SCAN) TARGET=local
	@$(BIN)/pytest $(PARALLEL)
test-fast: $(VENV) ## unit, contract and architecture tests, in under a minute
	@$(BIN)/pytest $(PARALLEL) -m "not slow" tests/unit tests/contract tests/architecture
chaos: ## drops under injected faults: make chaos SEED=7 DROPS=500
	@$(AGAIN) package TARGET=local
	@$(BIN)/python -m tests.chaos --seed $(SEED) --drops $(DROPS)
	@$(BIN)/python -m tests.chaos.garbage
soak: ## steady load with leak checks: make soak MINUTES=60
	@$(AGAIN) package TARGET=local
	@$(BIN)/python -m tests.soak --minutes $(MINUTES)
fuzz: $(VENV) ## half a million damaged pictures: make fuzz SEED=7
	@FUZZED_FILES=500000 FUZZ_SEED=$(SEED) $(BIN)/pytest -q -p no:cacheprovider tests/unit/inference/test_fuzzed_images.py
bench: ## benchmarks: ratios on the screen; figures, a plot in build/
	@$(AGAIN) package TARGET=local
	@$(BIN)/python -m tests.benchmark
capacity: ## what breaks first at up to 10,000 photos a second
	@$(AGAIN) package TARGET=local
	@$(BIN)/python -m tests.cost.capacity
lifecycle: ## a model life cycle on real digits, with failing releases
	@$(AGAIN) package trainer TARGET=local
	@$(BIN)/python -m tests.lifecycle
simulate: $(VENV) ## simulate traffic under the capacity controller; a plot
	@$(BIN)/python -m tests.simulation
deploy: ## deploy to AWS: make deploy STAGE=prod SET="Workers=40"
	@$(AGAIN) package TARGET=aws
	@$(BIN)/python -m infra.deploy $(STAGE) $(foreach one,$(SET),--set $(one))
check: $(VENV) ## lint, format, type and import checks
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --check --quiet
	@$(BIN)/mypy
	@report=$$($(BIN)/lint-imports --no-cache) || { echo "$$report"; exit 1; }
trainer: $(VENV) ## create the training environment (PyTorch)
	@$(BIN)/python -m models.training.environment >/dev/null || echo "trainer: the training environment could not be created; its tests are skipped"
openapi: $(VENV) ## regenerate docs/openapi.json and the client types
	@$(BIN)/python clients/python/generate.py
lock: ## pin what requirements*.txt name, with hashes, in *.lock
	@python3 -m venv build/uv && build/uv/bin/python $(PIP) uv==0.13.9
	@$(LOCK) requirements-dev.txt -c constraints.txt -o requirements.lock
	@$(LOCK) requirements-scan.txt -o requirements-scan.lock
	@$(LOCK) requirements-mutation.txt -o requirements-mutation.lock
	@$(LOCK) models/training/requirements.txt -o build/training.lock
	@awk '/^[a-z]/ { file = "models/training/" (/^(torch=|nvidia-|cuda-|triton)/ ? "torch" : "requirements") ".lock" } \
	  { print > file }' build/training.lock
mutation: $(MUTATION) ## change the core place by place: do the tests notice?
	@$(BIN)/python -m tests.mutation --seed $(SEED)
clean: ## delete build results; environments stay
	@rm -rf build .build .vigil .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV): requirements.lock
	@for python in $(PYTHONS); do \
	  "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
	  "$$python" -c 'import ensurepip, venv' 2>/dev/null || { lacking=$$python; continue; }; \
	  echo "setup: installing pinned packages into .venv with $$python (about a minute, once) …"; \
	  "$$python" -m venv .venv; break; \
	done; \
	test -x $(BIN)/python || { echo "setup: $${lacking:+$$lacking cannot make virtual environments (on \
	Debian and Ubuntu: apt install python3-venv); }Python 3.11 or newer with venv is needed"; exit 1; }
	@$(BIN)/python $(PIP) --require-hashes --no-deps -r requirements.lock
	@touch $@

$(MUTATION): requirements-mutation.lock | $(VENV)
	@$(BIN)/python -m venv .venv-mutation
	@.venv-mutation/bin/python $(PIP) --require-hashes --no-deps -r requirements-mutation.lock
	@readlink -f .venv/lib/python*/site-packages > "$$(echo .venv-mutation/lib/python*/site-packages)/project.pth"
	@touch $@

$(SCAN): requirements-scan.lock | $(VENV)
	@echo "setup: installing the security scanner into .venv-scan (half a minute, once) …"
	@$(BIN)/python -m venv .venv-scan
	@.venv-scan/bin/python $(PIP) --require-hashes --no-deps -r requirements-scan.lock
	@touch $@
