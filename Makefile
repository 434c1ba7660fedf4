# Everything runs from here. Each target installs what it needs first, and says what and why.

target := $(abspath $(or $(CARGO_TARGET_DIR),target))
tools := $(target)/tools
export PATH := $(tools)/bin:$(tools)/node/node_modules/node/bin:$(PATH)

DENY := 0.20.2
deny := $(tools)/cargo-deny-$(DENY)/bin/cargo-deny

.PHONY: help run test bench crash soak fuzz package install docs audit fmt clean

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1	/p' $(MAKEFILE_LIST) | expand -t 10

ifneq ($(DISPLAY)$(WAYLAND_DISPLAY),)
run: ## build Signbell and start it
	@.ci/setup.sh app
	cargo build --locked --release --package signbell-desktop --package signbell-cli
	$(target)/release/signbell app
else
run:
	@.ci/setup.sh cli
	@echo "No display here (neither DISPLAY nor WAYLAND_DISPLAY): building the command line only, without tray and window."
	cargo build --locked --release --package signbell-cli
	@echo "Starting signbell serve; Ctrl-C ends it."
	$(target)/release/signbell serve
endif

# What takes least comes first. Building all targets at once is what makes clippy, the programs and
# the tests share one set of features, so that every package is built once.
test: ## formatting, lints, licences and all tests
	@.ci/setup.sh test
	cargo fmt --all --check
	for module in $$(find ui -name '*.js'); do node --input-type=module --check < $$module || { echo "in $$module"; exit 1; }; done
	npm ci --silent --no-audit --no-fund --prefix tests/provider
	npm ci --silent --no-audit --no-fund --prefix tests/mcp
	npm ci --silent --no-audit --no-fund --prefix tests/axe
	npm ci --silent --no-audit --no-fund --ignore-scripts --prefix tests/inspector
	cargo clippy --locked --workspace --all-targets -- -D warnings
	$(MAKE) --no-print-directory $(deny)
	$(deny) --locked check bans licenses sources
	cargo build --locked --workspace --all-targets
	if ldd $(target)/debug/signbell | grep -E 'libgtk|libgdk|libwebkit'; then echo "signbell must run without a screen"; exit 1; fi
	SIGNBELL_NODE=$$(command -v node) cargo test --locked --workspace

ROWS ?=
bench: ## how fast and how small, beside nginx, haproxy and others (ROWS="rate idle" for some)
	@.ci/setup.sh bench
	npm ci --silent --no-audit --no-fund --prefix tests/provider
	cargo build --locked --release --package signbell-cli
	python3 tests/bench/bench.py $(target)/release/signbell $(target)/bench/latest.txt $(ROWS)

TIMES ?= 200
crash: ## kill -9 at every step, 200 times each (TIMES=20 for fewer), and count what was lost
	@.ci/setup.sh test
	npm ci --silent --no-audit --no-fund --prefix tests/provider
	cargo build --locked --workspace --all-targets
	SIGNBELL_CRASH_TIMES=$(TIMES) SIGNBELL_NODE=$$(command -v node) cargo test --locked --workspace --test crash -- --nocapture --test-threads 2

ACCOUNTS ?= 200
TOKENS ?= 100000
soak: ## 100,000 tokens of two seconds run out, with faults throughout (TOKENS=1000 for fewer): half an hour
	@.ci/setup.sh test
	cargo build --locked --release --package signbell-cli
	SIGNBELL_BIN_DIR=$(target)/release SIGNBELL_SOAK_ACCOUNTS=$(ACCOUNTS) SIGNBELL_SOAK_TOKENS=$(TOKENS) SIGNBELL_SOAK_IN_MEMORY=1 \
		cargo test --locked --workspace --test soak -- --nocapture

# The recognition tests' answers are where the rules' fuzzer begins; what is found is kept in tests/fuzz/corpus.
SECONDS ?= 60
FUZZERS := callback challenge metadata token_response jwt config rules request_head events
fuzz: ## fuzz each reader of foreign text for a minute (SECONDS=3600 for an hour); wants nightly Rust
	@.ci/setup.sh cli
	@command -v cargo-fuzz >/dev/null || { echo "Building cargo-fuzz, which runs the fuzzers: a minute, once." && cargo install --quiet --locked cargo-fuzz; }
	for fuzzer in $(FUZZERS); do \
		mkdir -p tests/fuzz/corpus/$$fuzzer && \
		cargo +nightly fuzz run --fuzz-dir tests/fuzz $$fuzzer tests/fuzz/corpus/$$fuzzer $$([ $$fuzzer = rules ] && echo tests/recognition) \
			-- -max_total_time=$(SECONDS) -timeout=10 -rss_limit_mb=4096 -print_final_stats=1 || exit 1; \
	done

package: ## a .deb and an .rpm, in target/package
	@.ci/setup.sh package
	cargo build --locked --release --package signbell-desktop --package signbell-cli
	src-tauri/packaging/package.sh $(target)/release $(target)/package

PREFIX ?= /usr/local
install: ## what a package holds, under DESTDIR and PREFIX (/usr/local), after make run or make package
	src-tauri/packaging/stage.sh $(target)/release $(target)/staged
	mkdir -p $(DESTDIR)$(PREFIX)
	cp -R --no-preserve=ownership $(target)/staged/usr/. $(DESTDIR)$(PREFIX)/
	sed -i 's|/usr/bin/|$(PREFIX)/bin/|' $(DESTDIR)$(PREFIX)/lib/systemd/user/signbell.service

docs: ## the pages that are made from the rule files and from the code
	cargo run --quiet --locked --package signbell-engine --example recognition > docs/recognition.md
	cargo run --quiet --locked --package signbell-engine --example config > docs/config.md

audit: $(deny) ## known vulnerabilities of the packages (needs the network)
	$(deny) --locked check advisories

fmt: ## format the Rust code
	cargo fmt --all

clean: ## remove what was built
	cargo clean
	rm -rf tests/provider/node_modules tests/mcp/node_modules tests/axe/node_modules tests/inspector/node_modules

# Unoptimised, for its build would be longer than all of its runs.
$(deny):
	@.ci/setup.sh cli
	@if command -v cargo-deny >/dev/null; then mkdir -p $(@D) && ln -sf "$$(command -v cargo-deny)" $@; else \
		echo "Building cargo-deny $(DENY), which checks licences, bans and advisories: some minutes, once." && \
		CARGO_TARGET_DIR=$(tools)/build CARGO_PROFILE_DEV_DEBUG=0 cargo install --quiet --locked --debug \
			--version $(DENY) --root $(tools)/cargo-deny-$(DENY) cargo-deny && rm -rf $(tools)/build; fi
