package shard

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/moldau/moldau/broker/coord"
	"github.com/moldau/moldau/broker/event"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/metaimage"
	"github.com/moldau/moldau/broker/replica"
	"github.com/moldau/moldau/broker/seglog"
	"github.com/moldau/moldau/broker/seglog/logdir"
	"github.com/moldau/moldau/clock"
	"github.com/moldau/moldau/disk/vfs"
	"github.com/moldau/moldau/internal/life"
	"github.com/moldau/moldau/internal/yield"
)

// TopicConfig is what a topic's configuration means for its replicas.
type TopicConfig struct {
	Replica  replica.Config // all but ID, Topic and NodeID
	Options  logdir.Options
	Settings Settings
}

// Config of a Manager; all fields must be set.
type Config struct {
	NodeID int32
	Shards int
	Clock  clock.Clock
	Events event.Sink
	Dirs   []*logdir.Dir
	// Topic resolves a topic's configuration in an image.
	Topic func(img *metaimage.Image, topic string) TopicConfig
	// Directory is the open log directory with the id, nil if it is lost.
	Directory func(id kafka.UUID) *logdir.Dir
	// Cordoned are the directories that get no new replicas, by an image, as long as there are others; nil: none.
	Cordoned func(img *metaimage.Image) []*logdir.Dir
	// Place tells the controller where new replicas are to lie that the metadata
	// has not assigned to a directory yet, as often as it takes. It must not
	// wait: they are made once an image shows the directory.
	Place func(map[*logdir.Dir][]kafka.TopicPartition)
	// Fetcher fetches for replicas that follow.
	Fetcher Fetcher
	// BrokerEpoch is the epoch under which this process is registered.
	BrokerEpoch func() int64
	// ISRs tells the controller of changes of ISR.
	ISRs ISRs
	// LoadBytes are read at a time while a coordinator loads
	// (offsets.load.buffer.size); more where one batch is larger.
	LoadBytes int
	// NewCoordinator makes the machine of an internal topic's partition, or nil
	// for topics without one.
	NewCoordinator func(topic string) func() coord.Machine
	// Life ends what waits when the node is gone; nil never ends.
	Life *life.Life
}

// Manager opens, moves and closes the replicas of this broker as the metadata
// image says. Apply is for one goroutine; the rest may be called concurrently.
type Manager struct {
	cfg    Config
	shards []*Shard
	loads  []int // replicas given to each shard; Apply's
	loader *loader

	image   atomic.Pointer[metaimage.Image]
	mu      sync.RWMutex
	handles map[kafka.TopicPartition]*Handle

	recovered map[kafka.TopicPartition][]recovered // not adopted yet, by directory; Apply's
	byName    map[folder]recovered                 // the same; Apply's
	topics    map[string]TopicConfig               // resolved in the image that is being applied; Apply's
	nextKey   uint64
	unmade    map[kafka.TopicPartition]bool // there was no space to make them; Apply's

	placing map[kafka.TopicPartition]placing // not made yet; Apply's
	placed  atomic.Int64                     // see PlacedTo

	forgetLife func()
}

type recovered struct {
	dir   *logdir.Dir
	topic string
	id    kafka.TopicPartition
}

type folder struct {
	topic     string
	partition int32
}

