package broker

import (
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// close stops whatever was started, in the reverse order. clean asks for a
// stop that leaves nothing to recover.
func (b *Broker) close(clean bool) error {
	var errs []error
	keep := func(what string, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", what, err))
			clean = false
		}
	}
	brokerEpoch := int64(-1)
	if b.uplink != nil {
		brokerEpoch = b.uplink.BrokerEpoch()
	}
	if clean && b.uplink != nil && b.cfg.Settings.IsBroker && b.cfg.Settings.ControlledShutdown {
		if err := b.leave(); err != nil { // its leaderships move when its session ends
			b.cfg.Events.Emit(NotLetGo{Err: err})
		}
	}
	if b.server != nil {
		keep("stop accepting", b.server.StopAccepting())
	}
	b.endStop()
	b.wg.Wait()
	if b.fetcher != nil {
		b.fetcher.Close()
	}
	if b.manager != nil {
		b.manager.Close()
	}
	if b.server != nil {
		keep("close connections", b.server.Close())
	}
	for _, d := range b.dirs {
		keep("log directory "+d.Path(), d.Close(clean, brokerEpoch))
	}
	if b.uplink != nil {
		b.uplink.Close()
	}
	if b.controller != nil {
		keep("controller listener", b.controller.Close())
	}
	if b.quorum != nil {
		keep("metadata quorum", b.quorum.Stop())
	}
	for _, l := range append(b.clientListens, b.controllerListens...) {
		_ = l.ln.Close() // already closed by its server where there was one
	}
	for _, l := range b.lock {
		keep("release lock", l.Close())
	}
	return errors.Join(errs...)
}

// leaveWaitMax bounds how long a clean stop waits for the controller to let
// the broker go.
const leaveWaitMax = 5 * time.Second

// leave is the controlled shutdown: leaderships move away first.
func (b *Broker) leave() error {
	stop := make(chan struct{})
	done := make(chan struct{})
	b.wg.Add(1)
	go func() {
		defer b.wg.Done()
		b.cfg.Clock.Sleep(leaveWaitMax, done)
		close(stop)
	}()
	defer close(done)
	return b.uplink.ControlledShutdown(stop)
}

// NotLetGo: the controller did not move this broker's leaderships away before it
// stopped, as there is none, or too few brokers are left.
type NotLetGo struct{ Err error }

// Kind names the event.
func (NotLetGo) Kind() string { return "controlled-shutdown-not-granted" }

// Level is Warn.
func (NotLetGo) Level() slog.Level { return slog.LevelWarn }

// Attrs are its fields.
func (e NotLetGo) Attrs() []slog.Attr { return []slog.Attr{slog.Any("error", e.Err)} }
