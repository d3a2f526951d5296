# make demo and make test need Python 3.11 to 3.13, git and make, and nothing else.
SHELL := /bin/bash
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
DATA := ../shared/data
NOTE := model card
# tests run in so many processes, one more than the two processors that they are to do with: a fifth of their time is
# spent waiting for peers; what shares a costly fixture stays in one of them (tests/support/together.py)
WORKERS := 3
PYTEST := $(BIN)/pytest --numprocesses $(WORKERS) --no-loadscope-reorder
# the tests start hundreds of processes: where bytecode may not be kept, each compiles the whole node anew
unexport PYTHONDONTWRITEBYTECODE

# $(call compared,RECIPE,DATA): a network to compare with, trained, measured, and kept as a row of the model card
define compared
	$(BIN)/pacs-node train --recipe $(1) --data $(2) --out var/learn/$(1) --replace
	$(BIN)/pacs-node evaluate var/learn/$(1) --data $(2) --out var/learn/$(1)-measured --note "$(NOTE)"
	@mkdir -p docs/measures && cp var/learn/$(1)-measured/measures.json docs/measures/$(1).json
endef

.PHONY: help install demo run test test-peers learn card bench lint

help:
	@echo "make install     install into $(VENV), as all others do first"
	@echo "make demo        install into $(VENV), run the node on sample studies, print a table of results"
	@echo "make run         the node, staying up, with ./config.toml"
	@echo "make test        all tests that need no root"
	@echo "make test-peers  install DCMTK, Orthanc, OHIF, validators and PostgreSQL, and run the tests with them;"
	@echo "                 what make test has shown on SQLite alone is shown on PostgreSQL, too"
	@echo "make learn       train everything from $(DATA), measure it, write docs/model-card.md and its figures"
	@echo "make card        measure models/starter again and write docs/model-card.md and its figures"
	@echo "make bench       side-by-side benchmarks, the kill scenario and the fuzz run"

$(VENV)/installed: requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "pacs-node needs Python 3.11, 3.12 or 3.13: install one, or make PYTHON=/path/to/python3.12 ..."; exit 2; }
	@echo "installing into $(VENV) with $$($(PYTHON) --version) (a few minutes the first time)"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

install: $(VENV)/installed
	@$(BIN)/python -m compileall -q node models # who serves may not be allowed to write here

demo: $(VENV)/installed
	@$(BIN)/pacs-node demo

run: $(VENV)/installed
	@$(BIN)/pacs-node serve

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint
	$(PYTEST) -m "not peers"

test-peers: $(VENV)/installed
	tests/peers/install.sh
	PACS_NODE_SCREENSHOTS=$(CURDIR)/var/screenshots $(PYTEST) -m peers
	$(PYTEST) -m "not peers" --database rest

learn: $(VENV)/installed
	@test -d $(DATA)/chest_kermany || { echo "$(DATA)/chest_kermany is not there: make learn needs the public data sets"; exit 1; }
	@test -f $(DATA)/mnist/mnist.npz || { echo "$(DATA)/mnist/mnist.npz is not there: make learn needs the public data sets"; exit 1; }
	$(BIN)/pacs-node train --recipe starter --data $(DATA)/chest_kermany --out models/starter --replace
	$(call compared,textbook-28,$(DATA)/chest_kermany)
	$(call compared,textbook-224,$(DATA)/chest_kermany)
	$(call compared,mnist,$(DATA)/mnist/mnist.npz)
	$(MAKE) card

card: $(VENV)/installed
	$(BIN)/pacs-node evaluate models/starter --data $(DATA)/chest_kermany --card docs/model-card.md --note "$(NOTE)" \
		$(foreach row,$(wildcard docs/measures/*.json),--beside $(row))

bench: $(VENV)/installed
	$(BIN)/python bench/receive.py
	$(BIN)/python bench/durable_order.py
	$(BIN)/python bench/chaos.py
	$(BIN)/python bench/fuzz.py --seed 1 --seconds 120
	$(BIN)/python bench/inference.py
	@test ! -d $(DATA) || $(BIN)/python bench/pipeline.py
	@test ! -d $(DATA) || $(BIN)/python bench/robustness.py
	@test ! -d $(DATA) || $(BIN)/python bench/synthetic.py --data $(DATA)
