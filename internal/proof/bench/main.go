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
	"time"

	"golang.org/x/perf/benchfmt"

	"example.com/concurrent-web-server/internal/server"
)

var (
	rounds  = flag.Int("rounds", 3, "measure everything `n` times; 0 takes what is kept in "+rawFile)
	filter  = flag.String("bench", ".", "only the benchmarks whose names match `regexp`")
	mine    = flag.String("server", "", "measure the `server` too: a folder with a Go program, or a command")
	raw     = flag.Bool("raw", false, "print Go's benchmark format instead of tables")
	update  = flag.Bool("update", false, "keep the measurements, and make the tables in the pages anew")
	rawFile = "internal/proof/bench/testdata/bench.txt"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("bench: ")
	flag.Parse()
	only, err := regexp.Compile(*filter)
	switch {
	case err != nil:
		log.Fatal(err)
	case flag.NArg() > 0:
		log.Fatalf("unexpected argument %q", flag.Arg(0))
	case *update && (*filter != "." || *mine != ""):
		log.Fatal("-update keeps whole measurements only, of the servers in the repository")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, func() {
		stop() // the next signal ends this process at once
		server.KillAll()
	})
	err = run(ctx, only)
	if err != nil && ctx.Err() != nil {
		fmt.Fprintln(os.Stderr, "\nbench: interrupted; no file was changed")
		os.Exit(130)
	}
	if err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, only *regexp.Regexp) error {
	var output []byte
	var err error
	if *rounds > 0 {
		output, err = measure(ctx, only)
	} else {
		output, err = os.ReadFile(rawFile)
	}
	if err != nil {
		return err
	}
	if *raw {
		os.Stdout.Write(output)
	}
	results, err := parse(bytes.NewReader(output))
	switch {
	case err != nil:
		return err
	case *update:
		if err := os.WriteFile(rawFile, output, 0o644); err != nil {
			return err
		}
		return updatePages(results)
	case !*raw:
		for _, t := range tables {
			if text := t.text(results); text != "" {
				fmt.Println(text)
			}
		}
	}
	return nil
}

// measure runs the benchmarks, and returns the results in Go's benchmark format.
func measure(ctx context.Context, only *regexp.Regexp) ([]byte, error) {
	debug.SetGCPercent(1000) // the visitors' garbage is not what is measured
	if *mine != "" {
		name := strings.ReplaceAll(filepath.Base(*mine), " ", "_")
		contenders = append(contenders, contender{name: name, title: name, folder: *mine})
	}
	benchmarks := choose(only)
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
	writer := benchfmt.NewWriter(&output)
	start := time.Now()
	for round := range *rounds {
		for i, b := range benchmarks {
			progress(round, i, len(benchmarks), start, b.name)
			result, err := b.run(programs[b.server.name])
			if err != nil && ctx.Err() == nil { // the machine may have been too busy for a while
				fmt.Fprintf(os.Stderr, "\n%s: %v; it is run once more\n", b.name, err)
				result, err = b.run(programs[b.server.name])
			}
			if err != nil {
				return nil, fmt.Errorf("%s: %w", b.name, err)
			}
			result.Config = machine()
			if err := writer.Write(result); err != nil {
				return nil, err
			}
		}
	}
	if onTerminal() {
		fmt.Fprint(os.Stderr, clearLine)
	}
	return output.Bytes(), nil
}

const clearLine = "\r\x1b[K"

// progress writes a line over the one before it, or, if standard error is not a
// terminal, a line for each round.
func progress(round, i, n int, start time.Time, name string) {
	done, left := round*n+i, ""
	if done > 0 {
		left = (time.Since(start) * time.Duration(*rounds*n-done) / time.Duration(done)).Round(time.Second).String() + " left, "
	}
	if onTerminal() {
		fmt.Fprintf(os.Stderr, clearLine+"round %d of %d: %s%s", round+1, *rounds, left, name)
	} else if i == 0 {
		fmt.Fprintf(os.Stderr, "round %d of %d: %s%d benchmarks\n", round+1, *rounds, left, n)
	}
}

func onTerminal() bool {
	info, err := os.Stderr.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// machine says where the benchmarks run.
func machine() []benchfmt.Config {
	var config []benchfmt.Config
	for _, c := range [][2]string{
		{"goos", runtime.GOOS},
		{"goarch", runtime.GOARCH},
		{"go", runtime.Version()},
		{"cores", fmt.Sprint(runtime.NumCPU())},
		{"cpu", firstMatch("/proc/cpuinfo", `model name\s*: (.*)`, "unknown processor")},
		{"kernel", firstMatch("/proc/version", `^(Linux version \d+\.\d+)`, runtime.GOOS)},
	} {
		config = append(config, benchfmt.Config{Key: c[0], Value: []byte(c[1]), File: true})
	}
	return config
}

// firstMatch returns what the group of the pattern matches in the file.
func firstMatch(file, pattern, otherwise string) string {
	text, _ := os.ReadFile(file)
	if m := regexp.MustCompile(pattern).FindSubmatch(text); m != nil {
		return string(m[1])
	}
	return otherwise
}
