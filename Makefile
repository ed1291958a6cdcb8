# The commands of this project. Each sets up what it needs first and says so; Python 3.11 is all it takes.
#   make serve ARGS="--port 8080"      make test ARGS="-k wake"      make bench ARGS=history
ARGS ?=
BIN := .venv/bin
.DEFAULT_GOAL := help
.PHONY: help serve test check format page bench lock audit-deps sbom clean

help:  ## list the commands
	@grep -hE '^[a-z-]+: *.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1|/' | awk -F'|' '{printf "%-17s %s\n", $$1, $$2}'

serve:  ## start the server with its page (ARGS: options of `greenroom serve`)
	@scripts/setup run
	@exec $(BIN)/greenroom serve $(ARGS)

test:  ## everything CI runs: format, lint, types, layers, the page's tests, all Python tests
	@scripts/setup dev
	@scripts/test $(ARGS)

check:  ## format, lint, types, layers and known vulnerabilities only
	@scripts/setup dev
	@scripts/check

format:  ## put the code into its format and repair what the linter can
	@scripts/setup dev
	@scripts/lint

page:  ## build the web page if its sources changed
	@scripts/setup page

bench:  ## measure the costs of the parts (ARGS: names of benchmarks, default all)
	@scripts/setup dev
	@scripts/bench $(ARGS)

lock:  ## rewrite requirements/*.txt from pyproject.toml
	@scripts/setup lock

audit-deps:  ## ask OSV about the locked packages; fails where it is not reached
	@scripts/setup dev
	@$(BIN)/python scripts/audit_deps.py

sbom:  ## write the software bill of materials of a release to dist/
	@scripts/setup dev
	@$(BIN)/python scripts/sbom.py --out dist/greenroom.cdx.json

clean:  ## remove what the other commands made
	rm -rf .venv build dist web/node_modules web/dist src/greenroom/server/page src/greenroom/lab/report/built test-results
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .schemathesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
