# make demo · make test · make lint · make bench · make soak
PYTHON ?= python3
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
# Without compiled modules, which some containers forbid, each job of the workflow starts two to three times slower.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test lint bench soak clean

# uv's cache is shared by hard links with the rules' environments that the tests build.
.venv/installed: requirements.txt requirements-nodeps.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet $$(grep ^uv== requirements-dev.txt)
	$(BIN)/uv pip install --quiet --python $(BIN)/python --requirement requirements.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --requirement requirements-nodeps.txt
	touch $@

.venv/installed-dev: .venv/installed requirements-dev.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --requirement requirements-dev.txt
	touch $@

demo: .venv/installed
	python demo/generate.py --output demo/data
	mkdir -p demo/run
	python demo/gemini_server.py snakemake --cores 2 --directory demo/run --configfile demo/config.yaml -- all media
	@cat demo/run/results/report/scores.txt
	@python demo/check_score.py demo/run/results/fusion
	@echo "report: demo/run/results/report/index.html"

test: .venv/installed-dev lint
	python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder -m "not soak"

lint: .venv/installed-dev
	ruff check .
	ruff format --check .
	mypy
	snakefmt --check Snakefile rules
	snakemake --lint

bench: .venv/installed-dev
	python benchmarks/finetune.py
	python benchmarks/features.py
	python benchmarks/fusion.py
	python benchmarks/heads.py
	python benchmarks/media.py
	python benchmarks/report.py
	python benchmarks/workflow.py

soak: .venv/installed-dev
	python -m pytest --numprocesses 2 --dist loadfile -m soak

clean:
	rm -rf demo/run demo/data
