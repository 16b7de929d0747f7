package raftmeta

// writeLock is a lock that is held over calls to the disk. Who waits for it waits
// at a channel, as for time and answers: where time is simulated it goes on
// meanwhile, which it does not while somebody waits for a sync.Mutex.
type writeLock chan struct{}

func newWriteLock() writeLock { return make(writeLock, 1) }

func (l writeLock) Lock()   { l <- struct{}{} }
func (l writeLock) Unlock() { <-l }
