# `make help` lists what there is. Each target does its own set-up.
.DEFAULT_GOAL := help
.PHONY: help setup browser repro smollm2 llama-cpp test test-long check format hashes notebook
PYTHON ?= python3
VENV := .venv
INSTALLED := $(VENV)/.installed
export PATH := $(abspath $(VENV))/bin:$(PATH)

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

setup: $(INSTALLED) ## make .venv with all packages, pinned

repro: setup ## run the pipeline (what changed of it), and print the results
	dvc repro
	finetune show

smollm2: setup ## a real base model from the package index, without a hub account
	@python -m finetune.importing.smollm2

# Its converter is in the sources of the package alone.
LLAMA_CPP := .llama.cpp
llama-cpp: setup ## llama.cpp, built from source, for finetune export --form gguf (minutes)
	CMAKE_ARGS=-DLLAVA_BUILD=OFF python -m pip install --quiet -r requirements-gguf.txt
	rm -rf $(LLAMA_CPP) && mkdir $(LLAMA_CPP)
	python -m pip download --quiet --no-deps --no-binary llama-cpp-python --dest $(LLAMA_CPP) \
		$$(grep -o '^llama-cpp-python==[0-9.]*' requirements-gguf.txt)
	tar -xzf $(LLAMA_CPP)/*.tar.gz -C $(LLAMA_CPP) --strip-components=3 --wildcards '*/vendor/llama.cpp/*'

test: setup browser ## run the tests (a part: make test ARGS="tests/scoring -k bootstrap")
	python -m pytest -m "not long" $(ARGS)

test-long: setup browser ## run those that take minutes: a killed box, the notebook, docs/extending.md, further kinds
	python -m pytest -m long

check: setup ## lint, formatting, types, and that params, stages, lock and README are true
	python -m pip install --quiet --disable-pip-version-check -r requirements-lint.txt
	ruff check .
	ruff format --check .
	shellcheck .ci/run bench/*.sh cloud/*.sh
	hadolint Dockerfile
	mypy
	finetune check

# The report's tests open it in Chromium. Where there is none and no right to install it, they are
# skipped, and say so.
NO_BROWSER := no Chromium here: the tests that open the report in it will be skipped
browser:
	@if which chromium chromium-browser google-chrome google-chrome-stable | grep -q .; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && \
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
			chromium fonts-dejavu-core >/dev/null || echo "$(NO_BROWSER)"; \
	else \
		echo "$(NO_BROWSER)"; \
	fi

# Not of torch: each index has builds of its own under one version (CPU, CUDA), with other hashes.
UV := uv==0.13.9
hashes: setup ## requirements-hashes.txt, from the pins of the other requirements
	python -m pip install --quiet --disable-pip-version-check $(UV)
	grep -hE '^[A-Za-z0-9][^ ]*==' requirements.txt requirements-serve.txt constraints.txt | \
		sed 's/ *#.*//' | grep -v '^torch==' | LC_ALL=C sort -f | \
		uv pip compile --quiet --no-deps --universal --python-version 3.11 --generate-hashes \
			--no-annotate --custom-compile-command 'make hashes' -o requirements-hashes.txt -

notebook: setup ## notebooks/first_run.ipynb from its script
	jupytext --quiet --to ipynb --update notebooks/first_run.py

format: setup ## format the code, and mend what the linter can
	ruff check --fix .
	ruff format .

$(INSTALLED): requirements.txt requirements-serve.txt constraints.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@
