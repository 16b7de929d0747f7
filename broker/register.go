package broker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/config"
	"github.com/moldau/moldau/broker/controller"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/metaimage"
	"github.com/moldau/moldau/broker/metarecord"
	"github.com/moldau/moldau/broker/seglog"
	"github.com/moldau/moldau/broker/seglog/logdir"
	"github.com/moldau/moldau/broker/uplink"
)

// startUplink begins to follow the metadata, and waits until all of it is there.
func (b *Broker) startUplink(ctx context.Context) error {
	set := b.cfg.Settings
	cfg := uplink.Config{
		Clock: b.cfg.Clock, Network: reach{b.cfg.Network, b.internal}, Events: b.cfg.Events, Life: b.life, Holder: b.holder,
		Controllers: b.knownControllers, NodeID: set.NodeID, ClusterID: b.identity.ClusterID,
		Incarnation: kafka.NewUUID(b.cfg.Entropy), MetadataDirectory: b.identity.Metadata, Rack: set.Rack,
		PreviousEpoch: b.previousEpoch(), HeartbeatInterval: set.BrokerHeartbeat,
		Proof: b.proof, AppliedOffset: b.appliedOffset, DirectoryStatus: b.directoryStatus,
		OnFailure: func(err error) { b.fail(fmt.Errorf("broker registration: %w", err)) },
	}
	if b.quorum != nil {
		cfg.Enrollment, cfg.OnActive = b.quorum.Registration(), b.quorum.NoteActive
	}
	for _, d := range b.identity.Directories {
		if b.dirByPath(d.Path) != nil {
			cfg.Directories = append(cfg.Directories, d.ID)
		}
	}
	for _, a := range b.advertised() {
		cfg.Listeners = append(cfg.Listeners, uplink.Listener{Name: a.Name, Host: a.Host, Port: uint16(a.Port)})
	}
	for _, f := range controller.SupportedFeatures() {
		cfg.Features = append(cfg.Features, uplink.Feature{Name: f.Name, Min: f.Min, Max: f.Max})
	}
	up, err := uplink.New(cfg)
	if err != nil {
		return err
	}
	b.uplink = up
	return b.awaitMetadata(ctx)
}

// register registers this incarnation with what its recovery proved, and waits
// for the image that says so.
func (b *Broker) register(ctx context.Context) error {
	set := b.cfg.Settings
	b.uplink.Register()
	if err := b.awaitRegistration(ctx); err != nil {
		return fmt.Errorf("register broker %d: %w", set.NodeID, err)
	}
	return b.awaitImage(ctx, "its own registration", func(img *metaimage.Image) bool {
		me := img.Broker(set.NodeID)
		return me != nil && me.BrokerEpoch == b.uplink.BrokerEpoch()
	})
}

// awaitRegistration waits until this incarnation is registered, for as long as
// initial.broker.registration.timeout.ms allows.
func (b *Broker) awaitRegistration(ctx context.Context) error {
	limit := b.cfg.Settings.RegistrationTimeout
	over, done := make(chan struct{}), make(chan struct{})
	late := false // read after over is closed
	go func() {
		defer close(over)
		timer := b.cfg.Clock.NewTimer(limit)
		defer timer.Stop()
		select {
		case <-timer.C():
			late = true
		case <-ctx.Done():
		case <-done:
		}
	}()
	err := b.uplink.WaitRegistered(over)
	close(done)
	<-over
	if err != nil && late {
		why := "no answer"
		if refused := b.uplink.Refused(); errors.Is(refused, kafka.ErrDuplicateBrokerRegistration) {
			why = "another node with this id runs, in other directories"
		} else if refused != nil {
			why = refused.Error()
		}
		return fmt.Errorf("%s within initial.broker.registration.timeout.ms, %d", why, limit.Milliseconds())
	}
	return err
}

