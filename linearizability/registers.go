package linearizability

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/anishathalye/porcupine"

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
			event.Topic == "" && event.Kind == history.EventPowerLoss && r.groupsForget():
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

// search looks for an order of a register's accesses, segment by segment and
// window by window.
func (r *run) search(reg *register, first string, forgets []int64) {
	state := []string{first}
	for _, ops := range segments(resolve(reg.ops, first, forgets), forgets) {
		for len(ops) > 0 {
			window, rest := r.window(ops)
			if !r.searchWindow(reg, window, state) {
				return
			}
			state, ops = after(window, state), rest
		}
		state = []string{unknownFirst}
	}
}

// resolve closes writes of unknown fate, which a search cannot have open: one
// whose value nobody read afterwards did no harm if it never was, and one whose
// value only it can have put there was there before that read was answered.
func resolve(ops []access, first string, forgets []int64) []access {
	writers, readers := map[string]int{}, map[string][]access{}
	for _, a := range ops {
		if a.write {
			writers[a.value]++
		} else {
			readers[a.value] = append(readers[a.value], a)
		}
	}
	var resolved []access
	for _, a := range ops {
		if !a.maybe {
			resolved = append(resolved, a)
			continue
		}
		read := false
		for _, reader := range readers[a.value] {
			if reader.op.Return < a.op.Invoke {
				continue
			}
			read = true
			if writers[a.value] == 1 && reader.op.Return < a.returnsBy && otherBefore(ops, reader, first, forgets) {
				a.returnsBy = reader.op.Return
			}
		}
		if read {
			resolved = append(resolved, a)
		}
	}
	return resolved
}

// otherBefore reports whether the register surely had another value at some
// moment before a read, and nothing was forgotten since: then the value read
// was written, not left over.
func otherBefore(ops []access, reader access, first string, forgets []int64) bool {
	since := int64(-1)
	for _, at := range forgets {
		if at <= reader.op.Return {
			since = at
		}
	}
	if since < 0 && first != unknownFirst && first != reader.value {
		return true
	}
	for _, a := range ops {
		if a.op.Invoke >= reader.op.Invoke {
			break
		}
		if !a.maybe && a.value != reader.value && a.op.Invoke > since && a.op.Return < reader.op.Invoke {
			return true
		}
	}
	return false
}

// segments cuts accesses where the register may forget. A write that was open
// at a cut may come after it, at any time; a read that was open there says
// nothing.
func segments(ops []access, forgets []int64) (cut [][]access) {
	for _, at := range forgets {
		var before, later, carried []access
		for _, a := range ops {
			switch {
			case a.op.Invoke > at:
				later = append(later, a)
			case a.write:
				before = append(before, a)
				if a.returnsBy >= at {
					a.returnsBy = never
					carried = append(carried, a)
				}
			case a.returnsBy < at:
				before = append(before, a)
			}
		}
		cut = append(cut, before)
		ops = append(carried, later...)
	}
	return append(cut, ops)
}

// window cuts ops at the first moment, WindowOps operations on, at which none
// is open.
func (r *run) window(ops []access) (window, rest []access) {
	open := int64(-1) // when the last of those so far is over
	for i, a := range ops {
		if i >= r.options.WindowOps && open < a.op.Invoke {
			return ops[:i], ops[i:]
		}
		open = max(open, a.returnsBy)
	}
	return ops, nil
}

// after returns the values that a register may have when a window is over, all
// of its accesses being over too: those of the writes and reads that no write
// follows.
func after(window []access, before []string) []string {
	lastWrite := int64(-1)
	for _, a := range window {
		if a.write {
			lastWrite = max(lastWrite, a.op.Invoke)
		}
	}
	if lastWrite < 0 {
		for _, a := range window {
			return []string{a.value} // reads alone, all of one value
		}
		return before
	}
	var values []string
	for _, a := range window {
		if a.write && a.returnsBy >= lastWrite && !slices.Contains(values, a.value) {
			values = append(values, a.value)
		}
	}
	slices.Sort(values)
	return values
}

// searchWindow runs porcupine over one window.
func (r *run) searchWindow(reg *register, window []access, first []string) bool {
	operations := make([]porcupine.Operation, len(window))
	clients := map[string]int{}
	for i, a := range window {
		id, there := clients[a.op.Client]
		if !there {
			id = len(clients)
			clients[a.op.Client] = id
		}
		operations[i] = porcupine.Operation{ClientId: id, Input: a, Call: a.op.Invoke, Return: a.returnsBy}
	}
	result, info := porcupine.CheckOperationsVerbose(registerModel(first), operations, r.options.SearchMax)
	switch result {
	case porcupine.Unknown:
		r.broken("%s: %d accesses from %s on: no answer within %s", reg.name, len(window), seconds(window[0].op.Invoke), r.options.SearchMax)
	case porcupine.Illegal:
		r.violationPictured(picture(registerModel(first), info), "not-linearizable", culprits(info, window), "%s: no order of its reads and writes explains their answers", reg.name)
	}
	return result == porcupine.Ok
}

// culpritsMax is the number of operations that a text about a search names.
const culpritsMax = 4

// culprits are those that the longest explanation which the search found leaves
// out, the first few.
func culprits(info porcupine.LinearizationInfo, window []access) []*history.Op {
	var longest []int
	for _, partial := range info.PartialLinearizations() {
		for _, one := range partial {
			if len(one) > len(longest) {
				longest = one
			}
		}
	}
	var ops []*history.Op
	for i, a := range window {
		if !slices.Contains(longest, i) && len(ops) < culpritsMax {
			ops = append(ops, a.op)
		}
	}
	if len(longest) > 0 && longest[len(longest)-1] < len(window) {
		ops = append(ops, window[longest[len(longest)-1]].op)
	}
	return ops
}

func picture(model porcupine.Model, info porcupine.LinearizationInfo) []byte {
	var b strings.Builder
	if porcupine.Visualize(model, info, &b) != nil {
		return nil
	}
	return []byte(b.String())
}

// registerModel is a register of which it is known that it has one of some
// values at first. A state is the text of that knowledge.
func registerModel(first []string) porcupine.Model {
	const separator = "\x01"
	return porcupine.Model{
		Init: func() any { return strings.Join(first, separator) },
		Step: func(state, input, _ any) (bool, any) {
			a := input.(access)
			if a.write {
				return true, a.value
			}
			known := state.(string)
			if known == a.value || known == unknownFirst || slices.Contains(strings.Split(known, separator), a.value) {
				return true, a.value
			}
			return false, state
		},
		DescribeOperation: func(input, _ any) string {
			a := input.(access)
			if a.write {
				return fmt.Sprintf("write %q", a.value)
			}
			return fmt.Sprintf("read %q", a.value)
		},
		DescribeState: func(state any) string { return strings.ReplaceAll(state.(string), separator, " or ") },
	}
}
