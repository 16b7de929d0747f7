package broker_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/batch"
	"github.com/moldau/moldau/broker/config"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/clock/sysclock"
	"github.com/moldau/moldau/disk/faultfs"
	"github.com/moldau/moldau/disk/memfs"
	"github.com/moldau/moldau/disk/vfs"
)

var errDisk = errors.New("input/output error")

var twoDirs = config.Property{Name: "log.dirs", Value: "a,b"}

// spread creates a topic of four partitions over the directories a and b,
// gives each a record, and returns the partitions of b.
func spread(t *testing.T, c *client, fsys vfs.FS) (inB map[int32]bool) {
	t.Helper()
	c.createTopic("t", 4)
	for _, p := range c.multi("t", 0, 4, 60_000, records(t, batch.CodecNone, "first")) {
		if p.ErrorCode != 0 {
			t.Fatalf("produce to t-%d: %s", p.Partition, kafka.ErrorCode(p.ErrorCode))
		}
	}
	inB = map[int32]bool{}
	list, err := fsys.List("b")
	if err != nil {
		t.Fatal(err)
	}
	for _, info := range list {
		var p int32
		if _, err := fmt.Sscanf(info.Name, "t-%d", &p); err == nil && info.Dir {
			inB[p] = true
		}
	}
	if len(inB) == 0 || len(inB) == 4 {
		t.Fatalf("directory b has %d of 4 partitions", len(inB))
	}
	return inB
}

// failB makes every call of the kinds within b fail.
func failB(fsys *faultfs.FS, err error, ops ...faultfs.Op) (heal func()) {
	var removes []func()
	for _, pattern := range []string{"b", "b/*", "b/*/*"} {
		removes = append(removes, fsys.Add(faultfs.Rule{Ops: ops, Pattern: pattern, Err: err}))
	}
	return func() {
		for _, remove := range removes {
			remove()
		}
	}
}

// A directory whose sync fails takes its own partitions offline and no other;
// after a restart on a healed disk all that was acked is there.
func TestFailedSyncTakesOneDirectory(t *testing.T) {
	for name, ops := range map[string][]faultfs.Op{"sync": {faultfs.OpSync}, "write": {faultfs.OpWrite}} {
		t.Run(name, func(t *testing.T) {
			mem := memfs.New()
			fsys := faultfs.New(mem, sysclock.New())
			events := &eventLog{}
			n, err := launch(t, fsys, 1, events, twoDirs)
			if err != nil {
				t.Fatal(err)
			}
			c := n.client()
			inB := spread(t, c, mem)
			heal := failB(fsys, errDisk, ops...)
			for range 2 {
				for _, p := range c.multi("t", 0, 4, 60_000, records(t, batch.CodecNone, "second")) {
					code := kafka.ErrorCode(p.ErrorCode)
					if inB[p.Partition] != (code != kafka.ErrNone) {
						t.Errorf("produce to t-%d, of b %v: %s", p.Partition, inB[p.Partition], code)
					}
					if code == kafka.ErrRequestTimedOut {
						t.Errorf("produce to t-%d waits for a disk that has failed", p.Partition)
					}
				}
			}
			for p := range int32(4) {
				if inB[p] {
					continue
				}
				if got, err := c.readAll("t", p); err != nil || len(got) != 3 {
					t.Errorf("t-%d: %v, %v", p, got, err)
				}
			}
			if !strings.Contains(events.String(), "path=b") && !strings.Contains(events.String(), "dir=b") {
				t.Errorf("nobody was told of the directory:\n%s", events)
			}
			_ = n.quit() // not a clean stop: a directory is lost
			heal()

			if n, err = launch(t, fsys, 2, &eventLog{}, twoDirs); err != nil {
				t.Fatal(err)
			}
			c = n.client()
			for p := range int32(4) {
				want := 3
				if inB[p] {
					// The last replica was struck out with its directory: at `sync`
					// the operator decides that it leads again.
					want = 1
					c.electUnclean("t", p)
				}
				got, err := c.readAll("t", p)
				if err != nil || len(got) < want || got[0] != "first" {
					t.Errorf("t-%d after the restart: %v, %v", p, got, err)
				}
			}
			n.stop()
		})
	}
}

