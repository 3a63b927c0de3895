package server

import (
	"sync"
	"time"
)

// A Tree is processes and their descendants. It searches for new ones only if those that it knows
// have used processor time, as they do to start one. It is safe for concurrent use.
type Tree struct {
	roots []int // if nil, there are no descendants to search for
	mu    sync.Mutex
	known Processes
	cpu   time.Duration // used by the processes known before the last search
}

// NewTree makes a Tree of processes and their descendants.
func NewTree(roots ...int) *Tree { return &Tree{roots: roots, known: roots, cpu: -1} }

// single makes a Tree of a process that is assumed to start no others.
func single(pid int) *Tree { return &Tree{known: Processes{pid}} }

// Known returns the processes that the last search has found.
func (t *Tree) Known() Processes {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.known
}

// Processes returns the processes, after a search if one is needed.
func (t *Tree) Processes() Processes {
	t.mu.Lock()
	defer t.mu.Unlock()
	if cpu, _ := t.known.CPU(); t.roots != nil && cpu != t.cpu {
		t.known, t.cpu = ProcessTree(t.roots...), cpu
	}
	return t.known
}
