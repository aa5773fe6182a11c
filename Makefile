# Every target makes what it needs on first use and says so; nothing has to be set up before.
SHELL := /bin/sh
.DEFAULT_GOAL := help
PYTHON_FOR_TOOLS ?= python3
BIN := .venv/bin
BENCH := .venv-bench/bin/python
SOURCES := sidecar webhook tests bench tools
# Where it is set, each of the hundreds of processes that tests start compiles all that it imports.
unexport PYTHONDONTWRITEBYTECODE
.PHONY: help venv venv-bench binaries servers demo test e2e unit lint format manifests images bench lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

venv: ## the virtual environment for development, .venv
	@command -v $(PYTHON_FOR_TOOLS) >/dev/null || { echo "python3 is missing: install Python 3.11 or newer" >&2; exit 1; }
	@$(PYTHON_FOR_TOOLS) tools/make_venv.py .venv --lock requirements/dev.lock

venv-bench:
	@command -v $(PYTHON_FOR_TOOLS) >/dev/null || { echo "python3 is missing: install Python 3.11 or newer" >&2; exit 1; }
	@$(PYTHON_FOR_TOOLS) tools/make_venv.py .venv-bench --lock requirements/bench.lock --fastest

binaries: venv ## Kubernetes, etcd, kubectl, helm and kubeconform: found, or built once
	@$(BIN)/python -m tests.controlplane binaries --charts

servers: venv
	@$(BIN)/python -m tests.controlplane binaries

demo: venv servers ## the main job, told as a story on two real clusters
	@$(BIN)/mca demo

test: lint binaries ## everything: format, lint, types, layout, unit, integration, coverage
	@mkdir -p .coverage-data && rm -f .coverage-data/*
	@echo "== tests, with coverage of the processes they start" >&2
	$(BIN)/coverage run -m pytest --numprocesses 3 --dist loadscope --max-worker-restart 2
	@$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

e2e: venv ## labelled namespaces on a real node, made here of real parts (root; Debian packages)
	$(BIN)/python -m tests.node test

unit: venv ## the tests that need no control plane
	$(BIN)/python -m pytest -m "not apiserver"

lint: venv ## format, lint and strict types, checked only
	@echo "== format, lint, types" >&2
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: venv ## format the source and mend what ruff can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

manifests: venv ## manifests/ and chart/ anew from webhook/install
	@$(BIN)/python -m webhook.install

images: ## both images, built and pushed: make images REGISTRY=registry.example.com/team
	@command -v $(PYTHON_FOR_TOOLS) >/dev/null || { echo "python3 is missing: install Python 3.8 or newer" >&2; exit 1; }
	@$(PYTHON_FOR_TOOLS) tools/images.py

bench: venv-bench servers ## measurements beside real peers; the result is in bench/RESULTS.md
	@$(BENCH) -m bench.run

lock: ## pin all dependencies anew from pyproject.toml
	@PYTHON=$(PYTHON_FOR_TOOLS) tools/lock.sh

clean: ## remove what make made here; built binaries stay in their cache
	rm -rf .venv .venv-bench .coverage-data .hypothesis .mypy_cache .pytest_cache .ruff_cache build dist
	find $(wildcard $(SOURCES)) -name __pycache__ -type d -prune -exec rm -rf {} +
