# Two commands do all: `make run` and `make test`. Only Python >= 3.11 (venv, pip) and make are needed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --require-hashes
PORT ?= $(or $(SKYLIFT_PORT),8480)

.DEFAULT_GOAL := help
.PHONY: help setup run test faults check format bench lock reference clean

help:
	@echo "make run     the service on http://127.0.0.1:$(PORT) (PORT=... for another port)"
	@echo "make test    the tests  [ARGS='-n0 tests/base' or any other options of pytest]"
	@echo "make faults  200 kills with 32 writers on each store, 2,000 seeds of the fault simulation"
	@echo "make setup   the set-up alone, into $(VENV)"
	@echo "make check   lint, types, import contracts, budgets, what make reference writes"
	@echo "make bench   side by side with peers, into build/bench.json  [ONLY=id] [SEED=n]"
	@echo "make format  sort imports and format, as make check wants it"
	@echo "make reference  write docs/reference/command-line.md and the lists of pages in docs/ anew"
	@echo "make clean   remove what checks, tests and benches leave behind"
	@echo "make lock    choose the newest dependencies anew and lock them with hashes"

$(VENV)/python.stamp:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "skylift needs Python 3.11 or newer, and $(PYTHON) is older; try: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 2; }
	@$(PYTHON) -m venv $(VENV) || \
	  { echo "python's venv module is missing; on Debian: apt-get install python3-venv" >&2; exit 2; }
	@touch $@

# hatchling and editables come with dev.txt; `make run` needs them too, so they have a short file of their own.
$(VENV)/run.stamp: $(VENV)/python.stamp requirements/run.txt requirements/build.txt pyproject.toml
	@echo "installing what skylift runs on, into $(VENV) (a minute or two the first time)"
	@$(PIP) -r requirements/build.txt
	@$(PIP) -r requirements/run.txt
	@$(BIN)/python -m pip --disable-pip-version-check install --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/dev.stamp: $(VENV)/run.stamp requirements/dev.txt
	@echo "installing what tests and checks need, into $(VENV)"
	@$(PIP) -r requirements/dev.txt
	@touch $@

setup: $(VENV)/dev.stamp

run: $(VENV)/run.stamp
	@$(BIN)/skylift run --port $(PORT)

# One worker per core, at most 8, each with whole files: two workers then seldom compile the same kernel. In the order
# that tests/conftest.py gives them, the longest first: by itself xdist begins those that have the most tests.
# Compiled first: where PYTHONDONTWRITEBYTECODE is set, each process that a test starts would do it anew, for 0.4 s.
test: $(VENV)/dev.stamp
	@$(BIN)/python -m compileall -q src
	$(BIN)/python -m pytest -n auto --maxprocesses 8 --dist loadfile --no-loadscope-reorder $(ARGS)

# The whole of what CI runs in part: some ten minutes on two cores, which it wants for itself.
faults: $(VENV)/dev.stamp
	SKYLIFT_TEST_KILLS=$(or $(KILLS),200) SKYLIFT_TEST_SEEDS=$(or $(SEEDS),2000) $(BIN)/python -m pytest -s $(ARGS) \
	  tests/faults tests/adapters/sql/test_killed.py

check: $(VENV)/dev.stamp
	$(BIN)/ruff check src tests bench tools examples
	$(BIN)/ruff format --check src tests bench tools examples docs *.md
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python tools/budgets.py
	$(BIN)/python tools/make_reference.py --check

format: $(VENV)/dev.stamp
	$(BIN)/ruff check --fix src tests bench tools examples
	$(BIN)/ruff format src tests bench tools examples docs *.md

bench: $(VENV)/dev.stamp
	@$(BIN)/python -m skylift.adapters.compiled
	$(BIN)/python -m bench $(if $(ONLY),--only $(ONLY)) $(if $(SEED),--seed $(SEED))

reference: $(VENV)/dev.stamp
	$(BIN)/python tools/make_reference.py

UV_COMPILE = $(BIN)/uv pip compile --quiet --upgrade --universal --generate-hashes --python-version 3.11 \
  --no-emit-index-url --no-emit-find-links --no-header
lock: $(VENV)/dev.stamp
	$(UV_COMPILE) pyproject.toml -o requirements/run.txt
	$(UV_COMPILE) pyproject.toml --group dev -c requirements/run.txt -o requirements/dev.txt
	printf 'hatchling\neditables\n' | $(UV_COMPILE) - -c requirements/dev.txt -o requirements/build.txt

clean:
	find src bench tests -name __pycache__ -type d -exec rm -rf {} +
	rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
