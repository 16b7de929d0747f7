package linearizability

import (
	"cmp"
	"slices"

	"github.com/moldau/moldau/linearizability/history"
)

// checkGroups looks at who owned what in which generation, and at committed
// offsets by direct rules; the search for an order is the registers checker's.
func checkGroups(r *run) {
	byGroup := map[string][]*history.Op{}
	var names []string
	for _, op := range r.ops {
		name := ""
		switch {
		case op.Group != nil:
			name = op.Group.Group
		case op.Offset != nil:
			name = op.Offset.Group
		}
		if name == "" {
			continue
		}
		if byGroup[name] == nil {
			names = append(names, name)
		}
		byGroup[name] = append(byGroup[name], op)
	}
	slices.Sort(names)
	for _, name := range names {
		ops := byGroup[name]
		g := &groupCheck{run: r, name: name, ops: ops}
		g.eras = g.newEras()
		g.owners()
		g.generations()
		g.committed()
		g.converged()
	}
}

// groupCheck is the check of one group, its operations by invoke.
type groupCheck struct {
	*run
	name string
	ops  []*history.Op
	eras []int64 // when it was lawfully forgotten
}

// newEras returns the times at which the group had lawfully been forgotten.
func (g *groupCheck) newEras() (eras []int64) {
	for _, event := range g.events {
		if event.Kind == history.EventGroupReset && event.Name == g.name {
			eras = append(eras, event.At)
		}
	}
	for _, op := range g.ops {
		if op.Kind == history.KindDeleteGroup && op.OK() {
			eras = append(eras, op.Return)
		}
	}
	slices.Sort(eras)
	return eras
}

// era counts how often the group had been forgotten by a time. Generations begin
// anew then.
func (g *groupCheck) era(at int64) int {
	return searchInts(g.eras, at+1)
}

// owners: in a generation of the classic protocol, or a member epoch, a
// partition has one owner.
func (g *groupCheck) owners() {
	type place struct {
		era        int
		generation int32
		part       history.TopicPartition
	}
	owner := map[place]*history.Op{}
	for _, op := range g.ops {
		if op.Kind != history.KindAssign || !op.OK() {
			continue
		}
		era := g.era(op.Invoke)
		for _, part := range op.Group.Partitions {
			key := place{era, op.Group.Generation, part}
			if before := owner[key]; before != nil && before.Group.Member != op.Group.Member && !g.released(before, op, part) {
				g.violation("two-owners", []*history.Op{before, op}, "group %s generation %d: %s belongs to %q and to %q",
					g.name, op.Group.Generation, g.index.name(part), before.Group.Member, op.Group.Member)
			}
			owner[key] = op
		}
	}
}

// released reports whether, under the protocol of KIP-848, a member gave a
// partition up between two answers of the same epoch: a later answer to it,
// asked for before the new owner's, comes without.
func (g *groupCheck) released(before, after *history.Op, part history.TopicPartition) bool {
	if !before.Group.Consumer {
		return false
	}
	for _, op := range g.ops {
		if op.Group != nil && op.Group.Member == before.Group.Member && op.Invoke >= before.Return && op.Invoke <= after.Return &&
			(op.Kind == history.KindLeaveGroup || op.Kind == history.KindAssign && !slices.Contains(op.Group.Partitions, part)) {
			return true
		}
	}
	return false
}

// generations: whoever joins later does not get an older generation; and who
// commits with one that the group had left behind is refused (classic protocol;
// under KIP-848 epochs are each member's own).
func (g *groupCheck) generations() {
	var newest *history.Op
	members := map[string]*history.Op{}
	newer := func(op, than *history.Op) bool {
		if than == nil || g.era(op.Invoke) != g.era(than.Invoke) {
			return than == nil || g.era(op.Invoke) > g.era(than.Invoke)
		}
		return op.Group.Generation > than.Group.Generation
	}
	sweep(g.ops, func(op *history.Op) {
		if op.Kind != history.KindAssign || !op.OK() {
			return
		}
		if !op.Group.Consumer && newer(op, newest) {
			newest = op
		}
		if newer(op, members[op.Group.Member]) {
			members[op.Group.Member] = op
		}
	}, func(op *history.Op) {
		switch {
		case !op.OK():
		case op.Kind == history.KindAssign:
			before := members[op.Group.Member]
			if !op.Group.Consumer {
				before = newest
			}
			if g.behind(op, op.Group.Generation, before) && op.Group.Generation > 0 {
				g.violation("generation-back", []*history.Op{before, op}, "group %s: %q got generation %d after %q had got %d", g.name, op.Group.Member, op.Group.Generation, before.Group.Member, before.Group.Generation)
			}
		case op.Kind == history.KindCommitOffset && op.Offset.Generation >= 0 && g.behind(op, op.Offset.Generation, newest):
			g.violation("stale-commit", []*history.Op{newest, op}, "group %s: a commit of generation %d was accepted after generation %d had begun", g.name, op.Offset.Generation, newest.Group.Generation)
		}
	})
}

// behind reports whether a generation is older than one answered before, the
// group not having been forgotten in between.
func (g *groupCheck) behind(op *history.Op, generation int32, before *history.Op) bool {
	return before != nil && generation < before.Group.Generation && g.era(before.Invoke) == g.era(op.Return)
}

