package replica

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/moldau/moldau/broker/buffer"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/seglog"
	"github.com/moldau/moldau/internal/guard"
	"pgregory.net/rapid"
)

// node is a broker of the cluster: its disk, and the replica while it runs.
type node struct {
	id    int32
	life  uint64
	r     *Replica // nil while it is down
	disk  *memDisk
	epoch int64
	seen  int // the index of its image
	first int // the index of the image with its registration
	ready Ready
	// What a recovery has recorded, until the replica is taken in.
	standing seglog.Standing
	cut      bool // bytes at the end failed their checks
	hole     bool
	harmed   bool // it lost what a sync covered, and has not been taken in since
}

// message is on its way. One that waits may be lost, doubled and overtaken.
type message struct {
	kind     string // fetch, answer, report, proposal, result
	from, to int32
	life     uint64 // of the node that is to take an answer or a result
	position Position
	ask      Ask
	answer   Answer
	entries  []seglog.Batch
	data     []byte
	proposal Proposal
	result   ProposalResult
}

// cluster is three brokers, a controller, and what has been seen of the log:
// what was committed, and every batch that was ever written.
type cluster struct {
	t         tester
	pick      func(n int, what string) int // one of 0 to n-1
	out       guard.Set
	now       Times
	nodes     [3]*node
	ctl       plainController
	messages  []message
	committed map[int64]entry
	written   map[[2]int64]entry // by epoch and offset
	before    map[[2]int64]int32 // the epoch of the batch before
	token     uint64
	value     uint64
	waits     map[uint64]wanted
	deleted   int64 // the log start that a DeleteRecords was acked with
	harm      int   // disks that lost what a sync covered
	harmMax   int
}

// wanted is a request that waits for its ack.
type wanted struct {
	value  uint64
	acks   int8
	offset int64 // of a DeleteRecords, else -1
}

// tester is what ends a run.
type tester interface {
	Fatalf(format string, args ...any)
}

func newCluster(t tester, out guard.Set, unclean bool, pick func(n int, what string) int) *cluster {
	c := &cluster{
		t: t, pick: pick, out: out, committed: map[int64]entry{}, written: map[[2]int64]entry{}, before: map[[2]int64]int32{}, waits: map[uint64]wanted{},
	}
	isr := [][]int32{{0, 1, 2}, {0, 1}}[pick(2, "isr")]
	c.ctl.images = []image{{leader: -1, isr: isr, marks: map[int32]mark{}, minISR: 1 + pick(2, "min")}}
	c.harmMax, c.ctl.unclean = pick(2, "harms"), unclean
	if unclean {
		c.harmMax = 5
	}
	for i := range c.nodes {
		c.nodes[i] = &node{id: int32(i), disk: newMemDisk(t, c.appended)}
	}
	for _, n := range c.nodes {
		c.start(n)
		c.learn(n, len(c.ctl.images)-1)
	}
	return c
}

// appended checks P3: one sequence of batches for an epoch and offset.
func (c *cluster) appended(offset int64, e entry, before int32) {
	key := [2]int64{int64(e.epoch), offset}
	if old, ok := c.written[key]; ok && old != e {
		c.t.Fatalf("epoch %d offset %d was %d and is %d", e.epoch, offset, old.value, e.value)
	}
	c.written[key] = e
	if old, ok := c.before[key]; ok && old != before && old != NoEpoch && before != NoEpoch {
		c.t.Fatalf("epoch %d offset %d came after epoch %d, and comes after %d", e.epoch, offset, old, before)
	}
	if before != NoEpoch {
		c.before[key] = before
	}
}

// start recovers the node's log, registers it and gives it the role of the
// image with the registration.
func (c *cluster) start(n *node) {
	st := n.disk.state(n.cut, n.hole)
	st.Evidence.Recorded = n.standing
	n.standing = seglog.Classify(kafka.DurabilitySync, st.Evidence)
	n.cut, n.hole = false, false
	n.life++
	n.epoch = c.ctl.register(n.id, n.standing, mark{st.Evidence.LastEpoch, st.End})
	n.first = len(c.ctl.images) - 1
	cfg := testConfig()
	cfg.NodeID, cfg.Incarnation, cfg.Out = n.id, n.life, c.out
	n.r = New(cfg, st)
	c.learn(n, n.first)
}

