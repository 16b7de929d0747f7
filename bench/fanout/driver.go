package fanout

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/moldau/moldau/bench/stats"
	"github.com/moldau/moldau/broker/batch"
	"github.com/moldau/moldau/broker/buffer"
	"github.com/moldau/moldau/broker/event"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/seglog"
	"github.com/moldau/moldau/broker/seglog/logdir"
	"github.com/moldau/moldau/clock"
	"github.com/moldau/moldau/disk/vfs"
)

// driver writes to the partitions of one log directory.
type driver struct {
	clock clock.Clock
	dir   *logdir.Dir
	parts []*logdir.Partition
	logs  []*seglog.Log
	data  []byte // one batch
	head  batch.Header

	mu      sync.Mutex
	began   time.Time
	durable []int64 // by partition
	target  []int64 // end of the turn's append; 0 for a partition without one
	pending int
	acks    *stats.Histogram
	failed  error
	done    chan struct{} // takes one value when pending falls to 0
}

// directFilesEver is more dirty files than there are: all are synced one by one.
const directFilesEver = 1 << 30

// valueBytes of the one record that each partition is sent in a turn.
const valueBytes = 1 << 10

// open makes a log directory with n partitions at `sync` in an empty folder.
func open(fsys vfs.FS, c clock.Clock, e clock.Entropy, path string, n int, plain bool) (*driver, error) {
	d := &driver{clock: c, durable: make([]int64, n), target: make([]int64, n), done: make(chan struct{}, 1)}
	if err := d.batch(); err != nil {
		return nil, err
	}
	cfg := logdir.Config{FS: fsys, Clock: c, Entropy: e, Path: path, Events: discard{}}
	if plain {
		cfg.DirectFilesMax = directFilesEver
	}
	var err error
	if d.dir, err = logdir.Open(cfg); err != nil {
		return nil, err
	}
	logCfg := seglog.DefaultConfig()
	options := logdir.Options{Durability: kafka.DurabilitySync, IndexBytes: logCfg.IndexBytes}
	specs := make([]logdir.Spec, n)
	for i := range specs {
		specs[i] = logdir.Spec{Topic: "t", ID: kafka.TopicPartition{Topic: kafka.UUID{0: 1}, Partition: int32(i)}, Options: options}
	}
	if d.parts, err = d.dir.Create(specs); err != nil {
		return nil, errors.Join(err, d.dir.Close(false, -1))
	}
	for i, p := range d.parts {
		p.Bind(d, uint64(i))
		d.logs = append(d.logs, seglog.NewLog(logCfg, logdir.EmptyState(c.Wall())))
	}
	return d, nil
}

// batch encodes the batch that every append is a copy of.
func (d *driver) batch() error {
	value := make([]byte, valueBytes)
	_, _ = rand.Read(value) // never fails
	b := batch.NewBuilder(batch.BuilderOptions{})
	if err := b.Append(batch.NewRecord{Timestamp: d.clock.Wall(), Value: value}); err != nil {
		return err
	}
	data, err := b.Build(batch.NewCodecs(batch.Limits{}))
	if err != nil {
		return err
	}
	d.data = bytes.Clone(data)
	d.head, err = batch.ParseHeader(d.data)
	return err
}

// turn appends to the first n partitions and waits until all are durable.
func (d *driver) turn(n int) (time.Duration, error) {
	orders := make([]logdir.Order, n)
	now := d.clock.Wall()
	for i := range orders {
		op := d.logs[i].Append(now, seglog.BatchOf(&d.head), 0, buffer.Own(bytes.Clone(d.data)))
		orders[i] = logdir.Order{P: d.parts[i], Op: op}
	}
	d.mu.Lock()
	for i := range n {
		d.target[i] = d.logs[i].Next()
	}
	d.pending, d.began = n, time.Now()
	d.mu.Unlock()
	d.dir.Submit(orders)
	<-d.done
	took := time.Since(d.began)
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range n {
		d.logs[i].Written(d.durable[i])
		d.logs[i].Durable(d.durable[i])
	}
	return took, d.failed
}

// DiskDone is logdir.Sink's.
func (d *driver) DiskDone(list []logdir.Completion) {
	d.mu.Lock()
	defer d.mu.Unlock()
	before, took := d.pending, time.Since(d.began)
	for _, c := range list {
		switch c.Done.Kind {
		case seglog.Durable:
			d.durable[c.Key] = max(d.durable[c.Key], c.Done.UpTo)
			if d.target[c.Key] == 0 || d.durable[c.Key] < d.target[c.Key] {
				continue
			}
			d.acks.Add(took)
		case seglog.Failed:
			d.failed = errors.Join(d.failed, fmt.Errorf("partition %d: %w", c.Key, c.Done.Err))
			if d.target[c.Key] == 0 {
				continue
			}
		default:
			continue
		}
		d.target[c.Key] = 0
		d.pending--
	}
	if before > 0 && d.pending == 0 {
		d.done <- struct{}{}
	}
}

// discard takes no notice of events: what matters comes as an error.
type discard struct{}

func (discard) Emit(event.Event) {}
