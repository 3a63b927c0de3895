// Bench measures what each stage costs, beside net/http's own server and the
// cheapest one that the machine allows, and prints the tables of
// docs/measurements.md. It is run at the root of the repository:
//
//	bin/bench                        the tables, of three rounds
//	bin/bench -rounds 1 -bench 64    the benchmarks with 64 visitors, once
//	bin/bench -server ./_mine        your server among the others
//	bin/bench -raw >bench.txt        for benchstat -col /server bench.txt
//	bin/bench -rounds 7 -update      the tables in the pages made anew
//	bin/bench -rounds 0 -update      the same, of the measurements that are kept
//
// Each server is a process of its own, as a reader would run it. The visitors are
// all in this process, on the same machine. A round measures everything once, so
// that what is compared is measured within seconds of each other, and a machine
// that is busy for a while spoils one round and not one server.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"

	"golang.org/x/perf/benchfmt"

	"example.com/concurrent-web-server/internal/server"
)

const rawFile = "internal/tools/bench/testdata/bench.txt"

var (
	rounds = flag.Int("rounds", 3, "measure everything `n` times; 0 takes what is kept in "+rawFile)
	only   = new(regexp.Regexp)
	mine   = flag.String("server", "", "measure the `server` too: a folder with a Go program, or a command")
	raw    = flag.Bool("raw", false, "print Go's benchmark format instead of tables")
	update = flag.Bool("update", false, "keep the measurements, and make the tables in the pages anew")
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("bench: ")
	flag.TextVar(only, "bench", regexp.MustCompile("."), "only the benchmarks whose names match `regexp`")
	flag.Parse()
	switch {
	case flag.NArg() > 0:
		log.Fatalf("unexpected argument %q", flag.Arg(0))
	case *update && (only.String() != "." || *mine != ""):
		log.Fatal("-update keeps whole measurements only, of the servers in the repository")
	}
	if *mine != "" {
		name := strings.ReplaceAll(filepath.Base(*mine), " ", "_")
		contenders = append(contenders, contender{name, name, *mine, impatient, "^$"})
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, func() {
		stop() // the next signal ends this process at once
		server.KillAll()
	})
	err := run(ctx)
	if err != nil && ctx.Err() != nil {
		fmt.Fprintln(os.Stderr, "\nbench: interrupted; no file was changed")
		os.Exit(130)
	}
	if err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	var output []byte
	var err error
	if *rounds > 0 {
		output, err = measure(ctx)
	} else {
		output, err = os.ReadFile(rawFile)
	}
	if err != nil {
		return err
	}
	results, err := parse(bytes.NewReader(output))
	if err != nil {
		return err
	}
	if *update {
		if err := os.WriteFile(rawFile, output, 0o644); err != nil {
			return err
		}
		pages, wrong := fillPages(results) // written all the same: a sentence may have to change
		for name, page := range pages {
			if err := os.WriteFile(name, []byte(page), 0o644); err != nil {
				return err
			}
		}
		return wrong
	}
	if *raw {
		_, err := os.Stdout.Write(output)
		return err
	}
	page, err := os.ReadFile("docs/measurements.md")
	for _, m := range place.FindAllStringSubmatch(string(page), -1) {
		if text, _ := results.table(m[1], m[2], m[3]); m[1] != "" && text != "" {
			fmt.Println(text)
		}
	}
	return err
}

// measure runs the benchmarks, and returns the results in Go's benchmark format.
func measure(ctx context.Context) ([]byte, error) {
	debug.SetGCPercent(1000) // the visitors' garbage is not what is measured
	benchmarks := choose()
	if len(benchmarks) == 0 {
		return nil, errors.New("no benchmark has such a name")
	}
	programs := make(map[string]*server.Program) // by the name of the server
	for _, b := range benchmarks {
		if name := b.server.name; programs[name] == nil {
			program, err := server.Open(b.server.folder)
			if err != nil {
				return nil, err
			}
			defer program.Close()
			programs[name] = program
		}
	}
	var output bytes.Buffer
	fmt.Fprintf(&output, "goos: %s\ngoarch: %s\ngo: %s\n", runtime.GOOS, runtime.GOARCH, runtime.Version())
	fmt.Fprintf(&output, "cores: %d\ncpu: %s\nkernel: %s\n\n", runtime.NumCPU(),
		firstMatch("/proc/cpuinfo", `model name\s*: (.*)`, "unknown processor"),
		firstMatch("/proc/version", `^(Linux version \d+\.\d+)`, runtime.GOOS))
	writer := benchfmt.NewWriter(&output)
	for round := range *rounds {
		for i, b := range benchmarks {
			progress("round %d of %d, %d of %d: %s", round+1, *rounds, i+1, len(benchmarks), b.name)
			result, err := b.run(programs[b.server.name])
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			if err != nil { // the machine may have been too busy for a while
				fmt.Fprintf(os.Stderr, "\n%s: %v; it is run once more\n", b.name, err)
				result, err = b.run(programs[b.server.name])
			}
			if err != nil {
				return nil, fmt.Errorf("%s: %w", b.name, err)
			}
			if err := writer.Write(result); err != nil {
				return nil, err
			}
		}
	}
	progress("")
	return output.Bytes(), nil
}

// firstMatch returns what the group of the pattern matches in the file.
func firstMatch(file, pattern, otherwise string) string {
	text, _ := os.ReadFile(file)
	if m := regexp.MustCompile(pattern).FindSubmatch(text); m != nil {
		return string(m[1])
	}
	return otherwise
}

// progress writes a line over the one before it.
func progress(format string, args ...any) {
	if info, err := os.Stderr.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
		fmt.Fprintf(os.Stderr, "\r\x1b[K"+format, args...)
	}
}
