package raftmeta

import "errors"

// errGone: the file system ended the call together with its goroutine.
var errGone = errors.New("the node is gone")

// outlive runs f on a goroutine of its own. The file system of a node that is
// gone ends whoever calls it (a simulated crash); raft's goroutine for snapshots
// must outlive that, as who waits for a snapshot waits for its answer alone.
func outlive(f func() error) error {
	err := errGone
	done := make(chan struct{})
	go func() {
		defer close(done)
		err = f()
	}()
	<-done
	return err
}
