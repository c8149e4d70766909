# Everything here is one line of the go command; nothing needs make.

STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOTESTSUM   = gotest.tools/gotestsum@v1.13.0
FUZZTIME   ?= 30s
TESTFLAGS   = -race -shuffle=on -count=1 -timeout=30m -tags=canary
BUILD       = .build

# What uses servers: an address from the environment, Docker, or local programs
# (docs of internal/testenv); WEBSESSION_TEST_SERVERS=docker|local|address insists.
SERVED      = ./internal/testenv/... ./redis/... ./sql/postgres/... ./sql/mysql/... ./cassandra/...

# Tests that measure times and memory, which the race detector would falsify.
MEASURED    = ^(TestManySessions|TestChurn)$$
REPEATS    ?= 10
REPEAT      = go run ./internal/repeat -flags "-race -tags=canary" -run "-test.short -test.parallel=8"

.PHONY: help test short check deps examples fuzz allocs servers repeats prove prove-embedded prove-measured prove-repeats prove-served prove-served-measured proof bench screenshots

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 17

test: check deps ## everything, as .ci/run does it: about half an hour
	@mkdir -p $(BUILD); rm -f $(BUILD)/ids
	WEBSESSION_CANARY=$(CURDIR)/$(BUILD)/ids go run $(GOTESTSUM) --format=pkgname --hide-summary=skipped --jsonfile=$(BUILD)/test.json -- $(TESTFLAGS) ./... || { go run ./internal/proof $(BUILD)/test.json; exit 1; }
	$(MAKE) --no-print-directory examples allocs fuzz repeats
	@go run ./internal/proof -canary $(BUILD)/ids $(BUILD)/test.json $(BUILD)/repeats.json

short: ## the tests that need nothing but Go: below a minute
	go test -short ./...

check: ## gofmt, go vet, staticcheck, other systems
	@unformatted=$$(gofmt -l $$(git ls-files --cached --others --exclude-standard '*.go')); test -z "$$unformatted" || { echo "gofmt would change: $$unformatted"; exit 1; }
	go vet ./...
	go run $(STATICCHECK) ./...
	@for os in windows darwin; do echo GOOS=$$os go vet ./file; GOOS=$$os go build ./... && GOOS=$$os go vet ./file || exit 1; done

deps: ## installs what the tests need: on Debian, as root
	@sh .ci/install

examples: ## the modules in docs/examples
	@for dir in docs/examples/*/; do echo "$$dir"; (cd $$dir && go vet ./... && go test -race -count=1 ./...) || exit 1; done

allocs: ## the bounds on allocations, which the race detector would falsify
	go test -count=1 -run=Alloc ./session/...

fuzz: ## each fuzz target for FUZZTIME
	@for target in session:FuzzEnvelope session:FuzzURL session:FuzzDecoder session/sessionhttp:FuzzCookie file:FuzzRecord conformance:FuzzMemory; do \
		go test ./$${target%:*} -run='^$$' -fuzz="^$${target#*:}\$$" -fuzztime=$(FUZZTIME) -fuzzminimizetime=100x || exit 1; \
	done

servers: ## the tests that use servers
	@mkdir -p $(BUILD)
	go run $(GOTESTSUM) --format=pkgname --hide-summary=skipped --jsonfile=$(BUILD)/servers.json -- $(TESTFLAGS) $(SERVED) || { go run ./internal/proof $(BUILD)/servers.json; exit 1; }
	@go run ./internal/proof $(BUILD)/servers.json

repeats: ## the short tests, REPEATS times, each time in a new order
	@mkdir -p $(BUILD)
	$(REPEAT) -n $(REPEATS) -json $(BUILD)/repeats.json ./...

KEEP            = -keep docs/proof
PROVE           = embedded measured repeats served served-measured
embedded        = $$(go list ./... | grep -Evx "$$(go list $(SERVED) | paste -sd'|')")
measured        = ./backends
served          = $(SERVED)
served-measured = ./redis ./sql/postgres ./sql/mysql

prove: check deps $(PROVE:%=prove-%) allocs proof ## the tests with the full counts; writes docs/proof.md: some hours

# Parts of prove, which may run on different days. What each finds is kept in
# docs/proof, with its day, commit and machine; make proof writes the document.
prove-embedded prove-served: prove-%: # all tests of what needs no servers, and of the rest
	@mkdir -p $(BUILD); rm -f $(BUILD)/ids; go run ./internal/proof -stamp $(BUILD)/prove-$*.json
	WEBSESSION_CANARY=$(CURDIR)/$(BUILD)/ids WEBSESSION_FULL=1 go run $(GOTESTSUM) --format=pkgname --hide-summary=skipped --jsonfile=$(BUILD)/prove-$*.json -- $(TESTFLAGS) -timeout=3h -skip='$(MEASURED)' $($*) || { go run ./internal/proof $(BUILD)/prove-$*.json; exit 1; }
	@go run ./internal/proof -canary $(BUILD)/ids $(KEEP) $(BUILD)/prove-$*.json

prove-measured prove-served-measured: prove-%: # 1,000,000 sessions, an hour of churn: leave the machine alone meanwhile
	@mkdir -p $(BUILD); go run ./internal/proof -stamp $(BUILD)/prove-$*.json
	WEBSESSION_FULL=1 go run $(GOTESTSUM) --format=pkgname --jsonfile=$(BUILD)/prove-$*.json -- -count=1 -p=1 -timeout=4h -run='$(MEASURED)' $($*) || { go run ./internal/proof $(BUILD)/prove-$*.json; exit 1; }
	@go run ./internal/proof $(KEEP) $(BUILD)/prove-$*.json

prove-repeats: # the short tests, 200 times; with REPEATFLAGS=-for=1h less often, beside those of other days
	@mkdir -p $(BUILD); go run ./internal/proof -stamp $(BUILD)/prove-repeats.json
	$(REPEAT) -n 200 $(REPEATFLAGS) -json $(BUILD)/prove-repeats.json ./...
	@go run ./internal/proof $(KEEP) -beside $(BUILD)/prove-repeats.json

proof: ## docs/proof.md, of what the parts of prove have found
	@go run ./internal/proof -write docs/proof.md $(KEEP) $(PROVE)

bench: ## benchmarks; compare only what one run printed
	go test -run='^$$' -bench=. -benchmem ./session/... ./file/... ./sql/... ./conformance

screenshots: deps ## takes the pictures in docs/ again
	WEBSESSION_SCREENSHOTS=1 go test -count=1 -run=Browser ./cmd/websession/...
