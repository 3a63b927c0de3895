package main

import (
	"testing"

	"example.com/concurrent-web-server/internal/behaviour"
)

func TestMain(m *testing.M) { behaviour.Main(m, main) }

func TestStage(t *testing.T) {
	behaviour.Test(t,
		"pages",
		"one-at-a-time",
		"waiting-holds-a-thread",
		"goroutine-1-serves",
		"manners",
		"go-vet",
		"command-line",
	)
}
