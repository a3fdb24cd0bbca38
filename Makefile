# make demo    build everything, simulate a labelled intrusion, investigate it
# make test    all tests
GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
export CGO_ENABLED = 0

.PHONY: all build demo test race bench bench-serve bench-commands bench-charts corpus score torture gallery lint fuzz cross clean

all: build

build:
	$(GO) build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o bin/sextant ./cmd/sextant

demo: build
	rm -rf demo && mkdir demo
	bin/sextant simulate intrusion --campaign all --seed 1 -o demo/logs
	bin/sextant investigate --case demo/case demo/logs/evidence
	bin/sextant simulate nids --rows 1000 --seed 1 -o demo/network_logs.csv
	bin/sextant logins demo/network_logs.csv
	bin/sextant chart logins demo/network_logs.csv -o demo/logins.png
	@echo
	@echo "The intrusion's report:  demo/case/report.html"
	@echo "The login figure:        demo/logins.png"

test:
	$(GO) vet ./...
	$(GO) test ./...

race:
	CGO_ENABLED=1 $(GO) test -race -short ./...

# Benchmarks; benchstat sums up the runs. COUNT=1 for a quick look.
COUNT ?= 6
bench:
	$(GO) test -run '^$$' -bench . -benchmem -count $(COUNT) ./... | tee bench/latest.txt
	$(GO) run golang.org/x/perf/cmd/benchstat@latest bench/latest.txt
	$(MAKE) bench-serve

# How fast sextant serve takes, matches and stores events by TCP, UDP and Lumberjack, beside rsyslog and syslog-ng writing a file.
EVENTS ?= 500000
bench-serve: build
	$(GO) run ./bench/serve -binary bin/sextant -n $(EVENTS)

# What each command that analyses costs, in CPU time and memory, on a case of RECORDS of which hardly two have anything in common.
RECORDS ?= 1000000
bench-commands: build
	$(GO) run ./bench/commands -binary bin/sextant -n $(RECORDS)

# How long the pages of a server with a full store take to draw each kind of chart.
bench-charts: build
	$(GO) run ./bench/charts -binary bin/sextant

# Agreement with other tools on a corpus of real logs, in $$SEXTANT_CORPUS or ../shared/corpus.
# bench/agree compares with Elastic's integrations, folder by folder; go run ./bench/agree -v PART shows the differences of one.
# bench/techniques measures the analysis techniques on labelled data of the corpus and of simulated worlds.
corpus:
	$(GO) run ./bench/agree
	$(GO) run ./bench/techniques
	@out=$$(mktemp) && { $(GO) test -count 1 -v $$(grep -rl --include='*_test.go' SEXTANT_CORPUS evtx logpattern sigma internal | xargs -n1 dirname | sort -u | sed 's,^,./,') >$$out; s=$$?; \
	  grep -E '^ +[a-z_0-9]+_test.go:|^(ok|FAIL|--- FAIL)' $$out; rm -f $$out; exit $$s; }

# How well simulated intrusions are found, over SEEDS.
SEEDS ?= 1 2 3 4 5
score: build
	@for s in $(SEEDS); do d=$$(mktemp -d) && \
	  bin/sextant simulate intrusion --campaign all --seed $$s -o $$d/logs >/dev/null && \
	  { bin/sextant investigate --case $$d/case $$d/logs/evidence >/dev/null || true; } && \
	  echo "seed $$s: $$(bin/sextant score $$d/logs/truth.json $$d/case | grep incidents)"; rm -rf $$d; done

# Ill-treat a server under load and count what it acknowledged: killed, stalled, its connections cut, its disk full
# (as root on Linux). make torture KILLS=100; make test does each a few times.
KILLS ?= 100
torture:
	SEXTANT_TORTURE=$(KILLS) $(GO) test -count 1 -v -timeout 90m -run 'LosesNothing' ./cmd/sextant | grep -v level=INFO

# The pictures of docs/techniques/charts.md, from the reviewed ones; every kind in every state goes to demo/gallery.
gallery:
	mkdir -p demo/gallery
	$(GO) test ./internal/chart -run 'Gallery' -gallery $(CURDIR)/demo/gallery
	cp internal/chart/testdata/golden/calendar-short.svg internal/chart/testdata/golden/graph.svg internal/chart/testdata/golden/boxes.svg docs/gallery/

lint:
	@test -z "$$(gofmt -l cmd evtx internal logpattern sigma | tee /dev/stderr)"
	$(GO) vet ./...

# Every fuzz target for a while: make fuzz FUZZTIME=10m
FUZZTIME ?= 30s
fuzz:
	@set -e; for p in $$($(GO) list ./...); do \
	  for f in $$($(GO) test -list '^Fuzz' $$p | grep '^Fuzz' || true); do \
	    echo "$$p $$f"; $(GO) test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) $$p; done; done

cross:
	GOOS=linux GOARCH=arm64 $(GO) build -o /dev/null ./cmd/sextant
	GOOS=darwin GOARCH=arm64 $(GO) build -o /dev/null ./cmd/sextant
	GOOS=windows GOARCH=amd64 $(GO) build -o /dev/null ./cmd/sextant

clean:
	rm -rf bin demo
