package bench

import (
	"fmt"
	"testing"
	"time"
)

// BenchmarkPrompt is a server among visitors who say at once what they want.
func BenchmarkPrompt(b *testing.B) {
	for _, visitors := range []int{1, 64, 512} {
		if testing.Short() && visitors != 64 {
			continue
		}
		b.Run(fmt.Sprintf("visitors=%d", visitors), func(b *testing.B) {
			for _, c := range contenders {
				b.Run("server="+c.name, func(b *testing.B) {
					s := c.start(b)
					warmUp(b, s)
					measureVisits(b, s, visitors)
				})
			}
		})
	}
}

// slow is how long the slow page takes while the benchmarks run.
const slow = 100 * time.Millisecond

// BenchmarkBeside is what the same quick visitors wait when others, whose
// requests are slow, are always being served beside them.
func BenchmarkBeside(b *testing.B) {
	for _, visitors := range []int{1, 64, 512} {
		if testing.Short() && visitors != 1 {
			continue
		}
		b.Run(fmt.Sprintf("visitors=%d", visitors), func(b *testing.B) {
			for _, c := range contenders {
				if c.name == "limit" {
					continue // it has no slow page
				}
				b.Run("server="+c.name, func(b *testing.B) {
					for _, slowOnes := range []int{0, 1, 50} {
						if !c.worthwhile(visitors, slowOnes) {
							continue
						}
						b.Run(fmt.Sprintf("slow=%d", slowOnes), func(b *testing.B) {
							s := c.start(b, "-slow", slow.String())
							warmUp(b, s)
							others := gather(s.Addr, "/sleep", slowOnes, slow/time.Duration(max(1, slowOnes)))
							go others.ignore()
							defer others.disperse()
							time.Sleep(slow / 2)
							if slowOnes > 1 {
								time.Sleep(slow) // until all of them have come
							}
							// Whoever comes next comes as a slow one begins, if
							// they are served one at a time.
							c := gather(s.Addr, "/", 1, 0)
							<-c.waits
							c.disperse()
							measureVisits(b, s, visitors)
						})
					}
				})
			}
		})
	}
}

// worthwhile says whether anything is to be learnt from how quick visitors fare
// beside the slow ones.
func (c contender) worthwhile(visitors, slowOnes int) bool {
	switch {
	case c.name == "stage1" || c.name == "stage2":
		// One after the other, the slow ones make everybody wait for all of
		// them. What it comes to shows with one.
		return slowOnes == 1 || slowOnes == 0 && visitors == 1
	default:
		return slowOnes == 1 || visitors == 1
	}
}
