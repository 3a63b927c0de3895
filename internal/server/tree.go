package server

import (
	"sync"
	"time"
)

// A Tree is processes and their descendants. It searches for them only if those that it knows
// have worked: no other can have started one. It is safe for concurrent use.
type Tree struct {
	roots []int // a tree without roots is not searched
	mu    sync.Mutex
	known Processes
	cpu   time.Duration // that those known before had used at the last search
}

// NewTree makes a Tree of processes and their descendants.
func NewTree(roots ...int) *Tree { return &Tree{roots: roots, known: roots, cpu: -1} }

// single makes a Tree of a process that is taken to start no other.
func single(pid int) *Tree { return &Tree{known: Processes{pid}} }

// Known returns the processes that the last search has found.
func (t *Tree) Known() Processes {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.known
}

// Processes searches if need be, and returns the processes.
func (t *Tree) Processes() Processes {
	t.mu.Lock()
	defer t.mu.Unlock()
	if cpu, _ := t.known.CPU(); t.roots != nil && cpu != t.cpu {
		t.known, t.cpu = ProcessTree(t.roots...), cpu
	}
	return t.known
}
