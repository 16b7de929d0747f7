// Package failover measures how long clients wait when a node of three fails: the
// leader of their partition, the active controller, or one that is both, killed
// or made to hang.
//
// A round chooses its victim, strikes it, waits for what is measured, and brings
// the cluster back: all replicas in sync, each node the leader of one partition.
// The clients' settings are Settings; nothing else of the time is the client's.
package failover

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/bench/peer"
)

// What is struck.
const (
	Leader     = "leader"     // not the active controller
	Controller = "controller" // the active one, and not the partition's leader
	Both       = "both"       // in one process
)

// How it is struck.
const (
	Kill  = "kill"  // SIGKILL: its connections are reset
	Pause = "pause" // SIGSTOP: nobody is told anything
)

// Case is one kind of failure and what is waited for: after a kill of a leader
// the same producer's next ack, after a pause the first ack of a producer that is
// new, after the controller's failure the creation of a topic by a client that is new.
// New clients are started one after the other until one of them has its answer: each
// that asked the struck node before the cluster had moved on waits out its own
// timeouts, which says nothing of the cluster.
type Case struct{ What, How string }

// Cases are all of them.
func Cases() []Case {
	var out []Case
	for _, what := range []string{Leader, Controller, Both} {
		for _, how := range []string{Kill, Pause} {
			out = append(out, Case{what, how})
		}
	}
	return out
}

// Config of Run.
type Config struct {
	Cluster *peer.Cluster // three nodes that serve
	Rounds  int           // of each case
	Emit    func(Round) error
	Keep    string // folder for the nodes' logs and goroutines when a round fails
}

// Round is one failure.
type Round struct {
	What  string  `json:"what"`
	How   string  `json:"how"`
	Node  int32   `json:"node"`
	Round int     `json:"round"`
	Ms    float64 `json:"ms"`
}

const (
	topicName    = "failover"
	patience     = time.Minute // for anything; no measurement
	askEvery     = 20 * time.Millisecond
	freshEvery   = 25 * time.Millisecond // between new clients: what a time may be too long by
	retryBackoff = 10 * time.Millisecond
	// produceTimeout and answerTimeout together are how long who produces or makes a
	// topic waits for an answer before it asks again; others wait for answerTimeout.
	produceTimeout = 100 * time.Millisecond
	answerTimeout  = 100 * time.Millisecond
	dialTimeout    = 100 * time.Millisecond
	metadataMinAge = 10 * time.Millisecond
)

// Settings says how the clients are set.
func Settings() string {
	return fmt.Sprintf("franz-go, acks=all, idempotent, linger 0, retry backoff %s, metadata.min.age %s, request timeout %s, produce timeout %s more, dial timeout %s; a new client every %s",
		retryBackoff, metadataMinAge, answerTimeout, produceTimeout, dialTimeout, freshEvery)
}

// run is one execution.
type run struct {
	Config
	admin *kgo.Client
	made  int // topics
}

// Run measures each case Rounds times.
func Run(ctx context.Context, cfg Config) ([]Round, error) {
	r := &run{Config: cfg}
	var err error
	if r.admin, err = r.client(); err != nil {
		return nil, err
	}
	defer r.admin.Close()
	if err := r.create(ctx); err != nil {
		return nil, err
	}
	var out []Round
	for n := range cfg.Rounds {
		for _, c := range Cases() {
			round, err := r.round(ctx, c)
			if err != nil {
				return out, fmt.Errorf("%s %s: %w", c.How, c.What, errors.Join(err, r.Cluster.Keep(cfg.Keep)))
			}
			round.Round = n
			out = append(out, round)
			if err := cfg.Emit(round); err != nil {
				return out, err
			}
		}
	}
	return out, nil
}

func (r *run) client(opts ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(r.Cluster.Addrs()...), kgo.ProducerLinger(0), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.RetryBackoffFn(func(int) time.Duration { return retryBackoff }), kgo.MetadataMinAge(metadataMinAge),
		kgo.RequestTimeoutOverhead(answerTimeout), kgo.ProduceRequestTimeout(produceTimeout), kgo.DialTimeout(dialTimeout),
		kgo.RequestRetries(1_000_000), kgo.RetryTimeout(patience), kgo.UnknownTopicRetries(-1), kgo.AllowIdempotentProduceCancellation(),
	}, opts...)...)
}

// create makes a topic of which each node leads a partition: node I leads I-1.
func (r *run) create(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	req := kmsg.NewPtrCreateTopicsRequest()
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = topicName, -1, -1
	insync := "2"
	t.Configs = append(t.Configs, kmsg.CreateTopicsRequestTopicConfig{Name: "min.insync.replicas", Value: &insync})
	n := int32(len(r.Cluster.Nodes))
	for p := range n {
		a := kmsg.NewCreateTopicsRequestTopicReplicaAssignment()
		a.Partition = p
		for i := range n {
			a.Replicas = append(a.Replicas, (p+i)%n+1)
		}
		t.ReplicaAssignment = append(t.ReplicaAssignment, a)
	}
	req.Topics, req.TimeoutMillis = append(req.Topics, t), int32(patience/time.Millisecond)
	if _, err := req.RequestWith(ctx, r.admin); err != nil {
		return err
	}
	return r.settle(ctx)
}

// settle waits until all replicas are in sync and each partition's first leads.
func (r *run) settle(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	admin := kadm.NewClient(r.admin)
	for missing := "nothing is known"; ; {
		meta, err := admin.Metadata(ctx, topicName)
		if err == nil {
			if missing = r.missing(meta.Topics[topicName]); missing == "" && len(meta.Brokers) == len(r.Cluster.Nodes) {
				return nil
			}
			_, _ = admin.ElectLeaders(ctx, kadm.ElectPreferredReplica, nil) // asked again until it has come about
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the cluster does not come back: %s %w", missing, errors.Join(err, ctx.Err()))
		case <-time.After(askEvery):
		}
	}
}

