package fault

import (
	"time"

	"github.com/moldau/moldau/linearizability/history"
)

// SkewMax is the most by which a fault moves a node's wall clock off.
const SkewMax = 10 * time.Minute

func clockFaults() []Fault {
	return []Fault{
		{
			Name: "clock-jump", Weight: 40, Every: 10 * time.Second, Marks: []string{"clock.jump"},
			About: "The node's wall clock jumps, either way, up to ten minutes off. Sessions and timeouts do not notice.",
			Strike: func(s *Site) {
				to := time.Duration(s.Rand.Int64N(int64(2*SkewMax))) - SkewMax
				s.Node.Clock.Jump(to - s.Node.Clock.Error())
				s.clockSet()
			},
		},
		{
			Name: "clock-drift", Weight: 30, Every: 15 * time.Second, Marks: []string{"clock.drift"},
			About: "The node's clock runs up to a tenth faster or slower for a while; its timers are early or late.",
			Strike: func(s *Site) {
				ppm := s.Rand.IntN(200_001) - 100_000
				s.Node.Clock.SetDrift(ppm)
				defer func() {
					s.Node.Clock.SetDrift(0)
					s.clockSet()
				}()
				s.Trace("%s %d ppm", s.Node.Host, ppm)
				s.Hold(s.Between(time.Second, 4*lastMax))
			},
		},
		{
			Name: "clock-coarse", Weight: 20, Every: 20 * time.Second, Marks: []string{"clock.coarse"},
			About: "The node's clock shows multiples of up to 100 ms for a while.",
			Strike: func(s *Site) {
				s.Node.Clock.SetResolution(s.Between(time.Millisecond, 100*time.Millisecond))
				defer s.Node.Clock.SetResolution(0)
				s.lastDisk()
			},
		},
	}
}

// clockSet tells the checkers how wrong the node's clock is now.
func (s *Site) clockSet() {
	off := s.Node.Clock.Error()
	s.Trace("%s is %v off", s.Node.Host, off)
	s.World.Event(history.Event{Kind: history.EventClock, Node: s.Node.ID, SkewMs: off.Milliseconds()})
}
