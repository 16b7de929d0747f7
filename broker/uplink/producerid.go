package uplink

import (
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// idBlocks are the producer ids that this broker may give: a block under way
// and one in reserve. They live in memory only; after a restart new ones are
// asked for, so that no id is given twice.
type idBlocks struct {
	mu      sync.Mutex
	current idBlock
	reserve idBlock
	low     chan struct{} // one slot: a block is wanted
	arrived chan struct{} // closed and made anew when one came
}

type idBlock struct{ next, end int64 }

func (b idBlock) left() int64 { return b.end - b.next }

func (s *idBlocks) init() { s.low, s.arrived = make(chan struct{}, 1), make(chan struct{}) }

// NextProducerID gives a producer id that nobody was given before. It waits
// for a block if none is there, until stop is closed.
func (u *Uplink) NextProducerID(stop <-chan struct{}) (int64, error) {
	s := &u.ids
	for {
		s.mu.Lock()
		if s.current.left() == 0 {
			s.current, s.reserve = s.reserve, idBlock{}
		}
		if s.reserve.left() == 0 {
			select {
			case s.low <- struct{}{}:
			default:
			}
		}
		if s.current.left() > 0 {
			id := s.current.next
			s.current.next++
			s.mu.Unlock()
			return id, nil
		}
		arrived := s.arrived
		s.mu.Unlock()
		select {
		case <-arrived:
		case <-stop:
			return 0, errStopped
		case <-u.stop:
			return 0, ErrClosed
		}
	}
}

// allocate fetches blocks as they are wanted.
func (u *Uplink) allocate() {
	var l *link
	defer func() { u.hangUp(l) }()
	var b backoff
	for {
		select {
		case <-u.stop:
			return
		case <-u.ids.low:
		}
		for u.ids.wanted() {
			err := u.allocateBlock(&l)
			if err == nil {
				b = backoff{}
				continue
			}
			if !u.wait(&b, "AllocateProducerIds", err) {
				return
			}
		}
	}
}

func (s *idBlocks) wanted() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reserve.left() == 0
}

// allocateBlock asks for one block and puts it where it is missing.
func (u *Uplink) allocateBlock(l **link) error {
	req := kmsg.NewPtrAllocateProducerIDsRequest()
	req.BrokerID, req.BrokerEpoch = u.cfg.NodeID, u.BrokerEpoch()
	if req.BrokerEpoch < 0 {
		return fmt.Errorf("allocate producer ids: the broker is not registered")
	}
	next, resp, err := u.ask(*l, req, requestTimeout)
	*l = next
	if err != nil {
		return err
	}
	r, ok := resp.(*kmsg.AllocateProducerIDsResponse)
	if !ok {
		return fmt.Errorf("allocate producer ids: answer of type %T", resp)
	}
	if err := wireError("allocate producer ids", r.ErrorCode); err != nil {
		return err
	}
	if r.ProducerIDStart < 0 || r.ProducerIDLen <= 0 {
		return fmt.Errorf("allocate producer ids: block of %d at %d", r.ProducerIDLen, r.ProducerIDStart)
	}
	s := &u.ids
	s.mu.Lock()
	defer s.mu.Unlock()
	block := idBlock{r.ProducerIDStart, r.ProducerIDStart + int64(r.ProducerIDLen)}
	if s.current.left() == 0 {
		s.current = block
	} else {
		s.reserve = block
	}
	close(s.arrived)
	s.arrived = make(chan struct{})
	return nil
}
