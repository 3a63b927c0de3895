package book

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// look looks at processes and their descendants. It says whether each of their
// threads is waiting for something, and returns a text that stays the same
// for as long as none of them runs.
func look(pids []int) (waiting bool, state string) {
	var b strings.Builder
	waiting = true
	for queue := pids; len(queue) > 0; queue = queue[1:] {
		tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", queue[0]))
		for _, task := range tasks {
			status, err := os.ReadFile(task + "/status")
			if err != nil {
				waiting = false // it has just ended
				continue
			}
			for line := range strings.Lines(string(status)) {
				name, value, _ := strings.Cut(line, ":")
				switch value = strings.TrimSpace(value); name {
				case "State":
					if strings.ContainsAny(value[:1], "RDX") {
						waiting = false
					}
				case "Pid", "voluntary_ctxt_switches", "nonvoluntary_ctxt_switches":
					b.WriteString(value + " ")
				}
			}
			children, _ := os.ReadFile(task + "/children")
			for child := range strings.FieldsSeq(string(children)) {
				if pid, err := strconv.Atoi(child); err == nil {
					queue = append(queue, pid)
				}
			}
		}
	}
	return waiting, b.String()
}

// family returns processes and their descendants, parents first.
func family(pids []int) []int {
	var all []int
	for queue := pids; len(queue) > 0; queue = queue[1:] {
		all = append(all, queue[0])
		files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", queue[0]))
		for _, file := range files {
			children, _ := os.ReadFile(file)
			for child := range strings.FieldsSeq(string(children)) {
				if pid, err := strconv.Atoi(child); err == nil {
					queue = append(queue, pid)
				}
			}
		}
	}
	return all
}
