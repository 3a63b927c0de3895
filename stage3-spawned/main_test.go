package main

import (
	"testing"

	"example.com/concurrent-web-server/internal/behaviour"
)

func TestMain(m *testing.M) { behaviour.Main(m, main) }

func TestStage(t *testing.T) {
	behaviour.Test(t,
		"pages",
		"many-at-once",
		"waiting-holds-a-thread",
		"thread-per-visitor",
		"accept-holds-a-thread",
		"manners",
		"go-vet",
		"command-line",
	)
}
