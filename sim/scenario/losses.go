package scenario

import (
	"cmp"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/moldau/moldau/disk/simfs"
	"github.com/moldau/moldau/linearizability/history"
	"github.com/moldau/moldau/sim/workload"
	"github.com/moldau/moldau/sim/world"
)

// folder is a partition as disks and elections name it.
type folder struct {
	topic     string
	partition int32
}

// name of the partition's directory.
func (f folder) name() string { return f.topic + "-" + strconv.Itoa(int(f.partition)) }

// copyOf is a node's copy of a partition.
type copyOf struct {
	node int32
	folder
}

// losses is what struck the copies of partitions so far: by it an unclean election
// may lawfully lose records, or nothing explains it. Times are true times.
type losses struct {
	mu      sync.Mutex
	lost    map[copyOf]int64 // when its directory was last given up, or came back empty
	power   map[int32]int64  // when a node last lost power
	damaged map[copyOf]bool  // bytes of it are wrong, and it may be found out at any later time
	told    map[folder]int64 // when the checkers were last told of an election
	gaveUp  map[int32]bool   // nodes that ever gave up a directory
}

func newLosses() *losses {
	return &losses{lost: map[copyOf]int64{}, power: map[int32]int64{}, damaged: map[copyOf]bool{}, told: map[folder]int64{}, gaveUp: map[int32]bool{}}
}

// powerLoss notes that a node lost power.
func (l *losses) powerLoss(node int32, at int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.power[node] = at
}

// lose notes that copies are gone, for now or for ever.
func (l *losses) lose(node int32, copies []folder, at int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.gaveUp[node] = true
	for _, f := range copies {
		l.lost[copyOf{node, f}] = at
	}
}

// damage notes wrong bytes in a copy.
func (l *losses) damage(node int32, f folder) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.damaged[copyOf{node, f}] = true
}

// replaced notes that a damaged copy was thrown away, to be copied from others.
func (l *losses) replaced(node int32, f folder, at int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.damaged, copyOf{node, f})
	l.lost[copyOf{node, f}] = at
}

func (l *losses) isDamaged(node int32, f folder) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.damaged[copyOf{node, f}]
}

// struck reports whether a copy may lack records that it had at a time. The lock
// is held.
func (l *losses) struck(c copyOf, os bool, since int64) bool {
	return l.damaged[c] || l.lost[c] > since || os && l.power[c.node] > since
}

// explains reports whether an unclean election of a partition may lawfully lose
// records: those that copies had when the last election was told of. least is how
// many copies there are, at least, of what is committed; os says that power loss
// takes what was not synced.
func (l *losses) explains(f folder, least int, os bool, nodes []*world.Node) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	struck := 0
	for _, n := range nodes {
		if l.struck(copyOf{n.ID, f}, os, l.told[f]) {
			struck++
		}
	}
	return struck >= least
}

// tell notes that the checkers know of an election.
func (l *losses) tell(f folder, at int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.told[f] = at
}

