//go:build windows

package server

import _ "embed"

// There is no such file: so the go command says this, before it compiles anything.
//
//go:embed The_workbook_needs_Linux_macOS_or_a_BSD.On_Windows_use_WSL
var _ string
