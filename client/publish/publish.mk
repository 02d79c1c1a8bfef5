# Targets of releases.

.PHONY: bench-release
bench-release: ## time building and verifying a year of releases on one core; also bench/release.json
	@mkdir -p bench
	CANDOR_BENCH_OUT=$(CURDIR)/bench/release.json $(GO) test -count=1 -run '^TestReleaseSpeed$$' -timeout 20m -v ./client/publish | grep -v -e '^=== RUN' -e '^---' -e '^PASS'
