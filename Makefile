# Everything a newcomer needs: `make demo`, then `make test`. Nothing is installed outside .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: help demo test check bench docs clean heavy browser encoder

help:  ## show this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

$(STAMP): pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing undertow and its tools into $(VENV) (once)" >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[images,index,tokens]" --group dev
	@touch $@

demo: $(STAMP)  ## train a model, break its world silently, and let undertow say what changed
	@$(BIN)/undertow demo

test: $(STAMP)  ## the default suite: laws, stories, surfaces, doctests (minutes)
	$(BIN)/python -m pytest

heavy: $(STAMP)  ## the long jobs: fuzzing and measured error rates
	$(BIN)/python -m pytest tests -m heavy -n 0 -s

browser: $(STAMP)  ## the report in headless Chromium (needs Debian's chromium)
	@# only its axe.min.js is used, so nothing it depends on is installed
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps axe-playwright-python==0.1.8
	$(BIN)/python -m pytest tests/browser -m browser -n 0

encoder:  ## encoders that need torch and ONNX Runtime, in an environment of their own
	@test -x .venv-encoder/bin/python || $(PYTHON) -m venv .venv-encoder
	@.venv-encoder/bin/python -m pip install --quiet --disable-pip-version-check torch==2.13.0
	@.venv-encoder/bin/python -m pip install --quiet --disable-pip-version-check --editable ".[mteb,onnx,text]" onnx pytest pytest-randomly pytest-xdist hypothesis
	OMP_NUM_THREADS=1 .venv-encoder/bin/python -m pytest tests/adapters/test_minilm.py tests/adapters/test_onnx.py tests/adapters/test_mteb.py tests/stories/test_real_vectors.py -m "encoder or mteb" -n 0

check: $(STAMP)  ## style, types, import rules, documentation that is current
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python docs/generate.py --check

docs: $(STAMP)  ## write the generated parts of README.md and docs/
	$(BIN)/python docs/generate.py

bench: $(STAMP)  ## what it costs, as ratios measured in one run
	$(BIN)/python bench/cost.py
	$(BIN)/python bench/verdicts.py --quick

clean:  ## remove everything that was built
	rm -rf $(VENV) .venv-encoder build dist out .pytest_cache .mypy_cache .ruff_cache .hypothesis