// A directory that cannot be read at the start is left out; when it is back,
// so are its partitions.
func TestStartWithoutADirectory(t *testing.T) {
	mem := memfs.New()
	fsys := faultfs.New(mem, sysclock.New())
	n, err := launch(t, fsys, 1, &eventLog{}, twoDirs)
	if err != nil {
		t.Fatal(err)
	}
	inB := spread(t, n.client(), mem)
	n.stop()

	heal := failB(fsys, errDisk)
	events := &eventLog{}
	if n, err = launch(t, fsys, 2, events, twoDirs); err != nil {
		t.Fatal(err)
	}
	c := n.client()
	for _, p := range c.multi("t", 0, 4, 60_000, records(t, batch.CodecNone, "second")) {
		if code := kafka.ErrorCode(p.ErrorCode); inB[p.Partition] != (code != kafka.ErrNone) {
			t.Errorf("produce to t-%d, of b %v: %s", p.Partition, inB[p.Partition], code)
		}
	}
	if !strings.Contains(events.String(), "path=b") {
		t.Errorf("nobody was told of the directory:\n%s", events)
	}
	c.createTopic("later", 4) // all of it in a
	for _, p := range c.multi("later", 0, 4, 60_000, records(t, batch.CodecNone, "x")) {
		if p.ErrorCode != 0 {
			t.Errorf("produce to later-%d: %s", p.Partition, kafka.ErrorCode(p.ErrorCode))
		}
	}
	n.stop()
	heal()

	if n, err = launch(t, fsys, 3, &eventLog{}, twoDirs); err != nil {
		t.Fatal(err)
	}
	defer n.stop()
	c = n.client()
	for p := range int32(4) {
		if inB[p] {
			c.electUnclean("t", p) // as above
		}
		if got, err := c.readAll("t", p); err != nil || len(got) < 1 || got[0] != "first" {
			t.Errorf("t-%d after its directory is back: %v, %v", p, got, err)
		}
	}
}

// An operator who does not wait for a directory lets its partitions begin anew
// in another one. When it is back, what was written since is served, not the
// copy that nobody leads.
func TestDirectoryComesBackTooLate(t *testing.T) {
	mem := memfs.New()
	fsys := faultfs.New(mem, sysclock.New())
	n, err := launch(t, fsys, 1, &eventLog{}, twoDirs)
	if err != nil {
		t.Fatal(err)
	}
	inB := spread(t, n.client(), mem)
	n.stop()

	heal := failB(fsys, errDisk)
	if n, err = launch(t, fsys, 2, &eventLog{}, twoDirs); err != nil {
		t.Fatal(err)
	}
	c := n.client()
	for p := range inB {
		c.electUnclean("t", p)
		c.produceUntilTaken("t", p, "anew")
	}
	n.stop()
	heal()

	events := &eventLog{}
	if n, err = launch(t, fsys, 3, events, twoDirs); err != nil {
		t.Fatal(err)
	}
	defer n.stop()
	c = n.client()
	for p := range int32(4) {
		want := "first"
		if inB[p] {
			want = "anew"
		}
		if got, err := c.readAll("t", p); err != nil || len(got) != 1 || got[0] != want {
			t.Errorf("t-%d: %v, %v, want %s", p, got, err, want)
		}
	}
	if got := strings.Count(events.String(), "stray-replica"); got != len(inB) {
		t.Errorf("%d copies that are left over were reported, want %d:\n%s", got, len(inB), events)
	}
}

// An operator who has a partition elected while its directory is given up, in the
// process that gave it up, has it begin anew there and then: that process serves no
// copy of the dead directory any more, and what it acknowledges from the election
// on is there after the next start, with the directory or without it.
func TestElectionWhileADirectoryIsGivenUp(t *testing.T) {
	mem := memfs.New()
	fsys := faultfs.New(mem, sysclock.New())
	events := &eventLog{}
	n, err := launch(t, fsys, 1, events, twoDirs)
	if err != nil {
		t.Fatal(err)
	}
	c := n.client()
	inB := spread(t, c, mem)
	failB(fsys, errDisk)
	for p := range inB {
		c.produce("t", p, -1, records(t, batch.CodecNone, "refused"))
		c.electOnceLeaderless("t", p)
		c.produceUntilTaken("t", p, "anew")
		if got, err := c.readAll("t", p); err != nil || len(got) != 1 || got[0] != "anew" {
			t.Errorf("t-%d after its election: %v, %v", p, got, err)
		}
	}
	if got := strings.Count(events.String(), "lost-log-begun-anew"); got != len(inB) {
		t.Errorf("%d logs were said to begin anew, want %d:\n%s", got, len(inB), events)
	}
	_ = n.quit() // not a clean stop: a directory is lost

	if n, err = launch(t, fsys, 2, &eventLog{}, twoDirs); err != nil {
		t.Fatal(err)
	}
	defer n.stop()
	c = n.client()
	for p := range inB {
		if got, err := c.readAll("t", p); err != nil || len(got) != 1 || got[0] != "anew" {
			t.Errorf("t-%d after the restart: %v, %v", p, got, err)
		}
	}
}

