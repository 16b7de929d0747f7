package explore

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/moldau/moldau/broker/metaimage"
	"github.com/moldau/moldau/internal/invariant"
)

// parseStep reads what step.String writes.
func parseStep(text string) (step, error) {
	words := strings.Fields(text)
	for k, kindName := range stepNames {
		if len(words) == 0 || words[0] != kindName {
			continue
		}
		kind, i, n := stepKind(k), 0, 0
		words = words[1:]
		switch kind {
		case stepElect, stepElectUnclean:
		case stepDeliver, stepSetMinISR:
			n = number(words, 0)
		default:
			if len(words) == 0 || len(words[0]) != 1 || words[0][0] < 'A' || words[0][0] >= 'A'+Brokers {
				return 0, fmt.Errorf("step %q: which broker?", text)
			}
			i = int(words[0][0] - 'A')
			if kind == stepCrash {
				n = 2 * number(words, 1)
				if len(words) == 3 && words[2] == "torn" {
					n++
				}
			}
		}
		if n < 0 {
			return 0, fmt.Errorf("step %q: a number is missing", text)
		}
		return makeStep(kind, i, n), nil
	}
	return 0, fmt.Errorf("step %q: no such step", text)
}

// number is the n-th word as a number, below zero if it is none.
func number(words []string, n int) int {
	if n >= len(words) {
		return -1
	}
	v, err := strconv.Atoi(words[n])
	if err != nil || v > 200 {
		return -1
	}
	return v
}

// script carries out steps that are divided by semicolons or new lines. It
// returns the state after them, the steps, and what was wrong on the way, a
// step that is not possible too.
func (x *worker) script(text string) (s state, steps []string, wrong string) {
	s = x.initial()
	for _, line := range strings.FieldsFunc(text, func(r rune) bool { return r == ';' || r == '\n' }) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		by, err := parseStep(line)
		if err != nil {
			return s, steps, err.Error()
		}
		steps = append(steps, by.String())
		next, wrong, ok := x.next(s, by)
		switch {
		case !ok:
			return s, steps, fmt.Sprintf("step %q is not possible", line)
		case wrong != "":
			return next, steps, wrong
		}
		s = next
	}
	return s, steps, ""
}

// trace tells what the steps lead to, one numbered line each.
func (x *worker) trace(steps []string) string {
	var out strings.Builder
	s := x.initial()
	fmt.Fprintf(&out, "    %-16s %s\n", "", x.describe(&s))
	for i, text := range steps {
		by, err := parseStep(text)
		invariant.Check(err == nil, "%v", err)
		next, wrong, _ := x.next(s, by)
		fmt.Fprintf(&out, "%3d %-16s %s\n", i+1, text, x.describe(&next))
		if wrong != "" {
			fmt.Fprintf(&out, "    %s\n", wrong)
			break
		}
		s = next
	}
	return out.String()
}

// describe is a state in one line.
func (x *worker) describe(s *state) string {
	var out strings.Builder
	for i := range Brokers {
		b := x.t.brokers.get(s.brokers[i])
		fmt.Fprintf(&out, "%s%s ", name(i), b.disk.String())
		switch {
		case !b.up:
			out.WriteString("down")
		case b.status.Leader:
			fmt.Fprintf(&out, "leads %d/%d", b.status.LeaderEpoch, b.status.PartitionEpoch)
		default:
			fmt.Fprintf(&out, "%d/%d", b.status.LeaderEpoch, b.status.PartitionEpoch)
		}
		if b.up {
			fmt.Fprintf(&out, " HW %d", b.status.HighWatermark)
		}
		for j := range b.asked {
			fmt.Fprintf(&out, " asks %s", proposalText(&b.asked[j]))
		}
		out.WriteString("  ")
	}
	p := x.t.controls.get(s.control).part
	fmt.Fprintf(&out, "| epochs %d/%d leader %s ISR %s", p.LeaderEpoch, p.PartitionEpoch, leaderName(p.Leader), members(p.ISR))
	if len(p.ELR) > 0 {
		fmt.Fprintf(&out, " ELR %s", members(p.ELR))
	}
	for _, d := range p.Doubtful {
		fmt.Fprintf(&out, " %s doubtful (%d,%d)", name(int(d.BrokerID)-1), d.LastEpoch, d.End)
	}
	if h := x.t.helds.get(s.held).messages; len(h) > 0 {
		out.WriteString(" | held back:")
		for i := range h {
			fmt.Fprintf(&out, " (%s)", h[i].String())
		}
	}
	return out.String()
}

func leaderName(id int32) string {
	if id == metaimage.NoLeader {
		return "none"
	}
	return name(int(id) - 1)
}

func members(ids []int32) string {
	var names []string
	for _, id := range ids {
		names = append(names, name(int(id)-1))
	}
	return "{" + strings.Join(names, ",") + "}"
}
