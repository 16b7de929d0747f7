package raftmeta

import "errors"

// errGone: the file system or the network ended the call together with its goroutine.
var errGone = errors.New("the node is gone")

// outlive runs f on a goroutine of its own. The file system and the network of a
// node that is gone end whoever calls them (a simulated crash). Raft's goroutines
// for snapshots and for a change of leaders must outlive that, as others of raft's
// wait for their answers alone.
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
