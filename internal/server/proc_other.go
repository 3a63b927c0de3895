//go:build !linux || portable

package server

import (
	"errors"
	"time"
)

// What proc_linux.go and sockdiag_linux.go have is not to be had on other systems, nor with
// the build tag portable, which makes Linux one of them.

// Processes are operating system processes. Which ones a process has started is not to be
// had here, nor anything else about them.
type Processes []int

func ProcessTree(roots ...int) Processes           { return roots }
func (p Processes) CPU() (time.Duration, error)    { return 0, errors.ErrUnsupported }
func (p Processes) Asleep() (bool, error)          { return false, errors.ErrUnsupported }
func (p Processes) listeners() ([]listener, error) { return nil, errors.ErrUnsupported }

// Visitors knows of no connections here.
func Visitors(port int) (remote []uint16, err error) { return nil, errors.ErrUnsupported }
