.PHONY: test-postgres
test-postgres: ## the stores' suite, the model and the crash tests on PostgreSQL, a server of its own or that of CANDOR_TEST_POSTGRES; nothing may be skipped
	CANDOR_TEST_NOSKIP=1 $(GO) test -count 1 -timeout 30m ./aggregator/pgstore ./aggregator/sealstore ./cmd/candor/internal/care
	CANDOR_TEST_NOSKIP=1 $(GO) test -count 1 -timeout 30m -run '^TestPostgres' ./aggregator/aggregatortest ./cmd/candor

.PHONY: test-replicas bench-store
REPLICA_REPORTS ?= 100000
test-replicas: ## three Leaders and three Helpers on two PostgreSQL servers take REPLICA_REPORTS while processes and servers are killed
	CANDOR_TEST_NOSKIP=1 CANDOR_TEST_REPLICAS=$(REPLICA_REPORTS) $(GO) test -count 1 -timeout 60m -v -run '^TestPostgresReplicas$$' ./aggregator/aggregatortest
STORE_REPORTS ?= 50000
bench-store: ## STORE_REPORTS through bbolt and through 1, 2 and 4 replicas on PostgreSQL; writes bench/store.json
	mkdir -p bench
	CANDOR_TEST_NOSKIP=1 CANDOR_BENCH_STORE=$(STORE_REPORTS) CANDOR_BENCH_OUT=$(CURDIR)/bench/store.json $(GO) test ./aggregator/aggregatortest -run '^TestStoreBench$$' -count 1 -timeout 60m -v
