package broker

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"sync"
	"time"

	"github.com/moldau/moldau/broker/api"
	"github.com/moldau/moldau/broker/config"
	"github.com/moldau/moldau/broker/controller"
	"github.com/moldau/moldau/broker/coord"
	"github.com/moldau/moldau/broker/group"
	"github.com/moldau/moldau/broker/identity"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/metaimage"
	"github.com/moldau/moldau/broker/metaimage/published"
	"github.com/moldau/moldau/broker/quorum"
	"github.com/moldau/moldau/broker/raftmeta"
	"github.com/moldau/moldau/broker/seglog/logdir"
	"github.com/moldau/moldau/broker/server"
	"github.com/moldau/moldau/broker/shard"
	"github.com/moldau/moldau/disk/vfs"
)

const (
	// lockName keeps two nodes from a directory before anything in it is read.
	lockName = "moldau.lock"
	// internalListener is the name of the controller listener within the process.
	internalListener = "INTERNAL"
	// internalAddress is the controller listener within the process.
	internalAddress = "controller:1"
)

// start brings the node up to where it serves. On an error the caller closes
// what was opened.
func (b *Broker) start(ctx context.Context) error {
	set := b.cfg.Settings
	if err := b.listen(); err != nil {
		return err
	}
	if err := b.takeDirectories(); err != nil {
		return err
	}
	b.budget = server.NewBudget(b.cfg.Clock, set.RequestMemoryBytes)
	if set.IsController {
		if err := b.startController(); err != nil {
			return err
		}
	}
	store, err := b.identify(ctx)
	if err != nil {
		return err
	}
	if err := b.openAll(store); err != nil {
		return err
	}
	if err := b.startUplink(ctx); err != nil || !set.IsBroker {
		return err
	}
	if err := b.cutUngranted(); err != nil {
		return err
	}
	if err := b.register(ctx); err != nil {
		return err
	}
	if err := b.startManager(); err != nil {
		return err
	}
	if err := b.unfence(ctx); err != nil {
		return err
	}
	return b.serve()
}

// listen binds all listeners, so that an address in use is known before
// anything is touched.
func (b *Broker) listen() error {
	for _, l := range b.cfg.Settings.Listeners {
		ln, err := b.cfg.Network.Listen(l.Address())
		if err != nil {
			return fmt.Errorf("listener %s: listen on %s: %w", l.Name, l.Address(), err)
		}
		bound := boundListener{Listener: l, ln: ln}
		if l.Controller {
			b.controllerListens = append(b.controllerListens, bound)
		} else {
			b.clientListens = append(b.clientListens, bound)
		}
	}
	return nil
}

// takeDirectories makes the log directories that are missing and locks the
// metadata directory. One that cannot be made is left to identity, which takes it offline.
func (b *Broker) takeDirectories() error {
	set := b.cfg.Settings
	for _, dir := range set.LogDirs {
		if err := b.cfg.FS.MkdirAll(dir); err != nil && dir == set.MetadataDir {
			return fmt.Errorf("log directory %s: %w", dir, err)
		}
	}
	if err := b.cfg.FS.MkdirAll(set.MetadataDir); err != nil {
		return fmt.Errorf("metadata directory %s: %w", set.MetadataDir, err)
	}
	if err := identity.Foreign(b.identityConfig()); err != nil {
		return err
	}
	lock, err := b.cfg.FS.Lock(set.MetadataDir + "/" + lockName)
	if err != nil {
		if errors.Is(err, vfs.ErrLocked) {
			return fmt.Errorf("%s is in use by another node that runs", set.MetadataDir)
		}
		return fmt.Errorf("lock %s: %w", set.MetadataDir, err)
	}
	b.lock = append(b.lock, lock)
	return nil
}

func (b *Broker) storeConfig() raftmeta.StoreConfig {
	return raftmeta.StoreConfig{
		FS: b.cfg.FS, Clock: b.cfg.Clock, LogDir: b.cfg.Settings.MetadataDir,
		OnFailure: func(err error) { b.fail(fmt.Errorf("metadata log: %w", err)) },
	}
}

func (b *Broker) identityConfig() identity.Config {
	set := b.cfg.Settings
	return identity.Config{
		FS: b.cfg.FS, Entropy: b.cfg.Entropy, NodeID: set.NodeID,
		LogDirs: set.LogDirs, MetadataDir: set.MetadataDir, Controller: set.IsController, Told: !b.alone(),
	}
}

