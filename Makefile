# Thin: each target makes sure the virtual environment is there and calls one command.
# The path of this folder may have spaces; VENV may not, since it is part of a target's name. `make sim` and
# `make bitstream` call makefiles and scripts of cocotb and Amaranth, which may not take them.
PYTHON ?= python3
VENV ?= .venv
BOARD ?= ulx3s-85f
# Cores of `make sim`: narrow, chunky, outside and clustered unless given.
CONFIG ?=
SEED ?= 1
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# One process a core; a test goes to the process that is free. PYTEST="-k core" tests a part in one process.
PYTEST ?= --numprocesses auto --dist worksteal
# Waveforms of `make sim`: WAVES=1.
WAVES ?=

.PHONY: help demo test sim bitstream program check docs bench mutants zoo clean

help: ## show this help
	@grep -hE '^[a-z]+:.*## ' Makefile | sed -E 's/:.*## /\t/'

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Spikeplane needs Python 3.11 or newer; set PYTHON=")'
	@for tool in g++ make perl; do command -v $$tool >/dev/null || { echo "Spikeplane needs $$tool: install it with the system package manager"; exit 1; }; done
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[train,tensorboard,data,report,import,sweep,postgresql,simulate,bitstream,usb]" --group test --group check --group docs
	@touch $@

demo: $(INSTALLED) ## train, compile and run the digits network on the simulated board; report in build/demo/
	$(BIN)/python -m spikeplane demo

test: $(INSTALLED) ## the whole test suite
	$(BIN)/python -m pytest $(PYTEST)

sim: $(INSTALLED) ## cocotb testbenches on the generated Verilog (WAVES=1, SEED=, CONFIG=)
	$(BIN)/python sim/run.py --seed $(SEED) $(if $(CONFIG),--config $(CONFIG)) $(if $(WAVES),--waves)

bitstream: $(INSTALLED) ## build build/BOARD/ with open tools only (BOARD=ulx3s-85f, icebreaker ...)
	$(BIN)/python -m spikeplane bitstream $(BOARD)

program: $(INSTALLED) ## load the bitstream of BOARD with openFPGALoader
	$(BIN)/spikeplane program $(BOARD)

check: $(INSTALLED) ## ruff, pyright and the tests
	$(BIN)/ruff check
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/python -m pytest $(PYTEST)

docs: $(INSTALLED) ## the manual as a site, in build/site/
	$(BIN)/mkdocs build --strict

bench: $(INSTALLED) ## every figure of the documentation: bench/results/*.json and docs tables (hours)
	$(BIN)/python -m pip install --quiet -c constraints.txt --group bench
	$(BIN)/python bench/run.py

mutants: $(INSTALLED) ## which faults on purpose the tests notice: bench/results/mutants.json (hours)
	$(BIN)/python bench/mutants.py

zoo: $(INSTALLED) ## train what is missing in zoo/ (SPIKEPLANE_DATA= names the data sets)
	$(BIN)/python bench/zoo.py

clean: ## remove what was built (the virtual environment stays)
	rm -rf build
