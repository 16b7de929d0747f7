package explore

import (
	"fmt"

	"github.com/moldau/moldau/broker/metaimage"
	"github.com/moldau/moldau/broker/replica"
)

// probeRounds bounds how long a healed world may take to come to rest.
const probeRounds = 60

// probe heals a state: everybody is started, everything arrives, every sync
// ends. It says what is wrong then: no leader, a high watermark below the end
// of the log, an ISR that is not whole, replicas that are eligible without
// need, or a step against the contract.
func (x *worker) probe(s state) (wrong string) {
	before := s
	for range probeRounds {
		n := s
		for i := range Brokers {
			if n, wrong = x.heal(n, i); wrong != "" {
				return "while healing: " + wrong
			}
		}
		if n == s {
			break
		}
		s = n
	}
	return x.rested(&before, &s)
}

// heal makes the steps that a broker can make when all works.
func (x *worker) heal(s state, i int) (n state, wrong string) {
	n = s
	try := func(by step) {
		if wrong != "" {
			return
		}
		if to, w, ok := x.next(n, by); ok {
			n, wrong = to, w
		}
	}
	if !x.t.brokers.get(n.brokers[i]).up {
		try(makeStep(stepRestart, i, 0))
	}
	try(makeStep(stepUnfence, i, 0))
	try(makeStep(stepLearn, i, 0))
	for range len(x.t.brokers.get(n.brokers[i]).disk.log) + 1 {
		for _, kind := range []stepKind{stepCut, stepLogStart, stepSync} {
			try(makeStep(kind, i, 0))
		}
	}
	if _, ok := x.leaderOf(&n, i); ok {
		try(makeStep(stepFetch, i, 0))
	}
	try(makeStep(stepAlter, i, 0))
	n.spent = s.spent // no budget counts
	if b := x.t.brokers.get(n.brokers[i]); b.up && wrong == "" {
		return x.wait(n, i)
	}
	return n, wrong
}

// wait lets a broker's timers run, so that refused proposals are made again.
func (x *worker) wait(s state, i int) (n state, wrong string) {
	n, o := x.one(s, makeStep(askWait, i, 0), func(b *broker) bool {
		b.pass(x.w, replica.ProposalRetry)
		return true
	})
	if o.wrong != 0 {
		return n, *x.t.wrongs.get(o.wrong - 1)
	}
	return n, ""
}

// rested says what is wrong with a world at rest. before is what it was healed from.
func (x *worker) rested(before, s *state) (wrong string) {
	p := x.t.controls.get(s.control).part
	if p.Leader == metaimage.NoLeader {
		if x.void(before) {
			return ""
		}
		return "P6: all is healed and there is no leader"
	}
	leader := x.t.brokers.get(s.brokers[int(p.Leader)-1])
	switch st := leader.status; {
	case !st.Leader:
		return fmt.Sprintf("P6: all is healed and %s does not lead", leaderName(p.Leader))
	case st.HighWatermark != st.LEO || st.LEO != leader.disk.end():
		return fmt.Sprintf("P6: all is healed and the high watermark is %d, the log's end %d", st.HighWatermark, st.LEO)
	case len(p.ISR) != Brokers:
		return fmt.Sprintf("P6: all is healed and ISR is %s", members(p.ISR))
	case len(p.ELR) != 0:
		return fmt.Sprintf("P6: all is healed and ELR is %s", members(p.ELR))
	case len(p.Doubtful) != 0:
		return "P6: all is healed and a replica is marked"
	}
	return ""
}