func (r *run) missing(t kadm.TopicDetail) string {
	for p := range int32(len(r.Cluster.Nodes)) {
		d := t.Partitions[p]
		if d.Leader != p+1 || len(d.ISR) != len(r.Cluster.Nodes) {
			return fmt.Sprintf("partition %d is led by %d, in sync are %v", p, d.Leader, d.ISR)
		}
	}
	return ""
}

// controller is the active one, when all nodes agree on who that is: one that has
// just lost office may not know.
func (r *run) controller(ctx context.Context) (int32, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		active, err := r.agreed(ctx)
		if err == nil {
			return active, nil
		}
		select {
		case <-ctx.Done():
			return -1, err
		case <-time.After(askEvery):
		}
	}
}

func (r *run) agreed(ctx context.Context) (int32, error) {
	req := kmsg.NewPtrDescribeQuorumRequest()
	topic := kmsg.NewDescribeQuorumRequestTopic()
	topic.Topic = "__cluster_metadata"
	topic.Partitions = append(topic.Partitions, kmsg.NewDescribeQuorumRequestTopicPartition())
	req.Topics = append(req.Topics, topic)
	active := int32(-1)
	for i := range r.Cluster.Nodes {
		answer, err := r.admin.Broker(i+1).Request(ctx, req)
		if err != nil {
			return -1, err
		}
		resp := answer.(*kmsg.DescribeQuorumResponse)
		if len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 {
			return -1, fmt.Errorf("describe the quorum: error %d", resp.ErrorCode)
		}
		leader := resp.Topics[0].Partitions[0].LeaderID
		if leader < 1 || i > 0 && leader != active {
			return -1, fmt.Errorf("node %d says that the active controller is %d, others %d", i+1, leader, active)
		}
		active = leader
	}
	return active, nil
}

// round strikes once and heals.
func (r *run) round(ctx context.Context, c Case) (Round, error) {
	active, err := r.controller(ctx)
	if err != nil {
		return Round{}, err
	}
	nodes := int32(len(r.Cluster.Nodes))
	victim := active
	if c.What == Leader {
		victim = active%nodes + 1
	}
	took, err := r.measure(ctx, c, victim)
	if err != nil {
		return Round{}, err
	}
	if err := r.heal(victim, c.How); err != nil {
		return Round{}, err
	}
	return Round{What: c.What, How: c.How, Node: victim, Ms: float64(took.Microseconds()) / 1000}, r.settle(ctx)
}

func (r *run) strike(victim int32, how string) error {
	s := r.Cluster.Nodes[victim-1]
	if how == Pause {
		return s.Pause()
	}
	s.Kill()
	return nil
}

func (r *run) heal(victim int32, how string) error {
	if how == Pause {
		return r.Cluster.Nodes[victim-1].Resume()
	}
	return r.Cluster.Restart(int(victim - 1))
}

// measure strikes and waits for what the case is about.
func (r *run) measure(ctx context.Context, c Case, victim int32) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	record := func() *kgo.Record {
		return &kgo.Record{Topic: topicName, Partition: victim - 1, Value: []byte("failover")}
	}
	before, err := r.client()
	if err != nil {
		return 0, err
	}
	defer before.Close()
	if c.How == Kill && c.What != Controller { // the producer that is hit
		if err := before.ProduceSync(ctx, record()).FirstErr(); err != nil {
			return 0, err
		}
	}
	began := time.Now()
	if err := r.strike(victim, c.How); err != nil {
		return 0, err
	}
	switch {
	case c.What == Controller:
		r.made++
		name := fmt.Sprintf("made-%d", r.made)
		err = r.byNewClients(ctx, func(ctx context.Context, c *kgo.Client) error { return r.createTopic(ctx, c, name) })
	case c.How == Kill:
		err = before.ProduceSync(ctx, record()).FirstErr()
	default:
		err = r.byNewClients(ctx, func(ctx context.Context, c *kgo.Client) error { return c.ProduceSync(ctx, record()).FirstErr() })
	}
	return time.Since(began), err
}

// byNewClients has one new client after the other try, until one has done it.
func (r *run) byNewClients(ctx context.Context, try func(context.Context, *kgo.Client) error) error {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	done := make(chan struct{}, 1)
	start := func() error {
		c, err := r.client()
		if err != nil {
			return err
		}
		wg.Go(func() {
			defer c.Close()
			if try(ctx, c) == nil {
				select {
				case done <- struct{}{}:
				default:
				}
			}
		})
		return nil
	}
	next := time.NewTicker(freshEvery)
	defer next.Stop()
	for {
		if err := start(); err != nil {
			return err
		}
		select {
		case <-done:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-next.C:
		}
	}
}

// createTopic makes a topic; another client may be the one that does.
func (r *run) createTopic(ctx context.Context, c *kgo.Client, name string) error {
	admin := kadm.NewClient(c)
	admin.SetTimeoutMillis(int32(produceTimeout / time.Millisecond)) // or it waits 15 s for one answer
	for {
		_, err := admin.CreateTopic(ctx, 1, int16(len(r.Cluster.Nodes)-1), nil, name)
		if err == nil || errors.Is(err, kerr.TopicAlreadyExists) || ctx.Err() != nil {
			return ctx.Err()
		}
		select {
		case <-ctx.Done():
		case <-time.After(retryBackoff):
		}
	}
}

// sorted are the times of a case in order.
func sorted(rounds []Round, c Case) []float64 {
	var out []float64
	for _, r := range rounds {
		if r.What == c.What && r.How == c.How {
			out = append(out, r.Ms)
		}
	}
	slices.Sort(out)
	return out
}