// without lists the partitions of which every copy that there is was struck once:
// the operator has nothing to wait for. Those of which there is none are among
// them, and those that a directory was given up for before anything was written:
// their folders are made later, and empty. It goes by the whole run, as a verdict on a copy outlives an election that a
// crash followed.
func (l *losses) without(known map[folder]bool, nodes []*world.Node) []folder {
	has := make([]map[folder]bool, len(nodes))
	for i, n := range nodes {
		has[i] = map[folder]bool{}
		for _, dir := range n.LogDirs() {
			for _, f := range foldersIn(n, dir) {
				has[i][f] = true
			}
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []folder
	for f, os := range known { //det:ok sorted below
		whole := false
		for i, n := range nodes {
			lacks := l.struck(copyOf{n.ID, f}, os, 0) || l.gaveUp[n.ID] && emptyCopy(n, f)
			whole = whole || has[i][f] && !lacks
		}
		if !whole {
			out = append(out, f)
		}
	}
	sortFolders(out)
	return out
}

func sortFolders(list []folder) {
	slices.SortFunc(list, func(a, b folder) int {
		return cmp.Or(strings.Compare(a.topic, b.topic), cmp.Compare(a.partition, b.partition))
	})
}

// all lists the partitions that were struck.
func (l *losses) all() (list []folder) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.lost { //det:ok a set is made of it
		list = append(list, c.folder)
	}
	for c := range l.damaged { //det:ok a set is made of it
		list = append(list, c.folder)
	}
	return list
}

// emptyCopy reports whether a node's copy of a partition holds no bytes.
func emptyCopy(n *world.Node, f folder) bool {
	name := f.topic + "-" + strconv.Itoa(int(f.partition))
	for _, dir := range n.LogDirs() {
		infos, err := n.Disk.Peek().List(dir + "/" + name)
		if err != nil {
			continue // not in this one
		}
		for _, info := range infos {
			if strings.HasSuffix(info.Name, ".log") && info.Size > 0 {
				return false
			}
		}
	}
	return true
}

// foldersIn lists the partitions that have a folder in a log directory.
func foldersIn(n *world.Node, dir string) (list []folder) {
	infos, err := n.Disk.Peek().List(dir)
	if err != nil {
		return nil // not made yet
	}
	for _, info := range infos {
		if f, ok := folderOf(info.Name); ok && info.Dir {
			list = append(list, f)
		}
	}
	return list
}

// folderOf reads the name of a partition's folder. That of the metadata is none.
func folderOf(name string) (folder, bool) {
	i := strings.LastIndexByte(name, '-')
	if i <= 0 || strings.HasPrefix(name, metadataTopic) {
		return folder{}, false
	}
	number, err := strconv.ParseInt(name[i+1:], 10, 32)
	if err != nil {
		return folder{}, false // deleted, say
	}
	return folder{name[:i], int32(number)}, true
}

// untoldMax is how many partitions of a topic may be there that no client knows.
const untoldMax = 16

const metadataTopic = "__cluster_metadata"

// event passes an event on, and keeps what explains losses.
func (r *run) event(e history.Event) {
	switch e.Kind {
	case history.EventPowerLoss:
		r.losses.powerLoss(e.Node, r.recorder.Now())
		r.processEnded(e.Node)
	case history.EventCrash:
		r.processEnded(e.Node)
	}
	r.recorder.Event(e)
}

// diskStruck tells the checkers what struck a partition's file. Files that are no
// partition's (the journal, say) are the broker's to do without.
func (r *run) diskStruck(n *world.Node, kind simfs.Kind, name string) {
	f, ok := folderOf(path.Base(path.Dir(name)))
	if !ok {
		return
	}
	what := history.EventDamage
	switch {
	case kind == simfs.ReadError:
		what = history.EventReadError
	case kind == simfs.FlipOnRead:
		what = history.EventFlip
	default:
		r.losses.damage(n.ID, f)
	}
	if what == history.EventDamage && r.spared() {
		r.tellPartition(history.Event{Kind: what, Node: n.ID, Name: history.SparedCopies}, f)
		return
	}
	if f.topic == groupsTopic && what == history.EventDamage {
		r.resetGroups()
	}
	r.tellPartition(history.Event{Kind: what, Node: n.ID, Name: kind.String()}, f)
}

// spared reports whether other copies of whatever one node lost are left.
func (r *run) spared() bool {
	return r.plan.CopiesLostMax > 0 && len(r.world.Nodes()) > r.plan.CopiesLostMax
}

// directoryGone notes the copies in a directory that a process gave up, or that
// comes back empty, of which the checkers are told.
func (r *run) directoryGone(n *world.Node, dir string, replaced bool) {
	copies := foldersIn(n, dir)
	r.losses.lose(n.ID, copies, r.recorder.Now())
	if !replaced {
		return
	}
	for _, f := range copies {
		r.diskStruck(n, simfs.Gone, dir+"/"+f.name()+"/")
	}
}

// elected tells the checkers of an unclean election that may lose records. One
// that nothing explains excuses nothing.
func (r *run) elected(topic string, partition int32) {
	f := folder{topic, partition}
	if r.maybeElected(f) {
		r.losses.tell(f, r.recorder.Now())
	}
}

// maybeElected is elected where it is not known whether it came to the election.
// It reports whether the election is explained.
func (r *run) maybeElected(f folder) bool {
	least, os, allowed := 1, false, false
	for _, t := range r.topicsOf(f.topic) {
		os = os || t.Spec.Durability == history.DurabilityOS
		allowed = allowed || t.Spec.Unclean
		least = max(least, min(t.Spec.MinInsync, int(t.Spec.Replicas)))
	}
	if !allowed && !r.losses.explains(f, least, os, r.world.Nodes()) {
		return false
	}
	if f.topic == groupsTopic {
		r.resetGroups()
	}
	r.partitionEvent(history.EventUnclean, history.Unknown, f)
	return true
}

// partitionEvent is tellPartition with nothing more to say.
func (r *run) partitionEvent(kind history.EventKind, node int32, f folder) {
	r.tellPartition(history.Event{Kind: kind, Node: node}, f)
}

// tellPartition writes an event about a partition, of each topic of the name.
func (r *run) tellPartition(e history.Event, f folder) {
	for _, t := range r.topicsOf(f.topic) {
		e.Topic, e.Partition = t.Text(), f.partition
		r.recorder.Event(e)
	}
}

// topicsOf are the topics of a name that are there.
func (r *run) topicsOf(name string) (list []*workload.Topic) {
	for _, t := range r.recorder.Topics() {
		if t.Spec.Name == name && !t.Gone() {
			list = append(list, t)
		}
	}
	return list
}

// partitions are those that clients know and those of the groups' log that were
// struck, by whether power loss may take records of them. Behind a topic's last
// there may be some that were added and of which no client has heard.
func (r *run) partitions() map[folder]bool {
	known := map[folder]bool{}
	for _, t := range r.recorder.Topics() {
		for number := range t.Partitions() + untoldMax {
			if !t.Gone() {
				known[folder{t.Spec.Name, number}] = t.Spec.Durability == history.DurabilityOS
			}
		}
	}
	for _, f := range r.losses.all() {
		if f.topic == groupsTopic {
			known[f] = false
		}
	}
	return known
}
