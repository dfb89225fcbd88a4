# Every target sets up .venv by itself, once, from requirements.lock.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
READY = $(VENV)/.ready
RUN = $(VENV)/bin
TESTS ?= tests
export MPLBACKEND = Agg

.PHONY: help venv demo test slow lint format bench clean

help:
	@echo "make venv   set up $(VENV) from requirements.lock"
	@echo "make demo   simulate, train, evaluate, report: minutes on two cores"
	@echo "make test   the quick tests          make slow   the long ones"
	@echo "make lint   ruff and mypy            make format let ruff rewrite"
	@echo "make bench  throughput tables        make clean  remove what the targets made, .venv kept"

venv: $(READY)

# --no-build-isolation: setuptools is pinned in the lock, so nothing unpinned is fetched.
$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=...")'
	test -x $(RUN)/python || $(PYTHON) -m venv $(VENV)
	$(RUN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(RUN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

test: $(READY)
	$(RUN)/python -m pytest -n 2 $(TESTS)

slow: $(READY)
	$(RUN)/python -m pytest -m slow $(TESTS)

lint: $(READY)
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .
	$(RUN)/mypy

format: $(READY)
	$(RUN)/ruff check --fix .
	$(RUN)/ruff format .

bench: $(READY)
	$(RUN)/python -m benchmarks.simulator
	$(RUN)/python -m benchmarks.classification_throughput
	$(RUN)/python -m benchmarks.training_step

clean:
	rm -rf build dist outputs multirun lightning_logs .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
