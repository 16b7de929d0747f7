package logdir

import (
	"encoding/hex"
	"fmt"

	"github.com/moldau/moldau/broker/seglog"
	"github.com/moldau/moldau/clock"
)

// grave is something that waits for its removal.
type grave struct {
	due      clock.Mono
	segments []*segment // whose readers are waited for
	files    []string
	folder   string
}

// Delete takes a partition out: orders that are under way are answered, later
// ones are refused, the folder is renamed to Kafka's "-delete" name and removed
// after the file delete delay, when no reader holds its files. It waits on the disk.
func (d *Dir) Delete(p *Partition) error {
	var result error
	err := d.lane.call(func(l *lane) {
		if p.gone.Load() {
			return
		}
		result = d.committer.call(func(c *committer) error { return c.remove(p) })
	})
	if err = firstError(err, result); err != nil {
		return fmt.Errorf("delete %s-%d: %w", p.topic, p.id.Partition, err)
	}
	d.unregister([]*Partition{p})
	d.background.put(job{kind: jobForget, id: p.id})
	d.background.put(job{kind: jobRemoveFolder, p: p})
	return nil
}

// remove renames the folder, with the append lane waiting. Before that what
// the journal carries for the partition is void: the same partition may be
// created here anew.
func (c *committer) remove(p *Partition) error {
	p.gone.Store(true)
	cut := []cutOrder{{p: p, op: seglog.Op{Kind: seglog.OpRestartAt}}}
	// F3, for a log that is cut to nothing.
	if err := c.j.commit(content{cuts: cut, marks: c.takeMarks()}, promiseCutCommit); err != nil {
		return err
	}
	d := c.d
	to := d.cfg.Path + "/" + d.deleteName(p)
	if err := d.cfg.FS.Rename(p.path(), to); err != nil {
		return err
	}
	p.folder.Store(&to)
	return d.cfg.FS.SyncDir(d.cfg.Path) // rebuildable: a folder that comes back is deleted again
}

// folderNameMax is how long a file name may be.
const folderNameMax = 255

// deleteName is the name of a folder that waits for its removal.
func (d *Dir) deleteName(p *Partition) string {
	// The same partition may be deleted more than once, in one incarnation, which
	// the counter tells apart, or in several, which the clock does.
	id := p.id.Topic
	now, nth := d.cfg.Clock.Wall(), d.counters.deletions.Add(1)
	for i := range 8 {
		id[i] ^= byte(now >> (8 * i))
		id[8+i] ^= byte(nth >> (8 * i))
	}
	end := fmt.Sprintf("-%d.%s%s", p.id.Partition, hex.EncodeToString(id[:]), deleteSuffix)
	topic := p.topic
	if len(topic)+len(end) > folderNameMax {
		topic = topic[:folderNameMax-len(end)]
	}
	return topic + end
}

// deleteSuffix ends the name of a folder that waits for its removal.
const deleteSuffix = "-delete"

// bury lets go of a deleted partition's files and has the folder removed later.
func (b *background) bury(p *Partition) {
	g := grave{due: b.d.cfg.Clock.Mono().Add(p.options.Load().FileDeleteDelay), folder: p.path()}
	for _, s := range p.segments() {
		b.d.handles.forget(s)
		if s.pin != nil {
			s.pin = nil
			b.d.handles.release(s)
		}
		g.segments = append(g.segments, s)
	}
	b.graves = append(b.graves, g)
}

// doom renames the files of segments that have left their logs, once moldau.marks
// tells of the producers that wrote to them: till then a start after a power loss
// reads them from the segments, or a batch that comes again would be appended
// twice. It is called while the table of marks is what the file holds. With all
// set it renames them anyway: on a disk without space the marks cannot be written,
// and space has to come from somewhere.
func (b *background) doom(all bool) error {
	left := b.doomed[:0]
	for i, s := range b.doomed {
		if !all && !s.p.gone.Load() && !b.marks.covers(s) {
			left = append(left, s)
			continue
		}
		if err := b.doomSegment(s); err != nil {
			b.doomed = append(left, b.doomed[i:]...)
			return err
		}
	}
	clear(b.doomed[len(left):])
	b.doomed = left
	return nil
}

// doomSegment renames the files of one. A log that began anew has removed them,
// and may have made others of the same name.
func (b *background) doomSegment(s *segment) error {
	s.p.filesMu.Lock()
	defer s.p.filesMu.Unlock()
	if s.unlinked.Load() {
		return nil
	}
	g := grave{due: b.d.cfg.Clock.Mono().Add(s.p.options.Load().FileDeleteDelay), segments: []*segment{s}}
	for _, suffix := range segmentSuffixes() {
		name := s.name(suffix)
		if err := b.d.cfg.FS.Rename(name, name+seglog.DeletedSuffix); err != nil {
			if err = ignoreMissing(err); err != nil {
				return err
			}
			continue
		}
		g.files = append(g.files, name+seglog.DeletedSuffix)
	}
	b.d.handles.forget(s)
	b.d.counters.segmentsDeleted.Add(1)
	b.graves = append(b.graves, g)
	return nil
}

// dig removes what is due and held by nobody.
func (b *background) dig(now clock.Mono) error {
	left := b.graves[:0]
	for i, g := range b.graves {
		if now.Sub(g.due) < 0 || b.d.handles.held(g.segments) {
			left = append(left, g)
			continue
		}
		if err := b.remove(&g); err != nil {
			b.graves = append(left, b.graves[i:]...)
			return err
		}
	}
	clear(b.graves[len(left):])
	b.graves = left
	return nil
}

func (b *background) remove(g *grave) error {
	for _, name := range g.files {
		if err := ignoreMissing(b.d.cfg.FS.Remove(name)); err != nil {
			return err
		}
	}
	if g.folder != "" {
		return b.d.cfg.FS.RemoveAll(g.folder)
	}
	return nil
}

// held reports whether somebody uses one of the segments.
func (h *handles) held(segs []*segment) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range segs {
		if s.refs > 0 {
			return true
		}
	}
	return false
}
