package linearizability_test

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/moldau/moldau/linearizability/history"
)

// draw returns a number in [0, n).
type draw func(n int) int

// model is a broker of one partition, one group and one setting that does
// everything right at one instant per operation, with clients that overlap,
// lose answers and try again. It shares nothing with the checkers.
type model struct {
	draw    draw
	h       *history.History
	log     []history.Record
	start   int64
	at      map[uint64]int64 // offset by value
	offset  history.Offset   // committed
	setting string
	effects []effect
	values  uint64
	deletes bool
	epoch   int32
	heads   map[int64]bool   // offsets at which a batch begins
	before  []history.Offset // all that were committed, for what power loss leaves
}

type effect struct {
	at int64
	do func()
}

const modelEpochMs = 1_000_000

// newModelHistory runs the model: clients with so many operations each.
func newModelHistory(d draw, clients, opsEach int) *history.History {
	m := &model{draw: d, h: &history.History{}, at: map[uint64]int64{}, heads: map[int64]bool{}, offset: history.Offset{Value: -1, CoordinatorEpoch: 1}, setting: "0", deletes: d(3) == 0}
	m.h.Header = history.Header{Format: history.Format, Version: history.Version, EpochMs: modelEpochMs}
	m.h.Topics = []history.Topic{{ID: "id-t", Name: "t", Partitions: 1, Durability: history.DurabilitySync, RetentionMs: -1, RetentionBytes: -1}}
	m.h.Ops = make([]history.Op, 0, clients*(opsEach+1)+16)
	m.h.Events = []history.Event{{Kind: history.EventHealed, At: 0, DeadlineNs: 1 << 50}}
	for c := range clients {
		m.client(c, opsEach)
	}
	for range max(0, d(4)-1) {
		m.h.Topics[0].Durability = history.DurabilityOS
		m.powerLoss(int64(d(40 * opsEach)))
	}
	slices.SortStableFunc(m.effects, func(a, b effect) int { return cmp.Compare(a.at, b.at) })
	for _, e := range m.effects {
		e.do()
	}
	m.finish()
	return m.h
}

// powerLoss takes a tail of the log, and the newest committed offsets. The leader
// leads anew, in its next epoch.
func (m *model) powerLoss(at int64) {
	m.h.Events = append(m.h.Events, history.Event{Kind: history.EventPowerLoss, At: at, Node: 1})
	keep, offset := m.draw(100), m.draw(3)
	m.effects = append(m.effects, effect{at, func() {
		m.epoch++
		end := len(m.log) * keep / 100
		for end > 0 && !m.heads[int64(end)] { // batches are whole
			end--
		}
		for offset := end; offset < len(m.log); offset++ {
			delete(m.heads, int64(offset))
		}
		m.log = slices.Clone(m.log[:end])
		m.start = min(m.start, int64(len(m.log)))
		clear(m.at)
		for _, record := range m.log {
			m.at[record.Value] = record.Offset
		}
		m.offset = history.Offset{Group: "g", Value: -1, CoordinatorEpoch: 1}
		if n := len(m.before); n > offset {
			m.offset = m.before[n-1-offset]
		}
	}})
}

// client lays out one client's operations; what they answer is known when their
// instant comes.
func (m *model) client(number, ops int) {
	c := &modelClient{model: m, name: fmt.Sprintf("c%d", number), id: int64(number), now: int64(m.draw(1000))}
	init := c.begin(history.KindInitProducerID)
	init.Producer = &history.Producer{ID: c.id}
	c.answered(init, func() {})
	for range ops {
		switch m.draw(12) {
		case 0, 1, 2, 3, 4:
			c.produce()
		case 5, 6:
			c.fetch()
		case 7:
			c.poll()
		case 8:
			c.list()
		case 9:
			c.offsets()
		case 10:
			c.settings()
		case 11:
			c.delete()
		}
	}
	if c.pending != nil {
		c.produce() // so that it is resolved, or still unknown
	}
}

