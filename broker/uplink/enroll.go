package uplink

import "github.com/twmb/franz-go/pkg/kmsg"

// enroll registers this node's controller with the active one, so that all know
// where it is reached. It is done once the metadata says so.
func (u *Uplink) enroll() {
	req := u.cfg.Enrollment
	if req == nil {
		return
	}
	sub := u.cfg.Holder.Subscribe()
	defer sub.Close()
	for {
		select {
		case <-sub.Wake():
		case <-u.stop:
			return
		}
		for img := u.cfg.Holder.Load(); !img.Empty(); img = u.cfg.Holder.Load() {
			if c := img.Controller(req.ControllerID); c != nil && c.IncarnationID == req.IncarnationID {
				return
			}
			// An active controller registers itself.
			if _, err := u.Forward(req, requestTimeout); err != nil {
				u.cfg.Events.Emit(Retrying{Request: kmsg.NameForKey(req.Key()), Reason: err.Error()})
			}
			if !u.cfg.Clock.Sleep(enrollRetryAfter, u.stop) {
				return
			}
		}
	}
}