// identify finds out who the node is. The store is the one that a first start
// has opened, else nil.
func (b *Broker) identify(ctx context.Context) (*raftmeta.Store, error) {
	var store *raftmeta.Store
	id, err := identity.Open(b.identityConfig(), func(id identity.Identity) (cluster string, err error) {
		cluster, store, err = b.meet(ctx, id)
		return cluster, err
	})
	if err != nil {
		if store != nil {
			err = errors.Join(err, store.Close())
		}
		return nil, err
	}
	b.identity = id
	return store, nil
}

// openAll recovers a broker's log directories side by side while a controller's
// quorum starts.
func (b *Broker) openAll(store *raftmeta.Store) error {
	b.holder = published.New(metaimage.New(b.identity.ClusterID))
	if !b.cfg.Settings.IsBroker {
		return b.startQuorum(store)
	}
	var wg sync.WaitGroup
	opened := make([]*logdir.Dir, len(b.identity.Directories))
	errs := make([]error, len(opened))
	for i, d := range b.identity.Directories {
		if d.Offline != nil {
			b.lost(d.Path, d.Offline)
			continue
		}
		wg.Add(1)
		go func() {
			defer wg.Done()
			opened[i], errs[i] = b.openDir(d)
		}()
	}
	var err error
	if b.cfg.Settings.IsController {
		err = b.startQuorum(store)
	}
	wg.Wait()
	for i, d := range opened {
		if errs[i] != nil {
			if errors.Is(errs[i], vfs.ErrLocked) {
				err = errors.Join(err, fmt.Errorf("log directory %s is in use by another process", b.identity.Directories[i].Path))
				continue
			}
			b.lost(b.identity.Directories[i].Path, errs[i])
		}
		if d != nil {
			b.dirs = append(b.dirs, d)
		}
	}
	if err == nil && len(b.dirs) == 0 {
		err = fmt.Errorf("no log directory can be used: %w", errors.Join(errs...))
	}
	return err
}

func (b *Broker) openDir(d identity.Directory) (*logdir.Dir, error) {
	return logdir.Open(b.cfg.Tuning.disk(logdir.Config{
		FS: b.cfg.FS, Clock: b.cfg.Clock, Path: d.Path, Events: b.cfg.Events, Life: b.life,
		OnOffline:     func(err error) { b.directoryLost(d, err) },
		HandlesMax:    b.handlesMax(),
		RecoveryLanes: b.cfg.Settings.RecoveryLanes, CheckpointInterval: b.cfg.Settings.CheckpointInterval,
	}))
}

// handlesMax is how many segment files a directory keeps open, 0 for logdir's
// own bound: an eighth of all files for all directories together, where that is less.
func (b *Broker) handlesMax() int {
	const few, usual = 16, 4096
	each := b.cfg.OpenFiles / filesShares / len(b.cfg.Settings.LogDirs)
	if b.cfg.OpenFiles == 0 || each >= usual {
		return 0
	}
	return max(each, few)
}

// directoryLost reports a directory that went offline while the node runs;
// the replicas in it answer storage errors, all others go on, and the next
// heartbeat tells the controller.
func (b *Broker) directoryLost(d identity.Directory, err error) {
	b.lost(d.Path, err)
}

func (b *Broker) startQuorum(store *raftmeta.Store) error {
	if store == nil {
		var err error
		if store, err = raftmeta.OpenStore(b.storeConfig()); err != nil {
			return fmt.Errorf("metadata log: %w", err)
		}
	}
	set := b.cfg.Settings
	q, err := quorum.New(quorum.Config{
		Clock: b.cfg.Clock, Network: b.cfg.Network, Events: b.cfg.Events, Holder: b.holder, Store: store, Life: b.life,
		Machine: controller.Config{
			NodeID: set.NodeID, ClusterID: b.identity.ClusterID, Configs: validator{set.Static},
			Entropy: b.cfg.Entropy, Seed: seedOf(b.identity.ClusterID),
			SessionTimeout: set.BrokerSession, HeartbeatInterval: set.BrokerHeartbeat, DisconnectGrace: set.DisconnectGrace,
			DefaultPartitions: set.NumPartitions, DefaultReplicationFactor: int16(set.DefaultReplicationFactor),
			RaisedTopics: raisedTopics(set), DeleteTopics: set.DeleteTopics, RebalanceInterval: set.LeaderRebalance,
			Bootstrap: controller.BootstrapFeatures(), Supported: controller.SupportedFeatures(),
			Out: b.cfg.Tuning.Out,
		},
		Directory: b.identity.Metadata, Incarnation: kafka.NewUUID(b.cfg.Entropy),
		Endpoints: b.controllerEndpoints(), SnapshotBytes: set.MetadataSnapshotBytes,
		SnapshotInterval: set.MetadataSnapshotInterval, StallLimit: set.DiskStall,
		Alone: b.alone(), Addresses: b.controllerAddresses,
		TrailingLen: b.cfg.Tuning.MetadataTrailingLen, TrailingBytes: b.cfg.Tuning.MetadataTrailingBytes,
		RaftHeartbeat: set.RaftHeartbeat, RaftElection: set.RaftElection, RaftLease: set.RaftLease,
		OnFailure: func(err error) { b.fail(fmt.Errorf("metadata quorum: %w", err)) },
	})
	if err != nil {
		return fmt.Errorf("metadata quorum: %w", err)
	}
	b.quorum = q
	b.door.open(api.NewController(set.NodeID, b.identity.ClusterID, q, b.holder.Load), q)
	return nil
}