// learn gives the node an image.
func (c *cluster) learn(n *node, image int) {
	if n.r == nil || image < n.first {
		return
	}
	n.seen = image
	x := &c.ctl.images[image]
	led := n.r.Status().Leader
	n.r.Apply(c.now, x.role(n.id, n.epoch), &n.ready)
	if st := n.r.Status(); st.Leader && !led {
		c.elected(n, x.leaderEpoch)
	}
	if _, marked := x.marks[n.id]; !marked && slices.Contains(x.isr, n.id) {
		n.standing, n.harmed = seglog.Intact, n.harmed && n.standing != seglog.Intact
	}
	c.take(n)
}

// elected checks P1 and P4 for a new leader that still is one.
func (c *cluster) elected(n *node, epoch int32) {
	if c.ctl.now().leaderEpoch != epoch || c.ctl.unclean {
		return
	}
	start := n.r.LogStart()
	if start < c.deleted {
		c.t.Fatalf("node %d leads with log start %d, a deletion was acked with %d", n.id, start, c.deleted)
	}
	for offset, e := range c.committed {
		if got, ok := n.disk.at(offset); offset >= start && (!ok || got != e) {
			c.t.Fatalf("node %d leads epoch %d without offset %d %v: it has %v %t", n.id, epoch, offset, e, got, ok)
		}
	}
}

// take carries out what the node's replica wants, and checks what it shows.
func (c *cluster) take(n *node) {
	n.disk.queue = append(n.disk.queue, n.ready.Ops...)
	for _, p := range n.ready.Proposals {
		c.messages = append(c.messages, message{kind: "proposal", from: n.id, life: n.life, proposal: p})
	}
	if p, ok := n.r.Report(); ok && n.ready.Reports {
		p.BrokerEpoch = n.epoch
		c.messages = append(c.messages, message{kind: "report", from: n.id, to: n.r.role.Leader, position: p})
	}
	st := n.r.Status()
	if st.Offline {
		c.t.Fatalf("node %d is offline: %v", n.id, n.ready.Events)
	}
	if st.HighWatermark > st.LEO || st.Durable > st.LEO || st.LEO > n.disk.end() && len(n.disk.queue) == 0 || st.Durable > n.disk.synced && len(n.disk.queue) == 0 {
		c.t.Fatalf("node %d: %+v, the disk has %d, synced %d", n.id, st, n.disk.end(), n.disk.synced)
	}
	if !c.ctl.unclean {
		for offset := max(st.LogStart, n.disk.base); offset < st.HighWatermark; offset++ {
			c.shown(n, offset)
		}
	}
	for _, a := range n.ready.Acks {
		c.acked(n, a)
	}
	n.ready.Reset()
}

// shown checks P2: below a high watermark stands what stood there before.
func (c *cluster) shown(n *node, offset int64) {
	e, ok := n.disk.at(offset)
	if !ok {
		c.t.Fatalf("node %d: high watermark above offset %d, which the disk does not have", n.id, offset)
	}
	if old, ok := c.committed[offset]; ok && old != e {
		c.t.Fatalf("node %d shows %v at offset %d, which was committed as %v", n.id, e, offset, old)
	}
	c.committed[offset] = e
}

func (c *cluster) acked(n *node, a Ack) {
	w, ok := c.waits[a.Token]
	if !ok {
		c.t.Fatalf("ack %+v: nobody waits", a)
	}
	delete(c.waits, a.Token)
	switch {
	case a.Code != kafka.ErrNone:
	case w.offset >= 0:
		c.deleted = max(c.deleted, w.offset)
	case w.acks == AcksLeader:
		if e, ok := n.disk.at(a.BaseOffset); !ok || e.value != w.value || n.disk.synced <= a.BaseOffset {
			c.t.Fatalf("acks=1 of %d at %d: on disk is %v, synced %d", w.value, a.BaseOffset, e, n.disk.synced)
		}
	default:
		if e := c.committed[a.BaseOffset]; !c.ctl.unclean && e.value != w.value {
			c.t.Fatalf("acks=all of %d at %d: committed is %v", w.value, a.BaseOffset, e)
		}
	}
}