// A directory that another process holds refuses the start by name.
func TestLockedDirectoryRefusesTheStart(t *testing.T) {
	mem := memfs.New()
	if err := mem.MkdirAll("b"); err != nil {
		t.Fatal(err)
	}
	lock, err := mem.Lock("b/.lock")
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	n, err := launch(t, mem, 1, &eventLog{}, twoDirs)
	if err == nil {
		n.stop()
		t.Fatal("a node started on a directory that another process holds")
	}
	if !strings.Contains(err.Error(), "b is in use by another process") {
		t.Errorf("the refusal is %q", err)
	}
}

// A full disk refuses appends with KAFKA_STORAGE_ERROR, loses nothing, and
// goes on when there is space again.
func TestFullDiskGoesOn(t *testing.T) {
	mem := memfs.New()
	n, err := launch(t, mem, 1, &eventLog{})
	if err != nil {
		t.Fatal(err)
	}
	c := n.client()
	c.createTopic("t", 1)
	usage, err := mem.Usage("data")
	if err != nil {
		t.Fatal(err)
	}
	used := usage.Total - usage.Free
	mem.SetCapacity(used + 512<<10)
	pad := strings.Repeat("x", 20_000)
	acked, refused := 0, 0
	produce := func() kafka.ErrorCode {
		p := c.multi("t", 0, 1, 60_000, records(t, batch.CodecNone, fmt.Sprint(acked, " ", pad)))[0]
		if p.ErrorCode == 0 {
			acked++
		}
		return kafka.ErrorCode(p.ErrorCode)
	}
	for i := 0; i < 200 && refused < 5; i++ {
		switch code := produce(); code {
		case kafka.ErrNone:
		case kafka.ErrKafkaStorageError:
			refused++
		default:
			t.Fatalf("produce to a full disk: %s", code)
		}
	}
	if refused == 0 || acked == 0 {
		t.Fatalf("%d acked, %d refused on a small disk", acked, refused)
	}
	mem.SetCapacity(used + 64<<20)
	for deadline := time.Now().Add(patience); ; {
		code := produce()
		if code == kafka.ErrNone {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the disk has space again, and still %s", code)
		}
	}
	check := func(c *client) {
		t.Helper()
		got, err := c.readAll("t", 0)
		if err != nil || len(got) != acked {
			t.Fatalf("%d records, %d were acked; %v", len(got), acked, err)
		}
		for i, v := range got {
			if !strings.HasPrefix(v, fmt.Sprint(i, " ")) {
				t.Errorf("record %d is %.10q", i, v)
			}
		}
	}
	check(c)
	n.stop()
	n, err = launch(t, mem, 2, &eventLog{})
	if err != nil {
		t.Fatal(err)
	}
	defer n.stop()
	check(n.client())
}

// A sync that hangs answers REQUEST_TIMED_OUT in time, stalls its own
// directory only, and its records are there when it returns.
func TestHungSyncStallsItsDirectoryOnly(t *testing.T) {
	mem := memfs.New()
	fsys := faultfs.New(mem, sysclock.New())
	n, err := launch(t, fsys, 1, &eventLog{}, twoDirs)
	if err != nil {
		t.Fatal(err)
	}
	c := n.client()
	inB := spread(t, c, mem)
	hold := make(chan struct{})
	var removes []func()
	for _, pattern := range []string{"b/*", "b/*/*"} {
		removes = append(removes, fsys.Add(faultfs.Rule{Ops: []faultfs.Op{faultfs.OpSync}, Pattern: pattern, Hold: hold}))
	}
	hung, other := int32(-1), int32(-1)
	for p := range int32(4) {
		if inB[p] {
			hung = p
		} else {
			other = p
		}
	}
	if p := c.multi("t", hung, 1, 300, records(t, batch.CodecNone, "slow"))[0]; kafka.ErrorCode(p.ErrorCode) != kafka.ErrRequestTimedOut {
		t.Errorf("produce to a hung disk: %s", kafka.ErrorCode(p.ErrorCode))
	}
	for range 10 {
		if p := c.multi("t", other, 1, 60_000, records(t, batch.CodecNone, "quick"))[0]; p.ErrorCode != 0 {
			t.Errorf("produce to the other disk: %s", kafka.ErrorCode(p.ErrorCode))
		}
	}
	for _, remove := range removes {
		remove()
	}
	close(hold)
	for deadline := time.Now().Add(patience); ; {
		if got, err := c.readAll("t", hung); err == nil && len(got) == 2 {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("after the sync returned: %v, %v", got, err)
		}
	}
	n.stop()
}

