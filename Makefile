# Every target runs plain commands, which work without make, and shows them.

# BSD make does this first. For GNU make it is a target that nobody asks for.
.BEGIN:
	@echo 'This Makefile is for GNU make: say gmake instead of make.' >&2; exit 1

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9 ]+:.*## / { sub(/ .* /, " ... ", $$1); printf "make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

stage1 stage2 stage3 stage4 stage5: ## run a stage; ARGS='-slow 1s' passes flags
	go build -o bin/ ./$(wildcard $@-*)
	bin/$(wildcard $@-*) $(ARGS)

test: ## check that every stage does what it is there to show
	go test ./...

server = $(if $(SERVER), -server '$(subst ','\'',$(SERVER))')
target = $(if $(STAGE), -stage $(STAGE))$(server)
own = $(if $(AT), -at $(AT))$(if $(SLOW), -slow-page $(SLOW))

check: ## which stage has your server reached? SERVER=./_mine, or as it stands: AT=127.0.0.1:7878
	go build -o bin/ ./internal/cmd/check
	bin/check$(target)$(own)$(if $(STRICT), -strict)$(if $(TELL), -tell $(TELL))$(if $(V), -v) $(ARGS)

watch: ## ask again whenever a file is saved; STAGE=3, or SERVER=./_mine
	go build -o bin/ ./internal/cmd/check
	bin/check -watch$(target)$(own)$(if $(V), -v) $(ARGS)

A = 1
B = $(shell expr $(A) + 1)
diff: ## the step from one stage to the next: A=2
	diff -ru -x '*_test.go' -x testdata $(wildcard stage$(A)-*) $(or $(wildcard stage$(B)-*),$(error there is no step from stage $(A): A is 1 to 4)) || test $$? = 1

timeline: ## see who is served when, stage by stage; STAGE=3, or SERVER=./_mine
	go build -o bin/ ./internal/cmd/timeline
	bin/timeline$(target) $(ARGS)

lab: ## the five servers live, side by side, in a browser; STAGE=3, SERVER=./_mine
	go build -C internal/tools -o ../../bin/lab ./lab
	bin/lab$(target) $(ARGS)

rounds = $(if $(QUICK),1,$(or $(ROUNDS),6))
bench: ## what each stage costs, in 6 rounds; QUICK=1 for one, BENCH=Prompt for a part, SERVER=./_mine for yours too
	go build -C internal/tools -o ../../bin/ golang.org/x/perf/cmd/benchstat
	cd internal/tools && for round in $$(seq $(rounds)); do \
		go test -run '^$$' -bench '$(or $(BENCH),.)' -benchtime 1x $(ARGS) ./bench || exit; done | tee ../../bin/bench.txt
	$(if $(QUICK),@echo 'One round proves nothing: compare no two numbers of it.',bin/benchstat -table .name -row '/slow /silent /cores /server' bin/bench.txt)

# For whoever works on the workbook.

proof: ## check the pages, the scripts and the tools
	cd internal/tools && go test -count=1 ./...

ci: ## what CI checks, which is a short form of all
	.ci/run

# staticcheck is not in go.mod, because it needs Go 1.26 itself; 0.8 is the first that knows Go 1.27.
lint: ## vet and staticcheck, and whether everything compiles for macOS and the BSDs
	cd internal/tools && go vet example.com/concurrent-web-server/...
	cd internal/tools && go run honnef.co/go/tools/cmd/staticcheck@v0.8.2 example.com/concurrent-web-server/...
	cd internal/tools && go run ./proof/typecheck darwin freebsd openbsd netbsd

race: ## the tests of the stages and of the lab, with the race detector in the servers too
	go test -race ./stage*
	cd internal/tools && go test -race -short -count=1 ./lab

pages: ## write the numbers of lines into the pages' links
	cd internal/tools && go test ./proof/book -run Pages -update

figures: ## record the stages and the scenes anew, and draw them and the lab into docs
	cd internal/tools && go test -count=1 ./proof/timeline -run Figures -update
	cd internal/tools && go test -count=1 ./lab -run Recordings -update
	cd internal/tools && go test -count=1 ./proof/browser -run 'Picture|AloneIsCurrent' -picture ../../../../docs/figures/lab.png -update

measurements: ## measure in seven rounds, into the tables of docs/measurements.md
	$(MAKE) bench ROUNDS=7 SERVER=
	cp bin/bench.txt internal/tools/bench/bench.txt
	cd internal/tools && go test -count=1 ./proof/book -run 'Sessions/docs/measurements' -update
	cd internal/tools && go test -count=1 ./bench

.PHONY: help stage1 stage2 stage3 stage4 stage5 test check watch diff timeline lab bench proof ci lint race pages figures measurements
