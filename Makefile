# Every target sets up .venv by itself, once, from requirements.lock.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
READY = $(VENV)/.ready
RUN = $(VENV)/bin
TESTS ?= tests
SPI_DATA ?= ../shared/data
DEMO = runs/demo
PR772 = $(SPI_DATA)/spi/pr772_dev.h5
# One thread a process: training, loader and tests share the cores.
OMP_NUM_THREADS ?= 1
export OMP_NUM_THREADS
export MPLBACKEND = Agg
export SPI_DATA

.PHONY: help venv demo test slow fuzz lint format wheel wheelhouse lowest bench weights results docs notebooks clean

help:
	@echo "make venv   set up $(VENV) from requirements.lock"
	@echo "make demo   simulate, train, evaluate, report: minutes on two cores"
	@echo "make test   the quick tests          make slow   the long ones"
	@echo "make lint   ruff and mypy            make format let ruff rewrite"
	@echo "make wheel  build, install into a fresh venv, try   make wheelhouse   wheels for machines without a network"
	@echo "make lowest quick tests with the lowest versions that pyproject.toml allows"
	@echo "make bench  throughput tables        make fuzz   readers on damaged files of every format"
	@echo "make weights   train the networks that the package brings again (hours), WEIGHTS=NAME for one"
	@echo "make results   tables of benchmarks/RESULTS.md from benchmarks/results"
	@echo "make docs   the documentation, in site/   make notebooks   execute its notebooks, into build/notebooks"
	@echo "make clean  remove what the targets made, .venv kept"

venv: $(READY)

# --no-build-isolation: setuptools is pinned in the lock, so nothing unpinned is fetched.
$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=...")'
	test -x $(RUN)/python || $(PYTHON) -m venv $(VENV)
	$(RUN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(RUN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

# The commands of the README, shorter: patterns, two networks, and their answers to patterns they have not seen.
demo: $(READY)
	rm -rf $(DEMO)
	$(RUN)/spi simulate patterns=1000 path=$(DEMO)/fresh.cxi seed=2026 workers=2 \
	    simulate.usable_photons=1.2e4
	$(RUN)/spi train experiment=demo_tiny_cnn tracking=disabled hydra.run.dir=$(DEMO)/tiny_cnn
	$(RUN)/spi train experiment=demo_resnet10 tracking=disabled hydra.run.dir=$(DEMO)/resnet10
	$(RUN)/spi evaluate 'checkpoint=[$(DEMO)/tiny_cnn,$(DEMO)/resnet10]' data.path=$(DEMO)/fresh.cxi \
	    hydra.run.dir=$(DEMO)/on_simulated
	@if test -f $(PR772); then set -x; $(RUN)/spi evaluate 'checkpoint=[$(DEMO)/tiny_cnn,$(DEMO)/resnet10]' \
	    data.path=$(PR772) data.keys.photons=patterns data.keys.label=labels data.keys.mask=mask \
	    data.mask_convention=bad hydra.run.dir=$(DEMO)/on_pr772; \
	    else echo "no real patterns in SPI_DATA=$(SPI_DATA): evaluated on simulated ones alone"; fi
	@$(RUN)/spi compare $(DEMO)/on_*

test: $(READY)
	$(RUN)/python -m pytest -n 2 $(TESTS)

slow: $(READY)
	$(RUN)/python -m pytest -m slow $(TESTS)

fuzz: $(READY)
	$(RUN)/python -m tests.fuzz --number 200

lint: $(READY)
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .
	$(RUN)/mypy

format: $(READY)
	$(RUN)/ruff check --fix .
	$(RUN)/ruff format .

wheel: $(READY)
	.ci/wheel $(RUN)/python

# Wheels of the package and of all that it needs, in the versions of the lock, for this Python and this kind of machine.
wheelhouse: $(READY)
	rm -rf wheelhouse
	$(RUN)/python -m pip wheel --quiet --disable-pip-version-check --wheel-dir wheelhouse -c requirements.lock ".$(EXTRAS)"
	@echo "copy wheelhouse/, then there: pip install --no-index --find-links wheelhouse spi_lightning"

# torch and the tools stay at the lock's versions.
lowest: $(READY)
	mkdir -p build
	$(PYTHON) -m venv --clear build/lowest
	$(RUN)/python -m tests.lowest > build/lowest.txt
	build/lowest/bin/python -m pip install --quiet --disable-pip-version-check -r build/lowest.txt
	PYTHONPATH=$(CURDIR) build/lowest/bin/python -m pytest -n 2 $(TESTS)

bench: $(READY)
	$(RUN)/python -m benchmarks.simulator
	$(RUN)/python -m benchmarks.classification_throughput
	$(RUN)/python -m benchmarks.training_step
	$(RUN)/python -m benchmarks.graph_cut_speed
	$(RUN)/python -m benchmarks.diffusion_map_speed
	$(RUN)/python -m benchmarks.phasing_speed
	$(RUN)/python -m benchmarks.support_network --timing
	$(RUN)/python -m benchmarks.macromolecule_speed
	$(RUN)/python -m benchmarks.volume_network speed

weights: $(READY)
	$(RUN)/python -m benchmarks.ship_weights $(WEIGHTS)

results: $(READY)
	$(RUN)/python -m benchmarks.tables

notebooks: $(READY)
	PATH="$(abspath $(RUN)):$$PATH" $(RUN)/python -m tests.notebooks

docs: $(READY)
	NO_MKDOCS_2_WARNING=1 PYTHONPATH=. $(RUN)/mkdocs build --strict --quiet

clean:
	rm -rf build dist site wheelhouse outputs multirun lightning_logs .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
