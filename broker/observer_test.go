package broker_test

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/config"
	"github.com/moldau/moldau/broker/kafka"
)

// named is the active controller that a node's controller listener names.
func (c *cluster) named(id int32) int32 {
	c.t.Helper()
	req := kmsg.NewPtrDescribeClusterRequest()
	req.Version, req.EndpointType = 1, 2
	resp := c.nodes[id].clientAt(controllerAddress(id)).ask(req).(*kmsg.DescribeClusterResponse)
	if resp.ErrorCode != 0 {
		c.t.Fatalf("describe the cluster at controller %d: %s", id, kafka.ErrorCode(resp.ErrorCode))
	}
	return resp.ControllerID
}

// TestObserverNamesTheActiveController: whoever has no vote, not yet or no
// more, tells who asks its controller listener where the active controller is.
// Without it Kafka's tools cannot add a controller by way of itself.
func TestObserverNamesTheActiveController(t *testing.T) {
	c := newCluster(t)
	first := c.begin(1)
	first.awaitReady()
	second := c.begin(2, config.Property{Name: "controller.quorum.bootstrap.servers", Value: controllerAddress(1)})
	second.awaitReady()
	c.await("the name at the observer", func() bool { return c.named(2) == 1 })
	if code := second.addVoter(2, second.broker.Identity().Metadata); code != kafka.ErrNone {
		t.Fatalf("add voter: %s", code)
	}
	if code := second.removeVoter(1, first.broker.Identity().Metadata); code != kafka.ErrNone {
		t.Fatalf("remove voter: %s", code)
	}
	c.await("the new name at the former controller", func() bool { return c.named(1) == 2 })
	if code := first.addVoter(1, first.broker.Identity().Metadata); code != kafka.ErrNone {
		t.Fatalf("add the former controller again: %s", code)
	}
	c.stopAll()
}