// seedOf spreads the placement of replicas from one cluster to the next.
func seedOf(clusterID string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(clusterID)) // a hash never fails
	return h.Sum64()
}

// startController opens the controller listener, on the network and within the
// process. What stands behind it comes with the node's cluster.
func (b *Broker) startController() error {
	cfg := b.serverConfig()
	cfg.Protected = internalListener
	if files := b.cfg.OpenFiles; files > 0 {
		limits := server.Limits{Node: files * controllerFilesShare / filesShares, Listener: math.MaxInt32, Host: math.MaxInt32}
		cfg.Limits = func(string, string) server.Limits { return limits }
	}
	b.controller = server.New(cfg)
	inside, err := b.internal.Listen(internalAddress)
	if err != nil {
		return fmt.Errorf("controller listener within the process: %w", err)
	}
	b.controller.Serve(internalListener, inside, b.door, nil)
	for _, l := range b.controllerListens {
		b.controller.Serve(l.Name, l.ln, b.door, b.door)
	}
	return nil
}

func (b *Broker) serverConfig() server.Config {
	set := b.cfg.Settings
	return server.Config{
		Clock: b.cfg.Clock, Events: b.cfg.Events, Budget: b.budget,
		MaxFrameBytes: set.SocketRequestMaxBytes, IdleTimeout: set.ConnectionsMaxIdle,
		Turns: max(b.cfg.Shards/2, 1), Life: b.life,
	}
}

// The files that may be open are shared out, in eighths: were connections to take
// all of them, a crowd of strangers could keep segments from being opened, and
// take a log directory offline. The last quarter is the log's.
const (
	clientFilesShare     = 5
	controllerFilesShare = 1
	filesShares          = 8
)

// connectionLimits are those of the clients' listeners, as the applied image
// has them.
func (b *Broker) connectionLimits(listener, host string) server.Limits {
	limits := config.ResolveConnectionLimits(b.layers(b.manager.Image(), ""))
	at := b.cfg.Settings.Listener(listener)
	if files := b.cfg.OpenFiles; files > 0 {
		limits.Node = min(limits.Node, files*clientFilesShare/filesShares)
	}
	return server.Limits{
		Node: limits.Node, Listener: at.Connections, Host: limits.Host(host),
		NodeRate: connectionRate(limits.Rate), ListenerRate: connectionRate(at.Rate),
	}
}

// connectionRate is a setting's rate for the server: the greatest is none, and
// of none at all one in a second is left, as in Kafka.
func connectionRate(setting int) int {
	if setting == math.MaxInt32 {
		return 0
	}
	return max(setting, 1)
}

// startManager opens the replicas of the image that contains this
// incarnation's registration, and then follows (rule L1).
func (b *Broker) startManager() error {
	if err := b.startFetcher(); err != nil {
		return err
	}
	b.placements = newPlacements()
	shards := b.cfg.Settings.Shards
	if shards == 0 {
		shards = b.cfg.Shards
	}
	b.manager = shard.NewManager(shard.Config{
		NodeID: b.cfg.Settings.NodeID, Shards: shards, Clock: b.cfg.Clock, Events: b.cfg.Events, Dirs: b.dirs, Life: b.life,
		Topic: b.topicConfig, NewCoordinator: b.newCoordinator, Directory: b.dirByID, Place: b.place, Cordoned: b.cordoned,
		LoadBytes: b.cfg.Settings.OffsetsLoadBytes,
		Fetcher:   b.fetcher, ISRs: proposals{b.uplink}, BrokerEpoch: b.uplink.BrokerEpoch,
	}, b.identity.ClusterID)
	b.follow()
	b.wg.Add(2)
	go b.followLoop()
	go b.placeLoop()
	return nil
}

