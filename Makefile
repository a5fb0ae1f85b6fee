# Every target makes the environment first; a second run finds it finished.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
APP_STAMP := $(VENV)/.app
STAMP := $(VENV)/.installed
TORCH_CPU_INDEX ?= https://download.pytorch.org/whl/cpu

.DEFAULT_GOAL := help
.PHONY: help app example test quick browser docs-test lint types format docs logo pictures build bench clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/:/' | column -t -s ':'

# On Linux PyPI's torch brings CUDA, over 3 GB. Where no NVIDIA GPU is found the CPU build is asked
# for first; where its index cannot be reached, PyPI's build is installed after all.
$(APP_STAMP): pyproject.toml requirements.txt
	$(PYTHON) -m venv $(VENV)
	[ "$$(uname -s)" != Linux ] || command -v nvidia-smi >/dev/null \
		|| $(BIN)/python -c 'import torch' 2>/dev/null \
		|| $(BIN)/python -m pip install --retries 0 --timeout 10 --no-deps \
			--index-url $(TORCH_CPU_INDEX) "$$(grep '^torch' requirements.txt)" \
		|| echo "The CPU build of torch is not at hand; PyPI's is installed."
	$(BIN)/python -m pip install --editable .
	touch $@

$(STAMP): $(APP_STAMP)
	$(BIN)/python -m pip install --editable '.[dev]'
	touch $@

app: example ## open the app, at 127.0.0.1 port 8501
	$(BIN)/python -m streamlit run app/main.py

example: $(APP_STAMP) ## fetch the embedded model and build the example, once
	$(BIN)/python -m fnprune_core example
	$(BIN)/python -m app.start.ahead

# Two processes with two threads each on two cores would wait for one another. Journeys in the
# browser wait more than they compute, and so run beside the others.
test: $(STAMP) ## run all tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

quick: $(STAMP) ## run the tests that changes since main touch, without the browser
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -m "not browser" $$($(BIN)/python tests/touched.py)

browser: $(STAMP) ## run only the tests in headless Chromium
	$(BIN)/python -m pytest -m browser tests/browser

docs-test: $(STAMP) ## run the slow examples of the documentation too
	FNPRUNE_SLOW_EXAMPLES=1 $(BIN)/python -m pytest tests/test_docs.py

lint: $(STAMP) ## ruff and the import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(STAMP) ## mypy
	$(BIN)/mypy

format: $(STAMP) ## rewrite the code in the house format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(STAMP) ## the documentation as a site, in build/site
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

logo: ## the logo and the page's icon
	$(BIN)/python docs/make_logo.py

pictures: example ## every picture of README and docs, in headless Chromium
	PYTHONPATH=tests $(BIN)/python docs/make_pictures.py

build: $(STAMP) ## wheel and sdist in dist, checked
	rm -rf build/lib build/bdist.* dist
	$(BIN)/python -m build
	$(BIN)/python -m twine check --strict dist/*

bench: $(STAMP) ## run every benchmark, also where one misses its goal; each prints JSON
	missed=0; for benchmark in benchmarks/*.py; do PYTHONPATH=tests $(BIN)/python "$$benchmark" || missed=1; done; exit $$missed

clean: ## remove caches and build products; the environment stays
	rm -rf build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	find fnprune_core app tests benchmarks docs -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true
