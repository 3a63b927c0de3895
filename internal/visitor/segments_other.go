//go:build !linux || portable || 386 || s390x

package visitor

import "errors"

// SeesSegments says whether Segments can be had.
const SeesSegments = false

// Segments returns how many TCP segments with data the visitor has received, where
// the system tells.
func (v *Visitor) Segments() (int, error) { return 0, errors.ErrUnsupported }
