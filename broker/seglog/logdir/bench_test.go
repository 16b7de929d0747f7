package logdir

import (
	"fmt"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/moldau/moldau/broker/batch"
	"github.com/moldau/moldau/broker/buffer"
	"github.com/moldau/moldau/broker/event"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/seglog"
	"github.com/moldau/moldau/clock/sysclock"
	"github.com/moldau/moldau/disk/faultfs"
	"github.com/moldau/moldau/disk/memfs"
	"github.com/moldau/moldau/disk/osfs"
	"github.com/moldau/moldau/disk/vfs"
)

// benchSink counts answers.
type benchSink struct{ durable chan int }

func (s *benchSink) DiskDone(list []Completion) {
	n := 0
	for i := range list {
		switch list[i].Done.Kind {
		case seglog.Durable:
			n++
		case seglog.Failed:
			panic(list[i].Done.Err)
		}
	}
	if n > 0 {
		s.durable <- n
	}
}

// BenchmarkTurn appends 1 KiB to each of n partitions in one turn and waits
// until all are durable.
func BenchmarkTurn(b *testing.B) {
	for _, disk := range []string{"mem", "os", "os+1ms", "os+5ms"} {
		for _, n := range []int{1, 10, 100, 1000} {
			b.Run(fmt.Sprintf("%s/partitions=%d", disk, n), func(b *testing.B) { benchTurn(b, disk, n) })
		}
	}
}

func benchFS(b *testing.B, disk string) (vfs.FS, string) {
	if disk == "mem" {
		return memfs.New(), testRoot
	}
	dir := os.Getenv("MOLDAU_BENCH_DIR")
	if dir == "" {
		dir = b.TempDir()
	} else {
		dir = fmt.Sprintf("%s/%d", dir, time.Now().UnixNano())
		b.Cleanup(func() { os.RemoveAll(dir) })
	}
	var fsys vfs.FS = osfs.New()
	if delay, ok := map[string]time.Duration{"os+1ms": time.Millisecond, "os+5ms": 5 * time.Millisecond}[disk]; ok {
		f := faultfs.New(fsys, sysclock.New())
		f.Add(faultfs.Rule{Ops: []faultfs.Op{faultfs.OpSync}, Delay: delay})
		fsys = f
	}
	return fsys, dir
}

func benchTurn(b *testing.B, disk string, n int) {
	fsys, root := benchFS(b, disk)
	if err := fsys.MkdirAll(root); err != nil {
		b.Fatal(err)
	}
	d, err := Open(Config{FS: fsys, Clock: sysclock.New(), Path: root, Events: event.Discard{}})
	if err != nil {
		b.Fatal(err)
	}
	specs := make([]Spec, n)
	for i := range specs {
		specs[i] = Spec{
			Topic: fmt.Sprintf("t%d", i), ID: kafka.TopicPartition{Topic: kafka.UUID{0: byte(i), 1: byte(i >> 8), 15: 9}},
			Options: Options{Durability: kafka.DurabilitySync},
		}
	}
	parts, err := d.Create(specs)
	if err != nil {
		b.Fatal(err)
	}
	sink := &benchSink{durable: make(chan int, 4*n)}
	logs := make([]*seglog.Log, n)
	for i, p := range parts {
		p.Bind(sink, uint64(i))
		logs[i] = seglog.NewLog(seglog.DefaultConfig(), EmptyState(0))
	}
	data := benchBatch(b, 1024)
	h := seglog.Batch{Size: int64(len(data)), MaxTimestamp: 1, ProducerID: -1, BaseSequence: -1}
	orders := make([]Order, n)
	turn := func() {
		for i, l := range logs {
			own := append([]byte(nil), data...)
			orders[i] = Order{P: parts[i], Op: l.Append(0, h, 0, buffer.Own(own))}
			l.Written(l.Next())
		}
		d.Submit(orders)
		for left := n; left > 0; {
			left -= <-sink.durable
		}
	}
	for range 20 {
		turn()
	}
	b.SetBytes(int64(n) * 1024)
	b.ResetTimer()
	before := d.Stats()
	cpu := processCPU(b)
	took := make([]time.Duration, b.N)
	for i := range took {
		began := time.Now()
		turn()
		took[i] = time.Since(began)
	}
	b.StopTimer()
	cpu = processCPU(b) - cpu
	after := d.Stats()
	slices.Sort(took)
	b.ReportMetric(float64(after.DirectSyncs-before.DirectSyncs+after.BackgroundSyncs-before.BackgroundSyncs)/float64(b.N), "file-syncs/turn")
	b.ReportMetric(float64(took[0].Microseconds()), "µs-least/turn")
	b.ReportMetric(float64(took[len(took)/10].Microseconds()), "µs-p10/turn")
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "µs-p50/turn")
	b.ReportMetric(float64(cpu.Nanoseconds())/1000/float64(b.N)/float64(n), "µs-cpu/partition")
	if err := d.Close(false, 0); err != nil {
		b.Fatal(err)
	}
}

