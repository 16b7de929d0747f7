package proc

import "time"

// Reading is the state of the counters at a moment.
type Reading struct {
	at             time.Time
	machine        Machine
	server, driver time.Duration
	kernel         map[int]time.Duration
}

// Read reads the counters of the machine, of the driver and of the servers. A
// driver of 0 is none: the server drives itself. The time is now's, asked for
// beside the machine's counters, since a busy machine may take a while over the
// others.
func (f FS) Read(now func() time.Time, driver int, servers ...int) (Reading, error) {
	var r Reading
	for _, pid := range servers {
		s, err := f.Process(pid)
		if err != nil {
			return r, err
		}
		r.server += s.CPU
	}
	var err error
	if driver != 0 {
		d, err := f.Process(driver)
		if err != nil {
			return r, err
		}
		r.driver = d.CPU
	}
	if r.kernel, err = f.kernelThreads(); err != nil {
		return r, err
	}
	r.machine, err = f.Machine()
	r.at = now()
	return r, err
}

// Usage is who had the processors between two readings.
type Usage struct {
	Wall                           time.Duration
	Server, Driver, Kernel, Others time.Duration // of processor time; Server is all servers'
	// OthersShare is the part of the whole machine's time (wall times
	// processors) that others had, 0 to 1.
	OthersShare float64

	cpus int
}

// Without takes a further process's time out of the others'.
func (u Usage) Without(cpu time.Duration) Usage {
	u.Others = max(0, u.Others-cpu)
	u.OthersShare = 0
	if whole := u.Wall * time.Duration(u.cpus); whole > 0 {
		u.OthersShare = float64(u.Others) / float64(whole)
	}
	return u
}

// Since is what was used from before to r. Others is what is left of the
// machine's busy time: it counts every other process and the time that the
// host of a virtual machine took. The kernel's threads (write-back, journal of
// the file system) are apart: mostly they work for the server.
func (r Reading) Since(before Reading) Usage {
	u := Usage{
		Wall:   r.at.Sub(before.at),
		Server: r.server - before.server, Driver: r.driver - before.driver,
	}
	for pid, cpu := range r.kernel {
		u.Kernel += max(0, cpu-before.kernel[pid]) // a new thread counts from 0
	}
	u.Others = max(0, r.machine.Busy-before.machine.Busy-u.Server-u.Driver-u.Kernel)
	u.cpus = r.machine.CPUs
	return u.Without(0)
}
