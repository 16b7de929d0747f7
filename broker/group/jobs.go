package group

import (
	"time"

	"github.com/moldau/moldau/broker/coord"
)

// job is work that may take several outcomes, because one is one batch.
// Everything that it decides in a step is in that step's outcome.
type job interface {
	// step goes on until the outcome is full (false) or the work done (true).
	step(m *Machine) bool
}

// work lets the jobs go on, one after the other, as far as the outcome has room.
func (m *Machine) work() {
	for len(m.jobs) > 0 && m.jobs[0].step(m) {
		m.jobs[0] = nil
		m.jobs = m.jobs[1:]
	}
	if len(m.jobs) == 0 {
		m.jobs = nil
	}
}

// topicJob removes the offsets of a topic that is gone.
type topicJob struct {
	topic coord.DeletedTopic
	ids   []string // groups that are left; nil before the first step
	begun bool
}

func (j *topicJob) step(m *Machine) bool {
	if !j.begun {
		j.ids, j.begun = m.groupIDs(), true
	}
	for ; len(j.ids) > 0; j.ids = j.ids[1:] {
		if g := m.groups[j.ids[0]]; g != nil && !j.clean(m, g) {
			return false
		}
	}
	return true
}

// clean removes one group's offsets of the topic. A topic of the same name
// that was made since has another id; its offsets stay.
func (j *topicJob) clean(m *Machine, g *group) bool {
	ti, ok := g.findTopic(j.topic.Name)
	if !ok {
		return true
	}
	t := g.offsets[ti]
	for pi := len(t.partitions) - 1; pi >= 0; pi-- {
		if c := t.at(pi); c.topicID != j.topic.ID && !c.topicID.IsZero() {
			continue
		}
		if !m.dropOffset(g, ti, pi) {
			return false
		}
	}
	return true
}

// sweepGroupsMax bounds the groups that one step of a sweep looks at.
const sweepGroupsMax = 10_000

// sweepJob looks through all groups for offsets that have expired and for
// groups that nobody needs.
type sweepJob struct{ ids []string }

func (j *sweepJob) step(m *Machine) bool {
	for n := 0; len(j.ids) > 0; j.ids = j.ids[1:] {
		if n++; n > sweepGroupsMax {
			return false
		}
		if g := m.groups[j.ids[0]]; g != nil && !m.expire(g) {
			return false
		}
	}
	return true
}

// expire removes the group's expired offsets, and the group if it is empty
// and none are left. It reports false when the outcome has no room for more.
//
// An offset expires when the retention has passed
//   - since the group became empty, or, where that is not known, since the commit;
//   - since the commit, in a group that only holds offsets, and in a stable
//     group of consumers for the topics that they read no more (KIP-496).
//
// A retention that a commit brought along counts instead of the broker's.
func (m *Machine) expire(g *group) bool {
	switch {
	case g.protocolType == "":
	case g.state == Empty:
	case g.state == Stable && g.protocolType == consumerProtocolType && g.subscribed != nil:
	default:
		return true
	}
	for ti := len(g.offsets) - 1; ti >= 0; ti-- {
		t := g.offsets[ti]
		if g.subscribedTo(t.name) {
			continue
		}
		for pi := len(t.partitions) - 1; pi >= 0; pi-- {
			if m.expired(g, t.at(pi)) && !m.dropOffset(g, ti, pi) {
				return false
			}
		}
	}
	if g.state == Empty && len(g.offsets) == 0 && len(g.pending) == 0 {
		return m.dropGroup(g, "empty, and no offsets left")
	}
	return true
}

func (m *Machine) expired(g *group, c committed) bool {
	if at := c.expires(); at >= 0 {
		return m.now.Wall >= at
	}
	since := c.commitTime
	if g.protocolType != "" && g.state == Empty && g.stateSince >= 0 {
		since = g.stateSince
	}
	return m.now.Wall-since >= int64(m.cfg.OffsetsRetention/time.Millisecond)
}
