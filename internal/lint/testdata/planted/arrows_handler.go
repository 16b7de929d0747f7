// in: broker/api

package api

import (
	"github.com/moldau/moldau/broker/group"
	_ "github.com/moldau/moldau/broker/raftmeta" // want "handlers reach the controller by its protocol"
	"github.com/moldau/moldau/broker/replica"
	_ "github.com/moldau/moldau/disk/vfs" // want "never by a path"
)

var (
	_ replica.Fetch
	_ *replica.Replica // want "breaks its single thread"
	_ = group.New      // want "breaks its single thread"
)