// awaitMetadata waits until everything is there that was committed when this
// node started, and that its metadata log held: the proof of a registration
// depends on it.
func (b *Broker) awaitMetadata(ctx context.Context) error {
	waits := []<-chan struct{}{b.uplink.CaughtUp()}
	if b.quorum != nil {
		waits = append(waits, b.quorum.Replayed())
	}
	for _, there := range waits {
		select {
		case <-there:
		case err := <-b.failed:
			return err
		case <-ctx.Done():
			return errors.New("stopped while waiting for the metadata log")
		}
	}
	return b.awaitImage(ctx, "the metadata", func(img *metaimage.Image) bool { return !img.Empty() })
}

// awaitImage waits for a published image that satisfies holds.
func (b *Broker) awaitImage(ctx context.Context, what string, holds func(*metaimage.Image) bool) error {
	sub := b.holder.Subscribe()
	defer sub.Close()
	for !holds(b.holder.Load()) {
		select {
		case <-sub.Wake():
		case err := <-b.failed:
			return err
		case <-ctx.Done():
			return fmt.Errorf("stopped while waiting for %s", what)
		}
	}
	return nil
}

func (b *Broker) dirByPath(path string) *logdir.Dir {
	for _, d := range b.dirs {
		if d.Path() == path {
			return d
		}
	}
	return nil
}

// previousEpoch is the broker epoch of the last clean stop, -1 if one of the
// directories was not stopped cleanly (KIP-966).
func (b *Broker) previousEpoch() int64 {
	epoch := int64(-1)
	for i, d := range b.dirs {
		e := d.PreviousBrokerEpoch()
		if i > 0 && e != epoch {
			return -1
		}
		epoch = e
	}
	return epoch
}

// cutUngranted cuts off what has a leader epoch that the metadata, which is
// there, never granted. The proof of the registration depends on it.
func (b *Broker) cutUngranted() error {
	img := b.holder.Load()
	for _, d := range b.dirs {
		for _, r := range d.Recovered() {
			part := img.Partition(r.ID)
			if r.Err != nil || part == nil || !part.HasReplica(b.cfg.Settings.NodeID) {
				continue
			}
			if err := d.CutUngranted(r.ID, part.LeaderEpoch); err != nil && d.Err() == nil {
				return fmt.Errorf("partition %s-%d has a leader epoch that nobody was granted: %w", r.Topic, r.ID.Partition, err)
			}
		}
	}
	return nil
}

// proof tells what recovery found (the contract's section 5). Partitions of
// directories that are lost are damaged.
func (b *Broker) proof() metarecord.Proof {
	img := b.holder.Load()
	var p metarecord.Proof
	seen := make(map[kafka.TopicPartition]bool)
	durabilities := make(map[kafka.UUID]kafka.Durability)
	for _, d := range b.dirs {
		for _, r := range d.Recovered() {
			part := img.Partition(r.ID)
			if part == nil || !part.HasReplica(b.cfg.Settings.NodeID) || r.Err != nil {
				continue
			}
			seen[r.ID] = true
			end := metarecord.PartitionEnd{TopicID: r.ID.Topic, PartitionID: r.ID.Partition, LastEpoch: r.State.Evidence.LastEpoch, End: r.State.Evidence.End}
			durability, known := durabilities[r.ID.Topic]
			if !known {
				durability = b.topicConfig(img, img.Topic(r.ID.Topic).Name).Options.Durability
				durabilities[r.ID.Topic] = durability
			}
			switch seglog.Classify(durability, r.State.Evidence) {
			case seglog.Doubtful:
				p.Doubtful = append(p.Doubtful, end)
			case seglog.Damaged:
				p.Damaged = append(p.Damaged, metarecord.PartitionEnd{TopicID: end.TopicID, PartitionID: end.PartitionID, LastEpoch: -1, End: -1})
				p.Ends = append(p.Ends, end)
			case seglog.Intact:
				if !part.InISR(b.cfg.Settings.NodeID) {
					p.Ends = append(p.Ends, end)
				}
			}
		}
	}
	b.addMissing(img, seen, &p)
	return p
}

