package group

import (
	"flag"
	"fmt"
	"regexp"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// deeper adds moves to the paths of TestExplore.
var deeper = flag.Int("explore.deeper", 0, "moves beyond the usual depth of TestExplore")

// exploreMax bounds the states that one exploration may visit.
const exploreMax = 200_000

// move is one thing that can happen in the small world.
type move struct {
	name  string
	actor int // -1: the coordinator or time
	do    func(m *model, a *actor)
}

func moves(actors int) []move {
	var out []move
	for i := range actors {
		out = append(out,
			move{"step", i, func(m *model, a *actor) { m.step(a) }},
			move{"restart", i, func(m *model, a *actor) { *a = actor{name: a.name, instance: a.instance} }},
			move{"leave", i, func(m *model, a *actor) {
				r := kmsg.NewPtrLeaveGroupRequest()
				r.Group = m.groupID
				r.Members = []kmsg.LeaveGroupRequestMember{{MemberID: a.id, InstanceID: a.instance}}
				m.track(a, r, 5, false)
				*a = actor{name: a.name, instance: a.instance}
			}},
		)
	}
	return append(out,
		move{"next-deadline", -1, func(m *model, _ *actor) {
			at, ok := m.rt.Deadline()
			if in := max(at.Sub(m.world.t.Mono), 0); ok && in < time.Hour {
				m.pass(in)
			}
		}},
		move{"hold", -1, func(m *model, _ *actor) { m.hold = true }},
		move{"take-over", -1, func(m *model, _ *actor) { m.takeOver() }},
		move{"crash", -1, func(m *model, _ *actor) {
			m.hold = false
			m.load()
		}},
	)
}

// run makes the world that a path of moves leads to.
func run(t *testing.T, all []move, actors, static int, path []int) *model {
	m := newModel(t, testConfig(), actors, static)
	for _, i := range path {
		var a *actor
		if all[i].actor >= 0 {
			a = m.actors[all[i].actor]
		}
		all[i].do(m, a)
		m.checkInside()
	}
	return m
}

var (
	anyID    = regexp.MustCompile(`[a-d]#[0-9]+|i[a-d]#[0-9]+`)
	anySince = regexp.MustCompile(` since=[0-9]+`)
)

// normal is a fingerprint in which ids count from their first appearance and
// wall time is left out.
func normal(fingerprint string) string {
	seen := map[string]string{}
	s := anyID.ReplaceAllStringFunc(short(fingerprint), func(id string) string {
		if seen[id] == "" {
			seen[id] = fmt.Sprintf("<%d>", len(seen))
		}
		return seen[id]
	})
	return anySince.ReplaceAllString(s, "")
}

// TestExplore visits every state that a few members, failing in every way,
// can bring a group into within a bounded number of moves, and checks that
// from each of them the group comes to rest once everybody keeps the protocol:
// there is no stuck state.
func TestExplore(t *testing.T) {
	for _, world := range []struct{ actors, static, depth int }{
		{2, 0, 7}, {2, 1, 6}, {2, 2, 6}, {3, 0, 5}, {3, 1, 5},
	} {
		t.Run(fmt.Sprintf("actors=%d,static=%d", world.actors, world.static), func(t *testing.T) {
			depth := world.depth + *deeper
			all := moves(world.actors)
			seen := map[string]bool{}
			frontier := [][]int{nil}
			for d := 0; d <= depth; d++ {
				var next [][]int
				for _, path := range frontier {
					m := run(t, all, world.actors, world.static, path)
					print := normal(m.fingerprint())
					if seen[print] {
						continue
					}
					seen[print] = true
					if len(seen) > exploreMax {
						t.Fatalf("more than %d states at depth %d", exploreMax, d)
					}
					m.checkReload()
					m.hold = false
					m.commit()
					m.behave()
					m.checkReload()
					if left := m.rt.Waiting(); left != 0 {
						t.Fatalf("%d requests have no answer though all is at rest", left)
					}
					for i := range all {
						next = append(next, append(path[:len(path):len(path)], i))
					}
				}
				frontier = next
			}
			t.Logf("%d states", len(seen))
		})
	}
}
