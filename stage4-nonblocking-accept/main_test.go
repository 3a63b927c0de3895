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
		"waiting-is-free",
		"accept-is-parked",
		"manners",
		"go-vet",
		"command-line",
	)
}
