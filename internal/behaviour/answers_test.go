package behaviour

import (
	"testing"
	"time"
)

// TestCountTurns has the times of answers, in milliseconds, where the slow page takes 400.
func TestCountTurns(t *testing.T) {
	for _, tt := range []struct {
		name        string
		answered    []int
		turns, size int
	}{
		{"together", []int{400, 401, 405, 420, 430}, 1, 5},
		{"one at a time", []int{400, 800, 1201, 1603}, 4, 1},
		{"two at a time", []int{401, 400, 801, 800, 1210, 1201, 1601}, 4, 2},
		{"on a busy machine", []int{450, 500, 620, 700, 810, 900, 1050}, 0, 0},
		{"a trickle", []int{400, 500, 600, 700, 800, 900, 1000}, 0, 0},
		{"a queue that is too short, of whom some connect again after 1, 3 and 7 s", []int{400, 1400, 3400, 7400}, 0, 0},
		{"nobody", nil, 0, 0},
	} {
		var answered []time.Time
		for _, ms := range tt.answered {
			answered = append(answered, time.UnixMilli(int64(ms)))
		}
		if turns, size := countTurns(answered, 400*time.Millisecond); turns != tt.turns || size != tt.size {
			t.Errorf("%s: countTurns(%v) = %d, %d; want %d, %d", tt.name, tt.answered, turns, size, tt.turns, tt.size)
		}
	}
}
