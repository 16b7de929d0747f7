package replica

// Marks are what who watches a replica compares.
type Marks struct {
	LEO           int64
	HighWatermark int64
	LogStart      int64
	LeaderEpoch   int32
	Leader        int32 // -1 for none
	// Leading: this replica leads, and is online.
	Leading bool
}

// Marks are those of now.
func (r *Replica) Marks() Marks {
	return Marks{
		LEO: r.leo, HighWatermark: r.hw, LogStart: r.log.LogStart(),
		LeaderEpoch: r.role.LeaderEpoch, Leader: r.role.Leader, Leading: r.leading,
	}
}
