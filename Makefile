# Kestrel. From the machine: Python 3.11 to 3.13 with venv, git, make. Everything else goes into .venv.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help install up test check bench soak format clean

BIN := .venv/bin
STAMP := .venv/.installed
ARGS ?=
# Nobody's PYTHONPATH or active environment decides what runs here.
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV
export UV_PROJECT_ENVIRONMENT := .venv
export UV_PYTHON_DOWNLOADS := never

help:  ## what there is
	@grep -hE '^[a-z]+:.*  ## ' $(MAKEFILE_LIST) | sed 's/:.*  ## /\t/' | expand -t 10

install: $(STAMP)  ## everything into .venv

$(STAMP): pyproject.toml uv.lock deploy/bootstrap.sh
	@sh deploy/bootstrap.sh
	@touch $@

up: $(STAMP)  ## run everything on this machine: make up ARGS="--demo"
	@exec $(BIN)/kestrel up $(ARGS)

test: $(STAMP)  ## the tests, at most 10 minutes
	@$(BIN)/python -m tests.run $(ARGS)

check: $(STAMP)  ## lint, format, types, import directions
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: $(STAMP)  ## the benchmarks, as ratios against a baseline in the same run
	@$(BIN)/python -m benchmarks $(ARGS)

soak: $(STAMP)  ## the long forms of the tests
	@$(BIN)/python -m tests.run --soak $(ARGS)

format: $(STAMP)  ## let ruff rewrite the code
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

clean:  ## remove what can be made again (never KESTREL_HOME)
	@rm -rf .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage
