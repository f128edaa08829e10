# make demo   set up, then the embedded run: real RNA to an evaluated model, results/demo/report/index.html
# make test   set up, then all tests
# make lint   formatters, linters, room order

SHELL := bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: demo test lint setup setup-test

setup: $(VENV)/installed
setup-test: $(VENV)/installed-test

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	touch $@

$(VENV)/installed-test: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[test]'
	touch $@

demo: setup
	snakemake --profile workflow/profiles/demo all

test: setup-test
	bash tests/system_packages.sh
	python -m pytest

lint: setup-test
	ruff check .
	ruff format --check .
	snakefmt --check workflow
	lint-imports --no-cache
	snakemake --lint --configfile config/demo.yaml
