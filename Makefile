# The commands of this repository. `make help` lists them.
SHELL := /bin/bash
export PATH := $(CURDIR)/.tools/bin:$(PATH)
.DEFAULT_GOAL := help
.PHONY: help demo test test-kill test-replicas test-spend fuzz comic-pages load dev fmt lint dashboard codegen bench parity calibrate

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

# Only the demo itself writes to stdout, so that with DEMO_ARGS='--exit --json' the last line is its result.
demo: ## train a LoRA on the shipped pictures, in the terminal and live in a browser (DEMO_ARGS='--exit --json')
	@scripts/setup.sh rust cc node
	@$(MAKE) --no-print-directory dashboard >&2
	@cargo build --package morpheus
	@cargo run --quiet --package morpheus -- demo $(DEMO_ARGS)

test: ## run every check and every test
	@scripts/setup.sh rust cc node chromium nextest postgres redis sqlite shellcheck worker openai
	@scripts/test.sh

test-replicas: ## three servers, 200 jobs, and kills at random (MORPHEUS_REPLICAS_SEED=N repeats one)
	@scripts/setup.sh rust cc nextest postgres redis
	MORPHEUS_REPLICAS_JOBS=$${MORPHEUS_REPLICAS_JOBS:-200} MORPHEUS_REPLICAS_AGENTS=$${MORPHEUS_REPLICAS_AGENTS:-20} \
	  cargo xtask services -- cargo nextest run --workspace --no-capture -E 'test(every_job_ends_once)'

test-kill: ## the server is killed among 200 writes, ten times over (MORPHEUS_KILL_SEED=N repeats a run, MORPHEUS_KILL_SEEDS=N)
	@scripts/setup.sh rust cc nextest
	MORPHEUS_KILL_SEEDS=$${MORPHEUS_KILL_SEEDS:-10} cargo nextest run --package morpheus --no-capture \
	  -E 'test(what_was_acknowledged_outlives_kills)'

test-spend: ## everything about rented machines and their money (MORPHEUS_SPEND_SEED=N repeats a run, MORPHEUS_SPEND_SEQUENCES=N)
	@scripts/setup.sh rust cc nextest
	MORPHEUS_SPEND_SEQUENCES=$${MORPHEUS_SPEND_SEQUENCES:-5000} cargo nextest run --workspace --no-fail-fast \
	  --profile long -E 'package(rental) | test(/rentals::/) | test(/^(rented|deadman)::/) | test(/reap|runpod/)'

fuzz: ## feed damaged inputs to all that reads them (FUZZ_SECONDS=60 FUZZ_TARGET=pictures FUZZ_SEED=N FUZZ_CASE=N)
	@scripts/setup.sh rust cc nextest
	FUZZ_SECONDS=$${FUZZ_SECONDS:-60} FUZZ_SEED=$${FUZZ_SEED:-$$(date +%s)} cargo nextest run --workspace --profile long --no-capture -E 'test(/(^|::)fuzz_/)'

comic-pages: ## measure how well the panels of drawn comic pages are found (MORPHEUS_COMIC_PAGES=N of each kind)
	@scripts/setup.sh rust cc nextest
	MORPHEUS_COMIC_PAGES=$${MORPHEUS_COMIC_PAGES:-40} cargo nextest run --package dataset --profile long --no-capture \
	  -E 'test(the_panels_of_drawn_pages_are_found)'

load: ## sockets, metrics and uploads against their targets (LOAD_ARGS=--write puts them into docs/benchmarks.md)
	@scripts/setup.sh rust cc postgres redis
	@cargo build --workspace --bins --example load
	@cargo xtask services -- $${CARGO_TARGET_DIR:-target}/debug/examples/load $(LOAD_ARGS)

dev: ## serve with a simulated RunPod, and the dashboard reloading on every change
	@scripts/setup.sh rust cc node
	@scripts/dashboard-packages.sh
	@cargo xtask dev

fmt: ## format everything
	@scripts/setup.sh rust node
	@scripts/dashboard-packages.sh
	cargo fmt --all
	npm --prefix dashboard run --silent fix

lint: ## the checks of `make test` that run no test
	@scripts/setup.sh rust cc node shellcheck worker
	@$(MAKE) --no-print-directory dashboard
	shellcheck scripts/*.sh .ci/run
	PYTHON=$(CURDIR)/.tools/python/bin/python deploy/worker/lint.sh
	cargo fmt --all --check
	cargo xtask tidy
	npm --prefix dashboard run --silent check
	cargo clippy --workspace --all-targets -- --deny warnings

dashboard: ## build the dashboard that the binary embeds
	@scripts/setup.sh node
	@scripts/dashboard-packages.sh
	@npm --prefix dashboard run --silent build

codegen: ## make openapi.json and the dashboard's types and form fields again
	@scripts/setup.sh rust cc node
	@scripts/dashboard-packages.sh
	@cargo xtask codegen

# Both need PyTorch, which nothing else here does; it goes into .tools/pytorch.
bench: ## measure us against PyTorch and diffusers (BENCH_ARGS='--write')
	@scripts/setup.sh rust cc pytorch
	@.tools/pytorch/bin/python tools/bench/bench.py $(BENCH_ARGS)

parity: ## check that diffusers draws the same pictures with our LoRA (PARITY_ARGS='--lora FILE')
	@scripts/setup.sh rust cc pytorch
	@.tools/pytorch/bin/python tools/parity/check_lora.py $(PARITY_ARGS)

calibrate: ## train LoRAs whose result is known, and check the judge by them (CALIBRATE_ARGS='--write')
	@scripts/setup.sh rust cc
	@cargo run --quiet --package trainer --example calibrate -- $(CALIBRATE_ARGS)
