// in: broker/replica

package replica

import (
	_ "github.com/moldau/moldau/broker/batch"
	_ "github.com/moldau/moldau/broker/coord" // want "machines meet in the shard"
	_ "github.com/moldau/moldau/broker/kafka"
	_ "github.com/moldau/moldau/broker/raftmeta" // want "a machine returns what is to be written"
	_ "github.com/moldau/moldau/clock"
	_ "github.com/moldau/moldau/clock/sysclock" // want "chosen by the program that embeds the broker"
	_ "github.com/moldau/moldau/disk/memfs"     // want "what tests run on"
	_ "github.com/moldau/moldau/disk/vfs"       // want "does not know that files"
	_ "github.com/moldau/moldau/internal/inbox" // want "no use where there is one caller"
	_ "github.com/moldau/moldau/internal/peer"  // want "help for tests"
	_ "github.com/moldau/moldau/net/transport"  // want "does not know that files"
)
