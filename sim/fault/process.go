package fault

import (
	"time"

	"github.com/moldau/moldau/internal/simcore"
)

// Times and numbers of process faults.
const (
	downMax      = 2 * time.Second        // a process stays down for up to so long
	trapMax      = 3 * time.Second        // a trap waits for its call for so long
	pauseMax     = 4 * time.Second        // a pause lasts up to so long
	gracefulMax  = 30 * time.Second       // a graceful stop may take so long
	flutterMax   = 300 * time.Millisecond // a process of a crash loop lives up to so long
	flutters     = 6                      // crashes of a loop, at most
	trapNthMax   = 40                     // calls that a trap lets pass, at most
	recoveryMost = 400                    // the same in recovery, where any call counts
)

// killOps are the calls at which a process is killed.
var killOps = [...]simcore.Op{
	"disk.write", "disk.sync", "disk.rename", "disk.create", "disk.syncdir", "disk.truncate", "disk.remove",
	"net.write", "net.sendfile", "net.read", "clock.read",
}

func processFaults() []Fault {
	return []Fault{
		{
			Name: "kill", Weight: 60, Every: 8 * time.Second, Marks: []string{"process.kill"},
			About:  "SIGKILL at any moment, a new process within two seconds. Nothing that was written is lost.",
			Strike: func(s *Site) { s.down(func() { s.Node.Kill() }) },
		},
		{
			Name: "power", Weight: 50, Every: 12 * time.Second, Marks: []string{"process.power loss"},
			About:  "Power loss: what was synced stays, of the rest any part. At durability sync no acknowledged record is lost.",
			Strike: func(s *Site) { s.down(func() { s.Node.PowerLoss() }) },
		},
		{
			Name: "kill-at", Weight: 60, Every: 6 * time.Second, Marks: []string{"process.trap"},
			About:  "The process is killed, or the machine loses power, before, within or after a certain call to disk, network or clock.",
			Strike: func(s *Site) { s.down(s.trap) },
		},
		{
			Name: "kill-recovery", Weight: 40, Every: 15 * time.Second, Marks: []string{"process.trap"},
			About:  "After a crash the next starts crash too, at any call, up to four times. What was durable before the first stays so.",
			Strike: func(s *Site) { s.down(s.recoveries) },
		},
		{
			Name: "crash-loop", Weight: 20, Every: 20 * time.Second, Marks: []string{"process.kill"},
			About:  "Processes that live for some hundred milliseconds, one after another.",
			Strike: func(s *Site) { s.down(s.flutter) },
		},
		{
			Name: "pause", Weight: 40, Every: 10 * time.Second, Marks: []string{"process.frozen"},
			About:  "The process is frozen for up to four seconds, as by SIGSTOP, and goes on with a stale view. It must not trust it.",
			Strike: pause,
		},
		{
			Name: "stop", Weight: 40, Every: 15 * time.Second, Marks: []string{"process.exit"},
			About:  "A graceful stop and a new start. It leaves nothing to recover.",
			Strike: func(s *Site) { s.down(s.stop) },
		},
		{
			Name: "resettle", Weight: 40, Every: 20 * time.Second, Marks: []string{"process.exit", "process.kill"},
			About: "A stop, graceful or not, and a start with other settings: shards, sizes of segments and journal. They change no promise.",
			Strike: func(s *Site) {
				s.down(func() {
					if s.Rand.IntN(2) == 0 {
						s.stop()
					} else {
						s.Node.Kill()
					}
					if s.resettle != nil {
						s.Node.SetSettings(s.resettle(s.Rand))
					}
				})
			},
		},
	}
}

// down ends the node's process by end and starts it again.
func (s *Site) down(end func()) {
	release, ok := s.Keep()
	if !ok {
		return
	}
	defer release()
	s.Trace("%s", s.Node.Host)
	end()
	if !s.Node.Running() {
		s.Hold(s.Between(0, downMax))
	}
	s.up()
}

// up starts the node's process, if none runs.
func (s *Site) up() {
	if s.Node.Running() {
		return
	}
	if err := s.Node.Start(); err != nil {
		s.Trace("%v", err)
	}
}

// ending draws how a process ends.
func (s *Site) ending() simcore.Ending {
	if s.Rand.IntN(2) == 0 {
		return simcore.PowerLoss
	}
	return simcore.Kill
}

// trap ends the process at a drawn call.
func (s *Site) trap() {
	t := simcore.Trap{
		Ops: []simcore.Op{killOps[s.Rand.IntN(len(killOps))]}, Nth: 1 + s.Rand.IntN(trapNthMax),
		Where: simcore.Where(s.Rand.IntN(3)), Ending: s.ending(),
	}
	s.Trace("at %s, number %d, %v", t.Ops[0], t.Nth, t.Ending)
	disarm := s.Node.Fence().Arm(t)
	defer disarm()
	s.World.Await(s.Node.Ended(), trapMax)
}

// recoveries crashes the process, and those after it in their recovery.
func (s *Site) recoveries() {
	s.Node.Fence().Crash(s.ending())
	for range 1 + s.Rand.IntN(4) {
		s.up()
		t := simcore.Trap{Nth: 1 + s.Rand.IntN(recoveryMost), Where: simcore.Where(s.Rand.IntN(3)), Ending: s.ending()}
		disarm := s.Node.Fence().Arm(t)
		s.World.Await(s.Node.Ended(), trapMax)
		disarm()
		if s.Node.Running() {
			return
		}
	}
}

// flutter starts and kills processes in quick succession.
func (s *Site) flutter() {
	for range 2 + s.Rand.IntN(flutters-1) {
		s.Node.Fence().Crash(s.ending())
		s.up()
		if !s.Hold(s.Between(0, flutterMax)) {
			return
		}
	}
	s.Node.Kill()
}

// stop stops the process gracefully; one that does not is killed.
func (s *Site) stop() {
	if err := s.Node.Stop(gracefulMax); err != nil {
		s.Trace("%v", err)
		s.Node.Kill()
	}
}

func pause(s *Site) {
	release, ok := s.Keep()
	if !ok {
		return
	}
	defer release()
	if s.Node.Pause() {
		s.Hold(s.Between(time.Millisecond, pauseMax))
		s.Node.Resume()
	}
}
