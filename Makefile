# From a fresh clone to a running example: `make demo`.  `make help` lists the rest.  See docs/design/build.md.
#
# Each step leaves a stamp in the virtual environment, so that it runs again only when what it depends on changed.

VENV   ?= .venv
ARGS   ?=
DIST   ?= dist

# The interpreter to make the environment with; looked for only when there is none yet.
PYTHON ?= $(or $(shell tools/find-python),$(error no Python to build with))

bin        := $(VENV)/bin
documented := build/docs/venv
sources    := pyproject.toml CMakeLists.txt README.md LICENSE \
              $(shell find core src -type f -not -name '*.py[co]' -not -name '.*' 2>/dev/null)
# Once `make dev` has installed from the source tree, later steps keep it so.
editable = $(if $(wildcard $(VENV)/.editable),--editable)

.DELETE_ON_ERROR:
.PHONY: help demo test dev docs lint lint-python lint-format lint-core lint-types lint-stubs format stubs bench sanitize wheel clean

help:
	@echo 'make demo      build, install and run the examples (start here)'
	@echo 'make test      build, install and run the tests;  ARGS="-k softmax -x" goes to pytest'
	@echo 'make dev       install so that edits of Python files take effect at once; run it again after edits in core/'
	@echo 'make lint      what CI checks of form: ruff, clang-format, mypy, stubs up to date'
	@echo 'make format    let ruff and clang-format write'
	@echo 'make stubs     write src/leafgrad/_core.pyi from the built core'
	@echo 'make docs      the site in build/site, from docs/ and the docstrings'
	@echo 'make bench     times and memory beside PyTorch;  ARGS="--only tiny"'
	@echo 'make sanitize  build with AddressSanitizer and UBSan, and run the tests under them'
	@echo 'make wheel     a wheel in dist/'
	@echo 'make clean     remove everything that was built, the environments too'
	@echo 'VENV=dir chooses the environment, PYTHON=program what makes it'

demo: $(VENV)/.demo
	$(bin)/python -m leafgrad run examples/leaf_nodes.py
	$(bin)/python examples/leaf_table.py
	$(bin)/python examples/train_digits.py

test: $(VENV)/.dev
	$(bin)/python -m pytest $(ARGS)

dev: | $(VENV)/.made
	touch $(VENV)/.editable
	rm -f $(VENV)/.dev
	$(MAKE) $(VENV)/.dev

lint: lint-python lint-format lint-core lint-types lint-stubs   # `make -k lint` shows what all of them find
lint-python: $(VENV)/.dev
	$(bin)/ruff check
lint-format: $(VENV)/.dev
	$(bin)/ruff format --check
lint-core: $(VENV)/.dev
	git ls-files -z '*.h' '*.cpp' | xargs -0 -r $(bin)/clang-format --dry-run -Werror
lint-types: $(VENV)/.dev
	$(bin)/mypy
lint-stubs: $(VENV)/.dev
	$(bin)/python tools/stubs.py --check

format: $(VENV)/.dev
	$(bin)/ruff check --fix
	$(bin)/ruff format
	git ls-files -z '*.h' '*.cpp' | xargs -0 -r $(bin)/clang-format -i

stubs: $(VENV)/.dev
	$(bin)/python tools/stubs.py

bench: $(VENV)/.demo
	$(bin)/python -m benchmarks $(ARGS)

docs: $(documented)/.made
	NO_MKDOCS_2_WARNING=1 $(documented)/bin/mkdocs build --strict
	@echo 'Open build/site/index.html.'

wheel: $(VENV)/.made
	$(bin)/pip wheel --quiet --no-build-isolation --no-deps --wheel-dir $(DIST) .

clean:
	rm -rf $(VENV) build dist .pytest_cache .hypothesis .mypy_cache .ruff_cache
	find src tests tools benchmarks examples -name __pycache__ -type d -prune -exec rm -rf {} +

# --- environments ----------------------------------------------------------------------------------------------------

# What the build requires stands in the environment (no build isolation), because an isolated build has a new
# directory each time, and every object file would be compiled again.
$(VENV)/.made: pyproject.toml
	test -x $(bin)/python || $(PYTHON) -m venv $(VENV)
	$(bin)/pip install --quiet --upgrade cmake ninja \
	  $$($(bin)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"])')
	touch $@

# .demo and .dev: leafgrad installed with the extra of that name.
$(VENV)/.demo $(VENV)/.dev: $(VENV)/.%: $(VENV)/.made $(sources)
	@echo 'Building the C++ core: a few minutes the first time, seconds later.'
	$(bin)/pip install --no-build-isolation $(editable) '.[$*]'
	touch $@

# What builds the site reads the sources, so its environment holds neither leafgrad nor what leafgrad needs.
$(documented)/.made: pyproject.toml
	test -x $(documented)/bin/python || $(PYTHON) -m venv $(documented)
	$(documented)/bin/pip install --quiet --upgrade \
	  $$($(documented)/bin/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["docs"])')
	touch $@

# --- sanitizers ------------------------------------------------------------------------------------------------------

sanitized := build/sanitize/venv
preload    = $(shell $(or $(CXX),g++) -print-file-name=libasan.so) $(shell $(or $(CXX),g++) -print-file-name=libstdc++.so)

$(sanitized)/.dev: $(sources)
	$(MAKE) VENV=$(sanitized) $(sanitized)/.made
	$(sanitized)/bin/pip install --no-build-isolation '.[dev]' \
	  -C cmake.define.LEAFGRAD_SANITIZE=ON -C build-dir=build/sanitize/core -C install.strip=false
	touch $@

# libstdc++ stands beside libasan because the latter looks for __cxa_throw when it starts, and python links no C++.
# Python's own allocator would hide each object inside an arena; with plain malloc each one is watched.
sanitize: $(sanitized)/.dev
	LD_PRELOAD='$(preload)' PYTHONMALLOC=malloc \
	ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1:detect_stack_use_after_return=0:abort_on_error=0 \
	UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1 \
	$(sanitized)/bin/python -m pytest $(ARGS)
