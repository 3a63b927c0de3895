package main

import (
	"testing"

	"example.com/concurrent-web-server/internal/behaviour"
)

// A future that nobody awaits never runs, and the compiler lets it pass.
func TestForgottenAwait(t *testing.T) {
	behaviour.Test(t, "forgotten-await")
}
