.PHONY: test-postgres
test-postgres: ## the stores' suite, the model and the crash tests on PostgreSQL, a server of its own or that of CANDOR_TEST_POSTGRES; nothing may be skipped
	CANDOR_TEST_NOSKIP=1 $(GO) test -count 1 -timeout 30m ./aggregator/pgstore
	CANDOR_TEST_NOSKIP=1 $(GO) test -count 1 -timeout 30m -run '^TestPostgres' ./aggregator/aggregatortest
