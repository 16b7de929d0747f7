package cluster

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/moldau/moldau/linearizability"
	"github.com/moldau/moldau/linearizability/history"
	"github.com/moldau/moldau/tests/confluent"
	"github.com/moldau/moldau/tests/kafkajvm"
	"github.com/moldau/moldau/tests/node"
)

const (
	// How long each test strikes, two minutes together; MOLDAU_CHAOS_DURATION says
	// otherwise for each of them.
	chaosDuration   = 35 * time.Second
	clientsDuration = 30 * time.Second
	wiresDuration   = 30 * time.Second
	disksDuration   = 25 * time.Second
	// acksMax: a strike lasts until up to so many more appends are acknowledged.
	acksMax = 200
	// outageMax is how long a strike lasts that leaves no majority.
	outageMax = 3 * time.Second
)

// TestChaos: processes of a cluster are killed, paused and stopped, leaders,
// followers and controllers, one or all, while clients write and read. Whatever
// was acknowledged is there at the end, once, in order, and the same everywhere.
func TestChaos(t *testing.T) {
	c := newChaos(t, "chaos", false)
	c.create(&topic{name: "few", partitions: 3, durability: history.DurabilitySync}, &topic{name: "one", partitions: 1, durability: history.DurabilitySync})
	c.run(lasting(t, chaosDuration))
}

