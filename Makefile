# Everything a contributor does begins here. `make` lists the targets.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# The modules that are there. tools stands apart: it pins programs, it has no code.
MODULES := . $(patsubst %/go.mod,%,$(wildcard cmd/go.mod tests/go.mod bench/go.mod))
TARGETS := linux/amd64 linux/arm64 darwin/amd64 darwin/arm64
FUZZTIME ?= 10s
BENCH ?= .
ARGS ?=

export CGO_ENABLED ?= 0

.PHONY: help run cluster build test race fuzz lint bench gobench docs cross tidy clean chaos sim sim-ci sim-determinism sim-coverage hunt plants explore explore-ci bin/sim

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: build ## build and start one node, its data in ./data (ARGS="--listen ..." for more)
	@exec bin/moldau start --data data --hints $(ARGS)

cluster: build ## start three nodes on this machine, in one terminal, their data in ./data/cluster
	@exec tools/cluster bin/moldau data/cluster

build: ## bin/moldau, static
	cd cmd && go build -trimpath -o ../bin/moldau ./moldau

test: ## all tests of all modules, then the peers that were missing
	@.ci/test $(MODULES)

race: ## the same with the race detector (needs a C compiler)
	@CGO_ENABLED=1 .ci/test -race $(MODULES)

fuzz: ## every fuzz target for FUZZTIME (10s)
	@.ci/fuzz $(FUZZTIME) $(MODULES)

lint: bin/tools/staticcheck ## gofmt, vet, staticcheck and the policy tests
	@out=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$out" || { echo "gofmt wants to change:"; echo "$$out"; exit 1; }
	@for module in $(MODULES); do (cd $$module && go vet ./... && $(CURDIR)/bin/tools/staticcheck ./...); done
	go test ./internal/lint

# What the simulator's targets take: SEED or SEEDS=1-500, SCENARIO=name|all, DURATION=60s,
# ENGINE=native|wasm, OPTIONS="key=value ...", JOBS, and KEEP_GOING=1 for all violations.
SIM = $(if $(SEED)$(SEEDS),-seeds $(SEED)$(SEEDS)) $(if $(SCENARIO),-scenario $(SCENARIO)) $(if $(DURATION),-duration $(DURATION)) \
	$(if $(ENGINE),-engine $(ENGINE)) $(if $(OPTIONS),-options "$(OPTIONS)") $(if $(JOBS),-jobs $(JOBS)) $(if $(filter 1,$(KEEP_GOING)),-keep-going)

bin/sim:
	@go build -o bin/sim ./sim/host

sim: bin/sim ## run the whole system under a seed: SEED=7, or SEEDS=1-500 (SCENARIO, DURATION, ENGINE, KEEP_GOING=1)
	@bin/sim run $(SIM)

sim-ci: bin/sim ## the seeds of continuous integration, each twice, and those of past bugs
	@bin/sim ci $(SIM)

sim-determinism: bin/sim ## the same few seeds, many times on both engines
	@bin/sim determinism -scenario all $(SIM)

sim-coverage: bin/sim ## lines of the broker that none of SEEDS reaches
	@bin/sim coverage $(SIM)

hunt: bin/sim ## SEEDS over all scenarios, going on where the last hunt stopped
	@bin/sim hunt -scenario all -spread $(SIM)

plants: bin/sim ## planted bugs, each of which some seed has to find (PLANTS=a,b)
	@bin/sim plants $(if $(PLANTS),-only $(PLANTS)) $(SIM)

explore: ## every state of small worlds of replicas, against the contract (GUARDS=1: with its rules out; ONLY="name;name", LIMIT=5m)
	@go build -tags explore -o bin/sim-explore ./sim/host
	@nice -n 10 bin/sim-explore explore -progress $(if $(filter 1,$(GUARDS)),-guards) $(if $(ONLY),-only "$(ONLY)") $(if $(LIMIT),-limit $(LIMIT)) $(if $(JOBS),-jobs $(JOBS))

explore-ci: ## the tests that take rules of replication out
	go test -tags explore ./internal/guard ./broker/replica ./sim/explore

chaos: ## three processes struck under load, what clients saw checked: DURATION (10m) of each of ONLY (Chaos|ChaosUnderOtherClients|ChaosOfWires|ChaosOfDisks)
	@cd tests && MOLDAU_CHAOS_DURATION=$(or $(DURATION),10m) nice go test ./cluster -run '^Test($(or $(ONLY),Chaos.*))$$' -count=1 -v -timeout 0

bench: ## Moldau and Apache Kafka side by side (ARGS="..." for its flags)
	@mkdir -p out
	@cd bench && go run . $(ARGS)

gobench: bin/tools/benchstat ## Go benchmarks that match BENCH, summed up
	@mkdir -p out
	go test -run '^$$' -bench '$(BENCH)' -benchmem -count 6 ./... | tee out/bench.txt && bin/tools/benchstat out/bench.txt

docs: ## generate anew what is generated, goldens of the modules included
	@for module in $(MODULES); do (cd $$module && go generate ./...); done
	go test ./internal/lint -run TestModules -rewrite

cross: ## compile for every target, the core for wasip1 too, without go.work
	GOWORK=off GOOS=wasip1 GOARCH=wasm go build ./...
	@for target in $(TARGETS); do for module in $(MODULES); do \
		echo "$$target $$module"; \
		(cd $$module && GOWORK=off GOOS=$${target%/*} GOARCH=$${target#*/} go build -o /dev/null ./... ); \
	done; done

tidy: ## go mod tidy in every module
	@for module in $(MODULES) tools; do (cd $$module && GOWORK=off go mod tidy); done

clean: ## take away what make made, but the data
	rm -rf bin out

bin/tools/%: tools/go.mod tools/go.sum
	@mkdir -p bin/tools
	cd tools && GOWORK=off go build -o ../bin/tools/ tool
