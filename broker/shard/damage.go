package shard

import (
	"errors"
	"fmt"

	"github.com/moldau/moldau/broker/seglog"
	"github.com/moldau/moldau/broker/seglog/logdir"
)

// Read opens the byte ranges that plan allows, for sending. It waits on the
// disk. Damage that it comes upon is recorded; see Checked.
func (h *Handle) Read(plan seglog.ReadPlan) (ext *logdir.Extent, err error) {
	if ext, err = h.part.Read(plan); !errors.Is(err, logdir.ErrCorrupt) {
		return ext, err
	}
	plan.Start, plan.End = seglog.Unknown(), seglog.Unknown() // the places that the plan knew may be cut off
	err = h.Checked(func() error {
		ext, err = h.part.Read(plan)
		return err
	})
	return ext, err
}

// Checked carries out something that reads the log, and once more if it meets
// bytes that are no batches. Where the second time is no better and the segment's
// bytes themselves are wrong, the replica is damaged (K4): the verdict is made durable,
// so that the next start reads the whole log, keeps aside what fails, and has the
// registration strike the replica out; until then it serves what can be read.
func (h *Handle) Checked(read func() error) error {
	err := read()
	if errors.Is(err, logdir.ErrCorrupt) {
		err = read()
	}
	if !errors.Is(err, logdir.ErrCorrupt) {
		return err
	}
	if damage := h.part.Confirm(err); damage != nil {
		h.foundDamage(damage)
	}
	return err
}

// Verify reads what plan allows with its checksums, which Read leaves to who gets
// it, and records the damage that it comes upon; see Checked. It waits on the disk,
// for no more than plan.MaxBytes or one batch where nothing is wrong.
func (h *Handle) Verify(plan seglog.ReadPlan) {
	if h.damaged.Load() {
		return // it is known
	}
	h.Checked(func() error { return h.part.Verify(plan) })
}

// foundDamage records damage of the log and reports it, once.
func (h *Handle) foundDamage(err error) {
	if !h.damaged.CompareAndSwap(false, true) {
		return
	}
	if failed := h.part.SetStanding(seglog.Damaged); failed != nil {
		err = fmt.Errorf("%w; the verdict is not recorded: %w", err, failed)
	}
	h.reportDamage(err)
}

// cutFailed reports damage that the disk worker met when it was to cut the log, and
// has recorded. It serves nothing of it any more.
func (h *Handle) cutFailed(err error) {
	if errors.Is(err, logdir.ErrCorrupt) && h.damaged.CompareAndSwap(false, true) {
		h.reportDamage(err)
	}
}

func (h *Handle) reportDamage(err error) {
	h.shard.events.Emit(DamageFound{Dir: h.dir.Path(), Topic: h.Topic, Partition: h.ID.Partition, Err: err})
}
