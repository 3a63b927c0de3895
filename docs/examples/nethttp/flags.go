package main

import (
	"flag"
	"fmt"
	"log"
	"os"
)

// parseFlags parses the command line. What it cannot make sense of ends the
// program with the usage and exit status 2.
func parseFlags() {
	log.SetFlags(0)
	flag.Parse()
	switch {
	case flag.NArg() > 0:
		misused("unexpected argument %q", flag.Arg(0))
	case *slow < 0:
		misused("-slow %v is negative", *slow)
	case *patience < 0:
		misused("-patience %v is negative", *patience)
	}
}

func misused(format string, args ...any) {
	fmt.Fprintf(flag.CommandLine.Output(), format+"\n", args...)
	flag.Usage()
	os.Exit(2)
}
