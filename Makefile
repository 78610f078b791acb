# The interface of the study; `make help` says what there is.
PROFILE ?= digits
PYTHON ?= python3

VENV := .venv
BIN := $(VENV)/bin
LOCK := requirements.lock
# The environment is whole when this file exists; it is another one for another lock.
STAMP := $(VENV)/.lock-$(shell cksum < $(LOCK) | tr ' ' '-')
UV := $(shell sed -n 's/^uv==\([^ ;]*\).*/\1/p' $(LOCK))
# TORCH=cpu: PyTorch for processors alone, from PyTorch's own index; all else is that of the lock.
TORCH ?= all
ifeq ($(filter all cpu,$(TORCH)),)
$(error randsparse: TORCH: choose one of all, cpu)
endif
WITH_TORCH := torch|torchvision|triton|nvidia-[a-z0-9-]*|cuda-[a-z-]*
SMALL = $(BIN)/uv pip install --quiet --python $(BIN)/python --torch-backend cpu \
    $$(sed -nE 's/^((torch|torchvision)==[^ ;]*).*/\1/p' $(LOCK)) && \
    awk '/^[a-z0-9]/ { skip = /^($(WITH_TORCH))==/ } !skip' $(LOCK) > $(VENV)/rest.lock
REST = $(if $(filter cpu,$(TORCH)),--no-deps -r $(VENV)/rest.lock,-r $(LOCK))
STUDY := $(BIN)/python -m randsparse

# What a user sets reaches the shell as its environment, quoted, and is never part of a command.
OPTIONS := CLUSTER DEVICE BUDGET OUT PART WHY RETRY FROM
KNOWN := PROFILE PYTHON TORCH RESULTS WORKERS DATA_DIR $(OPTIONS) LAB UPGRADE
GIVEN := $(foreach name,$(.VARIABLES),$(if $(filter command,$(firstword $(origin $(name)))),$(name)))
ifneq ($(filter-out $(KNOWN) MAKEFLAGS MFLAGS,$(GIVEN)),)
$(error randsparse: unknown variable $(filter-out $(KNOWN) MAKEFLAGS MFLAGS,$(GIVEN)): there are $(KNOWN))
endif
export PROFILE $(OPTIONS)
ifdef RESULTS
export RANDSPARSE_RESULTS := $(RESULTS)
endif
ifdef WORKERS
export RANDSPARSE_WORKERS := $(WORKERS)
endif
ifdef DEVICE
export RANDSPARSE_DEVICE := $(DEVICE)
endif
ifdef CLUSTER
export RANDSPARSE_CLUSTER := $(CLUSTER)
endif
ifdef DATA_DIR
export DATA_DIR
endif
# All that is set is passed on: a command refuses what it does not take.
setting = $${$(2):+--$(1) "$$$(2)"}
flag = $${$(2):+--$(1)}
ASKED = --profile "$$PROFILE" $(call setting,cluster,CLUSTER) $(call setting,device,DEVICE) $(call setting,budget,BUDGET) \
    $(call setting,out,OUT) $(call setting,part,PART) $(call setting,from,FROM) $(call flag,why,WHY) $(call flag,retry,RETRY)

.PHONY: all env runs merge notebooks status export lab bench test soak test-core lint findings strip lock clean help
.DEFAULT_GOAL := all

all: $(STAMP)  ## environment, runs that are missing, notebooks, figures, tables and a book of pages
	@$(STUDY) all $(ASKED)

env: $(STAMP)  ## only the environment, in .venv (TORCH=cpu: a small one, for a machine without a GPU)

runs: $(STAMP)  ## only the runs that are missing (BUDGET=25m: those that fit; OUT=file: also into one file; PART=A: of a campaign)
	@$(STUDY) runs $(ASKED)

merge: $(STAMP)  ## take runs made elsewhere into the store (FROM=file, another folder of results, or pattern)
	@$(STUDY) merge $(ASKED)

