package api

import "testing"

// Partitions that had records go behind the others, so that one which always
// has more cannot keep the rest out of answers that are full.
func TestPartitionsWithRecordsGoBehind(t *testing.T) {
	var order []*sessionPartition
	var parts []fetchPartition
	for i := range int32(4) {
		sp := &sessionPartition{key: sessionKey{topic: "t", index: i}}
		order = append(order, sp)
		parts = append(parts, fetchPartition{sp: sp})
	}
	parts[0].extent, parts[2].extent = &extent{}, &extent{}
	x := fetchContext{session: &fetchSession{order: order}, incremental: true}
	x.choose(parts)
	for i, want := range []int32{1, 3, 0, 2} {
		if got := x.session.order[i].key.index; got != want {
			t.Errorf("place %d has partition %d, want %d", i, got, want)
		}
	}
}

// A log start that moved is news to the client, though nothing else did.
func TestMovedLogStartIsNews(t *testing.T) {
	sp := &sessionPartition{}
	p := &fetchPartition{sp: sp}
	p.answer.HighWatermark, p.answer.Diverging.Epoch = 9, -1
	if !sp.news(p) || sp.news(p) {
		t.Fatal("want news once")
	}
	if p.answer.LogStart = 4; !sp.news(p) {
		t.Error("the client is not told of the new log start")
	}
}
