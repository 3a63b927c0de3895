package browser

import (
	"fmt"
	"os"
	"path/filepath"
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
var broken = map[int][][2]string{
	1: {{"\t\thandleConnection(conn)", "\t\tgo handleConnection(conn)"}},
	2: {{"\t\tasyncHandleConnection(conn).await()", "\t\tgo asyncHandleConnection(conn).await()"}},
	3: {{"\t\tgo handleConnection(conn)", "\t\thandleConnection(conn)"}},
	4: {
		{"os.Interrupt, syscall.SIGTERM", "syscall.SIGTERM"},
		{"\tconn.SetReadDeadline(time.Now().Add(*patience))\n", "\tbroken()\n"},
	},
	5: {
		{"os.Interrupt, syscall.SIGTERM", "syscall.SIGTERM"},
		{"\tconn.SetReadDeadline(time.Now().Add(*patience))\n", ""},
		{"handlers.Go(func() { serve(ctx, conn) })", "serve(ctx, conn)"},
	},
}

// Every question is answered twice, by a stage as it is and by one that is broken. The right
// answer is another one each time, because it is the server that decides.
func TestPredict(t *testing.T) {
	t.Parallel()
	for _, stage := range behaviour.Stages {
		t.Run(fmt.Sprint(stage.Number), func(t *testing.T) {
			t.Parallel()
			folder := copyWorkbook(t)
			for _, b := range broken[stage.Number] {
				change(t, folder, main(stage.Number), b[0], b[1])
			}
			file := filepath.Join(folder, stage.Folder, "broken.go")
			if err := os.WriteFile(file, []byte(ignoresInterrupts), 0o666); err != nil {
				t.Fatal(err)
			}
			right := start(t, workbook, "-stage", fmt.Sprint(stage.Number))
			other := start(t, folder, "-stage", fmt.Sprint(stage.Number))
			answers := make(chan []string)
			go func() { answers <- other.predictAll() }()
			as := right.predictAll()
			is := <-answers
			if len(as) != len(is) || len(as) < 2 {
				t.Fatalf("%d and %d questions of stage %d; want two at least", len(as), len(is), stage.Number)
			}
			for i := range as {
				question, a, _ := strings.Cut(as[i], "\n")
				_, b, _ := strings.Cut(is[i], "\n")
				t.Logf("%s\n    as it is: %s\n    broken:   %s", question, a, b)
				if a == b {
					t.Errorf("%s\nThe right answer is the same with a stage that is broken: %s", question, a)
				}
			}
		})
	}
}

// predictAll answers all questions of a lab with one stage, always with A, and returns each with
// the answer that was right.
func (t *test) predictAll() (answers []string) {
	t.set(1, 1)
	t.press("p")
	for n, i := 1, 1; i <= n; i++ {
		t.see(`document.querySelector("#question .small")?.textContent.includes("question %d of")`, i)
		fmt.Sscanf(js[string](t, `document.querySelector("#question .small").textContent.split(" of ")[1]`), "%d", &n)
		t.click("#question ol button")
		t.see(`document.querySelector("#question [role=status]").textContent.startsWith("What happened")`)
		texts := func(selector string) string {
			return js[string](t, `[...document.querySelectorAll("#question %s")].map(b => b.textContent).join(" | ")`, selector)
		}
		asks, right, chosen := texts("h2"), texts(".right"), texts(".chosen")
		if right == "" || strings.Contains(right, " | ") {
			t.Errorf("%s\nThe right answers are %q; want one. %s", asks, right, texts("[role=status]"))
		}
		if strings.Contains(chosen, "✗") == (chosen == right) {
			t.Errorf("%s\n%q is chosen, and %q is right", asks, chosen, right)
		}
		answers = append(answers, asks+"\n"+right)
		js[any](t, `[...document.querySelectorAll("#question button")].find(b => b.textContent.startsWith("next")).click()`)
	}
	return answers
}
