# make reproduce   the main job: the roadmap study (table, figures, results/)
# make papers      every published figure computed again, and the table of scores; goes on where it stopped
# make test        lint, format, types, tests
# make test-full   the larger runs as well (before closing an issue)
# make test-browser  every notebook in JupyterLab in Chromium; pictures in results/browser
# make coverage    lines that the tests run, kernels uncompiled; prints the share
# make mutation    mutates 100 places and says which the tests notice (an hour of one core)
# make bench       each kernel's time as a ratio to sgemm of the same shape
# make bench-peers times other programs that are installed beside us; writes docs/peers.md
# make docs        the documentation as pages, docs/_build/html/index.html; warnings are errors
# make lock        write requirements.lock anew from pyproject.toml
SHELL := /bin/bash
VENV ?= .venv
PYTHON3 ?= python3
BIN := $(VENV)/bin
READY := $(VENV)/.ready
QUIET := $(VENV)/share/jupyter/lab/settings/overrides.json
BUILT := $(VENV)/share/jupyter/lab/settings/page_config.json
SHARED := -n auto --maxprocesses=4 --dist worksteal
# Threads that wait spinning take the cores from the other processes; tests of threads set their number themselves.
SPARING := OPENBLAS_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE
export NUMBA_CACHE_DIR ?= $(CURDIR)/.cache/numba
export PYTHONHASHSEED ?= 0
# Empty: keep compiled bytecode. Without it every process compiles all that it imports, for seconds.
export PYTHONDONTWRITEBYTECODE :=

PAPER_WORKERS ?=

.PHONY: reproduce quick papers test test-full test-browser chromium coverage mutation lint style bench bench-peers docs lab lock clean
reproduce: $(READY)
	$(BIN)/python -m pimlab reproduce

quick: $(READY)
	$(BIN)/python -m pimlab reproduce --quick

papers: $(READY)
	$(BIN)/python -m pimlab paper --all $(if $(PAPER_WORKERS),--workers $(PAPER_WORKERS))

lint: style
	$(BIN)/mypy

style: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# Types are checked on a core that the tests leave idle for moments.
test: style
	$(BIN)/mypy & types=$$!; \
	$(SPARING) $(BIN)/python -m pytest $(SHARED) -m "not full and not browser"; tests=$$?; \
	wait $$types && exit $$tests

test-full: lint
	$(SPARING) $(BIN)/python -m pytest $(SHARED) -m "$$($(BIN)/python tests/optional_packages.py)"

test-browser: $(READY) $(QUIET) $(BUILT) chromium
	$(SPARING) $(BIN)/python -m pytest -n 0 -m browser tests/browser

# Chromium is Debian's; only root may install it.
chromium:
	@command -v chromium >/dev/null || { test "$$(id -u)" = 0 && command -v apt-get >/dev/null \
	  && timeout 60 apt-get -q update >/dev/null && timeout 240 apt-get -q install -y --no-install-recommends chromium >/dev/null; } \
	  || { echo "the browser's test needs Chromium: apt-get install chromium"; exit 1; }
	@timeout 120 chromium --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --dump-dom about:blank \
	  >/dev/null 2>&1 || { echo "Chromium is there and does not start: chromium --headless --dump-dom about:blank"; exit 1; }

# Compiled kernels are not seen line by line, so their tests run once more as plain Python, on tiny inputs.
coverage: $(READY)
	mkdir -p .cache/coverage
	$(BIN)/coverage erase
	$(SPARING) $(BIN)/coverage run -m pytest $(SHARED) -m "not full and not browser" tests
	$(SPARING) PIMLAB_PURE=1 $(BIN)/coverage run -m pytest $(SHARED) tests/test_kernels.py -k tiny
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

mutation: $(READY)
	$(SPARING) $(BIN)/python tests/mutation.py

bench: $(READY)
	$(BIN)/python -m benchmarks

bench-peers: $(READY)
	$(BIN)/python -W ignore -m benchmarks.peers --page docs/peers.md

# Pages run their code once; answers are kept in .cache/docs until a page changes.
docs: $(READY)
	$(SPARING) $(BIN)/sphinx-build -W --keep-going -q -b html docs docs/_build/html
	@echo "open docs/_build/html/index.html"

# Notebooks read and write below the repository, which is therefore the root; no news is fetched.
lab: $(READY) $(QUIET) $(BUILT)
	$(BIN)/jupyter lab --ServerApp.root_dir="$(CURDIR)" --LabApp.default_url=/lab/tree/notebooks \
	  --LabApp.news_url=None --LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate \
	  $(if $(filter 0,$(shell id -u)),--allow-root)

# JupyterLab asks nobody whether it may fetch news.
$(QUIET): $(READY)
	mkdir -p $(@D)
	echo '{"@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": false}}' >$@

# The shipped extensions need no build; looking for one starts Node.js for seconds.
$(BUILT): $(READY)
	mkdir -p $(@D)
	echo '{"buildCheck": false}' >$@

# uv installs the same hashed lock in seconds; where it cannot be had, pip does.
$(READY): requirements.lock requirements-uv.lock pyproject.toml
	$(PYTHON3) -m venv $(VENV)
	if $(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-uv.lock; \
	  then $(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements.lock \
	    || $(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock; \
	  else $(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock; fi
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	$(BIN)/pip check --disable-pip-version-check
	touch $(READY)

lock:
	$(BIN)/uv pip compile --universal --generate-hashes --no-header --no-annotate --quiet \
	  --extra browser --extra dask --extra docs --extra farm --extra lab --extra llm --extra test pyproject.toml -o requirements.lock
	printf 'uv==%s\n' "$$($(BIN)/uv --version | cut -d' ' -f2)" \
	  | $(BIN)/uv pip compile --universal --generate-hashes --no-header --no-annotate --quiet - -o requirements-uv.lock

clean:
	rm -rf $(VENV) .cache results
