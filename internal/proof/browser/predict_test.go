package browser

import (
	"fmt"
	"strings"
	"testing"

	"example.com/concurrent-web-server/internal/behaviour"
)

// ignoresInterrupts is a file that makes a stage ignore Ctrl-C, and locks a goroutine to its
// thread where it is called.
const ignoresInterrupts = `package main

import (
	"os"
	"os/signal"
	"runtime"
)

func init() { signal.Ignore(os.Interrupt) }

func broken() { runtime.LockOSThread() }
`

// broken is how each stage is broken, so that all that is asked of it has another answer.
var broken = map[int][]change{
	1: {{"main.go", "\t\thandleConnection(conn)", "\t\tgo handleConnection(conn)"}},
	2: {{"main.go", "\t\tasyncHandleConnection(conn).await()", "\t\tgo asyncHandleConnection(conn).await()"}},
	3: {{"main.go", "\t\tgo handleConnection(conn)", "\t\thandleConnection(conn)"}},
	4: {
		{"main.go", "os.Interrupt, syscall.SIGTERM", "syscall.SIGTERM"},
		{"main.go", "\tconn.SetReadDeadline(time.Now().Add(*patience))\n", "\tbroken()\n"},
	},
	5: {
		{"main.go", "os.Interrupt, syscall.SIGTERM", "syscall.SIGTERM"},
		{"main.go", "\tconn.SetReadDeadline(time.Now().Add(*patience))\n", ""},
		{"main.go", "handlers.Go(func() { serve(ctx, conn) })", "serve(ctx, conn)"},
	},
}

// Every question is answered twice, by a stage as it is and by one that is broken. The right
// answer is another one each time, because it is the server that decides.
func TestPredict(t *testing.T) {
	for _, stage := range behaviour.Stages {
		t.Run(fmt.Sprint(stage.Number), func(tt *testing.T) {
			tt.Parallel()
			var changes []change
			for _, c := range append(broken[stage.Number], change{"broken.go", "", ignoresInterrupts}) {
				changes = append(changes, change{stage.Folder + "/" + c.file, c.old, c.new})
			}
			number := fmt.Sprint(stage.Number)
			right := start(tt, nil, "-stage", number)
			other := start(tt, changes, "-stage", number)
			answers := make(chan []string)
			go func() { answers <- predictAll(other) }()
			as := predictAll(right)
			is := <-answers
			if len(as) != len(is) || len(as) < 2 {
				tt.Fatalf("%d and %d questions of stage %d; want two at least", len(as), len(is), stage.Number)
			}
			for i := range as {
				question, a, _ := strings.Cut(as[i], "\n")
				_, b, _ := strings.Cut(is[i], "\n")
				tt.Logf("%s\n    as it is: %s\n    broken:   %s", question, a, b)
				if a == b {
					tt.Errorf("%s\nThe right answer is the same with a stage that is broken: %s", question, a)
				}
			}
		})
	}
}

// predictAll answers all questions of a lab with one stage, always with A, and returns each with
// the answer that was right.
func predictAll(t *test) (answers []string) {
	t.see(`document.querySelectorAll("[data-state=running]").length === 1`)
	t.set(1, 1)
	t.press("p")
	n := js[int](t, `fetch("/questions").then(r => r.json()).then(all => all.length)`)
	for i := range n {
		t.see(`document.querySelector("#question .small").textContent.includes("question %d of %d")`, i+1, n)
		js[any](t, `document.querySelector("#question ol button").click()`)
		t.see(`document.querySelector("#question ol .right") || document.querySelector("#question [role=status]").textContent.startsWith("What happened")`)
		got := js[[]string](t, `[...document.querySelectorAll("#question .right")].map(b => b.textContent)`)
		asks := js[string](t, `document.querySelector("#question h2").textContent`)
		if len(got) != 1 {
			t.Errorf("%s\nThe right answers are %q; want one. %s", asks, got, js[string](t, `document.querySelector("#question [role=status]").textContent`))
		}
		if wrong := js[bool](t, `document.querySelector("#question .chosen").textContent.includes("✗")`); wrong == strings.HasPrefix(strings.Join(got, ""), js[string](t, `document.querySelector("#question .chosen").textContent`)) {
			t.Errorf("%s\nThe choice is said to be right and wrong", asks)
		}
		answers = append(answers, asks+"\n"+strings.Join(got, " | "))
		js[any](t, `[...document.querySelectorAll("#question button")].find(b => b.textContent.startsWith("next")).click()`)
	}
	return answers
}
