.PHONY: conformance bench-dap
conformance: ## the tests that docs/conformance.md names, one line for each item
	$(GO) test ./... -run Conformance -v
	$(GO) test ./crypto/... ./testvectors/

DAP_REPORTS ?= 1000000
bench-dap: ## a million reports through Leader and Helper, beside the bound of their cryptography; writes bench/dap.json
	mkdir -p bench
	CANDOR_BENCH_DAP=$(DAP_REPORTS) CANDOR_BENCH_OUT=$(CURDIR)/bench/dap.json $(GO) test ./aggregator/aggregatortest -run '^TestThroughput$$' -count 1 -timeout 60m -v
