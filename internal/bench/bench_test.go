package bench

import (
	"fmt"
	"testing"
)

// BenchmarkPrompt is a server among visitors who say at once what they want.
func BenchmarkPrompt(b *testing.B) {
	for _, visitors := range []int{1, 64, 512} {
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