// NewManager starts the shards. img is the image to begin from, of which no
// replica is open yet.
func NewManager(cfg Config, clusterID string) *Manager {
	m := &Manager{
		cfg: cfg, loads: make([]int, cfg.Shards), loader: newLoader(cfg.Clock, cfg.LoadBytes),
		handles:   make(map[kafka.TopicPartition]*Handle),
		recovered: make(map[kafka.TopicPartition][]recovered), byName: make(map[folder]recovered),
		topics: make(map[string]TopicConfig), unmade: make(map[kafka.TopicPartition]bool),
		placing: make(map[kafka.TopicPartition]placing),
	}
	m.placed.Store(math.MaxInt64)
	for i := range cfg.Shards {
		s := newShard(i, &m.cfg)
		m.shards = append(m.shards, s)
		go s.run()
	}
	for _, d := range cfg.Dirs {
		for _, r := range d.Recovered() {
			if r.Err != nil {
				cfg.Events.Emit(ReplicaNotOpened{Topic: r.Topic, ID: r.ID, Err: r.Err})
				continue
			}
			rec := recovered{dir: d, topic: r.Topic, id: r.ID}
			m.recovered[r.ID] = append(m.recovered[r.ID], rec)
			m.byName[folder{r.Topic, r.ID.Partition}] = rec
		}
	}
	m.image.Store(metaimage.New(clusterID))
	m.forgetLife = cfg.Life.OnEnd(m.abandon)
	return m
}

// Image is the newest image that is applied: what clients are told. Its replicas
// are open, but for those beyond PlacedTo.
func (m *Manager) Image() *metaimage.Image {
	yield.Point()
	return m.image.Load()
}

// Shards is the number of shards.
func (m *Manager) Shards() int { return len(m.shards) }

// Slowest is the shard whose last round lies back longest, and when that
// began. An idle shard goes round every tickEvery.
func (m *Manager) Slowest() (index int, at clock.Mono) {
	for i, s := range m.shards {
		if round := clock.Mono(s.round.Load()); i == 0 || round < at {
			index, at = i, round
		}
	}
	return index, at
}

// Find is the replica of a partition that this broker hosts, or nil.
func (m *Manager) Find(id kafka.TopicPartition) *Handle {
	m.mu.RLock()
	h := m.handles[id]
	m.mu.RUnlock()
	return h
}

// Handles are all replicas that are open, in no order.
func (m *Manager) Handles() []*Handle {
	m.mu.RLock()
	defer m.mu.RUnlock()
	all := make([]*Handle, 0, len(m.handles))
	for _, h := range m.handles { //det:ok the caller sorts
		all = append(all, h)
	}
	return all
}

// Apply follows a newer image: it returns when the replicas that the image
// names in a directory are open and the image is published. It waits for no
// controller: replicas without a directory are opened by the image that names one.
func (m *Manager) Apply(img *metaimage.Image) {
	old := m.image.Load()
	clear(m.topics)
	d := img.Since(old)
	for _, t := range d.TopicsDeleted {
		m.deleteTopic(old, t)
	}
	m.applyPartitions(img, m.withUnplaceable(img, d.Partitions))
	m.countPlaced()
	m.applyBrokers(img, &d)
	m.applyConfigs(img, d.Configs)
	if old.Empty() {
		m.reportStrays()
	}
	yield.Point()
	m.image.Store(img)
	if len(d.TopicsDeleted) > 0 {
		gone := make([]coord.DeletedTopic, len(d.TopicsDeleted))
		for i, t := range d.TopicsDeleted {
			gone[i] = coord.DeletedTopic{Name: t.Name, ID: t.ID}
		}
		for _, s := range m.shards {
			s.in.Put(&topicsDeleted{gone})
		}
	}
}

func (m *Manager) deleteTopic(old *metaimage.Image, t metaimage.TopicRef) {
	topic := old.Topic(t.ID)
	var ids []kafka.TopicPartition
	for i := range topic.NumPartitions() {
		ids = append(ids, kafka.TopicPartition{Topic: t.ID, Partition: int32(i)})
	}
	m.remove(ids)
	m.forgetPlacing(ids)
	for _, d := range m.cfg.Dirs {
		d.ForgetLost(ids)
	}
}

// remove closes and deletes the replicas among ids that are open here.
func (m *Manager) remove(ids []kafka.TopicPartition) {
	for _, h := range m.closeHandles(ids) {
		if err := h.dir.Delete(h.part); err != nil {
			m.cfg.Events.Emit(ReplicaNotOpened{Topic: h.Topic, ID: h.ID, Err: fmt.Errorf("delete: %w", err)})
		}
	}
}