// produce sends a batch to the node.
func (c *cluster) produce(n *node, acks int8) {
	c.token++
	c.value++
	c.waits[c.token] = wanted{value: c.value, acks: acks, offset: -1}
	b := make([]byte, memBytes)
	binary.BigEndian.PutUint64(b[memBytes-8:], c.value)
	n.r.Produce(c.now, Produce{
		Batch: seglog.Batch{ProducerID: -1, BaseSequence: -1, Size: memBytes}, Data: buffer.Own(b), Acks: acks, Token: c.token, LeaderEpoch: NoEpoch,
	}, &n.ready)
	c.take(n)
}

// ask puts the node's next fetch on its way.
func (c *cluster) ask(n *node) {
	ask, ok := n.r.NextAsk()
	if !ok {
		return
	}
	c.messages = append(c.messages, message{kind: "fetch", from: n.id, to: ask.Leader, life: n.life, ask: ask, position: Position{
		Broker: n.id, BrokerEpoch: n.epoch, LeaderEpoch: ask.LeaderEpoch, LEO: ask.Offset, LastEpoch: ask.LastEpoch,
		Durable: ask.Durable, DurableEpoch: ask.DurableEpoch, LogStart: ask.LogStart,
	}})
}

// deliver gives message i to whom it is for; keep leaves it on its way, too.
func (c *cluster) deliver(i int, keep bool) {
	m := c.messages[i]
	if !keep || m.kind == "proposal" || m.kind == "result" { // each is sent and answered once
		c.messages = slices.Delete(c.messages, i, i+1)
	}
	if m.kind == "proposal" {
		images := len(c.ctl.images)
		d := c.ctl.alter(m.from, &m.proposal)
		if c.kept(images) {
			c.messages = append(c.messages, message{kind: "result", to: m.from, life: m.life, result: d})
		}
		return
	}
	n := c.nodes[m.to]
	if n.r == nil {
		return
	}
	switch m.kind {
	case "fetch":
		c.serve(n, &m)
	case "report":
		n.r.DurableReport(c.now, m.position, &n.ready)
	case "answer":
		a := m.answer
		a.Batches, a.Data = slices.Clone(m.entries), buffer.Own(slices.Clone(m.data))
		n.r.Fetched(c.now, a, &n.ready)
	case "result":
		if m.life == n.life {
			n.r.ProposalDone(c.now, m.result, &n.ready)
		}
	}
	c.take(n)
}

func (c *cluster) serve(n *node, m *message) {
	f := Fetch{Offset: m.ask.Offset, LastFetchedEpoch: m.ask.LastEpoch, CurrentLeaderEpoch: m.ask.LeaderEpoch, MaxBytes: 1 << 20, AtLeastOne: true}
	a := n.r.FollowerFetch(c.now, m.position, f, &n.ready)
	x := message{kind: "answer", from: n.id, to: m.from, answer: Answer{
		Ask: m.ask, Code: a.Code, HighWatermark: a.HighWatermark, LogStart: a.LogStart, Diverging: a.Diverging,
	}}
	if a.Available > 0 {
		list, data := n.disk.read(a.Plan, 2)
		x.entries, x.data = list, data.Bytes
	}
	c.messages = append(c.messages, x)
}

// drop loses message i; a leader learns that its proposal went unanswered.
func (c *cluster) drop(i int, delayed bool) {
	m := c.messages[i]
	if m.kind == "proposal" && delayed { // it may arrive yet
		if n := c.nodes[m.from]; n.r != nil && n.life == m.life {
			n.r.ProposalDone(c.now, ProposalResult{Attempt: m.proposal.Attempt, Unanswered: true}, &n.ready)
			c.take(n)
		}
		return
	}
	c.messages = slices.Delete(c.messages, i, i+1)
	n := c.nodes[m.to]
	if m.kind == "proposal" {
		n = c.nodes[m.from]
	}
	if (m.kind == "result" || m.kind == "proposal") && n.r != nil && n.life == m.life {
		attempt := max(m.result.Attempt, m.proposal.Attempt)
		n.r.ProposalDone(c.now, ProposalResult{Attempt: attempt, Unanswered: true}, &n.ready)
		c.take(n)
	}
}

