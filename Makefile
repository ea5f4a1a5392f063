# SPDX-License-Identifier: Apache-2.0
# One virtual environment, .venv; what each target does is written in noxfile.py.

PYTHON ?= python3
VENV := .venv
READY := $(VENV)/.ready
TARGETS := demo test unit fuzz check downstream releases downstream-glance tiny-image image-test bench docs package

.DEFAULT_GOAL := help
.PHONY: help clean $(TARGETS)

help:
	@echo 'make demo      start a real small cloud, publish images, boot amphorae by tag (KEEP=1 leaves it running)'
	@echo 'make test      all tests, on real services, with coverage'
	@echo 'make unit      the unit tests alone'
	@echo 'make fuzz      the property tests on ever new examples, for ten minutes'
	@echo 'make check     linters, formatter, types, floors, release notes, the sample'
	@echo 'make downstream  tests of Octavia itself, unmodified, with our driver in place'
	@echo 'make releases  the same beside each release of Octavia that README names (needs the package index)'
	@echo 'make downstream-glance  tests of the API of Glance itself, unmodified, with our filter in its pipeline'
	@echo 'make tiny-image  build a small image and boot it, as root'
	@echo 'make image-test  build and test a whole amphora, and try what can go wrong, as root'
	@echo 'make docs      the documentation, into doc/build/html'
	@echo 'make package   wheel and sdist, into dist; each is installed and tried (needs the package index)'
	@echo 'make bench     the benchmarks'
	@echo 'make clean     remove all that the others made'
	@echo 'PYTHON=python3.12 chooses another interpreter; 3.11 is the oldest that will do.'

$(TARGETS): $(READY)
	@$(VENV)/bin/nox --session $@

$(READY): setup.cfg pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed, $(PYTHON) is older: make PYTHON=python3.12 …")'
	@rm -rf $(VENV)
	@echo 'Installing real OpenStack services and the tools into $(VENV); this takes one to three minutes, once.'
	@$(PYTHON) -m venv $(VENV)
	@$(VENV)/bin/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[build,relation,sandbox,test]'
	@touch $@

clean:
	rm -rf $(VENV) .coverage .hypothesis .import_linter_cache .mypy_cache .nox .pytest_cache .ruff_cache build dist doc/build *.egg-info
	find amphora_image tests -name __pycache__ -type d -prune -exec rm -rf {} +
