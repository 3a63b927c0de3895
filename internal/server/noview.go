//go:build !(linux || darwin) || portable

package server

// Here the kernel is asked nothing.

const kernelKnowsBest = false

func probe() map[string]bool        { return nil }
func newKernelView(int, *Tree) view { return blindView{} }
