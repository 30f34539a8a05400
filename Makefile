# Two commands matter: `make demo` shows the whole loop, `make test` proves it. Both set up all that they need.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CLUSTER := $(PYTHON) tests/cluster
PROFILE ?= full
UPGRADE ?=
COMPILE = $(BIN)/uv pip compile --quiet $(UPGRADE) --generate-hashes --no-emit-index-url --no-header --python-version 3.11

.DEFAULT_GOAL := help
.PHONY: help demo venv lint format unit contract faults integration e2e soak test samples lock clean cluster-up cluster-down cluster-status images

# $(call debian,TEST,PACKAGES) installs Debian packages when the test fails: a fresh machine needs no other step.
debian = $(1) >/dev/null 2>&1 || { echo "installing $(2)"; \
	  { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $(2); } >/dev/null \
	  || { echo "error: install $(2), or run as root so that this does it" >&2; exit 1; }; }

help: ## Show the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

demo: venv ## Show the whole loop on a local Kubernetes: a model falls below its threshold and is retrained
	@$(BIN)/python -m tests.demo

$(VENV)/.ready: requirements-dev.lock pyproject.toml
	@$(call debian,$(PYTHON) -c 'import ensurepip',python3-venv)
	@echo "preparing $(VENV) from requirements-dev.lock"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

venv: $(VENV)/.ready ## Prepare the virtual environment from the lock file

lint: venv ## Formatting, lint, types and layers
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: venv ## Format and fix what can be fixed
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

unit: venv ## Tests that need no cluster
	@$(BIN)/pytest -n 2 --dist worksteal tests/unit

contract: venv ## Jobs, servers and hub as processes: what each promises the others
	@$(BIN)/pytest -n 2 --dist worksteal tests/contract

faults: venv ## The hub killed and cut off from its disk, the local cluster killed in parts
	@$(call debian,printf '#include <stdio.h>' | gcc -E -,gcc libc6-dev)
	@$(CLUSTER) up --profile control-plane
	@$(BIN)/pytest tests/faults

integration: venv ## The operator as a process against a real API server and controllers, pods played by the tests
	@$(CLUSTER) up --profile control-plane
	@$(BIN)/pytest tests/integration

e2e: venv ## The whole on a real Kubernetes, by real pods; what failed is explained in build/e2e
	@$(call debian,curl --version,curl)
	@$(CLUSTER) up --profile full
	@test -n "$${KUBECONFIG:-}" || $(CLUSTER) images
	@$(BIN)/pytest tests/e2e

soak: venv ## The long counts: e2e, faults and the benchmarks in full (about an hour)
	@EVERMODEL_SOAK=1 $(BIN)/pytest tests/e2e tests/faults tests/integration/test_happy_path.py
	@$(BIN)/python bench/detector.py --full
	@$(BIN)/python bench/gate.py
	@$(BIN)/python bench/hub.py

test: lint unit contract faults integration e2e ## Everything: lint and all tests

cluster-up: ## Start the local Kubernetes (PROFILE=full or control-plane)
	@$(CLUSTER) up --profile $(PROFILE)

cluster-down: ## Stop every local Kubernetes and remove what it left
	@$(CLUSTER) down --all

cluster-status: ## Say what runs
	@$(CLUSTER) status

images: ## Build the base image and the project's images
	@$(CLUSTER) images

samples: venv ## Write the files that some of manifests/samples want uploaded first to build/samples
	@$(BIN)/python -m tests.samples.uploads

lock: venv ## Renew the lock files from pyproject.toml (UPGRADE=--upgrade: all to their newest)
	@$(BIN)/python -m pip install --quiet uv
	@for image in operator:operator/requirements.lock runtime:trainer_image/requirements.lock dev:requirements-dev.lock; do \
	  $(COMPILE) --extra $${image%%:*} --output-file $${image##*:} pyproject.toml; done
	@$(COMPILE) --output-file tests/triton/requirements.txt tests/triton/requirements.in

clean: ## Remove what was made in this checkout
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
