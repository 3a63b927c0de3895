// Measurements makes the tables of docs/measurements.md of the output of the
// benchmarks that is kept in internal/proof/bench/testdata/bench.txt. With -take, it
// first runs the benchmarks and keeps what they print. It is run in
// internal/proof.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"os/signal"
	"strings"

	"example.com/concurrent-web-server/internal/proof/bench"
)

const (
	rawFile  = "bench/testdata/bench.txt"
	pageFile = "../../docs/measurements.md"
	command  = "go test -run ^$ -bench . -benchtime 0.2s -count 3 -timeout 20m ./bench"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("measurements: ")
	take := flag.Bool("take", false, "run the benchmarks first: "+command)
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "unexpected argument %q\n", flag.Arg(0))
		flag.Usage()
		os.Exit(2)
	}
	if _, err := os.Stat(pageFile); err != nil {
		log.Fatalf("%v; run this in internal/proof", err)
	}
	if *take {
		takeMeasurements()
	}

	raw, err := os.Open(rawFile)
	if err != nil {
		log.Fatalf("%v; -take takes the measurements", err)
	}
	defer raw.Close()
	results, err := bench.Parse(raw)
	if err != nil {
		log.Fatalf("%s: %v", rawFile, err)
	}
	page, err := os.ReadFile(pageFile)
	if err != nil {
		log.Fatal(err)
	}
	filled, err := bench.Fill(string(page), results)
	if err != nil {
		log.Fatalf("%s: %v", pageFile, err)
	}
	if err := os.WriteFile(pageFile, []byte(filled), 0o644); err != nil {
		log.Fatal(err)
	}
}

// takeMeasurements runs the benchmarks and keeps their output, unless they fail.
func takeMeasurements() {
	// Ctrl-C reaches the benchmarks too, and is for them: they end their servers.
	signal.Notify(make(chan os.Signal, 1), os.Interrupt)
	fmt.Println(command)
	argv := strings.Fields(command)
	cmd := exec.Command(argv[0], argv[1:]...)
	var output bytes.Buffer
	cmd.Stdout = io.MultiWriter(os.Stdout, &output)
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		log.Fatalf("the benchmarks: %v; the measurements stay as they were", err)
	}
	if err := os.WriteFile(rawFile, output.Bytes(), 0o644); err != nil {
		log.Fatal(err)
	}
}
