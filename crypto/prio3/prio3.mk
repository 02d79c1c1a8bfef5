# Targets of the cryptography: vectors, the foreign peer, and the comparison of speeds.

PEER       := testvectors/peer-prio
PEER_BIN   := $(PEER)/target/release/peer-prio
PEER_COUNT ?= 80
PEER_SEED  ?= 01
VECTORS_SEED := 63616e646f72

.PHONY: vectors peer peer-build bench-prio3
vectors: build ## write testvectors/ anew; nothing may change
	$(BIN)/candor vectors generate testvectors --seed $(VECTORS_SEED)
	git diff --exit-code -- testvectors

peer: build ## check vectors against the prio crate in both directions (needs cargo)
	@if ! command -v cargo >/dev/null; then echo "skipped: cargo is not installed, so the prio crate cannot be built"; else \
		$(MAKE) --no-print-directory peer-build && set -e && tmp=$$(mktemp -d) && trap 'rm -rf "$$tmp"' EXIT && \
		echo "== ours, checked by the prio crate" && \
		$(BIN)/candor vectors generate "$$tmp/ours" --seed $(PEER_SEED) --count $(PEER_COUNT) && \
		$(PEER_BIN) verify "$$tmp/ours" && $(PEER_BIN) verify testvectors && \
		echo "== the prio crate's, checked by ours" && \
		$(PEER_BIN) generate "$$tmp/theirs" $(PEER_SEED) $(PEER_COUNT) && \
		$(BIN)/candor vectors verify "$$tmp/theirs" >"$$tmp/log" || { cat "$$tmp/log"; exit 1; }; tail -n 1 "$$tmp/log"; \
		echo "== for the speeds side by side: make bench-prio3"; \
	fi
peer-build:
	cargo build --quiet --release --locked --manifest-path $(PEER)/Cargo.toml

bench-prio3: ## time Prio3 against circl, and the prio crate where cargo is; also bench/prio3.json
	@if command -v cargo >/dev/null; then $(MAKE) --no-print-directory peer-build; fi
	@mkdir -p bench
	CANDOR_BENCH_OUT=$(CURDIR)/bench/prio3.json $(GO) test -count=1 -run '^TestCompareSpeed$$' -timeout 60m -v ./crypto/prio3 | grep -v -e '^=== RUN' -e '^---' -e '^PASS'