// electUnclean is the operator's word that a replica may lead.
func (c *client) electUnclean(topic string, partition int32) {
	c.t.Helper()
	if code := c.tryElectUnclean(topic, partition); code != kafka.ErrNone {
		c.t.Errorf("unclean election of %s-%d: %s", topic, partition, code)
	}
}

// tryElectUnclean asks for an unclean election of one partition.
func (c *client) tryElectUnclean(topic string, partition int32) kafka.ErrorCode {
	c.t.Helper()
	req := kmsg.NewPtrElectLeadersRequest()
	req.Version, req.ElectionType, req.TimeoutMillis = 2, 1, 30_000
	rt := kmsg.NewElectLeadersRequestTopic()
	rt.Topic, rt.Partitions = topic, []int32{partition}
	req.Topics = append(req.Topics, rt)
	resp := c.ask(req).(*kmsg.ElectLeadersResponse)
	if resp.ErrorCode != 0 || len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 {
		c.t.Fatalf("unclean election of %s-%d: %+v", topic, partition, resp)
	}
	return kafka.ErrorCode(resp.Topics[0].Partitions[0].ErrorCode)
}

// triesMax is how often something is asked for that comes about by itself.
const triesMax = 10_000

// produceUntilTaken appends a record to a partition whose leader may not serve yet.
func (c *client) produceUntilTaken(topic string, partition int32, value string) {
	c.t.Helper()
	code := kafka.ErrNone
	for range triesMax {
		code = kafka.ErrorCode(c.produce(topic, partition, -1, records(c.t, batch.CodecNone, value)).ErrorCode)
		if code == kafka.ErrNone || !code.Retriable() {
			break
		}
	}
	if code != kafka.ErrNone {
		c.t.Fatalf("produce to %s-%d: %s", topic, partition, code)
	}
}

// electOnceLeaderless has a partition elected uncleanly as soon as the controller
// knows that it has no leader.
func (c *client) electOnceLeaderless(topic string, partition int32) {
	c.t.Helper()
	code := kafka.ErrNone
	for range triesMax {
		if code = c.tryElectUnclean(topic, partition); code != kafka.ErrElectionNotNeeded {
			break
		}
	}
	if code != kafka.ErrNone {
		c.t.Fatalf("unclean election of %s-%d: %s", topic, partition, code)
	}
}

// A topic that is created while its directory has no space is served as soon
// as there is some, by itself.
func TestCreatedWithoutSpace(t *testing.T) {
	fsys := faultfs.New(memfs.New(), sysclock.New())
	n := startNode(t, fsys)
	defer n.stop()
	c := n.client()
	space := fsys.Add(faultfs.Rule{Ops: []faultfs.Op{faultfs.OpWrite}, Pattern: "data/t-*/*", Err: vfs.ErrNoSpace})
	c.createTopic("t", 1)
	if code := kafka.ErrorCode(c.produce("t", 0, -1, records(t, batch.CodecNone, "early")).ErrorCode); code == kafka.ErrNone {
		t.Error("a record was taken that there is no space for")
	}
	space()
	for !n.events.has("replica-made topic=t") {
		c.produce("t", 0, -1, records(t, batch.CodecNone, "between")) // whether it is taken or not
	}
	c.produceUntilTaken("t", 0, "late")
	if got, err := c.readAll("t", 0); err != nil || len(got) == 0 || got[len(got)-1] != "late" {
		t.Errorf("read %v, %v", got, err)
	}
}
