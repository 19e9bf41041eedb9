# Everything runs from one virtual environment, which any target makes when it is missing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: setup demo test test-full lint bench lock clean sbom audit release fuzz fuzz-guided

setup: $(READY)

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not ((3, 11) <= sys.version_info < (3, 14)))' \
	  || { echo "InTrEPID needs Python 3.11, 3.12 or 3.13; found $$($(PYTHON) --version). Set PYTHON=/path/to/python." >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --editable .
	@echo "Compiling the numeric kernels, once: about a minute."
	@$(BIN)/intrepid demo --out $(VENV)/first-run >/dev/null 2>$(VENV)/first-run.log || { cat $(VENV)/first-run.log >&2; exit 3; }
	@touch $@

demo: $(READY)
	$(BIN)/intrepid demo --out demo-output

test: $(READY)
	$(BIN)/python -m pytest -n auto

# What takes minutes to hours: 300 synthetic patients on both databases. -s shows its times.
test-full: $(READY)
	$(BIN)/python -m pytest -m full -s

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(READY)
	$(BIN)/python Testing/benchmarks/run.py

# Tools that judge the release have a lock and an environment of their own.
TOOLS := .venv-tools
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
BILL := dist/slicer-intrepid-$(VERSION).cdx.json

$(TOOLS)/.ready: .ci/tools.lock
	$(PYTHON) -m venv $(TOOLS)
	$(TOOLS)/bin/python -m pip install --quiet --requirement .ci/tools.lock
	@touch $@

sbom: $(BILL)

$(BILL): $(TOOLS)/.ready requirements.lock pyproject.toml
	@mkdir -p dist
	$(TOOLS)/bin/python -W ignore -m cyclonedx_py requirements requirements.lock --pyproject pyproject.toml \
	  --output-reproducible --of JSON --output-file $@

audit: $(TOOLS)/.ready
	$(PYTHON) .ci/audit.py $(TOOLS)/bin/pip-audit requirements.lock .ci/tools.lock

release: $(READY) audit sbom
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .

# A night's worth of damaged inputs, taken up where it was stopped; then a fuzzer that looks for new paths in the readers.
FUZZ_CASES ?= 5000
FUZZ_SECONDS ?= 1800
fuzz: $(READY)
	$(BIN)/python Testing/fuzz/run.py --cases $(FUZZ_CASES) --workers 2 --results fuzz.jsonl

fuzz-guided: $(READY)
	$(BIN)/python -c 'import atheris' 2>/dev/null || $(BIN)/python -m pip install --quiet 'atheris>=3.0'
	$(BIN)/python Testing/fuzz/guided.py --seconds $(FUZZ_SECONDS) --corpus .fuzz-corpus

# Needs uv; the lock holds versions only, so that it installs from whatever index a site uses. What CUDA builds of torch
# bring along is left to torch itself: a CPU build needs none of it.
lock:
	uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 \
	  --no-header --no-annotate --no-emit-index-url --no-emit-find-links --output-file requirements.lock
	sed --in-place --regexp-extended '/^(nvidia-|cuda-|triton=)/d' requirements.lock

clean:
	rm -rf $(VENV) demo-output build dist .pytest_cache .mypy_cache .ruff_cache
