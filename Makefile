# Two commands do all the set-up: `make up` and `make test`. Each can be run again at any time.
.DEFAULT_GOAL := help
.NOTPARALLEL:
PYTHON ?= python3
BIN := .venv/bin

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

up: images ## run etcd, the pair and two demo containers here, and call them
	@images/stack.sh up

down: ## undo `make up`; images and .venv stay
	@images/stack.sh down
	@images/engine.sh down

test: ## install what is missing, then run all tests
	@setpriv --pdeathsig KILL images/test.sh

check: $(BIN)/.installed ## what every commit must pass: format, lint, types, architecture
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/pytest -q tests/test_house.py tests/docs
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build -q -d .run/site

docs: $(BIN)/.installed ## build the documentation as a site, into .run/site
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build -q -d .run/site
	@echo "open .run/site/index.html"

images: $(BIN)/.installed ## build the images whose sources changed
	@images/engine.sh up
	@images/build.sh up

bench: images ## measure everything and write docs/bench.md (BENCH=--full: every repetition, takes hours)
	@images/bench.sh
	@$(BIN)/python -m bench $(BENCH)

lab: ## run three hosts and three etcd members here; safe to repeat
	@images/lab.sh up

lab-down: ## undo `make lab`, without a trace
	@images/lab.sh down

chaos: ## break a fleet of three hosts on purpose: SEED=1 ROUNDS=20 KEEP_GOING= ONLY=words
	@images/lab.sh chaos

clean: ## undo everything: also images, .venv and downloads
	@images/clean.sh

$(BIN)/.installed: requirements-dev.lock pyproject.toml
	@PYTHON=$(PYTHON) images/venv.sh

.PHONY: help up down test check docs images bench lab lab-down chaos clean
