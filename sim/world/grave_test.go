package world_test

import (
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/moldau/moldau/internal/simcore"
	"github.com/moldau/moldau/linearizability/history"
	"github.com/moldau/moldau/sim/world"
)

// lookedAt is when it is known whether anything has outlived a process.
const lookedAt = 15 * time.Second

// TestOutlived has a goroutine of a broker start another that waits for nothing
// that will come: whether that one has ended or not is known after a crash.
func TestOutlived(t *testing.T) {
	for _, waits := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var told []history.Event
			var left []string
			w := world.New(world.Config{
				Timebase: simcore.ProcessTime{}, Streams: simcore.NewStreams(1),
				Trace: func(lane, what string) {
					if lane == "left" {
						left = append(left, what)
					}
				},
				Event: func(e history.Event) {
					if e.Kind == history.EventOutlived {
						told = append(told, e)
					}
				},
			})
			n := w.AddNode(world.NodeConfig{ID: 1})
			waited := make(chan struct{})
			end := sync.OnceFunc(func() { close(waited) })
			defer end()
			for life := range 2 {
				if err := n.Start(); err != nil {
					t.Fatal(err)
				}
				<-n.Ready()
				if life == 1 {
					n.Fence().Arm(simcore.Trap{Do: func() { go forever(waited) }})
					time.Sleep(time.Second) // the bubble's time, in which the trap springs
				}
				if life == 1 && !waits {
					end()
				}
				n.Kill()
			}
			time.Sleep(lookedAt) // the bubble's time
			synctest.Wait()
			switch {
			case waits && (len(told) != 1 || told[0].Name != "n1/2" || told[0].Node != 1 || told[0].Left[0].Count != 1):
				t.Errorf("told of %+v", told)
			case waits && (len(left) != 1 || !strings.Contains(left[0], "forever")):
				t.Errorf("left: %q", left)
			case !waits && len(told)+len(left) > 0:
				t.Errorf("told of %+v: %q", told, left)
			}
		})
	}
}

func forever(never <-chan struct{}) { <-never }
