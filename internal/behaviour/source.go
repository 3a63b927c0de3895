package behaviour

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"example.com/concurrent-web-server/internal/server"
	"github.com/rogpeppe/go-internal/testscript"
)

// These commands change the server's source, which has to be at hand: [source].

// edit copies the server's source into the script's folder, into one of the same
// name, replaces OLD, which has to stand in it once, by NEW, and has the servers from
// here on built from the copy. It sets $LINE to the line where that is.
func edit(ts *testscript.TestScript, neg bool, args []string) {
	command("edit OLD NEW", func(s *story, args []string) error {
		if s.original == "" {
			s.original = s.program.Folder
		}
		folder := ts.MkAbs(filepath.Base(s.original))
		line, err := copySource(s.original, folder, args[0], args[1])
		if err != nil {
			return err
		}
		ts.Setenv("LINE", strconv.Itoa(line))
		s.close()
		program, err := server.Open(folder)
		if err != nil {
			return err
		}
		s.program, s.close = program, func() { program.Close() }
		return nil
	})(ts, neg, args)
}

// copySource returns the line of the text that it has replaced.
func copySource(from, to, old, new string) (line int, err error) {
	if err := os.MkdirAll(to, 0o777); err != nil {
		return 0, err
	}
	files, err := os.ReadDir(from)
	if err != nil {
		return 0, err
	}
	for _, f := range files {
		if f.IsDir() || strings.HasSuffix(f.Name(), "_test.go") {
			continue
		}
		data, err := os.ReadFile(filepath.Join(from, f.Name()))
		if err != nil {
			return 0, err
		}
		text := string(data)
		if before, after, found := strings.Cut(text, old); found {
			if line != 0 || strings.Contains(after, old) {
				return 0, fmt.Errorf("The source has %q more than once.", old)
			}
			line = 1 + strings.Count(before, "\n")
			text = before + new + after
		}
		if err := os.WriteFile(filepath.Join(to, f.Name()), []byte(text), 0o666); err != nil {
			return 0, err
		}
	}
	if line == 0 {
		return 0, fmt.Errorf("The source has no %q.", old)
	}
	return line, nil
}

// runsWith has the compiler look at the server's source as if FILE, which is the
// script's own, were one of its files, and runs the program that it makes. FILE says
// in an init function what is to be done, and ends the program, whose output has what
// the patterns match.
func runsWith(ts *testscript.TestScript, neg bool, args []string) {
	command("runs-with FILE PATTERN...", func(s *story, args []string) error {
		overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{
			filepath.Join(s.program.Folder, args[0]): ts.MkAbs(args[0]),
		}})
		if err != nil {
			return err
		}
		file := ts.MkAbs("overlay.json")
		if err := os.WriteFile(file, overlay, 0o666); err != nil {
			return err
		}
		program, err := server.Open(s.program.Folder, "-overlay="+file)
		if build := (*server.BuildError)(nil); errors.As(err, &build) {
			return fmt.Errorf("The server's source does not compile with a file that calls handleConnection:%s", quote(build.Output))
		}
		if err != nil {
			return err
		}
		defer program.Close()
		status, output, err := program.Run(server.Options{Deadline: s.deadline})
		switch {
		case err != nil:
			return fmt.Errorf("Called with a reader and a writer in memory, handleConnection does not come to an end.")
		case status != 0:
			return fmt.Errorf("Called with a reader and a writer in memory, handleConnection ends the program with status %d:%s", status, quote(output))
		}
		return printed("Called with a request in memory, handleConnection", output, args[1:])
	})(ts, neg, args)
}
