# `make help` lists what there is. Each target does its own set-up.
.DEFAULT_GOAL := help
.PHONY: help setup repro test check format
PYTHON ?= python3
VENV := .venv
INSTALLED := $(VENV)/.installed
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

setup: $(INSTALLED) ## make .venv with all packages, pinned

repro: setup ## run the pipeline (what changed of it), and print the results
	dvc repro
	finetune show

test: setup ## run all tests (a part: make test ARGS="tests/scoring -k bootstrap")
	python -m pytest $(ARGS)

check: setup ## lint, formatting, and that params, stages, lock and README are true
	ruff check .
	ruff format --check .
	finetune check

format: setup ## format the code, and mend what the linter can
	ruff check --fix .
	ruff format .

$(INSTALLED): requirements.txt constraints.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@