// follow applies the newest image, if this incarnation is in it.
func (b *Broker) follow() {
	img := b.holder.Load()
	me := img.Broker(b.cfg.Settings.NodeID)
	if me == nil || me.BrokerEpoch != b.uplink.BrokerEpoch() || img.Offset() <= b.manager.Image().Offset() {
		return
	}
	old := b.manager.Image()
	b.manager.Apply(img)
	b.fetcher.Apply(img)
	b.watchLed(old, img)
}

func (b *Broker) followLoop() {
	defer b.wg.Done()
	sub := b.holder.Subscribe()
	defer sub.Close()
	again, armed := b.cfg.Clock.NewTimer(makeAgainAfter), true
	defer again.Stop()
	for {
		if !armed && b.manager.Unmade() {
			again.Reset(makeAgainAfter)
			armed = true
		}
		select {
		case <-sub.Wake():
			b.follow()
			b.applied.wake()
		case <-again.C():
			armed = false
			b.manager.MakeAgain()
		case <-b.stop:
			return
		}
	}
}

// makeAgainAfter passes between two tries to make replicas that there was no
// space for.
const makeAgainAfter = time.Second

// newCoordinator makes the machines of internal topics.
func (b *Broker) newCoordinator(topic string) func() coord.Machine {
	if topic != kafka.OffsetsTopicName {
		return nil
	}
	return func() coord.Machine {
		set := b.cfg.Settings
		m, err := group.New(group.Config{
			SessionTimeoutMin: set.GroupMinSession, SessionTimeoutMax: set.GroupMaxSession,
			InitialRebalanceDelay: set.GroupInitialRebalanceDelay, MaxSize: set.GroupMaxSize,
			OffsetMetadataMaxBytes: set.OffsetMetadataMaxBytes, OffsetsRetention: set.OffsetsRetention,
			OffsetsRetentionCheckInterval: set.OffsetsRetentionCheck,
			MaxMessageBytes:               b.topicConfig(b.manager.Image(), topic).Settings.Policy.MaxMessageBytes,
		})
		if err != nil {
			b.fail(fmt.Errorf("consumer groups: %w", err))
			m, _ = group.New(group.DefaultConfig()) // stands in until the node has stopped
		}
		return m
	}
}

// serve opens the doors to clients.
func (b *Broker) serve() error {
	b.handler = api.New(api.Config{
		NodeID: b.cfg.Settings.NodeID, ClusterID: b.identity.ClusterID, Settings: b.cfg.Settings,
		Clock: b.cfg.Clock, Entropy: b.cfg.Entropy, Events: b.cfg.Events, Life: b.life,
		Manager: b.manager, Controllers: controllers{b.uplink, b.cfg.Settings.RequestTimeout, b.stop}, Dirs: b.dirs, Layers: b.layers, Synced: b.synced,
	})
	cfg := b.serverConfig()
	cfg.Limits, cfg.Protected = b.connectionLimits, b.cfg.Settings.InterBroker
	b.server = server.New(cfg)
	for _, l := range b.clientListens {
		b.server.Serve(l.Name, l.ln, b.handler, nil)
	}
	return nil
}

// syncedWaitMax bounds how long an answer waits for its own change to be applied.
const syncedWaitMax = 5 * time.Second

// synced waits until the image that is published now is applied, and its
// replicas here are open.
func (b *Broker) synced() {
	want := b.holder.Load().Offset()
	timer := b.cfg.Clock.NewTimer(syncedWaitMax)
	defer timer.Stop()
	for {
		moved := b.applied.wait()
		if b.manager.Image().Offset() >= want && b.manager.PlacedTo() > want {
			return
		}
		select {
		case <-moved:
		case <-timer.C():
			return
		case <-b.stop:
			return
		}
	}
}

// advertised are the endpoints that clients are told of.
func (b *Broker) advertised() []config.Listener {
	var out []config.Listener
	for _, a := range b.cfg.Settings.Advertised {
		for _, l := range b.clientListens {
			if l.Name != a.Name {
				continue
			}
			host, port := splitAddr(l.ln.Addr())
			if a.Host == "" {
				a.Host = host
			}
			if a.Port == 0 {
				a.Port = int(port)
			}
			out = append(out, a)
		}
	}
	return out
}
