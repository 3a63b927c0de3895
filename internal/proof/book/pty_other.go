//go:build !linux && !darwin

package book

import (
	"errors"
	"os"
)

// openPTY is not to be had here: the pages' sessions are skipped.
func openPTY() (master, tty *os.File, err error) {
	return nil, nil, errors.ErrUnsupported
}
