package uplink

import (
	"errors"
	"sync"

	"github.com/moldau/moldau/clock"
)

// state is what the session knows, for all to read and to wait for.
type state struct {
	mu       sync.Mutex
	changed  chan struct{} // closed and made anew at each change
	hurried  chan struct{} // closed and made anew: heartbeats should be sent now
	wanted   bool          // the broker wants to be registered
	epoch    int64         // broker epoch, -1 before the registration
	fenced   bool
	turned   clock.Mono // when fenced changed last
	answered clock.Mono // when a controller answered last
	ready    bool       // the broker wants to be unfenced
	leaving  bool       // a controlled shutdown is wanted
	released bool       // the controller let the broker go
	refused  error      // why the last registration was not taken, nil if it was
	failed   error
}

func (s *state) init() {
	s.changed, s.hurried = make(chan struct{}), make(chan struct{})
	s.epoch, s.fenced = -1, true
}

// update changes the state and wakes who waits for it.
func (s *state) update(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
	close(s.changed)
	s.changed = make(chan struct{})
}

// hurry has heartbeats sent now.
func (s *state) hurry() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.hurried)
	s.hurried = make(chan struct{})
}

// hurries is closed by the next hurry.
func (s *state) hurries() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hurried
}

// unregistered reports whether the broker must be registered.
func (s *state) unregistered() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.wanted && s.epoch < 0
}

// Register has the broker registered, now and whenever its registration is not
// in force any more, and heartbeats sent from then on.
func (u *Uplink) Register() {
	u.state.update(func() { u.state.wanted = true })
	u.state.hurry()
}

// BrokerEpoch is the epoch of the registration in force, -1 if there is none.
func (u *Uplink) BrokerEpoch() int64 {
	u.state.mu.Lock()
	defer u.state.mu.Unlock()
	return u.state.epoch
}

// Fenced reports whether the broker is fenced, as its last heartbeat learned.
func (u *Uplink) Fenced() bool {
	u.state.mu.Lock()
	defer u.state.mu.Unlock()
	return u.state.fenced
}

// Contact is how the broker stands with the controllers.
type Contact struct {
	Answered    clock.Mono // when one answered a heartbeat last
	Fenced      bool
	FencedSince clock.Mono
}

// Contact tells how the broker stands with the controllers.
func (u *Uplink) Contact() Contact {
	u.state.mu.Lock()
	defer u.state.mu.Unlock()
	return Contact{u.state.answered, u.state.fenced, u.state.turned}
}

// SetReady says that the broker can serve: from now on it asks to be unfenced.
func (u *Uplink) SetReady() {
	u.state.update(func() { u.state.ready = true })
	u.state.hurry()
}

// WaitRegistered waits for the registration. It fails when stop is closed, the
// uplink is closed, or the cluster refuses the broker for good.
func (u *Uplink) WaitRegistered(stop <-chan struct{}) error {
	return u.await(stop, func(s *state) bool { return s.epoch >= 0 })
}

// WaitUnfenced waits until the broker is registered and unfenced; SetReady
// must have been called. It fails as WaitRegistered does.
func (u *Uplink) WaitUnfenced(stop <-chan struct{}) error {
	return u.await(stop, func(s *state) bool { return s.epoch >= 0 && !s.fenced })
}

// ControlledShutdown asks the controller to move leaderships away and waits
// until it lets the broker go (KIP-631). It fails when stop is closed first.
func (u *Uplink) ControlledShutdown(stop <-chan struct{}) error {
	u.state.update(func() { u.state.leaving = true })
	u.state.hurry()
	return u.await(stop, func(s *state) bool { return s.released })
}

// Refused is why the last registration was not taken; nil if it was, or if none
// was answered.
func (u *Uplink) Refused() error {
	u.state.mu.Lock()
	defer u.state.mu.Unlock()
	return u.state.refused
}

var errStopped = errors.New("stopped waiting")

func (u *Uplink) await(stop <-chan struct{}, holds func(*state) bool) error {
	for {
		u.state.mu.Lock()
		done, failed, changed := holds(&u.state), u.state.failed, u.state.changed
		u.state.mu.Unlock()
		switch {
		case done:
			return nil
		case failed != nil:
			return failed
		}
		select {
		case <-changed:
		case <-stop:
			return errStopped
		case <-u.stop:
			return ErrClosed
		}
	}
}
