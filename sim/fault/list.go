package fault

import (
	"slices"
	"time"
)

// All are the named faults, in a fixed order.
func All() []Fault {
	return slices.Concat(processFaults())
}

func processFaults() []Fault {
	return []Fault{
		{
			Name: "kill", Weight: 60, Every: 10 * time.Second, Marks: []string{"process.kill"},
			About:  "SIGKILL at any moment; the process is started again within two seconds. Nothing that was written is lost.",
			Strike: func(s *Site) { s.down((*Site).kill) },
		},
		{
			Name: "power", Weight: 50, Every: 15 * time.Second, Marks: []string{"process.power loss"},
			About:  "Power loss: what was synced stays, of the rest any part. At durability sync no acknowledged record is lost.",
			Strike: func(s *Site) { s.down((*Site).power) },
		},
	}
}

func (s *Site) kill()  { s.Node.Kill() }
func (s *Site) power() { s.Node.PowerLoss() }

// down ends the node's process and starts it again.
func (s *Site) down(end func(*Site)) {
	release, ok := s.Keep()
	if !ok {
		return
	}
	defer release()
	s.Trace("%s", s.Node.Host)
	end(s)
	s.Hold(s.Between(0, 2*time.Second))
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
