// in: broker/metarecord

package metarecord

import (
	_ "github.com/moldau/moldau/broker/batch"
	_ "github.com/moldau/moldau/broker/metaimage" // want "arrows point down"
	_ "github.com/moldau/moldau/broker/server"    // want "arrows point down"
)
