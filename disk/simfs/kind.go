package simfs

// Kind is a kind of fault.
type Kind int

// The faults of single calls, which Faults draws and Disk.Once injects.
const (
	ReadError  Kind = iota // a read fails
	FlipOnRead             // a read returns a wrong bit; the next may not
	Rot                    // a read finds a wrong bit, which stays
	WriteError             // a write fails after some of its sectors
	LostWrite              // a write seems to succeed, and is not there
	Misdirect              // a write lands somewhere else, in its file or another
	SyncError              // a sync fails and drops what it was to write
	NameError              // a create, rename, remove, mkdir or sync of a directory fails
	Slow                   // a call takes long
	// kinds is the number of those.
	kinds

	// Gone: a directory's disk is lost, or came back empty. Disk.LoseDir and
	// Disk.Replace inflict it.
	Gone
)

var kindNames = [...]string{"readerror", "flip", "rot", "writeerror", "lostwrite", "misdirect", "syncerror", "nameerror", "slow", "", "gone"}

func (k Kind) String() string { return kindNames[k] }

// TakesCopy reports whether the fault damages, unnoticed, what was durable:
// the node's copy is lost for the promise, which only other copies keep. Of
// all other faults a node that did as it promised loses nothing.
func (k Kind) TakesCopy() bool {
	return k == Rot || k == LostWrite || k == Misdirect || k == Gone
}

// Told reports whether the process learns of the fault by an error.
func (k Kind) Told() bool {
	return k == ReadError || k == WriteError || k == SyncError || k == NameError || k == Gone
}
