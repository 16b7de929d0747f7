package uplink

import (
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/metarecord"
)

// Versions of the requests that the session sends.
const (
	registrationVersion = 4
	heartbeatVersion    = 2
)

// session registers the broker and sends its heartbeats, on one connection,
// whose break tells the controller at once that the broker is gone.
func (u *Uplink) session() {
	var l *link
	defer func() { u.hangUp(l) }()
	timer := u.cfg.Clock.NewTimer(0)
	defer timer.Stop()
	var b backoff
	for {
		select {
		case <-u.stop:
			return
		case <-u.state.wake:
		case <-timer.C():
		}
		err := u.beat(&l)
		var fatal fatalError
		switch {
		case errors.As(err, &fatal):
			u.state.update(func() { u.state.failed = err })
			u.cfg.OnFailure(err)
			return
		case err != nil:
			if !u.wait(&b, "heartbeat", err) {
				return
			}
			timer.Reset(0)
		default:
			b = backoff{}
			timer.Reset(u.cfg.HeartbeatInterval)
		}
	}
}

// beat registers the broker if it is not, and sends a heartbeat.
func (u *Uplink) beat(l **link) error {
	if u.BrokerEpoch() < 0 {
		if err := u.register(l); err != nil {
			return err
		}
	}
	return u.heartbeat(l)
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
		return wireError("register broker", r.ErrorCode)
	}
	u.state.update(func() { u.state.epoch, u.state.fenced = r.BrokerEpoch, true })
	u.cfg.Events.Emit(Registered{Node: u.cfg.NodeID, Epoch: r.BrokerEpoch})
	return nil
}

// heartbeat sends one heartbeat and takes its answer in.
func (u *Uplink) heartbeat(l **link) error {
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
	next, resp, err := u.ask(*l, req, requestTimeout)
	*l = next
	if err != nil {
		return err
	}
	r, ok := resp.(*kmsg.BrokerHeartbeatResponse)
	if !ok {
		return fmt.Errorf("heartbeat: answer of type %T", resp)
	}
	switch kafka.ErrorCode(r.ErrorCode) {
	case kafka.ErrNone:
	case kafka.ErrStaleBrokerEpoch, kafka.ErrBrokerIDNotRegistered:
		// The registration is not in force any more: begin anew.
		now := u.cfg.Clock.Mono()
		u.state.update(func() {
			if !u.state.fenced {
				u.state.turned = now
			}
			u.state.epoch, u.state.fenced = -1, true
		})
		return wireError("heartbeat", r.ErrorCode)
	default:
		return wireError("heartbeat", r.ErrorCode)
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
