# `make help` lists what there is. `make check` is exactly what the CI runs.
SHELL       := bash
.SHELLFLAGS := -eu -o pipefail -c

# The program needs no C; only the race detector does.
export CGO_ENABLED ?= 0

TESTFLAGS ?=
FUZZTIME  ?= 20s
# The packages in which more than one goroutine meets.
RACE ?= ./internal/access/... ./internal/files/... ./internal/httpx/... ./internal/jobs/... ./internal/registry/... ./internal/store/... ./internal/web/...

.DEFAULT_GOAL := help

.PHONY: help
help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## build bin/rollcall
	go build -trimpath -o bin/rollcall ./cmd/rollcall

.PHONY: test
test: ## run every test, having installed what the tests need
	@scripts/install-test-needs.sh
	@scripts/test.sh -timeout 5m $(TESTFLAGS) ./...

.PHONY: race
race: ## run the tests of the concurrent packages under the race detector
	@scripts/install-test-needs.sh race
	@CGO_ENABLED=1 scripts/test.sh -race -timeout 8m $(TESTFLAGS) $(RACE)

.PHONY: lint
lint: ## gofmt, vet, golangci-lint and the checks of the repository
	@scripts/lint.sh

.PHONY: cover
cover: ## fail unless the tests of internal/registry cover 95 % of it
	@scripts/cover.sh ./internal/registry 95

.PHONY: check
check: ## exactly what the CI runs
	@.ci/run

.PHONY: fuzz
fuzz: ## run each fuzz target for FUZZTIME (20s)
	@scripts/fuzz.sh $(FUZZTIME)

.PHONY: demo
demo: build ## serve the demo study on http://127.0.0.1:8080
	bin/rollcall serve --demo

.PHONY: screenshots
screenshots: ## a picture of every page in SCREENSHOTS (bin/screenshots), in both themes and three widths
	@scripts/install-test-needs.sh
	@SCREENSHOTS=$(abspath $(or $(SCREENSHOTS),bin/screenshots)) go test -count=1 ./internal/web -run TestPagesInABrowser

.PHONY: run
run: build ## serve with ARGS, for example ARGS='--study-file juno.yaml'
	bin/rollcall serve $(ARGS)

.PHONY: benchstat
benchstat: ## compare the Go benchmarks with the previous commit, with ARGS, for example ARGS='-b Find HEAD~3'
	@scripts/compare-benchmarks.sh $(ARGS)

.PHONY: bench
bench: build ## measure against the raw limits, with ARGS, for example ARGS='-people 1000000'
	@go build -o bin/bench ./bench
	@bin/bench -binary bin/rollcall $(ARGS)
