package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"example.com/concurrent-web-server/internal/behaviour"
	"example.com/concurrent-web-server/internal/screen"
	"example.com/concurrent-web-server/internal/server"
	"example.com/concurrent-web-server/internal/watch"
)

// A checker examines one server.
type checker struct {
	ctx    context.Context // ends when the user interrupts; after that nothing is printed
	root   string          // the workbook's folder
	screen *screen.Screen

	stage *behaviour.Stage // that the server has to be like, or nil
	spec  string           // of the server, as server.Open takes it
	name  string
}

// check examines the server that the command line names, and prints the verdict. It says whether
// the server is as it should be. The error says why the server cannot be examined.
func (c *checker) check() (ok bool, err error) {
	if _, err := os.Stat(filepath.Join(c.root, "testdata", "pages")); err != nil {
		return false, fmt.Errorf("The scripts are not here: run check in the workbook's folder.")
	}
	c.spec, c.name = *spec, *spec
	if *number > 0 {
		c.stage = &behaviour.Stages[*number-1]
	}
	if *spec == "" {
		c.spec, c.name = filepath.Join(c.root, c.stage.Folder), c.stage.Folder
	}
	if line := server.Unseen(); line != "" && *verbose {
		fmt.Fprintln(os.Stderr, line)
	}
	if *watching {
		return false, c.watch()
	}
	verdict, ok, err := c.examine(screen.Rows() - 2) // one for the prompt, and one for make
	switch {
	case c.ctx.Err() != nil:
	case err != nil:
		c.screen.Print("") // removes the line that says how many scripts were run
	default:
		c.screen.Print(verdict + "\n")
	}
	return ok, err
}

// watch examines the server, and again whenever one of its files has changed, until it is
// interrupted.
func (c *checker) watch() error {
	const pause = 200 * time.Millisecond // between two looks at the files
	examined := ""
	for ; c.ctx.Err() == nil; time.Sleep(pause) {
		files := watch.Fingerprint(c.spec)
		switch {
		case files == "" && examined == "":
			return fmt.Errorf("There is nothing to watch: %s does not name a file, or a folder with files.", c.spec)
		case files == "" || files == examined: // an editor is replacing the file, or nothing is new
			continue
		}
		examined = files
		c.screen.Show("examining " + c.name + " ...")
		saved := time.Now().Format("15:04:05")
		verdict, _, err := c.examine(screen.Rows() - 4) // two for the line before it, and two for the line after it
		if c.ctx.Err() != nil {
			return nil
		}
		if err != nil {
			verdict = err.Error()
		}
		c.screen.Clear()
		c.screen.Print(c.name + " at " + saved + "\n\n" + verdict + "\n\n")
		c.screen.Show("watching; Ctrl-C ends it")
	}
	return nil
}

// examine examines the server and returns the verdict, in at most so many rows, and whether the
// server is as it should be. If the user interrupts, they mean nothing. The error says why the
// server cannot be examined.
func (c *checker) examine(rows int) (verdict string, ok bool, err error) {
	program, err := server.Open(c.spec, server.Build{})
	if err != nil {
		return "", false, err
	}
	defer program.Close()
	program.At, program.SlowPage = *at, *slowPage
	notes, err := firstContact(program)
	if err != nil {
		return "", false, fmt.Errorf("Your server cannot be examined. %w\n\nWhat it has to do: docs/your-own-server.md", err)
	}
	if len(notes) > 0 {
		c.screen.Print(strings.Join(notes, "\n") + "\n\n")
	}
	const patience = 10 * time.Minute // after that nothing more is decided
	runner := &behaviour.Runner{Root: c.root, Program: program, Deadline: time.Now().Add(patience)}
	runner.Strict = *strict || slices.ContainsFunc(behaviour.Stages, func(s behaviour.Stage) bool {
		return program.Folder == filepath.Join(c.root, s.Folder)
	})
	if *script != "" {
		r := runner.RunAlone(*script)
		// Before the script the log has the environment; where it failed, String says so.
		_, log, _ := strings.Cut(r.Log, "\n\n")
		if i := strings.LastIndex(log, "\nFAIL: "); i >= 0 {
			log = log[:i]
		}
		return strings.TrimSpace(log) + "\n\n" + strings.TrimSpace(r.String()), r.Passed(), nil
	}
	verdict, ok = c.runAll(runner, rows)
	return verdict, ok, nil
}

// runAll runs the scripts, shows how many were run, and returns the verdict.
func (c *checker) runAll(runner *behaviour.Runner, rows int) (verdict string, ok bool) {
	run, last := 0, time.Now()
	report := runner.RunAll(c.ctx, c.stage, func(r behaviour.Result) {
		run++
		if *at != "" && !r.NotRun { // one after another, and each may take long
			c.screen.Print(fmt.Sprintf("%5.1f s  %s: %s\n", time.Since(last).Seconds(), r.Script, r.Outcome()))
			last = time.Now()
		}
		c.screen.Show(fmt.Sprintf("%d scripts run", run))
	})
	again := "make check SERVER=" + server.ShellQuote(c.spec)
	switch {
	case *spec == "":
		report.Who, again = c.name, fmt.Sprintf("make check STAGE=%d", *number)
	case *at != "":
		again += " AT=" + *at
		c.screen.Print("\n") // after the lines of the scripts
	}
	if *slowPage != "/sleep" {
		again += " SLOW=" + *slowPage
	}
	report.Again = again + " TELL=NAME"
	verdict, ok = report.Verdict(rows)
	if *verbose {
		for _, r := range behaviour.Failures(report.Results) {
			verdict += "\n" + r.String()
		}
	}
	return strings.TrimSpace(verdict), ok
}
