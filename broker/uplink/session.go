package uplink

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/metarecord"
)

// Versions of the requests that the session sends.
const (
	registrationVersion = 4
	heartbeatVersion    = 2
)

// session keeps the broker registered, and one goroutine for each controller
// that sends it heartbeats.
func (u *Uplink) session() {
	var l *link
	defer func() { u.hangUp(l) }()
	timer := u.cfg.Clock.NewTimer(0)
	defer timer.Stop()
	attended := map[string]chan struct{}{}
	var b backoff
	for {
		hurries := u.state.hurries()
		if u.state.unregistered() {
			err := u.register(&l)
			var fatal fatalError
			switch {
			case errors.As(err, &fatal):
				u.state.update(func() { u.state.failed = err })
				u.cfg.OnFailure(err)
				return
			case err != nil:
				if !u.wait(&b, "registration", err) {
					return
				}
				continue
			}
			b = backoff{}
			u.state.hurry()
		}
		u.attendAll(attended)
		select {
		case <-u.stop:
			return
		case <-hurries:
		case <-timer.C():
			timer.Reset(u.cfg.HeartbeatInterval)
		}
	}
}

// register sends the registration with the proof of the log directories. The
// proof is asked anew each time, since the metadata may have gone on.
func (u *Uplink) register(l **link) error {
	req := kmsg.NewPtrBrokerRegistrationRequest()
	req.SetVersion(registrationVersion)
	req.BrokerID, req.ClusterID, req.IncarnationID = u.cfg.NodeID, u.cfg.ClusterID, u.cfg.Incarnation
	req.PreviousBrokerEpoch = u.cfg.PreviousEpoch
	if u.cfg.Rack != "" {
		req.Rack = &u.cfg.Rack
	}
	for _, e := range u.cfg.Listeners {
		rl := kmsg.NewBrokerRegistrationRequestListener()
		rl.Name, rl.Host, rl.Port, rl.SecurityProtocol = e.Name, e.Host, e.Port, e.SecurityProtocol
		req.Listeners = append(req.Listeners, rl)
	}
	for _, f := range u.cfg.Features {
		rf := kmsg.NewBrokerRegistrationRequestFeature()
		rf.Name, rf.MinSupportedVersion, rf.MaxSupportedVersion = f.Name, f.Min, f.Max
		req.Features = append(req.Features, rf)
	}
	for _, d := range u.cfg.Directories {
		req.LogDirs = append(req.LogDirs, d)
	}
	if u.cfg.Proof != nil {
		proof := u.cfg.Proof()
		proof.SetOn(req)
	}
	next, resp, err := u.ask(*l, req, requestTimeout)
	*l = next
	if err != nil {
		return err
	}
	r, ok := resp.(*kmsg.BrokerRegistrationResponse)
	if !ok {
		return fmt.Errorf("register broker: answer of type %T", resp)
	}
	switch kafka.ErrorCode(r.ErrorCode) {
	case kafka.ErrNone:
	case kafka.ErrUnsupportedVersion, kafka.ErrInvalidRegistration, kafka.ErrInvalidRequest:
		return fatalError{wireError("register broker", r.ErrorCode)}
	default: // another incarnation lives (for now), or the controller is young
		err := wireError("register broker", r.ErrorCode)
		u.state.update(func() { u.state.refused = err })
		return err
	}
	u.state.update(func() { u.state.epoch, u.state.fenced, u.state.refused = r.BrokerEpoch, true, nil })
	u.cfg.Events.Emit(Registered{Node: u.cfg.NodeID, Epoch: r.BrokerEpoch})
	return nil
}

// key names a controller while it is attended to.
func (c Controller) key() string {
	if c.Node == UnknownNode && len(c.Addresses) > 0 {
		return c.Addresses[0]
	}
	return strconv.Itoa(int(c.Node))
}

// attendAll starts and ends the goroutines that send heartbeats, as controllers
// come and go.
func (u *Uplink) attendAll(attended map[string]chan struct{}) {
	known := map[string]bool{}
	for _, c := range u.cfg.Controllers() {
		key := c.key()
		known[key] = true
		if attended[key] == nil && len(attended) < controllersMax {
			end := make(chan struct{})
			attended[key] = end
			u.start(func() { u.attend(key, end) })
		}
	}
	for key, end := range attended { //det:ok each is judged alone
		if !known[key] {
			close(end)
			delete(attended, key)
		}
	}
}

// attend sends heartbeats to one controller, on a connection whose break tells
// it at once that the broker is gone. The active controller answers them; the
// others remember who was silent, for when they become it.
func (u *Uplink) attend(key string, end <-chan struct{}) {
	var l *link
	defer func() { u.hangUp(l) }()
	timer := u.cfg.Clock.NewTimer(0)
	defer timer.Stop()
	var b backoff
	for {
		hurries := u.state.hurries()
		if err := u.beat(&l, key); err != nil {
			if !u.wait(&b, "heartbeat", err) {
				return
			}
		} else {
			b = backoff{}
			timer.Reset(u.cfg.HeartbeatInterval)
			select {
			case <-hurries:
			case <-timer.C():
			case <-u.stop:
			case <-end:
			}
		}
		if u.closed() || isClosed(end) {
			return
		}
	}
}

