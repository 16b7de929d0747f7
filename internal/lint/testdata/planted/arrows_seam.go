// in: disk/memfs

package memfs

import (
	_ "github.com/moldau/moldau/broker/kafka" // want "seams serve every room"
	_ "github.com/moldau/moldau/clock"
	_ "github.com/moldau/moldau/disk/osfs" // want "arrows point down"
	_ "github.com/moldau/moldau/disk/vfs"
)
