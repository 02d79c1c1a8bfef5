.PHONY: bench-member
bench-member: build ## time a member's check and submission of all instruments on one core; writes bench/member.json
	@mkdir -p bench
	CANDOR_BENCH_PROGRAM=$(CURDIR)/$(BIN)/candor CANDOR_BENCH_OUT=$(CURDIR)/bench/member.json $(GO) test ./cmd/candor -run '^TestMemberSpeed$$' -count 1 -timeout 30m -v