func (m *Manager) applyPartitions(img *metaimage.Image, changed []kafka.TopicPartition) {
	var toOpen, toRemove, gone, elsewhere []kafka.TopicPartition
	for _, id := range changed {
		p := img.Partition(id)
		h := m.Find(id)
		switch {
		case p.HasReplica(m.cfg.NodeID) && h == nil:
			toOpen = append(toOpen, id)
		case p.HasReplica(m.cfg.NodeID) && m.moved(img, h, p):
			gone, toOpen = append(gone, id), append(toOpen, id)
		case p.HasReplica(m.cfg.NodeID):
			m.liftStanding(h, p)
			h.shard.in.Put(&roles{h: h, role: m.role(img, h.Topic, p)})
		case h != nil:
			toRemove = append(toRemove, id)
		default:
			elsewhere = append(elsewhere, id)
		}
	}
	m.remove(toRemove)
	m.forgetPlacing(elsewhere)
	m.abandonMoved(gone)
	m.openAll(img, toOpen)
}

// topic resolves a topic's configuration once for all its partitions.
func (m *Manager) topic(img *metaimage.Image, topic string) TopicConfig {
	cfg, known := m.topics[topic]
	if !known {
		cfg = m.cfg.Topic(img, topic)
		m.topics[topic] = cfg
	}
	return cfg
}

func (m *Manager) role(img *metaimage.Image, topic string, p *metaimage.Partition) replica.Role {
	r := replica.Role{
		Leader: p.Leader, LeaderEpoch: p.LeaderEpoch, PartitionEpoch: p.PartitionEpoch,
		ISR: p.ISR, ELR: p.ELR, Replicas: p.Replicas, MinISR: m.topic(img, topic).Replica.MinISR,
		Recovering: p.Recovery == metaimage.Recovering, BrokerEpoch: m.cfg.BrokerEpoch(),
	}
	r.BrokerEpochs, r.Addable = make([]int64, len(p.Replicas)), make([]bool, len(p.Replicas))
	for i, id := range p.Replicas {
		r.BrokerEpochs[i] = -1
		if b := img.Broker(id); b != nil {
			r.BrokerEpochs[i], r.Addable[i] = b.BrokerEpoch, b.Available()
		}
	}
	for _, d := range p.Doubtful {
		r.Doubted = append(r.Doubted, d.BrokerID)
	}
	return r
}

// applyBrokers gives the roles again of replicas whose partitions are as they
// were, but not all brokers that hold them.
func (m *Manager) applyBrokers(img *metaimage.Image, d *metaimage.Delta) {
	if len(d.Brokers) == 0 {
		return
	}
	given := make(map[kafka.TopicPartition]bool, len(d.Partitions))
	for _, id := range d.Partitions {
		given[id] = true
	}
	for _, h := range m.inOrder() {
		p := img.Partition(h.ID)
		if p == nil || given[h.ID] || !slices.ContainsFunc(d.Brokers, p.HasReplica) {
			continue
		}
		h.shard.in.Put(&roles{h: h, role: m.role(img, h.Topic, p)})
	}
}

// inOrder are the open replicas in the order in which they were opened.
func (m *Manager) inOrder() []*Handle {
	handles := m.Handles()
	slices.SortFunc(handles, func(a, b *Handle) int { return int(int64(a.key) - int64(b.key)) })
	return handles
}

