# Everything starts here: `make help` lists the targets. Each target does the set-up it needs;
# all working state lies under build/ and .venv/, and `make clean` removes it.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

BUILD := $(CURDIR)/build
BIN := $(CURDIR)/.venv/bin
DONE := build/.done
MAMUSHI := $(BUILD)/mamushi/bin/mamushi
SOURCES := oracle scripts tests
CONTRACTS := $(wildcard contracts/*.vy contracts/*/*.vy*)

# every tool finds our anvil, and keeps its files under build/ instead of the home directory
export PATH := $(BUILD)/bin:$(BIN):$(PATH)
export APE_DATA_FOLDER := $(BUILD)/ape
export ETH_HASH_BACKEND := pysha3
export HYPOTHESIS_STORAGE_DIRECTORY := $(BUILD)/hypothesis
export NUMBA_CACHE_DIR := $(BUILD)/numba
export PYTHONPYCACHEPREFIX := $(BUILD)/pycache
# or every process that the tests start compiles the oracle's modules anew, for a second or more
unexport PYTHONDONTWRITEBYTECODE
export VVM_BINARY_PATH := $(BUILD)/vvm
# a warning about Ape's own settings, printed at every start
export PYTHONWARNINGS := ignore:Field 'import_remapping'

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | \
	  while IFS= read -r line; do printf '  make %-11s %s\n' "$${line%%:*}" "$${line##*## }"; done

# --- set-up -------------------------------------------------------------------------------

.PHONY: setup
setup: $(DONE)/python $(DONE)/anvil $(DONE)/contracts ## create .venv, install the packages and anvil, compile

