package fault

import (
	"strings"
	"time"

	"github.com/moldau/moldau/disk/simfs"
)

func diskFaults() []Fault {
	// share has one kind of fault hit a share of the calls for a while.
	share := func(kind simfs.Kind, most float64) func(*Site) {
		return func(s *Site) {
			part := most * (0.1 + 0.9*s.Rand.Float64())
			undo := s.Disk(func(f *simfs.Faults) { f.Share[kind] = max(f.Share[kind], part) })
			defer undo()
			s.lastDisk()
		}
	}
	return []Fault{
		{
			Name: "disk-read-error", Weight: 20, Every: 20 * time.Second, Marks: []string{"disk.readerror"},
			About:  "Reads fail for a while. A directory that was given up serves again after a restart; nothing is lost.",
			Strike: share(simfs.ReadError, 0.05),
		},
		{
			Name: "disk-write-error", Weight: 20, Every: 20 * time.Second, Marks: []string{"disk.writeerror"},
			About:  "Writes fail after some of their sectors. The log directory goes offline; after a restart nothing acknowledged is lost.",
			Strike: share(simfs.WriteError, 0.02),
		},
		{
			Name: "disk-sync-error", Weight: 30, Every: 15 * time.Second, Marks: []string{"disk.syncerror"},
			About:  "A sync fails and drops what it was to write; the next succeeds. It must never be trusted.",
			Strike: func(s *Site) { s.onceOnDisk(simfs.SyncError, nil) },
		},
		{
			Name: "disk-name-error", Weight: 20, Every: 20 * time.Second, Marks: []string{"disk.nameerror"},
			About:  "Creating, renaming, removing and syncing of directories fails.",
			Strike: share(simfs.NameError, 0.05),
		},
		{
			Name: "disk-slow", Weight: 40, Every: 10 * time.Second, Marks: []string{"disk.slow"},
			About: "Calls take up to 300 ms, syncs some milliseconds at least. Others go on meanwhile.",
			Strike: func(s *Site) {
				part, slow, sync := 0.3*s.Rand.Float64(), s.Between(time.Millisecond, 300*time.Millisecond), s.Between(0, 20*time.Millisecond)
				undo := s.Disk(func(f *simfs.Faults) {
					f.Share[simfs.Slow], f.SlowMax, f.SyncLatency = max(f.Share[simfs.Slow], part), max(f.SlowMax, slow), max(f.SyncLatency, sync)
				})
				defer undo()
				s.lastDisk()
			},
		},
		{
			Name: "disk-hang", Weight: 30, Every: 20 * time.Second, Marks: []string{"disk.hang"},
			About: "All calls on some files hang for a while, then go on as if nothing had been.",
			Strike: func(s *Site) {
				release := s.Node.Disk.Hang(s.files())
				defer release()
				s.lastDisk()
			},
		},
		{
			Name: "disk-full", Weight: 40, Every: 15 * time.Second, Marks: []string{"disk.full"},
			About: "No space is left, or nearly none, for a while. Appends are refused with an error, everything else goes on, and so do appends afterwards.",
			Strike: func(s *Site) {
				s.Node.Disk.Fill(int64(s.Rand.IntN(16)) * 4096)
				defer s.Node.Disk.Relieve()
				s.lastDisk()
			},
		},
		{
			Name: "disk-lost", Weight: 15, Every: 25 * time.Second, Marks: []string{"disk.lostdir"},
			About: "A log directory fails every call, as if its disk were unplugged, and comes back with its contents. The node serves the others.",
			Strike: func(s *Site) {
				dirs := s.Node.LogDirs()
				dir := dirs[s.Rand.IntN(len(dirs))]
				s.Node.Disk.LoseDir(dir)
				defer s.Node.Disk.ReturnDir(dir)
				s.lastDisk()
			},
		},
		{
			Name: "disk-flip", Weight: 20, Every: 15 * time.Second, Marks: []string{"disk.flip"},
			About:  "After a kill, a read of a log in recovery returns a wrong bit, the next one does not. Nothing is cut for it.",
			Strike: flip,
		},
		{
			Name: "disk-flip-read", Weight: 20, Every: 15 * time.Second, Marks: []string{"disk.flip"},
			About:  "Reads of logs return a wrong bit for a while, the next ones do not. A client does not use such an answer; nothing is given up, cut or lost for it.",
			Strike: flipReads,
		},
		{
			Name: "disk-rot", Weight: 30, Every: 20 * time.Second, Marks: []string{"disk.rot"}, Beyond: true,
			About:  "A bit of a log has changed for good. A client sees it by the checksum; another copy replaces it where there is one.",
			Strike: func(s *Site) { s.onceOnDisk(simfs.Rot, isSegment) },
		},
		{
			Name: "disk-lost-write", Weight: 30, Every: 20 * time.Second, Marks: []string{"disk.lostwrite"}, Beyond: true,
			About:  "A write to a log seems to succeed and is not there.",
			Strike: func(s *Site) { s.onceOnDisk(simfs.LostWrite, isSegment) },
		},
		{
			Name: "disk-misdirect", Weight: 30, Every: 20 * time.Second, Marks: []string{"disk.misdirect"}, Beyond: true,
			About:  "A write to a log lands somewhere else, perhaps in another partition's.",
			Strike: func(s *Site) { s.onceOnDisk(simfs.Misdirect, isSegment) },
		},
		{
			Name: "disk-replaced", Weight: 20, Every: 30 * time.Second, Marks: []string{"disk.replaced"}, Beyond: true,
			About: "A log directory other than the first comes back empty, while the node is down.",
			Strike: func(s *Site) {
				dirs := s.Node.LogDirs()
				if len(dirs) < 2 {
					return
				}
				dir := dirs[1+s.Rand.IntN(len(dirs)-1)]
				if !s.World.Atlas.Allows(s.Node.Host, dir) {
					return
				}
				s.down(func() {
					s.Node.Kill()
					if err := s.World.Replace(s.Node, dir); err != nil {
						s.Trace("%v", err)
					}
				})
			},
		},
	}
}

