.PHONY: conformance bench-dap
conformance: ## run every test that docs/conformance.md names, at full length; one line for each item
	@mkdir -p $(BIN)
	-$(GO) test -json -timeout 40m ./... -run Conformance > $(BIN)/conformance.json
	-$(GO) test -json -timeout 40m ./crypto/... ./testvectors/ >> $(BIN)/conformance.json
	-$(GO) test -json -timeout 40m ./aggregator/aggregatortest -run '^(TestModel|TestKilled|TestRun)$$' >> $(BIN)/conformance.json
	CANDOR_CONFORMANCE_EVENTS=$(CURDIR)/$(BIN)/conformance.json $(GO) test ./aggregator/aggregatortest -run '^TestEveryItemRan$$' -count 1 -v

DAP_REPORTS ?= 1000000
bench-dap: ## a million reports through Leader and Helper, beside the bound of their cryptography; writes bench/dap.json
	mkdir -p bench
	CANDOR_BENCH_DAP=$(DAP_REPORTS) CANDOR_BENCH_OUT=$(CURDIR)/bench/dap.json $(GO) test ./aggregator/aggregatortest -run '^TestThroughput$$' -count 1 -timeout 60m -v
