// Typecheck prints what does not compile, in both modules, tests and all, on the systems
// that it is told:
//
//	go run ./proof/typecheck darwin freebsd openbsd netbsd
//
// It reads the standard library from source. go vet would have to compile it first for
// each system, which takes ten times as long.
package main

import (
	"log"
	"os"

	"golang.org/x/tools/go/packages"
)

func main() {
	for _, system := range os.Args[1:] {
		loaded, err := packages.Load(&packages.Config{
			Mode:  packages.LoadAllSyntax,
			Env:   append(os.Environ(), "GOOS="+system),
			Tests: true,
		}, "example.com/concurrent-web-server/...")
		if err != nil {
			log.Fatal(err)
		}
		if len(loaded) == 0 || packages.PrintErrors(loaded) > 0 {
			log.Fatalf("the workbook does not compile for %s", system)
		}
	}
}
