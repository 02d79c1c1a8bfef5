# The targets a contributor needs; `make help` lists them. Everything runs with Go alone unless its line says otherwise.

GO       ?= go
BIN      := bin
FUZZTIME ?= 30s

# Tools, each run as `go run module@version`, so that the program's module graph stays its own.
STATICCHECK := $(GO) run honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK := $(GO) run golang.org/x/vuln/cmd/govulncheck@v1.8.0
DEADCODE    := $(GO) run golang.org/x/tools/cmd/deadcode@v0.52.0

.DEFAULT_GOAL := check

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "%-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST) | sort

.PHONY: build install clean
build: ## build bin/candor, a static binary
	CGO_ENABLED=0 $(GO) build -trimpath -o $(BIN)/ ./cmd/...
install: ## install candor into GOBIN
	CGO_ENABLED=0 $(GO) install -trimpath ./cmd/...
clean: ## remove what the targets made
	rm -rf $(BIN) bench candor-demo

.PHONY: demo
demo: build ## run a whole coalition round on real figures, into ./candor-demo
	$(BIN)/candor demo --out candor-demo

.PHONY: check
check: ## what every commit passes: format, vet, staticcheck, tests
	@test -z "$$(gofmt -l .)" || { gofmt -l .; echo "run gofmt -w on these files"; exit 1; }
	$(GO) vet ./...
	$(GO) mod tidy -diff
	$(GO) fix -diff ./...
	$(STATICCHECK) ./...
	$(MAKE) test

.PHONY: test test-race test-long
test: ## the tests, under three minutes on two cores
	$(GO) test -short ./...
test-race: ## the tests under the race detector (needs a C compiler)
	CGO_ENABLED=1 $(GO) test -race -short ./...
test-long: ## every test at full length
	CANDOR_TEST_LONG=1 $(GO) test -timeout 60m ./...

.PHONY: fuzz bench cover
fuzz: ## run every fuzz target for FUZZTIME
	@for p in $$($(GO) list ./...); do for f in $$($(GO) test -list '^Fuzz' $$p 2>/dev/null | grep '^Fuzz'); do \
		echo "== $$p $$f"; $(GO) test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) $$p || exit 1; done; done
bench: ## every Go benchmark once
	$(GO) test -run '^$$' -bench . -benchtime 200ms ./...
cover: ## coverage by package
	$(GO) test -short -cover ./...

.PHONY: vuln deadcode
vuln: ## govulncheck (needs its online database)
	$(GOVULNCHECK) ./...
deadcode: ## functions nothing reaches
	$(DEADCODE) -test ./...

# Each part of the house brings its own targets.
-include crypto/prio3/prio3.mk aggregator/aggregator.mk aggregator/pgstore/pgstore.mk client/member/member.mk client/publish/publish.mk