// committed: an offset that is fetched was committed, and not replaced by
// another commit that began after it was over and was itself over before the
// fetch began.
func (g *groupCheck) committed() {
	byPart := map[history.TopicPartition][]*history.Op{}
	var parts []history.TopicPartition
	for _, op := range g.ops {
		if op.Offset != nil && op.Outcome != history.OutcomeFailed && g.topicLives(op) {
			key := history.TopicPartition{Topic: op.Topic, Partition: op.Partition}
			if byPart[key] == nil {
				parts = append(parts, key)
			}
			byPart[key] = append(byPart[key], op)
		}
	}
	slices.SortFunc(parts, func(a, b history.TopicPartition) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	for _, part := range parts {
		g.committedOf(part, byPart[part])
	}
}

func (g *groupCheck) committedOf(part history.TopicPartition, ops []*history.Op) {
	writes := map[string][]*history.Op{}
	for _, op := range ops {
		if op.Kind == history.KindCommitOffset {
			writes[offsetValue(op.Offset)] = append(writes[offsetValue(op.Offset)], op)
		}
	}
	forgets := g.forgetting(&register{ops: []access{{op: ops[0]}}})
	var newest *history.Op // of the acknowledged commits that are over, the one invoked last
	sweep(ops, func(op *history.Op) {
		if op.Kind == history.KindCommitOffset && op.OK() && (newest == nil || op.Invoke > newest.Invoke) {
			newest = op
		}
	}, func(op *history.Op) {
		if op.Kind != history.KindFetchOffset || !op.OK() {
			return
		}
		value := offsetValue(op.Offset)
		if value != "-1" && (len(writes[value]) == 0 || writes[value][0].Invoke > op.Return) {
			g.violation("uncommitted-offset", []*history.Op{op}, "group %s: offset %d of %s was fetched and never committed", g.name, op.Offset.Value, g.index.name(part))
			return
		}
		if newest == nil || slices.ContainsFunc(forgets, func(at int64) bool { return at >= newest.Invoke && at <= op.Return }) {
			return
		}
		if !openAt(writes[value], newest.Invoke, op.Return) {
			g.violation("stale-offset", []*history.Op{newest, op}, "group %s: offset %d of %s was fetched after %d had been committed", g.name, op.Offset.Value, g.index.name(part), newest.Offset.Value)
		}
	})
	g.coordinators(part, ops)
}

// openAt reports whether one of some writes, by invoke, was not over at one time
// and had begun by another. The latest are looked at first.
func openAt(writes []*history.Op, from, by int64) bool {
	for _, w := range slices.Backward(writes) {
		if w.Invoke <= by && (!w.OK() || w.Return >= from) {
			return true
		}
	}
	return false
}

// coordinators: the coordinator epoch that answers does not fall, by real time.
func (g *groupCheck) coordinators(part history.TopicPartition, ops []*history.Op) {
	var newest *history.Op
	sweep(ops, func(op *history.Op) {
		if op.OK() && op.Offset.CoordinatorEpoch >= 0 && (newest == nil || op.Offset.CoordinatorEpoch > newest.Offset.CoordinatorEpoch) {
			newest = op
		}
	}, func(op *history.Op) {
		if op.OK() && newest != nil && op.Offset.CoordinatorEpoch >= 0 && op.Offset.CoordinatorEpoch < newest.Offset.CoordinatorEpoch {
			g.violation("stale-coordinator", []*history.Op{newest, op}, "group %s, %s: a coordinator of epoch %d answered after one of %d", g.name, g.index.name(part), op.Offset.CoordinatorEpoch, newest.Offset.CoordinatorEpoch)
		}
	})
}

// converged: once all is healed and the deadline is over, the members that are
// left agree on a generation and own every partition subscribed to.
func (g *groupCheck) converged() {
	healed := g.healed()
	if healed == nil || g.h.End < healed.At+healed.DeadlineNs {
		return
	}
	last := map[string]*history.Op{}
	for _, op := range g.ops {
		if op.Group == nil || op.Outcome == history.OutcomeFailed || op.Kind == history.KindDeleteGroup {
			continue
		}
		last[op.Client] = op // a client is one member at a time
	}
	var members []*history.Op
	for _, op := range last {
		if op.Kind == history.KindAssign && op.OK() && slices.Contains(healed.Clients, op.Client) {
			members = append(members, op)
		}
	}
	sortOps(members)
	g.agreed(members)
}

func (g *groupCheck) agreed(members []*history.Op) {
	owned := map[history.TopicPartition]bool{}
	for _, op := range members {
		if first := members[0]; op.Group.Generation != first.Group.Generation && !op.Group.Consumer {
			g.violation("not-converged", []*history.Op{first, op}, "group %s: in the end %q is in generation %d, %q in %d", g.name, first.Group.Member, first.Group.Generation, op.Group.Member, op.Group.Generation)
			return
		}
		for _, part := range op.Group.Partitions {
			owned[part] = true
		}
	}
	for _, op := range members {
		for _, id := range op.Group.Topics {
			topic := g.topics[id]
			if topic == nil || g.topicGone(id) {
				continue
			}
			for number := range topic.Partitions {
				if part := (history.TopicPartition{Topic: id, Partition: number}); !owned[part] {
					g.violation("not-converged", []*history.Op{op}, "group %s: in the end nobody owns %s", g.name, g.index.name(part))
					return
				}
			}
		}
	}
}

// topicGone reports whether a topic may have been deleted.
func (x *index) topicGone(id string) bool {
	return slices.ContainsFunc(x.ops, func(op *history.Op) bool {
		return op.Kind == history.KindDeleteTopic && op.Topic == id && op.Outcome != history.OutcomeFailed
	})
}

// healed is the last mark that faults are over, nil if there is none.
func (x *index) healed() *history.Event {
	for _, event := range slices.Backward(x.events) {
		if event.Kind == history.EventHealed {
			return event
		}
	}
	return nil
}