type modelClient struct {
	*model
	name     string
	id       int64
	now      int64
	sequence int32
	position int64
	pending  []history.Record // a batch of unknown fate, to be sent again
}

// begin makes an operation; later, when it is answered, it must not have moved.
func (c *modelClient) begin(kind history.Kind) *history.Op {
	c.now += 1 + int64(c.draw(50))
	c.h.Ops = append(c.h.Ops, history.Op{ID: int64(len(c.h.Ops) + 1), Client: c.name, Node: 1, Kind: kind, Invoke: c.now, Topic: "id-t", Outcome: history.OutcomeOK})
	return &c.h.Ops[len(c.h.Ops)-1]
}

// answered gives an operation its instant and its return.
func (c *modelClient) answered(op *history.Op, do func()) {
	at := c.now + int64(c.draw(40))
	op.Return = at + int64(c.draw(40))
	c.now = op.Return
	c.effects = append(c.effects, effect{at, do})
}

// unanswered gives it an instant that may come after the client gave up, or
// none.
func (c *modelClient) unanswered(op *history.Op, do func()) {
	op.Outcome, op.Return = history.OutcomeMaybe, c.now+int64(c.draw(40))
	if c.draw(2) == 0 {
		c.effects = append(c.effects, effect{c.now + int64(c.draw(200)), do})
	}
	c.now = op.Return
}

func (c *modelClient) produce() {
	op := c.begin(history.KindProduce)
	records := c.pending
	if records == nil {
		for range 1 + c.draw(3) {
			c.values++
			records = append(records, history.Record{Offset: -1, Epoch: 1, Key: "k", Value: c.values, TimestampMs: modelEpochMs + op.Invoke + int64(c.draw(30)), ProducerID: c.id, Sequence: c.sequence})
			c.sequence++
		}
	}
	p := &history.Produce{Acks: -1, ProducerID: c.id, BaseSequence: records[0].Sequence, BaseOffset: -1, LogStart: -1, Bytes: 100, Records: slices.Clone(records)}
	op.Produce = p
	do := func() {
		base, there := c.at[records[0].Value]
		for i, record := range records {
			if !there {
				record.Offset, record.Epoch = int64(len(c.log)), c.epoch
				c.at[record.Value] = record.Offset
				c.log = append(c.log, record)
				if i == 0 {
					base = record.Offset
					c.heads[base] = true
				}
			}
		}
		if op.OK() {
			p.BaseOffset = base
		}
	}
	if c.draw(8) == 0 {
		c.unanswered(op, do)
		c.pending = records
		return
	}
	c.answered(op, do)
	c.pending = nil
}

// slice fills a read from a position on.
func (m *model) slice(op *history.Op, position int64, most int) {
	op.Read.HighWatermark, op.Read.LastStable, op.Read.LogStart, op.Read.LeaderEpoch = int64(len(m.log)), int64(len(m.log)), m.start, m.epoch
	op.Read.Records = slices.Clone(m.log[position:min(int(position)+most, len(m.log))])
}

func (c *modelClient) fetch() {
	op := c.begin(history.KindFetch)
	where, most := c.draw(100), 1+c.draw(7)
	op.Read = &history.Read{}
	c.answered(op, func() {
		op.Read.Position = c.start + (int64(len(c.log))-c.start)*int64(where)/100
		c.slice(op, op.Read.Position, most)
	})
}

func (c *modelClient) poll() {
	op := c.begin(history.KindPoll)
	most := 1 + c.draw(7)
	op.Read = &history.Read{Position: history.Unknown}
	c.answered(op, func() {
		c.position = min(max(c.position, c.start), int64(len(c.log)))
		c.slice(op, c.position, most)
		c.position += int64(len(op.Read.Records))
	})
}

