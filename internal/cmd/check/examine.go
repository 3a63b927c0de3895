package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"example.com/concurrent-web-server/internal/behaviour"
	"example.com/concurrent-web-server/internal/screen"
	"example.com/concurrent-web-server/internal/server"
)

type checker struct {
	ctx    context.Context // ends when the user interrupts; after that nothing is printed
	root   string          // the workbook's folder
	screen *screen.Screen
	// rowsBeside is how many rows of the screen something else than a verdict takes.
	rowsBeside int
}

// A target is a server to be examined, and what came of it.
type target struct {
	name  string
	spec  string           // as server.Open takes it
	stage *behaviour.Stage // which it has to be like, or nil
	text  string
	ok    bool // it is as it should be

	files  string // watch: the fingerprint of its files when it was last examined
	at     string // watch: when that was
	status string // watch: what there is to say of it in a line
}

// targets returns what the command line asks for.
func (c *checker) targets() []*target {
	stages := behaviour.Stages
	if *number > 0 {
		stages = stages[*number-1 : *number]
	}
	if *spec != "" {
		t := &target{name: *spec, spec: *spec}
		if *number > 0 {
			t.stage = &stages[0]
		}
		return []*target{t}
	}
	var all []*target
	for i, s := range stages {
		all = append(all, &target{name: s.Folder, spec: filepath.Join(c.root, s.Folder), stage: &stages[i]})
	}
	return all
}

// check examines the targets and returns the exit status. If it is interrupted, the status means
// nothing.
func (c *checker) check() int {
	all := c.targets()
	var err error
	if *watching {
		c.rowsBeside = len(all) + 3 // an empty one after the targets, and two for "watching"
		err = c.watch(all)
	} else {
		err = c.examine(all[0])
	}
	switch {
	case c.ctx.Err() != nil:
		return 1
	case err != nil:
		c.screen.Print("") // in the place of how many scripts were run
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	c.screen.Print(all[0].text + "\n")
	if !all[0].ok {
		return 1
	}
	return 0
}

const patience = 10 * time.Minute // for a server; after that nothing more is decided

// examine examines a server and notes the verdict in t. If it is interrupted, the verdict means
// nothing. The error says why the server cannot be examined.
func (c *checker) examine(t *target) error {
	if _, err := os.Stat(t.spec); err != nil && strings.Contains(t.spec, "/") && !strings.Contains(t.spec, " ") {
		return fmt.Errorf("There is no %s here, neither a folder nor a program.", t.spec)
	}
	program, err := server.Open(t.spec)
	goFiles, _ := filepath.Glob(filepath.Join(t.spec, "*.go"))
	if errors.As(err, new(*server.BuildError)) && len(goFiles) == 0 {
		err = fmt.Errorf("%w\nIf it is not a Go program, name the command that starts it, as in SERVER='python3 mine.py'.", err)
	}
	if below, _ := filepath.Glob(filepath.Join(t.spec, "*", "main.go")); err != nil && len(below) > 0 {
		err = fmt.Errorf("%w\nDid you mean %s?", err, filepath.Dir(below[0]))
	}
	if err != nil {
		return err
	}
	defer program.Close()
	program.At, program.SlowPage = *at, *slowPage
	notes, err := firstContact(program)
	if err != nil {
		return fmt.Errorf("Your server cannot be examined. %w\n\nWhat it has to do: docs/your-own-server.md", err)
	}
	if len(notes) > 0 && !*watching {
		c.screen.Print(strings.Join(notes, "\n") + "\n\n")
	}
	runner := &behaviour.Runner{Root: c.root, Program: program, Deadline: time.Now().Add(patience)}
	runner.Strict = *strict || slices.ContainsFunc(behaviour.Stages, func(s behaviour.Stage) bool {
		return program.Folder == filepath.Join(c.root, s.Folder)
	})
	if *script != "" {
		return t.runScript(runner)
	}
	run := 0
	last := time.Now()
	report := runner.RunAll(c.ctx, t.stage, func(r behaviour.Result) {
		run++
		if program.At != "" && !*watching && !r.NotRun { // one after another, and each may take long
			c.screen.Print(fmt.Sprintf("%-44s %5.1f s  %s\n", r.Script, time.Since(last).Seconds(), r.Outcome()))
			last = time.Now()
		}
		c.screen.Show(fmt.Sprintf("%d scripts run", run))
	})
	if c.ctx.Err() == nil {
		t.setVerdict(report, c.screen.Rows()-c.rowsBeside)
	}
	return nil
}

// setVerdict notes the verdict, in at most so many rows.
func (t *target) setVerdict(report *behaviour.Report, rows int) {
	report.Again = "make check SERVER=" + server.ShellQuote(t.spec) + " TELL=NAME"
	if *spec == "" {
		report.Who, report.Again = t.name, fmt.Sprintf("make check STAGE=%d TELL=NAME", t.stage.Number)
	}
	text, ok := report.Verdict(rows)
	t.text, t.ok = strings.TrimSpace(text), ok
	if *verbose {
		for _, r := range behaviour.Failures(report.Results) {
			t.text += "\n\n" + strings.TrimSpace(r.String())
		}
	}
}

// runScript runs one script and notes its log.
func (t *target) runScript(runner *behaviour.Runner) error {
	if !slices.Contains(behaviour.Scripts(), *script) {
		return fmt.Errorf("There is no script %q. It has the name of its file under testdata, as in TELL=pages/home.", *script)
	}
	r := runner.RunAlone(*script)
	// Before the script the log has the environment; where it failed, String says so.
	_, log, _ := strings.Cut(r.Log, "\n\n")
	if i := strings.LastIndex(log, "\nFAIL: "); i >= 0 {
		log = log[:i]
	}
	t.text, t.ok = strings.TrimSpace(log)+"\n\n"+strings.TrimSpace(r.String()), r.Passed()
	return nil
}
