# Clientele. `make help` lists what there is to do.
SHELL := /bin/bash
.DEFAULT_GOAL := help
BIN := bin
VERSION := $(shell git describe --always --dirty 2>/dev/null || echo dev)
ADAPTERS := $(patsubst plugins/%/main.go,%,$(wildcard plugins/*/main.go))
GO ?= go

.PHONY: help run build test lint generate verify bench bench-calls races kills interop fuzz eval postgres clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

run: build postgres ## build everything and run it with a sample tenant and a simulated CRM
	@$(BIN)/clientele demo

build: ## build the host, the adapters and the CRM simulators into bin/
	@mkdir -p $(BIN)
	@echo "building (the first time takes a minute or two) …"
	@$(GO) build -ldflags "-X main.version=$(VERSION)" -o $(BIN)/clientele ./host/cmd/clientele
	@for a in $(ADAPTERS); do $(GO) build -o $(BIN)/clientele-adapter-$$a ./plugins/$$a || exit 1; done
	@$(GO) build -o $(BIN)/crm-simulator ./plugins/cmd/crm-simulator

postgres: ## see to it that PostgreSQL's server programs are installed
	@.ci/install-postgres

test: postgres ## run all tests against a real PostgreSQL
	@.ci/install-chromium
	@$(GO) run ./core/db/cmd/devpg -- $(GO) test -timeout 8m ./...

lint: ## formatting and linters (the first run builds them: two minutes)
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); echo "run gofmt -w on these"; exit 1; }
	@$(GO) tool -modfile=.ci/lint.mod golangci-lint run ./...

generate: ## make generated files anew
	@sdk/adapterpb/generate.sh

verify: ## fail when generated files, go.mod or the layout are not as they should be
	@.ci/verify

bench: ## run the benchmarks; figures are ratios to a floor measured in the same run
	@CLIENTELE_BENCH_CLIENTS=$${CLIENTELE_BENCH_CLIENTS:-1000000} $(GO) run ./core/db/cmd/devpg -- $(GO) test -timeout 1h -run '^$$' -bench . -benchtime 1x ./...
	@.ci/bench-calls

bench-calls: ## count the calls each adapter spends per 1,000 records
	@.ci/bench-calls

races: postgres ## let 10,000 changes of policy race the dispatcher (ROUNDS=10000); a quarter of an hour
	@CLIENTELE_RACE_ROUNDS=$${ROUNDS:-10000} $(GO) test ./core/outbound -run TestTogglesRace -v -timeout 2h

kills: postgres ## kill a sending host 100 times (CYCLES=100) and account for every message
	@CLIENTELE_KILL_CYCLES=$${CYCLES:-100} $(GO) test ./host/e2e -run TestKilledWhileSending -v -timeout 2h

interop: build ## let real CRM client libraries (from npm) work against the simulators
	@for s in plugins/*/interop/run.sh; do echo "== $$s"; $$s || exit 1; done

eval: ## score extraction and duplicates on our own labelled sets
	@$(GO) test ./core/extract ./core/match -run TestEval -v

fuzz: ## fuzz every parser, a minute each, mail and phone ten (FUZZTIME=60s)
	@.ci/fuzz $${FUZZTIME:-60s}

clean: ## remove what was built
	@rm -rf $(BIN)