// flip kills the process and has the next one read a wrong bit before it serves.
func flip(s *Site) {
	s.down(func() {
		s.Node.Kill()
		cancel := s.Node.Disk.Once(simfs.FlipOnRead, isSegment)
		defer cancel()
		s.up()
		for range flipLooks {
			select {
			case <-s.Node.Ready():
				return
			case <-s.Node.Ended():
				return
			default:
			}
			if !s.Hold(flipLook) {
				return
			}
		}
	})
}

// flipReads has a read now and then return a wrong bit, for a while.
func flipReads(s *Site) {
	left := s.Between(10*time.Millisecond, lastMax)
	s.Trace("%s for %v", s.Node.Host, left)
	for left > 0 {
		cancel := s.Node.Disk.Once(simfs.FlipOnRead, isSegment)
		pause := s.Between(flipLook, flipPauseMax)
		more := s.Hold(pause)
		cancel()
		if left -= pause; !more {
			return
		}
	}
}

// flipPauseMax is the most that passes between two flipped reads.
const flipPauseMax = 200 * time.Millisecond

// A flip waits for a read until the node serves, and looks for that so often.
const (
	flipLook  = 5 * time.Millisecond
	flipLooks = 400
)

// isSegment picks the logs of partitions, not that of the metadata.
func isSegment(name string) bool {
	return strings.HasSuffix(name, ".log") && !strings.Contains(name, "__cluster_metadata")
}

// files draws which files a fault is about; nil are all.
func (s *Site) files() func(name string) bool {
	switch s.Rand.IntN(5) {
	case 0:
		return nil
	case 1:
		return func(name string) bool { return strings.Contains(name, "__cluster_metadata") }
	case 2:
		return func(name string) bool { return strings.Contains(name, "journal") }
	case 3:
		return func(name string) bool { return strings.Contains(name, "moldau.") }
	}
	return isSegment
}

// lastDisk waits while a fault of the disk lasts.
func (s *Site) lastDisk() {
	d := s.Between(10*time.Millisecond, lastMax)
	s.Trace("%s for %v", s.Node.Host, d)
	s.Hold(d)
}

// onceOnDisk has a fault hit the next call that it fits. One that takes a copy
// asks the atlas first.
func (s *Site) onceOnDisk(kind simfs.Kind, match func(string) bool) {
	if kind.TakesCopy() && !s.World.Atlas.AllowsNode(s.Node.Host) {
		return
	}
	s.Trace("%s", s.Node.Host)
	s.Node.Disk.OnceOnto(kind, match, match)
}
