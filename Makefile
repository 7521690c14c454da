# make demo         sample 1,000 crystals from the shipped model, relax 20, say which are stable, write CIF files and a page
# make test         lint, types, docs and the whole test suite, in an environment of its own (continuous integration runs this);
#                   pages are tested in a browser where Chromium is on PATH, and a line at the end says so where it is not
# make lint         ruff and mypy only;   make docs   build the site into site/;   make clean   remove what make created
# make constraints  rewrite constraints.txt from the test environment, after a change of dependencies

SHELL       := bash
.SHELLFLAGS := -euo pipefail -c
PYTHON      ?= $(shell command -v python3.11 || command -v python3)
DEMO        := .venv-demo
RESULT      ?= demo
TEST        := .venv-test
SHOWN       := structures,report
EXTRAS      := test,browser,docs,dev,data,strain,structures,second-opinion,phonons,report,tensorboard,atomate2,ray

# An environment is used again only if it was made from these very files and extras by this very Python.
STAMP := $(shell { cat constraints.txt pyproject.toml; echo $(EXTRAS) $(SHOWN); $(PYTHON) --version; } 2>&1 | cksum | tr -d ' ')

# The pins hold for build tools as well, which pip reads from the environment only (newer pip: PIP_BUILD_CONSTRAINT).
export PIP_CONSTRAINT       := constraints.txt
export PIP_BUILD_CONSTRAINT := constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export NO_MKDOCS_2_WARNING := 1
# pip does not compile what may never be imported; Python does so, once, for what is.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test lint docs clean constraints venv-demo venv-test

# $(call venv,FOLDER,REQUIREMENT): torch first and alone, since another package's wish for it may pull a different build;
# then everything else; then our own code as it stands now, without looking at the network again.
define venv
	@if [ "$$(cat $(1)/stamp 2>/dev/null)" != "$(STAMP)" ]; then \
		echo "creating $(1)"; \
		rm -rf $(1); \
		$(PYTHON) -m venv $(1); \
		$(1)/bin/python -m pip install --quiet --no-compile torch; \
		$(1)/bin/python -m pip install --quiet --no-compile hatchling "$(2)"; \
		echo "$(STAMP)" > $(1)/stamp; \
	fi
	@$(1)/bin/python -m pip install --quiet --no-build-isolation --no-deps --force-reinstall .
endef

demo: venv-demo
	OMP_NUM_THREADS=1 $(DEMO)/bin/crystalgfn demo -o $(RESULT) --seed 0 --resume

test: export OMP_NUM_THREADS := 1
test: lint docs
	$(TEST)/bin/python -m pytest -n 2

lint: venv-test
	$(TEST)/bin/ruff check .
	$(TEST)/bin/ruff format --check .
	$(TEST)/bin/mypy

docs: venv-test
	$(TEST)/bin/mkdocs build --strict

venv-demo:
	$(call venv,$(DEMO),.[$(SHOWN)])

venv-test:
	$(call venv,$(TEST),.[$(EXTRAS)])

constraints: venv-test
	{ grep '^#' constraints.txt; $(TEST)/bin/python -m pip freeze --all | sed -E 's/\+[a-z0-9.]+$$//' \
		| grep -v -i -E '^(crystalgfn|pip)( @|==)'; } > constraints.new
	mv constraints.new constraints.txt

clean:
	rm -rf $(DEMO) $(TEST) demo site build dist .pytest_cache .hypothesis .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -not -path './.venv*' -prune -exec rm -rf {} +
