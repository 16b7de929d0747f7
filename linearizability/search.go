package linearizability

import (
	"fmt"
	"slices"
	"strings"

	"github.com/anishathalye/porcupine"

	"github.com/moldau/moldau/linearizability/history"
)

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
