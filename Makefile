PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PYTHONHASHSEED := 0

.PHONY: install demo test check docs benchmarks clean claims-page

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Tacit needs Python 3.11 or newer; this is " + sys.version.split()[0])'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

demo: install ## fit ClusterGAN on the embedded digits, cluster unseen ones, write the report
	$(BIN)/python examples/demo.py

test: install ## all tests, two processes
	$(BIN)/python -m pytest -n 2 --dist loadfile

check: install ## lint, types, documentation, direction of imports
	$(BIN)/ruff check .
	$(BIN)/mypy src
	$(BIN)/mkdocs build --strict --quiet
	$(BIN)/python -m pytest -q tests/test_house.py

docs: install
	$(BIN)/mkdocs serve

benchmarks: install
	for b in engine_overhead textbook growth; do $(BIN)/python benchmarks/$$b.py --quick; done

clean:
	rm -rf $(VENV) site runs .pytest_cache .mypy_cache .ruff_cache

claims-page: install ## write the claims' lines from the records
	$(BIN)/python -m tacit.claims._page docs