// openAll adopts or creates the replicas and gives them to shards.
func (m *Manager) openAll(img *metaimage.Image, ids []kafka.TopicPartition) {
	configs := make(map[kafka.UUID]TopicConfig)
	create := make(map[*logdir.Dir][]logdir.Spec)
	untold := make(map[*logdir.Dir][]kafka.TopicPartition)
	cordoned := m.cordoned(img)
	for _, id := range ids {
		topic := img.Topic(id.Topic)
		cfg, known := configs[id.Topic]
		if !known {
			cfg = m.topic(img, topic.Name)
			configs[id.Topic] = cfg
			if cfg.Settings.Compacted && !topic.Internal() {
				m.cfg.Events.Emit(CompactionNotServed{Topic: topic.Name})
			}
		}
		assigned := img.Partition(id).DirectoryOf(m.cfg.NodeID)
		dir := m.cfg.Directory(assigned)
		if r, ok := m.found(id, assigned, dir); ok && r.dir == dir {
			m.adopt(img, r, cfg)
			continue
		} else if ok {
			m.await(img, id, placing{dir: r.dir, found: true}, untold) // not where the metadata has it
			continue
		}
		if assigned == kafka.DirUnassigned {
			if dir = m.place(id, cordoned); dir != nil {
				m.await(img, id, placing{dir: dir}, untold)
				continue
			}
		}
		delete(m.placing, id)
		if dir == nil {
			m.cfg.Events.Emit(ReplicaNotOpened{Topic: topic.Name, ID: id, Err: logdir.ErrOffline})
			continue
		}
		if dir.Lost(topic.Name, id) {
			m.openLost(img, dir, id, cfg)
			continue
		}
		m.clearName(topic.Name, id)
		create[dir] = append(create[dir], logdir.Spec{Topic: topic.Name, ID: id, Options: cfg.Options})
	}
	if len(untold) > 0 {
		m.cfg.Place(untold)
	}
	for _, dir := range m.cfg.Dirs {
		if specs := create[dir]; len(specs) > 0 {
			m.create(img, dir, specs, configs)
		}
	}
}

// found is the log of a replica that recovery found. One in the directory where
// the metadata has the replica comes first: another copy is what was left when
// its directory was away and the replica began anew. Nor is such a copy taken
// while the right one is away.
func (m *Manager) found(id kafka.TopicPartition, assigned kafka.UUID, dir *logdir.Dir) (recovered, bool) {
	copies := m.recovered[id]
	for _, r := range copies {
		if r.dir == dir {
			return r, true
		}
	}
	away := dir == nil && assigned != kafka.DirUnassigned && assigned != kafka.DirLost
	if len(copies) == 0 || away {
		return recovered{}, false
	}
	return copies[0], true
}

// forget takes a log out of those that recovery found.
func (m *Manager) forget(r recovered) {
	left := slices.DeleteFunc(m.recovered[r.id], func(o recovered) bool { return o == r })
	if m.recovered[r.id] = left; len(left) == 0 {
		delete(m.recovered, r.id)
	}
	if name := (folder{r.topic, r.id.Partition}); m.byName[name] == r {
		delete(m.byName, name)
	}
}

// create makes empty replicas and gives them to shards. One whose folder is in
// the way holds up no other; those that there is no space for wait for it.
func (m *Manager) create(img *metaimage.Image, dir *logdir.Dir, specs []logdir.Spec, configs map[kafka.UUID]TopicConfig) {
	parts, err := dir.Create(specs)
	if errors.Is(err, logdir.ErrExists) && len(specs) > 1 {
		for i := range specs {
			m.create(img, dir, specs[i:i+1], configs)
		}
		return
	}
	if err != nil {
		for _, sp := range specs {
			if errors.Is(err, vfs.ErrNoSpace) {
				m.notMade(sp.Topic, sp.ID, err)
				continue
			}
			m.cfg.Events.Emit(ReplicaNotOpened{Topic: sp.Topic, ID: sp.ID, Err: err})
		}
		return
	}
	st := logdir.EmptyState(m.cfg.Clock.Wall())
	for i, part := range parts {
		cfg := configs[specs[i].ID.Topic]
		cfg.Replica.ID, cfg.Replica.Topic = specs[i].ID, specs[i].Topic
		m.give(img, dir, part, replica.New(m.nextLife(cfg.Replica), st), cfg, specs[i].Topic, specs[i].ID)
		m.made(specs[i].Topic, specs[i].ID)
	}
}