notebooks: $(STAMP)  ## figures and pages from the runs there are, no training
	@$(STUDY) notebooks $(ASKED)

status: $(STAMP)  ## what there is, what is missing and how long that takes here, and what failed (WHY=1: why outputs are to be made)
	@$(STUDY) status $(ASKED)

export: $(STAMP)  ## all records as Parquet with a data card, in RESULTS/export, readable without this library
	@$(STUDY) export $(ASKED)

lab: $(STAMP)  ## JupyterLab, to read and change the notebooks (LAB="--no-browser --port 8888")
	$(BIN)/jupyter lab $(LAB) --ServerApp.root_dir=. notebooks/00_overview.ipynb

bench: $(STAMP)  ## what masking costs, and how fast training is
	@$(STUDY) bench $(call setting,device,DEVICE)

test: lint  ## lint, unit tests, and the notebooks at a tiny size
	$(BIN)/python -m pytest

soak: $(STAMP)  ## tests that take an hour: the whole study killed again and again (RANDSPARSE_KILLS=60)
	$(BIN)/python -m pytest -n 0 -m soak tests/soak

test-core: $(STAMP)  ## the core in an environment of its own, with no more than it needs
	@rm -rf build/core && $(BIN)/uv venv --quiet --python $(BIN)/python build/core
	@$(BIN)/uv pip install --quiet --python build/core/bin/python --constraint $(LOCK) . torchvision pytest
	build/core/bin/python -m pytest -q --noconftest -c /dev/null --rootdir tests -p no:cacheprovider tests/test_core.py

lint: $(STAMP)  ## ruff
	$(BIN)/ruff check .

findings: $(STAMP)  ## the table of the README, from the results of cifar10-small
	@$(BIN)/python -m randsparse.study.findings

strip: $(STAMP)  ## remove outputs from the sources of the notebooks, before a commit
	$(BIN)/nbstripout --keep-id notebooks/*.ipynb

lock: $(STAMP)  ## resolve the ranges of pyproject.toml into requirements.lock (UPGRADE="--upgrade" for newer versions)
	$(BIN)/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --generate-hashes \
	    --no-emit-index-url --no-emit-find-links --no-header --no-annotate --quiet $(UPGRADE) --output-file $(LOCK)

clean:  ## remove what was made for PROFILE but not the records of runs, nor the environment
	@PYTHONPATH=lib $(or $(wildcard $(BIN)/python),$(PYTHON)) -m randsparse.study.cleaning "$$PROFILE"

help:
	@echo "make TARGET [PROFILE=$$PROFILE] [DATA_DIR=data] [RESULTS=results] [WORKERS=one for each core]"
	@echo "where to train: [CLUSTER=tcp://host:8786] [DEVICE=cpu]; what runs may take: [BUDGET=25m] [OUT=file]; [RETRY=1]"
	@sed -n 's/^\([a-z-]*\):.*  ## \(.*\)/  \1\t\2/p' Makefile | expand -t 14
	@echo "profiles: digits $(filter-out digits,$(notdir $(wildcard notebooks/profiles/*)))"

$(STAMP):
	@for python in "$(PYTHON)" python3.14 python3.13 python3.12 python3.11 none; do \
	    "$$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' 2>/dev/null && break; \
	done; \
	if [ "$$python" = none ]; then \
	    echo "randsparse: $(PYTHON) is not Python 3.11 or newer: install one and run make PYTHON=/path/to/python"; exit 1; \
	fi; \
	echo "building $(VENV) with $$("$$python" --version), once; this takes a few minutes"; \
	rm -rf $(VENV) && "$$python" -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV)
	$(if $(filter cpu,$(TORCH)),@$(SMALL))
	@$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes $(REST)
	@$(BIN)/python -c 'import pathlib, sysconfig; pathlib.Path(sysconfig.get_path("purelib"), "randsparse.pth").write_text(str(pathlib.Path("lib").resolve()) + "\n")'
	@touch $@