// TestChaosUnderOtherClients is TestChaos with the idempotent producers of Java
// and of librdkafka beside.
func TestChaosUnderOtherClients(t *testing.T) {
	jars := kafkajvm.Tools(t)
	python := confluent.Python(t)
	c := newChaos(t, "clients", false)
	java := &topic{name: "java", partitions: 2, durability: history.DurabilitySync, foreign: true}
	librdkafka := &topic{name: "librdkafka", partitions: 2, durability: history.DurabilitySync, foreign: true}
	c.create(&topic{name: "franz", partitions: 1, durability: history.DurabilitySync}, java, librdkafka)
	settings := filepath.Join(t.TempDir(), "producer.properties")
	if err := os.WriteFile(settings, []byte("enable.idempotence=true\nretries=2147483647\ndelivery.timeout.ms=600000\nrequest.timeout.ms=2000\nretry.backoff.ms=50\nlinger.ms=2\n"+
		"retry.backoff.max.ms=100\nreconnect.backoff.max.ms=200\nmax.block.ms=600000\nmetadata.max.age.ms=2000\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c.foreign = []*foreign{
		{load: c.load, name: "java", topic: java, program: programJava,
			cmd: jars.Command("org.apache.kafka.tools.VerifiableProducer", "--bootstrap-server", c.cluster.Seeds(), "--topic", java.name,
				"--value-prefix", fmt.Sprint(programJava), "--throughput", fmt.Sprint(recordsASecond), "--acks", "-1", "--command-config", settings)},
		{load: c.load, name: "librdkafka", topic: librdkafka, program: programPython,
			cmd: exec.Command(python, filepath.Join("testdata", "produce.py"), c.cluster.Seeds(), librdkafka.name, fmt.Sprint(programPython), fmt.Sprint(recordsASecond))},
	}
	c.run(lasting(t, clientsDuration))
}

// nodeFlags make small what a run would not fill else.
var nodeFlags = []string{
	"--set", "offsets.topic.num.partitions=1", "--set", "log.segment.bytes=1048576",
	"--set", "metadata.log.max.record.bytes.between.snapshots=65536",
}

func newChaos(t *testing.T, name string, wired bool) *chaos {
	t.Helper()
	seed := drawn(t)
	c := &chaos{t: t, rng: rand.New(rand.NewPCG(seed, 0)), struck: map[string]int{}}
	if wired {
		c.cluster, c.wires = node.StartWired(t, nodeFlags...)
	} else {
		c.cluster = node.StartCluster(t, nodeFlags...)
	}
	c.load = &load{t: t, cluster: c.cluster, record: newRecorder(fmt.Sprint(name, "-", seed), seed)}
	return c
}

func (c *chaos) create(topics ...*topic) {
	c.t.Helper()
	within, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c.load.create(within, topics...)
}

// run strikes for a while under load, heals, and has the history judged.
func (c *chaos) run(lasts time.Duration) {
	t := c.t
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	defer c.over()
	defer stop()
	c.admin = c.load.client("watcher")
	c.load.run(ctx)
	for _, f := range c.foreign {
		f.start(ctx)
	}
	c.progress(0, c.load.clients...)
	c.acked(acksMax)
	until := time.Now().Add(lasts)
	for time.Now().Before(until) && !t.Failed() {
		c.strike()
	}
	c.whole()
	healed := c.load.record.now()
	c.load.record.event(history.Event{Kind: history.EventHealed, Node: history.Unknown, Clients: c.native(), DeadlineNs: int64(patience)})
	c.progress(healed, c.load.clients...)
	stop()
	c.ended()
	c.finish(healed)
}

// over ends what a run that failed left, and keeps what explains it.
func (c *chaos) over() {
	if c.t.Failed() {
		dir := filepath.Join(outDir(c.t), c.load.record.h.Header.Scenario)
		c.t.Logf("logs of the nodes are in %s (%v)", dir, c.keepLogs(dir))
	}
	c.giveUp()
}

// finish reads everything and judges.
func (c *chaos) finish(healed int64) {
	t := c.t
	t.Helper()
	c.whole()
	within, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := c.load.finalReads(within); err != nil {
		t.Error(err)
	}
	for _, f := range c.foreign {
		f.untold()
		t.Logf("%s: %d appends acknowledged", f.name, len(f.acked))
	}
	if err := c.load.wrong(); err != nil {
		t.Error(err)
	}
	t.Logf("%d appends acknowledged over %d strikes: %v", c.load.record.acks, c.strikes, c.struck)
	h := c.load.record.close()
	h.End = max(h.End, healed+int64(patience)) // nobody waited for longer
	judge(t, h, linearizability.Options{})
	if t.Failed() {
		t.Logf("the history is in %s", keep(t, h))
	}
}

// native are the clients that say when they ask for something.
func (c *chaos) native() []string {
	return slices.DeleteFunc(slices.Clone(c.load.clients), func(name string) bool {
		return slices.ContainsFunc(c.foreign, func(f *foreign) bool { return f.name == name })
	})
}

func drawn(t *testing.T) uint64 {
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("MOLDAU_CHAOS_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("MOLDAU_CHAOS_SEED=%d draws the same strikes", seed)
	return seed
}

func lasting(t *testing.T, otherwise time.Duration) time.Duration {
	s := os.Getenv("MOLDAU_CHAOS_DURATION")
	if s == "" {
		return otherwise
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

type chaos struct {
	t       *testing.T
	rng     *rand.Rand
	cluster *node.Cluster
	wires   *node.Wires // nil where nodes reach each other without
	strace  string      // the program, where disks are struck
	load    *load
	admin   *kgo.Client
	strikes int
	struck  map[string]int
	foreign []*foreign
}

// getOn waits for what a majority can do while a minority is struck: any
// appends, or some of every producer's.
func (c *chaos) getOn() {
	c.t.Helper()
	since := c.load.record.now()
	c.acked(1 + c.rng.IntN(acksMax))
	if c.rng.IntN(2) == 0 {
		c.progress(since, c.load.clients...)
	}
}

// target draws nodes to strike, and says what they are.
func (c *chaos) target() (ids []int32, what string) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	topic := c.load.topics[c.rng.IntN(len(c.load.topics))].name
	meta, err := kadm.NewClient(c.admin).Metadata(ctx, topic)
	if err != nil {
		c.t.Fatal(err)
	}
	leader := meta.Topics[topic].Partitions[0].Leader
	controller, err := node.ActiveController(ctx, c.admin)
	if err != nil || controller < 1 || leader < 1 {
		return []int32{1 + c.rng.Int32N(node.Nodes)}, "any"
	}
	switch c.rng.IntN(8) {
	case 0, 1:
		return []int32{leader}, "leader"
	case 2:
		return []int32{leader%node.Nodes + 1}, "follower"
	case 3, 4:
		return []int32{controller}, "controller"
	case 5:
		if leader == controller {
			return []int32{leader}, "both in one"
		}
		return []int32{leader, controller}, "leader and controller"
	case 6:
		return []int32{1, 2, 3}, "all"
	}
	at := 1 + c.rng.Int32N(node.Nodes)
	return []int32{at, at%node.Nodes + 1}, "two"
}

// strike does one thing to some nodes, and takes it back.
func (c *chaos) strike() {
	c.t.Helper()
	ids, what := c.target()
	if c.wires != nil && c.rng.IntN(3) > 0 {
		c.strikeWires(ids[0], what)
		return
	}
	if c.strace != "" {
		c.strikeDisk(ids[0], what)
		return
	}
	how := []string{"kill", "kill", "pause", "pause", "stop", "pause and kill"}[c.rng.IntN(6)]
	if how == "stop" && len(ids) > 1 {
		how = "kill" // a stop that is announced wants a controller
	}
	c.note(how, what, ids...)
	for _, id := range ids {
		c.down(id, how)
	}
	if len(ids) > 1 {
		<-time.After(time.Duration(c.rng.Int64N(int64(outageMax))))
	} else {
		c.getOn()
	}
	c.up(ids, how)
	c.acked(1 + c.rng.IntN(acksMax))
	if c.rng.IntN(2) == 0 {
		c.whole()
	}
}

// note says what strikes.
func (c *chaos) note(how, what string, ids ...int32) {
	c.t.Helper()
	c.strikes++
	c.struck[how+" "+what]++
	c.t.Logf("%6.2fs strike %d: %s %s %v", float64(c.load.record.now())/1e9, c.strikes, how, what, ids)
}

func (c *chaos) down(id int32, how string) {
	c.t.Helper()
	switch how {
	case "kill":
		c.cluster.Kill(id)
		c.load.record.event(history.Event{Kind: history.EventCrash, Node: id})
	case "stop":
		if err := c.cluster.Stop(id); err != nil {
			c.t.Error(err)
		}
	default:
		if err := c.cluster.Node(id).Signal(syscall.SIGSTOP); err != nil {
			c.t.Fatal(err)
		}
		c.load.record.event(history.Event{Kind: history.EventPause, Node: id})
	}
}

func (c *chaos) up(ids []int32, how string) {
	c.t.Helper()
	if how == "pause and kill" {
		c.cluster.Kill(ids...)
	}
	if how != "pause" {
		if err := c.cluster.Restart(ids...); err != nil {
			c.t.Fatal(err)
		}
	}
	for _, id := range ids {
		kind := history.EventRestart
		if how == "pause" {
			kind = history.EventResume
			if err := c.cluster.Node(id).Signal(syscall.SIGCONT); err != nil {
				c.t.Fatal(err)
			}
		}
		c.load.record.event(history.Event{Kind: kind, Node: id})
	}
}
