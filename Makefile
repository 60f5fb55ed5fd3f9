# The same verbs on a desk and in CI. `make run` and `make test` need Python 3.11+ and make, nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
NODES ?= 1
# Servers and workers of each process want a core as well: on two cores three are a third faster than two (21 minutes), and
# with four, tests ran into their time limits.
TEST_PROCESSES ?= 3
# Tests that start no server.
CHECKED := tests/house tests/domain tests/wire tests/properties tests/adapters
# Tests start hundreds of processes: where the environment forbids bytecode, each would compile every module again.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help setup run test check lint types bench soak kafka lock schemas clean

help:            ## Show these targets
	@grep -hE '^[a-z]+: .*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 16

setup: $(VENV)/.ready ## Make .venv with every pinned dependency and bopis itself

$(VENV)/.ready: requirements.lock setup.cfg pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "bopis needs Python 3.11 or newer; name one with: make PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=24"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	$(BIN)/python -m pip check
	@touch $@

run: setup       ## Run the demo: a trading day with faults, and a report (ARGS=--json for one document)
	@$(BIN)/bopis demo $(ARGS)

test: setup      ## Run the tests (ARGS are given to pytest)
	@$(BIN)/python -m deploy.kafka.archive
	$(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder --durations 25 $(ARGS)

check: lint types ## Check style, types, rules of the house and the pure parts, in about a minute
	$(BIN)/python -m pytest -q -n $(TEST_PROCESSES) --dist loadfile $(CHECKED) $(ARGS)

lint: setup      ## Check style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup     ## Check types
	$(BIN)/mypy

bench: setup     ## Measure every claim (minutes)
	for name in stream decided latency orders checkout http agent promise scale peers recovery broker projection; do $(BIN)/python -m benchmarks.$$name $(ARGS) || exit 1; done

soak: setup      ## Run the long versions of the fault tests (hours)
	$(BIN)/python -m pytest -m soak --timeout 0 $(ARGS)
	BOPIS_TEST_EXAMPLES=500 $(BIN)/python -m pytest --timeout 0 tests/web/contract/test_schemathesis.py

kafka: setup     ## Run Apache Kafka here until interrupted (NODES=3 for three nodes; needs Java and Maven)
	@$(BIN)/python -m deploy.kafka.cluster --nodes $(NODES) $(ARGS)

lock: setup      ## Pin the newest versions of all dependencies
	$(BIN)/python -m pip install --quiet uv
	echo "# Every dependency, pinned. Made by: make lock (uv pip compile setup.cfg, all extras, any platform, Python 3.11+)" > requirements.lock
	$(BIN)/uv pip compile --universal --python-version 3.11 --no-header --no-emit-index-url --no-emit-find-links \
		--extra postgresql --extra chat --extra stripe --extra test --extra lint setup.cfg >> requirements.lock

schemas: setup   ## Write docs/schemas from the code
	$(BIN)/python -m bopis.reference.schemas docs/schemas

clean:           ## Remove what was built; data directories stay
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
