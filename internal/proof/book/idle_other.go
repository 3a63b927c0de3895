//go:build !linux

package book

import (
	"os/exec"
	"slices"
	"strconv"
	"strings"
)

// processes returns what ps knows of processes and their descendants: the numbers,
// parents first, and the state and processor time of each.
func processes(pids []int) (all []int, states []string) {
	out, err := exec.Command("ps", "-A", "-o", "pid=,ppid=,stat=,time=").Output()
	if err != nil {
		return pids, nil
	}
	all = slices.Clone(pids)
	children := make(map[int][]int)
	state := make(map[int]string)
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		if len(f) < 4 {
			continue
		}
		pid, _ := strconv.Atoi(f[0])
		parent, _ := strconv.Atoi(f[1])
		children[parent] = append(children[parent], pid)
		state[pid] = f[2] + " " + f[3]
	}
	for i := 0; i < len(all); i++ {
		all = append(all, children[all[i]]...)
		states = append(states, state[all[i]])
	}
	return all, states
}

// look looks at processes and their descendants. It says whether each of them is
// waiting for something, and returns a text that stays the same for as long
// as none of them runs, as far as ps can tell.
func look(pids []int) (waiting bool, state string) {
	all, states := processes(pids)
	for _, s := range states {
		if s == "" || strings.ContainsAny(s[:1], "RDU") {
			return false, ""
		}
	}
	return true, strings.Join(states, ",") + strconv.Itoa(len(all))
}

// family returns processes and their descendants, parents first.
func family(pids []int) []int {
	all, _ := processes(pids)
	return all
}
