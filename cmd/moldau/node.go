package main

import (
	"context"
	"errors"
	"log/slog"

	"github.com/moldau/moldau/broker/config"
)

// runNode builds the node on the real clock, network and disks and runs it
// until ctx ends. ready is called once, when it serves.
func runNode(_ context.Context, _ *config.Broker, _ *slog.Logger, _ func(addresses)) error {
	return errors.New("this build has no broker")
}