// processCPU is the CPU time of this process so far, user and system: unlike
// the time of a turn it hardly depends on who else uses the machine.
func processCPU(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// benchBatch is one batch of size bytes.
func benchBatch(b *testing.B, size int) []byte {
	var x batch.Builder
	x.Reset(batch.BuilderOptions{})
	if err := x.Append(batch.NewRecord{Timestamp: 1, Value: make([]byte, size-batch.HeaderSize-9)}); err != nil {
		b.Fatal(err)
	}
	out, err := x.Build(batch.NewCodecs(batch.Limits{}))
	if err != nil {
		b.Fatal(err)
	}
	return out
}

// BenchmarkRecovery opens a directory whose process was killed under load.
func BenchmarkRecovery(b *testing.B) {
	const partitions = 2000
	fsys, root := benchFS(b, "os")
	if err := fsys.MkdirAll(root); err != nil {
		b.Fatal(err)
	}
	cfg := Config{FS: fsys, Clock: sysclock.New(), Path: root, Events: event.Discard{}}
	d, err := Open(cfg)
	if err != nil {
		b.Fatal(err)
	}
	specs := make([]Spec, partitions)
	for i := range specs {
		specs[i] = Spec{Topic: fmt.Sprintf("t%d", i), ID: kafka.TopicPartition{Topic: kafka.UUID{0: byte(i), 1: byte(i >> 8), 15: 9}}}
	}
	parts, err := d.Create(specs)
	if err != nil {
		b.Fatal(err)
	}
	sink := &benchSink{durable: make(chan int, 4*partitions)}
	data := benchBatch(b, 1024)
	h := seglog.Batch{Size: int64(len(data)), MaxTimestamp: 1, ProducerID: -1, BaseSequence: -1}
	logs := make([]*seglog.Log, partitions)
	for i, p := range parts {
		p.Bind(sink, uint64(i))
		logs[i] = seglog.NewLog(seglog.DefaultConfig(), EmptyState(0))
	}
	load := func(parts []*Partition) {
		orders := make([]Order, len(parts))
		for i, l := range logs {
			orders[i] = Order{P: parts[i], Op: l.Append(0, h, 0, buffer.Own(append([]byte(nil), data...)))}
			l.Written(l.Next())
		}
		d.Submit(orders)
		for left := len(parts); left > 0; {
			left -= <-sink.durable
		}
	}
	for b.Loop() {
		b.StopTimer()
		for range 12 {
			load(parts)
		}
		if err := d.Close(false, 0); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		if d, err = Open(cfg); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		for i, s := range specs {
			p, st, err := d.Adopt(s.ID, s.Options)
			if err != nil || st.End != logs[i].Next() {
				b.Fatalf("%v: ends at %d, want %d", err, st.End, logs[i].Next())
			}
			p.Bind(sink, uint64(i))
			parts[i] = p
		}
		b.StartTimer()
	}
	if err := d.Close(false, 0); err != nil {
		b.Fatal(err)
	}
}