$(DONE)/python: pyproject.toml constraints.txt
	@mkdir -p $(@D) "$(VVM_BINARY_PATH)"
	@for python in $(PYTHON) python3.11 python3.12 python3; do \
	  if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    [ -x "$(BIN)/python" ] || "$$python" -m venv .venv; break; \
	  fi; \
	done
	@[ -x "$(BIN)/python" ] || { \
	  echo "Clearwork needs Python 3.11 or newer with its venv module."; \
	  echo "Install it, or name it: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 1; }
	@echo "Installing the Python packages into .venv (about a minute, once) ..."
	@"$(BIN)/python" -m pip install --quiet --disable-pip-version-check \
	  -c constraints.txt -e '.[dev]'
	@touch $@

# PyTorch and Triton, for the backends that need them and their tests, which are skipped without.
# On Linux the package index serves the build for CUDA, several gigabytes of it, unless pip finds
# a build for the processor first (--find-links or another index in pip's own configuration).
.PHONY: gpu
gpu: $(DONE)/python ## install PyTorch and Triton into .venv (several GB where pip finds only the CUDA build)
	@"$(BIN)/python" -m pip install --quiet --disable-pip-version-check \
	  -c constraints.txt -e '.[gpu]'

.PHONY: gpu-if-small
gpu-if-small: $(DONE)/python ## make gpu, unless that would download the build for CUDA
	@if found=$$("$(BIN)/python" -m pip install --dry-run --quiet --disable-pip-version-check \
	  --report - -c constraints.txt -e '.[gpu]') && ! grep -q '"name": "nvidia-cu' <<<"$$found"; \
	then $(MAKE) gpu; \
	else echo "No small build of PyTorch here: tests of its backends are skipped. See make gpu."; fi

# Install what package-lock.json pins into a folder, without the packages' own install scripts.
# Usage: $(call npm_ci,folder,option)
define npm_ci
mkdir -p $(1); cp package.json package-lock.json $(1)/; \
(cd $(1) && npm ci $(2) --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error)
endef

# The npm package carries anvil's binary; the link to it bypasses the package's Node.js wrapper,
# so that a signal to our child process reaches anvil itself.
$(DONE)/anvil: package.json package-lock.json
	@mkdir -p $(@D) build/bin
	@rm -f build/bin/anvil
	@if command -v npm >/dev/null; then \
	  echo "Installing anvil from npm into build/node ..."; \
	  $(call npm_ci,build/node,--omit=dev); \
	  ln -s "$$(find "$(BUILD)/node" -path '*/bin/anvil' -type f | head -n 1)" build/bin/anvil; \
	elif found=$$(command -v anvil); then \
	  echo "No npm here: using $$found"; ln -s "$$found" build/bin/anvil; \
	else \
	  echo "Clearwork needs anvil, a local Ethereum node, and found neither it nor npm."; \
	  echo "Either install Node.js 20 or newer, and make fetches anvil from npm, or install"; \
	  echo "anvil yourself (https://getfoundry.sh, version 1.7.1) so that it is on PATH."; \
	  exit 1; \
	fi
	@anvil --version | head -n 1
	@touch $@

# The libraries and contracts of other people that tests/interop runs, in a folder of their own:
# the demo does not wait for them. What is optional is anvil's binary, which is in build/node.
$(DONE)/node-dev: package.json package-lock.json
	@mkdir -p $(@D)
	@if command -v npm >/dev/null; then \
	  echo "Installing the npm packages of the tests into build/node-dev ..."; \
	  $(call npm_ci,build/node-dev,--omit=optional); \
	  touch $@; \
	else \
	  echo "No npm here: tests/interop is skipped. It needs Node.js 20 or newer with npm."; \
	fi

$(DONE)/contracts: $(DONE)/python ape-config.yaml $(CONTRACTS)
	@echo "Compiling the contracts ..."
	@python -c 'from scripts._project import project; project().load_contracts()'
	@touch $@

# The same for titanoboa, on all cores: two workers of pytest would each compile all of them.
$(DONE)/boa: $(DONE)/python tests/compiled.py $(CONTRACTS)
	@echo "Compiling the contracts for the tests ..."
	@python tests/compiled.py
	@touch $@

# mamushi pins an old click, so it lives in an environment of its own
$(DONE)/mamushi: $(DONE)/python constraints-mamushi.txt
	@"$(BIN)/python" -m venv build/mamushi
	@build/mamushi/bin/python -m pip install --quiet --disable-pip-version-check \
	  -r constraints-mamushi.txt
	@touch $@

# tests of a file stay with one of two workers; files are handed out in the order of pyproject.toml
PYTEST := python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder

# --- what people run ----------------------------------------------------------------------

.PHONY: demo
demo: setup ## play the whole life of the market on a local chain (KEEP=1 leaves it running)
	@python -m scripts.demo $(if $(KEEP),--keep)

.PHONY: test
test: setup test-python test-ape ## all tests that a change must pass

.PHONY: test-python
test-python: setup $(DONE)/node-dev $(DONE)/boa ## contracts on titanoboa, the service, the scripts on anvil
	@$(PYTEST) -m "not slow"

.PHONY: test-ape
test-ape: setup ## contract tests through Ape, on its own test chain and on anvil
	@printf '%s\n' test foundry | \
	  xargs -P 2 -I {} ape test tests/ape -q --network ethereum:local:{}

.PHONY: test-all
test-all: setup $(DONE)/node-dev $(DONE)/boa ## make test, and the slow proofs
	@$(PYTEST)
	@$(MAKE) test-ape

.PHONY: coverage
coverage: setup $(DONE)/node-dev $(DONE)/boa ## branch coverage of the service, and of the contracts by their unit tests
	@$(PYTEST) -m "not slow" \
	  --cov=oracle --cov-report=term:skip-covered --cov-report=xml:build/coverage.xml
	@$(PYTEST) tests/unit -m "not slow" \
	  --cov=contracts --cov-config=tests/unit/contracts.coveragerc --cov-report=term

.PHONY: mutate
mutate: setup ## mutate a contract, run its unit tests (CONTRACT=OracleCommittee SAMPLE=150 JOBS=2 FUNCTION=_count RESUME=1 DOCS=1)
	@python tests/mutation/run.py $(CONTRACT) $(if $(SAMPLE),--sample $(SAMPLE)) \
	  $(if $(JOBS),--jobs $(JOBS)) $(foreach name,$(FUNCTION),--function $(name)) $(if $(RESUME),--resume) $(if $(DOCS),--docs)

.PHONY: bench-fleet
bench-fleet: setup ## close an epoch of 140 000 machines from disk, settle 1 000 jobs by its root
	@python -m scripts.bench_fleet

.PHONY: bench-attest
bench-attest: setup ## time provers and verifiers of attestation, gas of a conviction by size
	@python -m scripts.bench_attest

.PHONY: simulate-fleet
simulate-fleet: $(DONE)/python ## a day of 1 000 attested devices with cheats, on a virtual clock
	@python -m scripts.simulate_fleet

.PHONY: simulate-incentives
simulate-incentives: $(DONE)/python ## a month of a subnet in which somebody does not play fair
	@python -m scripts.simulate_incentives

.PHONY: simulate-demand
simulate-demand: $(DONE)/python ## demand and price fall at once, under both supply policies
	@python -m scripts.simulate_demand

.PHONY: bench-evidence
bench-evidence: setup ## time the check of a GPU's evidence, beside its budget
	@python -m scripts.bench_evidence

.PHONY: bench-store
bench-store: setup ## time heartbeats and checks on SQLite and on PostgreSQL
	@python -m scripts.bench_store

.PHONY: bench-yuma
bench-yuma: setup ## time an epoch of consensus on one core, beside its budget
	@python -m scripts.bench_yuma

.PHONY: bench
bench: setup ## measure gas from anvil receipts, print it beside the budgets, fail over one
	@python -m scripts.bench

.PHONY: lint
lint: $(DONE)/python $(DONE)/mamushi ## ruff, mypy --strict, fixtures that no test finds, mamushi, natrix
	@ruff check $(SOURCES)
	@ruff format --check $(SOURCES)
	@mypy
	@python -m pytest -q --setup-plan > build/fixtures.log || { grep ^E build/fixtures.log; exit 1; }
	@"$(MAMUSHI)" --check --line-length 100 contracts
	@printf '%s\n' $(filter %.vy,$(CONTRACTS)) | xargs -P 2 -n 10 natrix lint

.PHONY: format
format: $(DONE)/python $(DONE)/mamushi ## rewrite the sources as the linters want them
	@ruff check --fix $(SOURCES)
	@ruff format $(SOURCES)
	@"$(MAMUSHI)" --line-length 100 contracts

.PHONY: abi
abi: $(DONE)/python ## write deployments/abi/*.json from the contracts
	@ape run export_abi

.PHONY: schema
schema: $(DONE)/python ## write docs/schemas/*.json from the service's own types
	@mkdir -p docs/schemas
	@python -m oracle receipt schema > docs/schemas/execution-receipt.json

.PHONY: clean
clean: ## remove build/ and .venv/
	@rm -rf build .venv
