//go:build !linux || portable

package server

import (
	"errors"
	"time"
)

// Here the kernel is asked nothing: on other systems than Linux, and on Linux with the build tag
// portable.

func probe() map[string]bool        { return nil }
func newKernelView(int, *Tree) view { return blindView{} }

// Processes are operating system processes, of which nothing is known here.
type Processes []int

func ProcessTree(roots ...int) Processes           { return roots }
func (p Processes) CPU() (time.Duration, error)    { return 0, errors.ErrUnsupported }
func (p Processes) Asleep() (bool, error)          { return false, errors.ErrUnsupported }
func (p Processes) listeners() ([]listener, error) { return nil, errors.ErrUnsupported }
