test-postgres: ## the suite of the stores on PostgreSQL, a server of its own or the one that CANDOR_TEST_POSTGRES names; nothing may be skipped
	CANDOR_TEST_NOSKIP=1 $(GO) test -count 1 -timeout 30m ./aggregator/pgstore
