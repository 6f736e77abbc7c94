# Needs Python >= 3.11 and make. Everything else is installed into .venv, once.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

MINUTES ?= 5
SEED    ?= 0
SLOW    := browser codegen docs equations fuzz gradcheck ir keras mutation reliability seeing specs tensorflow_target validator \
           $(addprefix members/test_,$(addsuffix .py,convolution_keras ensemble lacking large_data regime_table settings turns uses))

# The tests start hundreds of processes: let none compile the compiler anew, and none wait for threads that small
# matrices have no work for.
unexport PYTHONDONTWRITEBYTECODE
test quick: export OPENBLAS_NUM_THREADS = 1
test quick: export OMP_NUM_THREADS = 1
test quick: export MKL_NUM_THREADS = 1

.PHONY: help demo test quick fuzz lint format bench manual clean

help:            ## what there is
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile | expand -t 16

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "dotnn needs Python 3.11 or later; try: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@

demo: $(READY)   ## compile, check and train a network on real digits, beside scikit-learn's
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python benchmarks/demo.py

test: $(READY)   ## all tests, then lint
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pytest -n 2 --dist worksteal -q tests
	@$(MAKE) --no-print-directory lint

fuzz: $(READY)   ## random specs for MINUTES=5 from SEED=0 on; what fails is made small and printed
	OPENBLAS_NUM_THREADS=1 PYTHONPATH=tests $(BIN)/python -m fuzz.run --minutes $(MINUTES) --seed $(SEED) $(if $(NUMBER),--number $(NUMBER))

quick: $(READY)  ## the tests that take seconds each: no TensorFlow, no sabotage, no long training
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pytest -n 2 --dist worksteal -q tests -k "not tensorflow" $(addprefix --ignore=tests/,$(SLOW))

lint: $(READY)   ## style, types and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY) ## put every file into its one layout
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/dotnn fmt specs/*.nn

manual: $(READY) ## write the tables and the shown outputs of the documentation anew
	$(BIN)/python -m dotnn.commands.manual docs/language.md docs/commands.md docs/runs.md
	$(BIN)/python docs/gallery.py
	$(BIN)/python docs/blocks.py *.md docs/*.md docs/decisions/*.md

bench: $(READY)  ## measure speed beside other libraries
	$(BIN)/python benchmarks/run.py

clean:           ## remove what the targets above have made
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find compiler runtime tests benchmarks specs -name __pycache__ -type d -prune -exec rm -rf {} +