// openLost opens a replica whose folder is gone. The registration has told the
// controller, which struck it out. As long as the partition has no leader, the
// folder may be put back, or the operator elects this replica; once it has one,
// this replica or another, its log begins anew.
func (m *Manager) openLost(img *metaimage.Image, dir *logdir.Dir, id kafka.TopicPartition, cfg TopicConfig) {
	topic := img.Topic(id.Topic).Name
	if img.Partition(id).Leader == metaimage.NoLeader {
		m.cfg.Events.Emit(ReplicaNotOpened{Topic: topic, ID: id, Err: fmt.Errorf("%s: %w", dir.Path(), logdir.ErrLost)})
		return
	}
	m.cfg.Events.Emit(LostLogBegunAnew{Dir: dir.Path(), Topic: topic, Partition: id.Partition})
	if r, ok := m.byName[folder{topic, id.Partition}]; ok && r.dir == dir {
		m.forget(r) // its folder is used again
	}
	m.create(img, dir, []logdir.Spec{{Topic: topic, ID: id, Options: cfg.Options}}, map[kafka.UUID]TopicConfig{id.Topic: cfg})
}

func (m *Manager) replicaConfig(c replica.Config) replica.Config {
	c.NodeID = m.cfg.NodeID
	return c
}

// nextLife is replicaConfig for a replica that is made now.
func (m *Manager) nextLife(c replica.Config) replica.Config {
	m.nextKey++
	c.Incarnation = m.nextKey
	return m.replicaConfig(c)
}

func (m *Manager) adopt(img *metaimage.Image, r recovered, cfg TopicConfig) {
	m.forget(r)
	part, st, err := r.dir.Adopt(r.id, cfg.Options)
	if err != nil {
		m.cfg.Events.Emit(ReplicaNotOpened{Topic: r.topic, ID: r.id, Err: err})
		return
	}
	cfg.Replica.ID, cfg.Replica.Topic = r.id, r.topic
	h := m.give(img, r.dir, part, replica.New(m.nextLife(cfg.Replica), st), cfg, r.topic, r.id)
	if h != nil {
		h.standing = seglog.Classify(cfg.Options.Durability, st.Evidence)
		m.liftStanding(h, img.Partition(r.id))
	}
}

// liftStanding ends a verdict worse than intact once the image shows that the
// replica leads, or is in sync without a mark (the contract's section 5).
func (m *Manager) liftStanding(h *Handle, p *metaimage.Partition) {
	_, doubted := p.DoubtOf(m.cfg.NodeID)
	if h.standing == seglog.Intact || doubted || p.Leader != m.cfg.NodeID && !p.InISR(m.cfg.NodeID) {
		return
	}
	if err := h.part.SetStanding(seglog.Intact); err != nil {
		m.cfg.Events.Emit(ReplicaNotOpened{Topic: h.Topic, ID: h.ID, Err: fmt.Errorf("lift its standing: %w", err)})
		return
	}
	h.standing = seglog.Intact
}

// clearName removes a folder of an older topic of the same name: the metadata
// that names the new one proves that the old one was deleted.
func (m *Manager) clearName(topic string, id kafka.TopicPartition) {
	r, ok := m.byName[folder{topic, id.Partition}]
	if !ok {
		return
	}
	m.forget(r)
	part, _, err := r.dir.Adopt(r.id, logdir.Options{})
	if err == nil {
		err = r.dir.Delete(part)
	}
	if err != nil {
		m.cfg.Events.Emit(ReplicaNotOpened{Topic: topic, ID: r.id, Err: err})
	}
}

func (m *Manager) cordoned(img *metaimage.Image) []*logdir.Dir {
	if m.cfg.Cordoned == nil {
		return nil
	}
	return m.cfg.Cordoned(img)
}

