package broker_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/config"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/disk/memfs"
)

// setBroker sets a broker's own dynamic setting.
func (c *client) setBroker(name, value string) {
	c.t.Helper()
	r := kmsg.NewIncrementalAlterConfigsRequestResource()
	r.ResourceType, r.ResourceName = kmsg.ConfigResourceTypeBroker, "1"
	r.Configs = []kmsg.IncrementalAlterConfigsRequestResourceConfig{{Name: name, Value: &value}}
	resp := c.ask(&kmsg.IncrementalAlterConfigsRequest{Version: 1, Resources: []kmsg.IncrementalAlterConfigsRequestResource{r}}).(*kmsg.IncrementalAlterConfigsResponse)
	if code := kafka.ErrorCode(resp.Resources[0].ErrorCode); code != kafka.ErrNone {
		c.t.Fatalf("set %s to %s: %s", name, value, code)
	}
}

// describedDirs are the log directories, each with the mark of a cordoned one,
// and the number of partitions of a topic.
func (c *client) describedDirs(topic string) (all []string) {
	resp := c.ask(&kmsg.DescribeLogDirsRequest{Version: 5}).(*kmsg.DescribeLogDirsResponse)
	for _, d := range resp.Dirs {
		n := 0
		for _, t := range d.Topics {
			if t.Topic == topic {
				n += len(t.Partitions)
			}
		}
		all = append(all, fmt.Sprintf("%s %t %d", d.Dir[strings.LastIndexByte(d.Dir, '/')+1:], d.IsCordoned, n))
	}
	return all
}

// tryCreate creates a topic of six partitions, or says why not.
func (c *client) tryCreate(name string) kafka.ErrorCode {
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, 6, 1
	resp := c.ask(&kmsg.CreateTopicsRequest{Version: 7, TimeoutMillis: 60_000, Topics: []kmsg.CreateTopicsRequestTopic{topic}}).(*kmsg.CreateTopicsResponse)
	return kafka.ErrorCode(resp.Topics[0].ErrorCode)
}

// A cordoned directory gets no new replicas and keeps those that it has; where
// all are cordoned no topic is created. The setting is followed while the node runs.
func TestCordonedDirectories(t *testing.T) {
	n := startNode(t, memfs.New(), twoDirs, config.Property{Name: "cordoned.log.dirs", Value: "b"},
		config.Property{Name: "broker.heartbeat.interval.ms", Value: "50"})
	defer n.stop()
	c := n.client()
	if code := c.tryCreate("first"); code != kafka.ErrNone {
		t.Fatal(code)
	}
	if got, want := c.describedDirs("first"), []string{"a false 6", "b true 0"}; !slices.Equal(got, want) {
		t.Fatalf("%q, want %q", got, want)
	}
	c.setBroker("cordoned.log.dirs", "*")
	deadline := time.Now().Add(patience)
	for i := 0; ; i++ { // the next heartbeat tells the controller
		code := c.tryCreate(fmt.Sprint("between-", i))
		if code == kafka.ErrInvalidReplicationFactor {
			break
		}
		if code != kafka.ErrNone || time.Now().After(deadline) {
			t.Fatalf("with all directories cordoned: %s", code)
		}
	}
	if got, want := c.describedDirs("first"), []string{"a true 6", "b true 0"}; !slices.Equal(got, want) {
		t.Fatalf("%q, want %q", got, want)
	}
	c.setBroker("cordoned.log.dirs", "a")
	for c.tryCreate("second") != kafka.ErrNone {
		if time.Now().After(deadline) {
			t.Fatal("with one of two directories cordoned nothing is created")
		}
	}
	if got, want := c.describedDirs("second"), []string{"a true 0", "b false 6"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	c.setBroker("cordoned.log.dirs", "")
	for i := 0; ; i++ {
		name := fmt.Sprint("third-", i)
		if code := c.tryCreate(name); code != kafka.ErrNone {
			t.Fatal(code)
		}
		if got := c.describedDirs(name); !strings.HasSuffix(got[0], " 0") && !strings.HasSuffix(got[1], " 0") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("with no directory cordoned one of them gets all replicas")
		}
	}
}

// The broker itself holds to the setting before the controller has heard of it.
func TestCordonedBeforeTheHeartbeat(t *testing.T) {
	n := startNode(t, memfs.New(), twoDirs)
	defer n.stop()
	c := n.client()
	c.setBroker("cordoned.log.dirs", "b")
	if code := c.tryCreate("t"); code != kafka.ErrNone {
		t.Fatal(code)
	}
	if got, want := c.describedDirs("t"), []string{"a false 6", "b true 0"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
