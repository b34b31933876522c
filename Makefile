# Everything happens in .venv, from locked packages. PYTHON picks the interpreter (3.11 or later).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# What a stamp stands for: the lock is installed; the project is installed and its kernel built.
LOCKED := $(VENV)/.locked
BUILT := $(VENV)/.built
KERNEL := $(wildcard barengine/kernel/*.pyx barengine/kernel/*.pxd)
ARGS ?=

.PHONY: setup lint test golden chaos fuzz demo bench bench-recovery bench-micro config-pages \
    wheel image-check chart-check chart-schema infra-check obs-check metrics-page dashboard-picture \
    fmt lock clean
.DELETE_ON_ERROR:

setup: $(BUILT)

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)

$(LOCKED): requirements/dev.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

$(BUILT): $(LOCKED) pyproject.toml setup.py $(KERNEL)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: setup
	$(BIN)/pytest $(ARGS)

# The recorded day of tests/golden and its bars, written anew: for a change that is meant.
golden: setup
	$(BIN)/python -m tests.golden.make

# Every fault at full length; CHAOS_SEED=n repeats a run's decisions.
chaos: setup
	$(BIN)/pytest tests/chaos --chaos=full -o faulthandler_timeout=900 $(ARGS)

# Ten million damaged inputs on a kernel with sanitizers; FUZZ_SEED=n repeats a run.
FUZZ_INPUTS ?= 10000000
fuzz: setup
	FUZZ_INPUTS=$(FUZZ_INPUTS) $(BIN)/pytest tests/fuzz -o faulthandler_timeout=7200 $(ARGS)
# Side by side with the alternatives, on a local Kafka; the ticks are kept in .bench/.
bench: setup
	$(BIN)/python -m benchmarks $(ARGS)

# One piece of the engine at a time, without a broker.
bench-micro: setup
	$(BIN)/pytest benchmarks/micro --benchmark-quiet $(ARGS)

demo: setup
	$(BIN)/barengine demo $(ARGS)

# How long bars stop coming, whatever happens to a process; real processes on a local broker.
bench-recovery: setup
	$(BIN)/python -m benchmarks.recovery $(ARGS)

# The pages about the settings, made of their descriptions.
config-pages: setup
	$(BIN)/barengine config docs > docs/configuration.md
	$(BIN)/barengine config docs --example > config/barengine.yaml

# An sdist, and a wheel from it, for this Python; releases are made by cibuildwheel.
wheel: setup
	rm -rf dist
	$(BIN)/python -m build --no-isolation

# Perform the Dockerfile without a container engine, and run the service in what comes of it.
image-check: setup
	@test "$$(id -u)" = 0 || echo "not root: the service runs as this user, not as the image's"
	$(BIN)/pytest tests/image $(ARGS)

# The chart by Helm 3 and 4, against the schemas of Kubernetes. Needs Go, which fetches those of the
# operators; fetches Helm itself (on Linux on x86-64; elsewhere set HELM).
chart-check: setup
	$(BIN)/pytest tests/chart $(ARGS)

# The settings in the chart's values.schema.json, made of their definitions.
chart-schema: setup
	$(BIN)/python -m tests.chart.settings_schema

# What `barengine infra` makes of empty, half-made and foreign clusters; two contexts in one Kafka.
infra-check: setup
	$(BIN)/pytest tests/infra $(ARGS)

# Rules, alerts, dashboard and metrics against the real Prometheus: the one on the PATH, or Debian's
# package, fetched by apt-get and unpacked by dpkg-deb.
obs-check: setup
	$(BIN)/pytest tests/observability $(ARGS)

# The page about the metrics, made of their descriptions.
metrics-page: setup
	$(BIN)/python -m barengine.service.metric_page > docs/metrics.md

# The dashboard over a run of the demo, for the docs.
dashboard-picture: setup
	$(BIN)/python -m tests.observability.picture

fmt: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Resolve anew, for every supported Python at once. The resolver lives in its own environment.
lock:
	$(PYTHON) -m venv $(VENV)-lock
	$(VENV)-lock/bin/python -m pip install --quiet --disable-pip-version-check uv
	$(VENV)-lock/bin/uv pip compile pyproject.toml --quiet --upgrade --universal --python-version 3.11 \
	    --generate-hashes --no-header --all-extras --group dev --output-file requirements/dev.txt
	$(VENV)-lock/bin/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 \
	    --generate-hashes --no-header --no-annotate --extra registry --constraint requirements/dev.txt \
	    --output-file requirements/run.txt
	$(VENV)-lock/bin/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 \
	    --generate-hashes --no-header --no-annotate --extra registry --extra exchanges \
	    --constraint requirements/dev.txt --output-file requirements/run-exchanges.txt
	$(VENV)-lock/bin/uv pip compile --group pyproject.toml:build --quiet --universal --python-version 3.11 \
	    --generate-hashes --no-header --no-annotate --constraint requirements/dev.txt \
	    --output-file requirements/build.txt

clean:
	rm -rf $(VENV) $(VENV)-lock build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache \
	    .hypothesis .import_linter_cache
	rm -f barengine/kernel/*.c barengine/kernel/*.cpp barengine/kernel/*.so
	find barengine tests -name __pycache__ -type d -prune -exec rm -rf {} +
