package group

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/coord"
	"github.com/moldau/moldau/broker/kafka"
)

// handleDelete is DeleteGroups (key 42), versions 0 to 3: a group without
// members goes with its offsets. It is done in as many batches as it takes;
// the answer comes with the last.
func (m *Machine) handleDelete(req *coord.Request, r *kmsg.DeleteGroupsRequest) {
	m.jobs = append(m.jobs, &deleteJob{req: *req, groups: r.Groups, resp: kmsg.NewPtrDeleteGroupsResponse()})
	m.work()
}

// deleteJob is a DeleteGroups request at work.
type deleteJob struct {
	req    coord.Request
	groups []string // that are left
	resp   *kmsg.DeleteGroupsResponse
}

func (j *deleteJob) step(m *Machine) bool {
	for len(j.groups) > 0 {
		code := kafka.ErrNone
		switch g := m.groups[j.groups[0]]; {
		case g == nil:
			code = kafka.ErrGroupIDNotFound
		case g.state != Empty:
			code = kafka.ErrNonEmptyGroup
		case !m.dropOffsets(g) || !m.dropGroup(g, "deleted by request"):
			return false
		}
		j.resp.Groups = append(j.resp.Groups, kmsg.DeleteGroupsResponseGroup{Group: j.groups[0], ErrorCode: int16(code)})
		j.groups = j.groups[1:]
	}
	m.replyCommitted(&j.req, j.resp)
	return true
}

// dropOffsets removes all offsets of a group. It reports false when the
// outcome has no room for more.
func (m *Machine) dropOffsets(g *group) bool {
	for len(g.offsets) > 0 {
		ti := len(g.offsets) - 1
		t := g.offsets[ti]
		if !m.dropOffset(g, ti, len(t.partitions)-1) {
			return false
		}
	}
	return true
}

// dropOffset removes one offset, by its indexes, if there is room to say so.
func (m *Machine) dropOffset(g *group, ti, pi int) bool {
	t := g.offsets[ti]
	rec := offsetTombstone(g.id, t.name, t.partitions[pi].partition)
	if !m.room(recordSizeMax(rec)) {
		return false
	}
	m.record(rec)
	m.removeOffsetAt(g, ti, pi)
	return true
}

// dropGroup removes an empty group without offsets, if there is room to say so.
func (m *Machine) dropGroup(g *group, reason string) bool {
	rec := groupTombstone(g.id)
	if !m.room(recordSizeMax(rec)) {
		return false
	}
	m.record(rec)
	m.kill(g)
	m.tell(GroupDeleted{Group: g.id, Reason: reason})
	return true
}
