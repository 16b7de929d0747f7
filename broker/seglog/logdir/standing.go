package logdir

import (
	"fmt"
	"io/fs"

	"errors"

	"github.com/moldau/moldau/broker/seglog"
	"github.com/moldau/moldau/disk/vfs"
)

// moldau.standing, in a partition's folder, is a verdict worse than intact
// that nothing has lifted yet. Text: "version: 0", then "standing: doubtful"
// or "standing: damaged".
const standingFile = "moldau.standing"

func encodeStanding(s seglog.Standing) []byte {
	return []byte("version: 0\nstanding: " + s.String() + "\n")
}

// decodeStanding reads the file. It is replaced in one step, so a file that
// makes no sense has rotted: the worst is assumed.
func decodeStanding(b []byte) (seglog.Standing, error) {
	switch string(b) {
	case string(encodeStanding(seglog.Doubtful)):
		return seglog.Doubtful, nil
	case string(encodeStanding(seglog.Damaged)):
		return seglog.Damaged, nil
	case string(encodeStanding(seglog.Intact)):
		return seglog.Intact, nil
	}
	var version int
	if n, err := fmt.Sscanf(string(b), "version: %d\n", &version); n == 1 && err == nil && version > 0 {
		return 0, fmt.Errorf("%s has version %d, known is 0", standingFile, version)
	}
	return seglog.Damaged, nil
}

// readStanding reads the verdict of an earlier recovery.
func (p *partRecovery) readStanding() error {
	if _, ok := p.names[standingFile]; !ok {
		return nil
	}
	b, err := vfs.ReadFile(p.d.cfg.FS, p.path+"/"+standingFile, smallFileMax)
	if err == nil {
		p.recorded, err = decodeStanding(b)
	}
	return err
}

// record makes a verdict durable if it is worse than what is recorded.
func (p *partRecovery) record(s seglog.Standing) error {
	if s <= p.recorded {
		return nil
	}
	p.recorded = s
	// Section 5: the verdict outlives restarts, a second recovery finds nothing to cut.
	return p.d.replaceFile(p.path, standingFile, encodeStanding(s), promiseStandingContents, promiseStandingEntry)
}

// SetStanding records a verdict worse than intact, or lifts it (Intact), and
// returns when that is durable. It waits on the disk. Recovery records what it
// sees itself; the caller records what follows from the topic's durability
// (seglog.Classify), and lifts the verdict when the replica was taken into ISR
// or elected.
func (p *Partition) SetStanding(s seglog.Standing) error {
	p.filesMu.Lock()
	defer p.filesMu.Unlock()
	d := p.d
	if err := d.Err(); err != nil {
		return err
	}
	if p.gone.Load() {
		return ErrNotFound
	}
	var err error
	if s == seglog.Intact {
		err = d.cfg.FS.Remove(p.path() + "/" + standingFile)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil {
			err = d.syncDir(p.path(), promiseStandingEntry)
		}
	} else {
		err = d.replaceFile(p.path(), standingFile, encodeStanding(s), promiseStandingContents, promiseStandingEntry)
	}
	if err != nil && ignoreGone(err) != nil {
		d.fail(err)
	}
	return err
}