// crash ends the node by power loss.
func (c *cluster) crash(n *node) {
	hint := int64(c.pick(int(n.r.HighWatermark())+1, "hint"))
	n.r = nil
	n.ready.Reset()
	lost := n.disk.end() - n.disk.synced
	keep := int64(c.pick(int(max(lost, 0))+1, "kept"))
	n.disk.powerLoss(keep, hint)
	n.cut = keep < lost && c.pick(2, "torn") == 1
	if x := c.ctl.now(); c.harm < c.harmMax && (c.ctl.unclean || slices.Contains(slices.Concat(x.isr, x.elr), n.id) && len(x.isr)+len(x.elr) > 1) {
		c.hurt(n)
	}
}

// hurt takes from a disk what a sync covered.
func (c *cluster) hurt(n *node) {
	switch c.pick(4, "harm") {
	case 0:
		c.harm++
		n.harmed = true
		*n.disk = *newMemDisk(c.t, c.appended)
		n.hole, n.cut = true, false
	case 1:
		if len(n.disk.entries) > 0 {
			c.harm++
			n.harmed = true
			n.disk.entries = n.disk.entries[:len(n.disk.entries)-1]
			n.disk.synced = n.disk.end()
			n.cut = true
		}
	}
}

// step does one thing that may happen.
func (c *cluster) step() {
	n := c.nodes[c.pick(3, "node")]
	op := c.pick(32, "op")
	if n.r == nil {
		if op < 8 {
			c.start(n)
		}
		return
	}
	switch {
	case op < 4:
		c.produce(n, []int8{-1, -1, 1}[c.pick(3, "acks")])
	case op < 8:
		if len(n.disk.queue) > 0 {
			n.disk.step()
		}
	case op < 11:
		c.answers(n)
	case op < 14:
		n.disk.sync()
	case op < 18:
		c.ask(n)
	case op < 24:
		if len(c.messages) > 0 {
			i := c.pick(len(c.messages), "message")
			c.deliver(i, c.pick(6, "keep") == 0)
		}
	case op == 24:
		if len(c.messages) > 0 {
			c.drop(c.pick(len(c.messages), "message"), c.pick(2, "delayed") == 1)
		}
	case op < 28:
		if last := len(c.ctl.images) - 1; n.seen < last {
			c.learn(n, n.seen+1+c.pick(last-n.seen, "image"))
		}
	case op == 28:
		c.pass(n, []time.Duration{time.Millisecond, time.Second, 6 * time.Second}[c.pick(3, "time")])
	case op == 29:
		c.crash(n)
	case op == 30:
		if c.ctl.now().live[n.id] {
			images := len(c.ctl.images)
			c.ctl.fence(n.id)
			c.kept(images)
		} else {
			c.ctl.unfence(n.id)
		}
	case op == 31:
		switch {
		case c.pick(2, "delete") == 1:
			c.token++
			offset := int64(c.pick(int(n.r.HighWatermark())+1, "offset"))
			c.waits[c.token] = wanted{offset: offset}
			n.r.DeleteRecords(offset, c.token, &n.ready)
			c.take(n)
		case len(n.disk.queue) > 0 && n.disk.queue[0].Kind == seglog.OpAppend && !n.disk.refusing:
			n.disk.fail()
		}
	}
}

// kept takes a change of the controller back, to so many images, if nobody would
// be left in ISR and ELR whose disk kept everything: then nothing is promised.
func (c *cluster) kept(images int) bool {
	x := c.ctl.now()
	if c.ctl.unclean || slices.ContainsFunc(slices.Concat(x.isr, x.elr), func(b int32) bool { return !c.nodes[b].harmed }) {
		return true
	}
	c.ctl.images = c.ctl.images[:images]
	return false
}

