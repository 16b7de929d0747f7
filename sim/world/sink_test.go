package world

import (
	"fmt"
	"testing"

	"github.com/moldau/moldau/broker/fetcher"
)

// TestUnsoundIsTold of a leader: it alone does not know, and an operator acts on its copy.
func TestUnsoundIsTold(t *testing.T) {
	var told string
	w := &World{cfg: Config{Unsound: func(leader int32, topic string, partition int32) {
		told += fmt.Sprint(leader, " ", topic, " ", partition, ";")
	}}}
	s := sink{&Node{ID: 1, world: w}, nil}
	s.tell(fetcher.Following{Leader: 2})
	s.tell(fetcher.CorruptAnswer{Leader: 3, Topic: "t", Partition: 4})
	if told != "3 t 4;" {
		t.Errorf("told of %q", told)
	}
}
