package world

import (
	"github.com/moldau/moldau/broker"
	"github.com/moldau/moldau/broker/config"
)

// Settings are what a process is started with, beyond its identity, listeners
// and directories.
type Settings struct {
	// Shards is the number of loops where the properties do not say it.
	Shards     int
	Properties []config.Property
	// Tuning is what no property names.
	Tuning broker.Tuning
}
