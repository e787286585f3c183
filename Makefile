# Two commands are all a user needs: `make demo` and `make test`. Both install what they need into
# $(VENV), through constraints.txt, and a second call installs nothing.

VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --quiet -c constraints.txt
SETTINGS := pyproject.toml constraints.txt

.PHONY: help demo test lint types fast doctest readme slow bench docs names table minimums wheels clean

help:
	@echo "make demo      train, sample, judge and draw: one page at the end (a few minutes)"
	@echo "make test      lint, types, fast tests, doctests, README commands"
	@echo "make docs      executed notebook and the documentation, under site/"
	@echo "make slow      the tests that take minutes"
	@echo "make bench     time the shipped model and the judge"
	@echo "make lint | types | fast | doctest | readme   one part of make test"
	@echo "make names     write down the public names again"
	@echo "make table     write the tables of scores and of families again (ROWS=contest/table.json: new rows)"
	@echo "make minimums  fast tests with the lowest versions of pyproject.toml"
	@echo "make wheels    check that every core dependency has wheels for Python 3.12 to 3.14"
	@echo "make clean     remove the virtual environment and everything built"

# --- what users type ---------------------------------------------------------------------------

demo: $(VENV)/core.stamp
	$(BIN)/simulacra demo

test: lint types fast

lint: $(VENV)/dev.stamp
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(VENV)/dev.stamp
	$(BIN)/mypy

fast: $(VENV)/dev.stamp   # pytest's settings include the doctests of src; the README is a test
	$(BIN)/python -m pytest

doctest: $(VENV)/dev.stamp
	$(BIN)/python -m pytest src

readme: $(VENV)/dev.stamp
	$(BIN)/python -m pytest tests/test_readme.py

slow: $(VENV)/dev.stamp
	$(BIN)/python -m pytest -m slow

wheels: $(VENV)/dev.stamp
	$(BIN)/python -m pytest -m slow tests/test_dependencies.py

bench: $(VENV)/core.stamp
	$(BIN)/simulacra bench sampling photons
	$(BIN)/simulacra bench judge

docs: $(VENV)/docs.stamp
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

names: $(VENV)/dev.stamp
	$(BIN)/python tests/test_public_names.py

table: $(VENV)/core.stamp   # make table ROWS=contest/table.json adds the rows of a contest
	$(BIN)/python docs/_build/scores.py
	$(BIN)/python docs/_build/families.py $(ROWS)

minimums:
	$(PYTHON) -m venv build/minimums
	$(PYTHON) tests/test_dependencies.py > build/minimums.txt
	build/minimums/bin/python -m pip install --quiet -c build/minimums.txt -e ".[dev]"
	build/minimums/bin/python -m pytest

clean:
	rm -rf $(VENV) build dist site .mypy_cache .ruff_cache .pytest_cache .hypothesis

# --- what is installed -------------------------------------------------------------------------

# An environment that stands already is kept: whoever put a CPU build of torch there keeps it.
$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/core.stamp: $(SETTINGS) | $(VENV)/bin/python
	$(INSTALL) hatchling editables
	$(INSTALL) --no-build-isolation -e .
	@touch $@

$(VENV)/dev.stamp: $(SETTINGS) | $(VENV)/core.stamp
	$(INSTALL) --no-build-isolation -e ".[dev]"
	@touch $@

$(VENV)/docs.stamp: $(SETTINGS) | $(VENV)/core.stamp
	$(INSTALL) --no-build-isolation -e ".[docs]"
	@touch $@