// addMissing adds the replicas that lie in a directory that is lost, and those
// whose folder is, although records were synced in it, or says no more whose log
// it holds. Another one whose folder is missing in a directory that is there was
// never written to: a folder is durable before its first record.
func (b *Broker) addMissing(img *metaimage.Image, seen map[kafka.TopicPartition]bool, p *metarecord.Proof) {
	node := b.cfg.Settings.NodeID
	for _, t := range img.Topics() {
		for index, part := range t.Partitions() {
			id := kafka.TopicPartition{Topic: t.ID, Partition: index}
			dir := part.DirectoryOf(node)
			if !part.HasReplica(node) || seen[id] || dir == kafka.DirUnassigned {
				continue
			}
			if d := b.dirByID(dir); d == nil || d.Lost(t.Name, id) {
				p.Damaged = append(p.Damaged, metarecord.PartitionEnd{TopicID: t.ID, PartitionID: index, LastEpoch: -1, End: -1})
			}
		}
	}
}

// dirByID is the open directory with the id, or nil.
func (b *Broker) dirByID(id kafka.UUID) *logdir.Dir {
	for _, d := range b.identity.Directories {
		if d.ID == id {
			return b.dirByPath(d.Path)
		}
	}
	return nil
}

func (b *Broker) appliedOffset() int64 {
	if b.manager == nil {
		return -1
	}
	return b.manager.Image().Offset()
}

// directoryStatus lists the directories that are lost, those whose disk
// does not answer in time, and those that are to get no new replicas.
func (b *Broker) directoryStatus() (status uplink.DirectoryStatus) {
	cordoned := b.cordoned(b.holder.Load())
	for _, id := range b.identity.Directories {
		d := b.dirByPath(id.Path)
		if d != nil && slices.Contains(cordoned, d) {
			status.Cordoned = append(status.Cordoned, id.ID)
		}
		switch {
		case d == nil || d.Err() != nil:
			if !id.ID.IsZero() {
				status.Offline = append(status.Offline, id.ID)
			}
		case d.Stats().OldestSyncMs > b.cfg.Settings.DiskStall.Milliseconds():
			status.Stalled = append(status.Stalled, id.ID)
		}
	}
	return status
}

// cordoned are the open directories that get no new replicas, by an image.
func (b *Broker) cordoned(img *metaimage.Image) (dirs []*logdir.Dir) {
	for _, path := range config.CordonedDirs(b.layers(img, ""), b.cfg.Settings.LogDirs) {
		if d := b.dirByPath(path); d != nil {
			dirs = append(dirs, d)
		}
	}
	return dirs
}

// unfence asks for a place among the live brokers and waits until the
// partitions that it leads are led.
func (b *Broker) unfence(ctx context.Context) error {
	b.uplink.SetReady()
	if err := b.uplink.WaitUnfenced(ctx.Done()); err != nil {
		return fmt.Errorf("unfence broker %d: %w", b.cfg.Settings.NodeID, err)
	}
	node := b.cfg.Settings.NodeID
	err := b.awaitImage(ctx, "its unfencing", func(img *metaimage.Image) bool {
		me := img.Broker(node)
		return me != nil && !me.Fenced
	})
	b.reportLeaderless()
	b.synced()
	return err
}

// reportLeaderless tells of the partitions that this node has a replica of and
// that nobody leads.
func (b *Broker) reportLeaderless() {
	img := b.holder.Load()
	for _, t := range img.Topics() {
		e := PartitionsWithoutLeader{Topic: t.Name}
		for index, p := range t.Partitions() {
			if p.Leader == metaimage.NoLeader && p.HasReplica(b.cfg.Settings.NodeID) {
				e.Partitions = append(e.Partitions, index)
			}
		}
		if len(e.Partitions) > 0 {
			b.cfg.Events.Emit(e)
		}
	}
}

// controllers is the way to the controllers as the API asks for it.
type controllers struct {
	up      *uplink.Uplink
	timeout time.Duration
	stop    <-chan struct{}
}

// Forward implements api.Controllers.
func (c controllers) Forward(req kmsg.Request) (kmsg.Response, error) {
	resp, err := c.up.Forward(req, c.timeout)
	if errors.Is(err, uplink.ErrTimeout) {
		return nil, fmt.Errorf("no active controller within %s: %w", c.timeout, err)
	}
	return resp, err
}

// NextProducerID implements api.Controllers.
func (c controllers) NextProducerID() (int64, error) { return c.up.NextProducerID(c.stop) }
