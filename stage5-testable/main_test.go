package main

import (
	"testing"

	"example.com/concurrent-web-server/internal/behaviour"
)

func TestMain(m *testing.M) { behaviour.Main(m, main) }

func TestStage(t *testing.T) {
	behaviour.Test(t,
		"pages",
		"command-line",
		"many-at-once",
		"waiting-is-free",
		"own-goroutine",
		"where-is-goroutine-1",
		"without-a-network",
	)
}