func isClosed(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}

// beat sends one heartbeat to a controller, if the broker is registered.
func (u *Uplink) beat(l **link, key string) error {
	if u.BrokerEpoch() < 0 {
		return nil
	}
	if *l == nil {
		controllers := u.cfg.Controllers()
		i := slices.IndexFunc(controllers, func(c Controller) bool { return c.key() == key })
		if i < 0 {
			return nil
		}
		var err error
		if *l, err = u.dial(u.target.reach(controllers[i]), nil); err != nil {
			return err
		}
	}
	resp, err := u.heartbeat(*l)
	if err != nil {
		u.target.wrong((*l).place)
		u.hangUp(*l)
		*l = nil
		return err
	}
	return u.beaten((*l).place, resp)
}

// heartbeatSent is a heartbeat and its answer.
type heartbeatSent struct {
	req  *kmsg.BrokerHeartbeatRequest
	resp *kmsg.BrokerHeartbeatResponse
}

// heartbeat sends one heartbeat.
func (u *Uplink) heartbeat(l *link) (s heartbeatSent, err error) {
	req := kmsg.NewPtrBrokerHeartbeatRequest()
	req.SetVersion(heartbeatVersion)
	u.state.mu.Lock()
	req.BrokerID, req.BrokerEpoch = u.cfg.NodeID, u.state.epoch
	req.WantFence, req.WantShutdown = !u.state.ready, u.state.leaving
	u.state.mu.Unlock()
	req.CurrentMetadataOffset = u.appliedOffset()
	if u.cfg.DirectoryStatus != nil {
		status := u.cfg.DirectoryStatus()
		for _, d := range status.Offline {
			req.OfflineLogDirs = append(req.OfflineLogDirs, d)
		}
		req.CordonedLogDirs = [][16]byte{} // not null: those of before are no longer cordoned
		for _, d := range status.Cordoned {
			req.CordonedLogDirs = append(req.CordonedLogDirs, d)
		}
		metarecord.SetStalledDirs(req, status.Stalled)
	}
	resp, err := l.roundTrip(req, requestTimeout)
	if err != nil {
		return s, err
	}
	r, ok := resp.(*kmsg.BrokerHeartbeatResponse)
	if !ok {
		return s, fmt.Errorf("heartbeat: answer of type %T", resp)
	}
	return heartbeatSent{req, r}, nil
}

// beaten takes in the answer to a heartbeat that was sent to a place.
func (u *Uplink) beaten(at place, s heartbeatSent) error {
	req, r := s.req, s.resp
	switch kafka.ErrorCode(r.ErrorCode) {
	case kafka.ErrNone:
	case kafka.ErrNotController:
		u.target.wrong(at) // it has heard us all the same
		return nil
	case kafka.ErrStaleBrokerEpoch, kafka.ErrBrokerIDNotRegistered:
		if u.target.isActive(at) {
			u.unregister(req.BrokerEpoch)
		}
		return wireError("heartbeat", r.ErrorCode)
	default:
		return wireError("heartbeat", r.ErrorCode)
	}
	if u.target.active(at) {
		u.redirect(at)
	}
	now := u.cfg.Clock.Mono()
	u.state.mu.Lock()
	was, released := u.state.fenced, u.state.released
	u.state.answered = now
	if was != r.IsFenced {
		u.state.turned = now
	}
	u.state.mu.Unlock()
	if was != r.IsFenced || released != r.ShouldShutdown {
		u.state.update(func() { u.state.fenced, u.state.released = r.IsFenced, r.ShouldShutdown })
	}
	if was != r.IsFenced {
		u.cfg.Events.Emit(Fenced{Node: u.cfg.NodeID, Fenced: r.IsFenced})
	}
	if r.IsFenced && !req.WantFence {
		u.hurryWhenApplied(req.CurrentMetadataOffset)
	}
	return nil
}

// unregister begins anew when the registration of an epoch is not in force any more.
func (u *Uplink) unregister(epoch int64) {
	now := u.cfg.Clock.Mono()
	u.state.update(func() {
		if u.state.epoch != epoch {
			return
		}
		if !u.state.fenced {
			u.state.turned = now
		}
		u.state.epoch, u.state.fenced = -1, true
	})
	u.state.hurry()
}

func (u *Uplink) appliedOffset() int64 {
	if u.cfg.AppliedOffset != nil {
		return u.cfg.AppliedOffset()
	}
	return u.cfg.Holder.Load().Offset()
}

// hurryWhenApplied sends the next heartbeat at once if more metadata has been
// applied than the last one told: the controller unfences who has caught up.
func (u *Uplink) hurryWhenApplied(told int64) {
	if u.appliedOffset() > told {
		u.state.hurry()
	}
}
