package group

import (
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/coord"
)

// TestLongestNames: what is just allowed survives a load, also in the one
// decision that has to fit whatever happens.
func TestLongestNames(t *testing.T) {
	cfg := testConfig()
	cfg.MaxMessageBytes = messageBytesMin
	w := newWorld(cfg)
	long := strings.Repeat("n", stringMax)
	r := kmsg.NewPtrJoinGroupRequest()
	r.Version, r.Group, r.InstanceID, r.ProtocolType = 9, long, nil, "p"
	r.SessionTimeoutMillis, r.RebalanceTimeoutMillis = 10_000, 10_000
	r.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "x"}}
	var id string
	w.answered = func(reply coord.Reply) {
		if resp, ok := reply.Response.(*kmsg.JoinGroupResponse); ok {
			id = resp.MemberID
		}
	}
	w.send(strings.Repeat("c", 40_000), r)
	if len(id) != stringMax {
		t.Fatalf("member id of %d bytes", len(id))
	}
	again := *r
	again.MemberID = id
	w.send("c", &again)
	s := kmsg.NewPtrSyncGroupRequest()
	s.Version, s.Group, s.MemberID, s.Generation = 4, long, id, 1
	w.send("c", s)
	if got := w.m().Counts().Groups[Stable]; got != 1 {
		t.Fatalf("%d stable groups:\n%.200s", got, stateText(w.m()))
	}
	before := stateText(w.m())
	w.load()
	if stateText(w.m()) != before {
		t.Fatal("loaded state differs")
	}
	w.pass(cfg.OffsetsRetentionCheckInterval + cfg.SessionTimeoutMax)
	if n := len(w.m().groups); n != 0 || w.rt.State() != coord.Active {
		t.Fatalf("%d groups left, %s: %v", n, w.rt.State(), w.rt.Err())
	}
}

// TestPendingIsBounded: ids that nobody uses do not pile up without end.
func TestPendingIsBounded(t *testing.T) {
	w := newWorld(testConfig())
	refused := 0
	w.answered = func(reply coord.Reply) {
		if reply.Response.(*kmsg.JoinGroupResponse).MemberID == "" {
			refused++
		}
	}
	for range pendingMembersMax + 5 {
		must(w.command("join session=10000"))
	}
	if n := len(w.m().groups["g"].pending); n != pendingMembersMax || refused != 5 {
		t.Fatalf("%d ids given out, %d refused", n, refused)
	}
	w.pass(w.cfg.SessionTimeoutMin * 2)
	if n := len(w.m().groups["g"].pending); n != 0 || len(w.m().timers.heap) > 1 {
		t.Fatalf("%d ids left, %d timers", n, len(w.m().timers.heap))
	}
}
