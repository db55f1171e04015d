# Two commands: `make app` and `make test`. Each prepares what it needs and no more.
# It runs under GNU make 3.81, which is what macOS has.

HOST ?= 127.0.0.1
PORT ?= 8501
# PUBLIC=1 serves strangers: no folders of this machine, no downloads, bounds on all they bring.
PUBLIC ?= $(STRATA_PUBLIC)
# Test processes side by side, each on one core.
JOBS ?= 2

SHELL := /bin/sh
VENV := .venv
PY := $(VENV)/bin/python

.PHONY: app test lint chromium screens clean

app: $(VENV)/.requirements
	@echo "Strata: http://$(HOST):$(PORT)$(if $(PUBLIC), for the public)  (Ctrl-C stops it)"
	@STRATA_PUBLIC="$(PUBLIC)" exec $(PY) app.py --server.address "$(HOST)" --server.port "$(PORT)" \
		--server.headless true --server.fileWatcherType none \
		--browser.gatherUsageStats false --logger.hideWelcomeMessage true

# In the order of the folders: the browser's few long tests come first, not last on one core.
test: lint chromium
	OMP_NUM_THREADS=1 $(PY) -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder --durations 10

lint: $(VENV)/.requirements-dev
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy hvae_core pages app.py

# Debian's package when that can be had, else Playwright's own build; without either the browser
# tests skip and say why.
chromium: $(VENV)/.requirements-dev
	@$(PY) tests/chromium.py >/dev/null 2>&1 || { \
		root=; [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1 && root=yes; \
		echo "Looking for a Chromium for the browser tests"; \
		if [ -n "$$root" ] && { apt-get update -q && \
			DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends chromium; \
		} && $(PY) tests/chromium.py >/dev/null 2>&1; then :; \
		else $(PY) -m playwright install $${root:+--with-deps} chromium; fi; \
		$(PY) tests/chromium.py || true; }

# Every page at three widths, light and dark, into screens/; and the README's picture.
screens: chromium
	$(PY) -m tests.screens --out screens
	$(PY) -m tests.screens --readme

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps are written last, so that whatever was interrupted is done again.
$(VENV)/.requirements: requirements.txt $(VENV)/.created
	@echo "Installing what Strata needs: some minutes the first time"
	$(PY) -m pip install --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/.requirements-dev: requirements-dev.txt $(VENV)/.requirements
	$(PY) -m pip install --disable-pip-version-check -r requirements-dev.txt
	@touch $@

# Debian's Python comes without ensurepip unless python3-venv is installed; any pip can stand in.
$(VENV)/.created:
	@python=; for name in python3.11 python3 python3.12 python3.13; do \
		if $$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
			python=$$name; break; fi; done; \
	if [ -z "$$python" ]; then \
		echo "Strata needs Python 3.11 or newer: install it, then run make again." >&2; exit 1; fi; \
	echo "Making $(VENV) with $$($$python --version)"; \
	if $$python -c 'import venv, ensurepip' 2>/dev/null; then $$python -m venv $(VENV); \
	else $$python -m venv --without-pip $(VENV) && \
		$$python -m pip --disable-pip-version-check --python $(PY) install pip; fi || { \
		echo "Python could not make $(VENV): on Debian or Ubuntu, install the package" \
			"python3-venv, then run make again." >&2; exit 1; }
	@touch $@
