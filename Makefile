# make demo   set up, then the embedded run: real RNA to an evaluated model, results/demo/report/index.html
# make test   set up, then all tests
# make lint   formatters, linters, room order
# make tasks-smoke   every kind of task on parts of real data: results/tasks-smoke/metrics.csv, results/tasks-smoke/report/index.html
# make fuzz   100,000 damaged input files through the corpus, INPUTS=... for another number
# make bench-corpus   made records through the corpus, beside seqkit: docs/benchmarks.md
# make bench-models   RNAret in linear time; embedding beside padded batches, MULTIMOLECULE=yes also beside MultiMolecule

SHELL := bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)

# Without an NVIDIA GPU torch's CPU build is enough and ten times smaller; out of its reach, the usual build serves.
CPU_WHEELS := https://download.pytorch.org/whl/cpu
CPU_TORCH = $(shell if ! command -v nvidia-smi && $(PYTHON) -c \
	"import urllib.request as web; web.urlopen('$(CPU_WHEELS)/torch/', timeout=5)"; \
	then echo --extra-index-url $(CPU_WHEELS); fi 2> /dev/null)
PIP_INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt $(CPU_TORCH)

.PHONY: demo tasks-smoke test lint fuzz bench-corpus bench-decoders bench-models setup setup-test

setup: $(VENV)/installed
setup-test: $(VENV)/installed-test

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP_INSTALL) --editable .
	touch $@

$(VENV)/installed-test: $(VENV)/installed
	$(PIP_INSTALL) --editable '.[test]'
	touch $@

demo: setup
	snakemake --profile workflow/profiles/demo all
	@echo "results/demo/report/index.html is the report, results/demo/models/ the models"

# Its data lie beside the checkout, see tests/configs/real.lock.yaml.
tasks-smoke: setup-test
	snakemake --profile workflow/profiles/demo --configfile tests/configs/tasks_smoke.yaml -- all

test: setup-test
	bash tests/system_packages.sh
	python -m pytest

lint: setup-test
	ruff check .
	ruff format --check .
	snakefmt --check workflow
	lint-imports --no-cache
	snakemake --lint --configfile config/demo.yaml

INPUTS ?= 100000

fuzz: setup-test
	bash tests/system_packages.sh
	python tests/fuzz/fuzz.py $(INPUTS)

PART ?= all
RECORDS ?= 1000000 10000000
SEQKIT_RECORDS ?= 1000000
REPETITIONS ?= 5
CLUSTER_UP_TO ?= 0
SPLIT_MEMORY_LIMIT ?= 0

bench-corpus: setup-test
	bash tests/system_packages.sh
	python tests/benchmarks/corpus.py --part $(PART) --records $(RECORDS) --seqkit-records $(SEQKIT_RECORDS) \
		--cluster-up-to $(CLUSTER_UP_TO) --split-memory-limit $(SPLIT_MEMORY_LIMIT) --repetitions $(REPETITIONS)

bench-decoders: setup-test
	python tests/benchmarks/decoders.py

RNAS ?= 96
WAYS ?= packed packed_bf16 padded multimolecule
MULTIMOLECULE ?=
# An environment of its own: MultiMolecule (AGPL-3.0) is no dependency. The versions are known to work together.
THEIRS := results/.state/multimolecule

bench-models: REPETITIONS = 3
bench-models: setup-test $(if $(MULTIMOLECULE),$(THEIRS)/installed)
	python tests/benchmarks/models.py --part $(PART) --rnas $(RNAS) --ways $(WAYS) --repetitions $(REPETITIONS) \
		$(if $(MULTIMOLECULE),--multimolecule $(THEIRS)/bin/python)

$(THEIRS)/installed: constraints.txt
	$(PYTHON) -m venv $(THEIRS)
	$(subst $(BIN),$(THEIRS)/bin,$(PIP_INSTALL)) multimolecule==0.2.2 danling==0.4.8 chanfig==0.0.117
	touch $@