// give hands an open replica to the shard with the least load.
func (m *Manager) give(img *metaimage.Image, dir *logdir.Dir, part *logdir.Partition, machine *replica.Replica, cfg TopicConfig, topic string, id kafka.TopicPartition) *Handle {
	index := 0
	for i, n := range m.loads {
		if n < m.loads[index] {
			index = i
		}
	}
	m.loads[index]++
	s := m.shards[index]
	m.nextKey++
	delete(m.placing, id)
	h := &Handle{ID: id, Topic: topic, shard: s, dir: dir, part: part, key: m.nextKey, machine: machine}
	h.settings.Store(&cfg.Settings)
	part.Bind(s, h.key)
	if newMachine := m.cfg.NewCoordinator(topic); newMachine != nil {
		hc, err := newHostedCoordinator(s, h, newMachine, m.Image, m.loader)
		if err != nil {
			m.cfg.Events.Emit(ReplicaNotOpened{Topic: topic, ID: id, Err: err})
			return nil
		}
		h.coord = hc
	}
	s.in.Put(&open{h: h, role: m.role(img, topic, img.Partition(id))})
	m.mu.Lock()
	m.handles[id] = h
	m.mu.Unlock()
	return h
}

// applyConfigs gives changed configurations to the replicas: of single topics,
// or of all when a broker's or the cluster's default changed.
func (m *Manager) applyConfigs(img *metaimage.Image, changed []metaimage.Resource) {
	topics := make(map[string]bool)
	all := false
	for _, r := range changed {
		switch r.Type {
		case metaimage.ResourceTopic:
			topics[r.Name] = true
		case metaimage.ResourceBroker:
			all = true
		}
	}
	if !all && len(topics) == 0 {
		return
	}
	for _, h := range m.inOrder() {
		if !all && !topics[h.Topic] {
			continue
		}
		cfg := m.topic(img, h.Topic)
		cfg.Replica.ID, cfg.Replica.Topic = h.ID, h.Topic
		settings := cfg.Settings
		h.settings.Store(&settings)
		h.part.SetOptions(cfg.Options)
		h.shard.in.Put(&configure{h: h, cfg: m.replicaConfig(cfg.Replica)})
		if p := img.Partition(h.ID); p != nil { // min.insync.replicas is part of the role
			h.shard.in.Put(&roles{h: h, role: m.role(img, h.Topic, p)})
		}
	}
}

// reportStrays tells of folders that the first image does not name, and of
// copies that are not those it means.
func (m *Manager) reportStrays() {
	strays := make([]recovered, 0, len(m.recovered))
	for _, copies := range m.recovered { //det:ok sorted below
		strays = append(strays, copies...)
	}
	slices.SortFunc(strays, func(a, b recovered) int {
		if a.topic != b.topic {
			if a.topic < b.topic {
				return -1
			}
			return 1
		}
		return int(a.id.Partition - b.id.Partition)
	})
	for _, r := range strays {
		m.cfg.Events.Emit(StrayReplica{Topic: r.topic, Partition: r.id.Partition, TopicID: r.id.Topic})
	}
}

// ErrStopped is answered by a Manager whose shards have ended.
var ErrStopped = errors.New("the broker is stopping")

// Close ends the shards; what waits in them is answered or failed. Replicas
// stay open in their directories, which the caller closes next.
func (m *Manager) Close() {
	m.loader.close()
	for _, s := range m.shards {
		for _, h := range m.Handles() {
			if h.shard == s {
				s.in.Put(&closeReplica{h: h})
			}
		}
		s.in.Close()
	}
	for _, s := range m.shards {
		<-s.ended
	}
	m.forgetLife()
}

// abandon ends what waits for the shards, and the shards.
func (m *Manager) abandon() {
	m.loader.end()
	for _, s := range m.shards {
		s.in.Close()
	}
}
