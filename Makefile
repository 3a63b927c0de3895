# Every target runs a plain command, which works without make, and shows it.

STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9 ]+:.*## / { sub(/ .* /, " ... ", $$1); printf "make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# $(call run,PACKAGE,ARGUMENTS) builds a program of ours and runs it. Job control
# (set -m) gives it the terminal for itself, so that Ctrl-C and Ctrl-\ reach it
# alone and make adds no error of its own to its last words. That is for a make in
# the foreground, which ps marks with a plus.
run = package=$$(echo $(1)); program=bin/$$(basename $$package); \
	echo "go build -o bin/ $$package && $$program"'$(if $(2), $(subst ','\'',$(2)))'; \
	go build -o bin/ $$package || exit; \
	case "$$(ps -o stat= -p $$$$ 2>/dev/null)" in *+*) \
		set -m; trap : INT; $$program $(2); status=$$?; \
		if [ $$status -gt 128 ]; then echo; status=0; fi; exit $$status ;; \
	esac; \
	exec $$program $(2)

target = $(if $(STAGE), -stage $(STAGE))$(if $(SERVER), -server '$(subst ','\'',$(SERVER))')

stage1 stage2 stage3 stage4 stage5: ## run a stage; ARGS='-slow 1s' hands it flags
	go build -o bin/ ./$(wildcard $@-*) && bin/$(wildcard $@-*) $(ARGS)

test: ## check that every stage does what it is there to show
	go test ./...

proof: ## hold the pages, the scripts and the tools to their word, for maintainers
	cd internal/proof && go test -count=1 ./...

race: ## the same with the race detector, in the servers too
	GORACE=atexit_sleep_ms=10 go test -race ./...

check: ## which stage has your server reached? SERVER=./_mine
	go build -o bin/ ./internal/cmd/check && bin/check$(target)$(if $(TELL), -tell $(TELL))$(if $(V), -v)$(if $(ARGS), $(ARGS))

watch: ## ask again whenever a file is saved; STAGE=3, or SERVER=./_mine
	go build -o bin/ ./internal/cmd/check && bin/check -watch$(target)$(if $(V), -v)$(if $(ARGS), $(ARGS))

A = 1
B = $(shell expr $(A) + 1)
diff: ## the step from one stage to the next: A=2
	@set -- stage$(A)-* stage$(B)-*; echo "diff -ru $$*"; \
	color=; if [ -t 1 ] && diff --color=always /dev/null /dev/null 2>/dev/null; then color=--color=always; fi; \
	diff -ru $$color -x '*_test.go' -x testdata "$$@"; test $$? -le 1

timeline: ## see who is served when, stage by stage; STAGE=3, or SERVER=./_mine
	go build -o bin/ ./internal/cmd/timeline && bin/timeline$(target)$(if $(ARGS), $(ARGS))

figures: ## draw the timelines of a real run into docs/figures
	go run ./internal/cmd/timeline -figures docs/figures

bench: ## what each stage costs; QUICK=1 for a first look, SERVER=./_mine for yours too
	go build -C internal/proof -o ../../bin/bench ./bench && bin/bench $(strip $(if $(QUICK),-rounds 1 -bench '=64/s|=1/slow|=1000') $(if $(SERVER),-server '$(SERVER)') $(ARGS))

measurements: ## the same in seven rounds, into the tables of the pages
	go build -C internal/proof -o ../../bin/bench ./bench && bin/bench -rounds 7 -update

fmt: ## format the Go code
	gofmt -l -w .

lint: ## go vet and staticcheck
	go vet ./...
	go run $(STATICCHECK) ./...

.PHONY: help stage1 stage2 stage3 stage4 stage5 test proof race check watch diff timeline figures bench measurements fmt lint
