package linearizability

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/moldau/moldau/linearizability/history"
)

// checkRegisters searches for an order of what no offset orders: settings, and
// committed offsets, each a register of its own. It also repeats the log-order
// checker's work on short histories, by another way.
func checkRegisters(r *run) {
	settings, offsets := map[string]*register{}, map[string]*register{}
	for _, op := range r.ops {
		switch op.Kind {
		case history.KindAlterConfig, history.KindDescribeConfig:
			if op.Config != nil {
				name := op.Config.Resource + " " + op.Config.Name
				take(settings, name, op, settingValue(op.Config), op.Kind == history.KindAlterConfig)
			}
		case history.KindCommitOffset, history.KindFetchOffset:
			if op.Offset != nil && r.topicLives(op) {
				name := fmt.Sprintf("group %s offset of %s", op.Offset.Group, r.name(history.TopicPartition{Topic: op.Topic, Partition: op.Partition}))
				take(offsets, name, op, offsetValue(op.Offset), op.Kind == history.KindCommitOffset)
			}
		}
	}
	for _, reg := range sorted(settings) {
		if r.options.StaleConfigs {
			r.writtenOnly(reg)
		} else {
			r.search(reg, unknownFirst, nil)
		}
	}
	for _, reg := range sorted(offsets) {
		r.search(reg, "-1", r.forgetting(reg))
	}
	for _, p := range r.parts {
		r.crossCheck(p)
	}
}

// topicLives reports whether an operation was over before its topic could be
// deleted: a group forgets the offsets of a topic that is gone.
func (x *index) topicLives(op *history.Op) bool {
	p := x.byKey[history.TopicPartition{Topic: op.Topic, Partition: op.Partition}]
	return p == nil || (op.Return != history.Never && op.Return < p.deletedAt)
}

// register is one value that is written and read as a whole.
type register struct {
	name string
	ops  []access // by invoke
}

// access is one write or read of a register.
type access struct {
	op        *history.Op
	value     string
	write     bool
	maybe     bool  // a write of unknown fate
	returnsBy int64 // by when it took effect, never if that is open
}

// unknownFirst is the first value of a register of which nobody knows it.
const unknownFirst = "\x00any"

func settingValue(c *history.Config) string {
	if c.Unset {
		return "unset"
	}
	return "=" + c.Value
}

func offsetValue(o *history.Offset) string {
	if o.Value < 0 {
		return "-1"
	}
	return fmt.Sprintf("%d %s", o.Value, o.Metadata)
}

func take(registers map[string]*register, name string, op *history.Op, value string, write bool) {
	if op.Outcome == history.OutcomeFailed || (!write && !op.OK()) {
		return
	}
	reg := registers[name]
	if reg == nil {
		reg = &register{name: name}
		registers[name] = reg
	}
	a := access{op: op, value: value, write: write, maybe: !op.OK(), returnsBy: op.Return}
	if a.maybe {
		a.returnsBy = never
	}
	reg.ops = append(reg.ops, a)
}

func sorted(registers map[string]*register) []*register {
	all := make([]*register, 0, len(registers))
	for _, reg := range registers {
		all = append(all, reg)
	}
	slices.SortFunc(all, func(a, b *register) int { return cmp.Compare(a.name, b.name) })
	return all
}

// forgetting returns the times at which a group's committed offsets may lawfully
// fall back to any value before: the log that holds them was struck, or the
// group was deleted or reset.
func (r *run) forgetting(reg *register) []int64 {
	var times []int64
	group := reg.ops[0].op.Offset.Group
	for _, event := range r.events {
		switch {
		case event.Kind == history.EventGroupReset && event.Name == group,
			event.Topic == "" && (event.Kind == history.EventDamage || event.Kind == history.EventUnclean),
			event.Topic == "" && event.Kind == history.EventPowerLoss && r.tells(event) && r.groupsForget():
			times = append(times, event.At)
		}
	}
	for _, op := range r.ops {
		if op.Kind == history.KindDeleteGroup && op.Outcome != history.OutcomeFailed && op.Group != nil && op.Group.Group == group {
			times = append(times, op.Invoke)
		}
	}
	slices.Sort(times)
	return times
}

// groupsForget reports whether power loss may take committed offsets: the
// group's log has the durability of the broker, which is that of the weakest
// topic if the history does not declare it.
func (x *index) groupsForget() bool {
	for i := range x.h.Topics {
		if x.h.Topics[i].Name == "__consumer_offsets" {
			return x.h.Topics[i].Durability == history.DurabilityOS
		}
	}
	return slices.ContainsFunc(x.h.Topics, func(t history.Topic) bool { return t.Durability == history.DurabilityOS })
}

// writtenOnly is the check of a register that is read behind time.
func (r *run) writtenOnly(reg *register) {
	first := map[string]int64{}
	for _, a := range reg.ops {
		if a.write {
			if at, there := first[a.value]; !there || a.op.Invoke < at {
				first[a.value] = a.op.Invoke
			}
		}
	}
	var before string // the value that nobody wrote, read by all who read before
	for _, a := range reg.ops {
		if at, written := first[a.value]; a.write || (written && at <= a.op.Return) {
			continue
		}
		if before == "" {
			before = a.value
		}
		if before != a.value {
			r.violation("unwritten", []*history.Op{a.op}, "%s: value %q was read and never written", reg.name, a.value)
		}
	}
}