func (c *modelClient) list() {
	op := c.begin(history.KindListOffsets)
	l := &history.ListOffsets{Target: history.Latest, Offset: -1, TimestampMs: -1}
	op.ListOffsets = l
	switch c.draw(4) {
	case 0:
		l.Target = modelEpochMs + int64(c.draw(int(c.now)+1))
	case 1:
		l.Target = history.MaxTimestamp
	case 2:
		l.Target = history.Earliest
	}
	c.answered(op, func() {
		switch l.Target {
		case history.Latest:
			l.Offset = int64(len(c.log))
			return
		case history.Earliest:
			l.Offset = c.start
			return
		}
		for _, record := range c.log[c.start:] {
			if newest := l.Target == history.MaxTimestamp; newest && record.TimestampMs > l.TimestampMs || !newest && l.Offset < 0 && record.TimestampMs >= l.Target {
				l.Offset, l.TimestampMs = record.Offset, record.TimestampMs
			}
		}
	})
}

func (c *modelClient) offsets() {
	if c.draw(2) == 0 {
		op := c.begin(history.KindFetchOffset)
		op.Offset = &history.Offset{}
		c.answered(op, func() { *op.Offset = c.offset })
		op.Offset.Group = "g"
		return
	}
	op := c.begin(history.KindCommitOffset)
	op.Offset = &history.Offset{Group: "g", Generation: -1, Value: int64(c.draw(5)), Metadata: fmt.Sprint(op.ID), CoordinatorEpoch: 1}
	do := func() { c.offset, c.before = *op.Offset, append(c.before, *op.Offset) }
	if c.draw(8) == 0 {
		c.unanswered(op, do)
		return
	}
	c.answered(op, do)
}

func (c *modelClient) settings() {
	if c.draw(2) == 0 {
		op := c.begin(history.KindDescribeConfig)
		op.Config = &history.Config{Resource: "topic/id-t", Name: "x"}
		c.answered(op, func() { op.Config.Value = c.setting })
		return
	}
	op := c.begin(history.KindAlterConfig)
	op.Config = &history.Config{Resource: "topic/id-t", Name: "x", Value: fmt.Sprint(c.draw(3))}
	do := func() { c.setting = op.Config.Value }
	if c.draw(20) == 0 {
		c.unanswered(op, do)
		return
	}
	c.answered(op, do)
}

func (c *modelClient) delete() {
	if !c.deletes {
		return
	}
	op := c.begin(history.KindDeleteRecords)
	op.Delete = &history.Delete{Before: history.Latest}
	part := c.draw(100)
	c.answered(op, func() {
		if part > 20 {
			op.Delete.Before = int64(len(c.log)) * int64(part) / 300
		}
		to := op.Delete.Before
		if to < 0 {
			to = int64(len(c.log))
		}
		c.start = max(c.start, to)
		op.Delete.LowWatermark = c.start
	})
}

// finish reads all there is, in two pieces.
func (m *model) finish() {
	if m.offset.Group == "" {
		m.offset.Group = "g"
	}
	for i := range m.h.Ops {
		m.h.End = max(m.h.End, m.h.Ops[i].Return, m.h.Ops[i].Invoke+1000)
		if o := m.h.Ops[i].Offset; o != nil {
			o.Group = "g"
		}
	}
	middle := m.start + (int64(len(m.log))-m.start)/2
	for _, position := range []int64{m.start, middle} {
		most := len(m.log)
		if position == m.start && middle > m.start {
			most = int(middle - m.start)
		}
		m.h.End++
		op := history.Op{ID: int64(len(m.h.Ops) + 1), Client: "final", Node: 1, Kind: history.KindFetch, Invoke: m.h.End, Return: m.h.End + 1, Topic: "id-t", Outcome: history.OutcomeOK}
		op.Read = &history.Read{Position: position, Final: true}
		m.slice(&op, position, most)
		m.h.Ops = append(m.h.Ops, op)
		m.h.End += 2
	}
	m.h.Events[0].DeadlineNs = m.h.End
	for i := range m.h.Ops {
		if op := &m.h.Ops[i]; op.OK() && op.Read == nil && !slices.Contains(m.h.Events[0].Clients, op.Client) {
			m.h.Events[0].Clients = append(m.h.Events[0].Clients, op.Client)
		}
	}
}
