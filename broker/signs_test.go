package broker

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/moldau/moldau/broker/uplink"
	"github.com/moldau/moldau/clock"
)

// What each sign makes of the three answers: whether a restart helps, whether
// clients should come, and what an operator is told, with the time.
func TestSigns(t *testing.T) {
	const (
		now  = clock.Mono(time.Hour)
		wall = int64(1_700_000_000_000) // 2023-11-14T22:13:20Z
	)
	ago := func(d time.Duration) clock.Mono { return now.Add(-d) }
	fault := errors.New("gone")
	for name, c := range map[string]struct {
		change        func(s *signs)
		live, healthy string
		troubles      []string
	}{
		"well":     {func(*signs) {}, "", "", nil},
		"starting": {func(s *signs) { *s = signs{running: errors.New("starting"), now: now} }, "", "starting", nil},
		"stuck shard": {func(s *signs) { s.shard, s.round = 3, ago(stuckAfter+time.Second) },
			"shard 3 stands still since 2023-11-14T22:12:49Z", "shard 3 stands still since 2023-11-14T22:12:49Z",
			[]string{"shard 3 stands still since 2023-11-14T22:12:49Z"}},
		"slow shard": {func(s *signs) { s.round = ago(stuckAfter) }, "", "", nil},
		"fenced": {func(s *signs) { s.contact.Fenced, s.contact.FencedSince = true, ago(5*time.Second) },
			"", "fenced since 2023-11-14T22:13:15Z", []string{"fenced since 2023-11-14T22:13:15Z"}},
		"no controller": {func(s *signs) { s.contact.Answered = ago(10 * time.Second) },
			"", "", []string{"no controller answers since 2023-11-14T22:13:10Z"}},
		"late controller": {func(s *signs) { s.contact.Answered = ago(9 * time.Second) }, "", "", nil},
		"hung sync": {func(s *signs) { s.dirs[1].sync = 4 * time.Second },
			"", "", []string{"log directory b has not finished a sync since 2023-11-14T22:13:16Z"}},
		"slow sync": {func(s *signs) { s.dirs[1].sync = 3 * time.Second }, "", "", nil},
		"one directory lost": {func(s *signs) {
			s.dirs[1].err, s.dirs[1].sync, s.lost = fault, time.Minute, []lostDir{{"b", ago(time.Minute), fault}}
		}, "", "", []string{"log directory b is offline (gone) since 2023-11-14T22:12:20Z"}},
		"all directories lost": {func(s *signs) { s.dirs[0].err, s.dirs[1].err = fault, fault }, "", "all 2 log directories are offline", nil},
		"everything": {func(s *signs) {
			s.round, s.contact, s.dirs[0].sync = 0, uplink.Contact{Fenced: true}, time.Minute
		}, "shard 0 stands still since 2023-11-14T21:13:20Z", "shard 0 stands still since 2023-11-14T21:13:20Z", []string{
			"log directory a has not finished a sync since 2023-11-14T22:12:20Z", "no controller answers since 2023-11-14T21:13:20Z",
			"fenced since 2023-11-14T21:13:20Z", "shard 0 stands still since 2023-11-14T21:13:20Z",
		}},
	} {
		s := signs{
			now: now, wall: wall, round: ago(100 * time.Millisecond), session: 9 * time.Second, stall: 3 * time.Second,
			contact: uplink.Contact{Answered: ago(2 * time.Second)}, dirs: []dirSigns{{path: "a"}, {path: "b"}},
		}
		c.change(&s)
		if got := text(s.live()); got != c.live {
			t.Errorf("%s: live: %q, want %q", name, got, c.live)
		}
		if got := text(s.healthy()); got != c.healthy {
			t.Errorf("%s: healthy: %q, want %q", name, got, c.healthy)
		}
		if got := s.troubles(); !slices.Equal(got, c.troubles) {
			t.Errorf("%s: troubles %q, want %q", name, got, c.troubles)
		}
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