// answers gives the node's replica what its disk has answered.
func (c *cluster) answers(n *node) {
	for len(n.disk.answers) > 0 {
		d := n.disk.answers[0]
		n.disk.answers = n.disk.answers[1:]
		led := n.r.Status().Leader
		n.r.Done(c.now, d, &n.ready)
		if n.r.Status().Leader && !led {
			c.elected(n, n.r.role.LeaderEpoch)
		}
		c.take(n)
	}
}

func (c *cluster) pass(n *node, d time.Duration) {
	c.now.Mono = c.now.Mono.Add(d)
	c.now.Wall += d.Milliseconds()
	n.r.Tick(c.now, &n.ready)
	c.take(n)
}

// heal lets everything work until all is well again, or fails.
func (c *cluster) heal() {
	for range 120 {
		for _, n := range c.nodes {
			if n.r == nil {
				c.start(n)
			}
			if !c.ctl.now().live[n.id] {
				c.ctl.unfence(n.id)
			}
			c.learn(n, len(c.ctl.images)-1)
			c.pass(n, 600*time.Millisecond)
			for len(n.disk.queue) > 0 {
				n.disk.step()
			}
			c.answers(n)
			n.disk.sync()
			n.disk.sync()
			c.answers(n)
			c.ask(n)
			for len(c.messages) > 0 {
				c.deliver(0, false)
			}
		}
		if c.well() {
			return
		}
	}
	text := ""
	for _, n := range c.nodes {
		text += fmt.Sprintf("\nnode %d: %+v\n  isr %+v followers %+v", n.id, n.r.Status(), n.r.isr, n.r.followers)
	}
	c.t.Fatalf("it does not heal: %+v%s", *c.ctl.now(), text)
}

// well reports whether there is a leader, everybody has its log, ISR is whole
// and nobody waits.
func (c *cluster) well() bool {
	x := c.ctl.now()
	if x.leader < 0 || len(x.isr) < 3 || len(x.elr) > 0 || len(x.marks) > 0 {
		return false
	}
	lead := c.nodes[x.leader].r.Status()
	for _, n := range c.nodes {
		st := n.r.Status()
		if st.HighWatermark != lead.Next || st.LEO != lead.Next || st.LogStart < lead.LogStart || st.Waiting > 0 {
			return false
		}
	}
	return true
}

// Three replicas with messages that are lost, doubled, late and out of order,
// crashes that lose what no sync covered, one disk that loses more, fencing,
// full disks and deletions: what was committed stays (P1, P2), an epoch and
// offset name one batch (P3), a log start does not go back (P4), what acks=1
// acked is on the leader's disk (P5), and when the faults end all is well again.
func TestCluster(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newCluster(t, 0, false, func(n int, what string) int { return rapid.IntRange(0, n-1).Draw(t, what) })
		for range rapid.IntRange(1, 300).Draw(t, "steps") {
			c.step()
		}
		c.heal()
	})
}

// The same from seeds: long runs, of which rapid makes few.
func TestClusterSeeds(t *testing.T) {
	for seed := range uint64(clusterSeeds) {
		if err := runSeed(seed, 0, false); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

// With unclean elections, and disks that lose more, records may go; an epoch
// and offset name one batch all the same, and no replica is left behind for good.
func TestClusterUnclean(t *testing.T) {
	for seed := range uint64(clusterSeeds) {
		if err := runSeed(seed, 0, true); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

const (
	clusterSeeds = 1500
	clusterSteps = 500
)

// violation is what ends a run from a seed.
type violation struct{ error }

type seedTester struct{}

func (seedTester) Fatalf(format string, args ...any) { panic(violation{fmt.Errorf(format, args...)}) }

// runSeed makes one run without the rules that are out.
func runSeed(seed uint64, out guard.Set, unclean bool) (err error) {
	defer func() {
		switch v := recover().(type) {
		case nil:
		case violation:
			err = v.error
		default:
			panic(v)
		}
	}()
	rng := rand.New(rand.NewPCG(seed, 0))
	c := newCluster(seedTester{}, out, unclean, func(n int, _ string) int { return rng.IntN(n) })
	for range clusterSteps {
		c.step()
	}
	c.heal()
	return nil
}
