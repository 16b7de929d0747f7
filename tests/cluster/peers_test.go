package cluster

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/moldau/moldau/linearizability/history"
)

// A record of another program's producer says which of its records it is, as
// "program.number"; its value in the history is both.
const (
	programJava    = 1
	programPython  = 2
	programShift   = 40
	recordsASecond = 100 // of each program
)

// foreign is a producer that is a program of its own. It prints what it was told;
// what it sent and was told nothing of is found in the final reads.
type foreign struct {
	load    *load
	name    string
	topic   *topic
	program uint64
	since   int64 // when it began: none of its records is older
	cmd     *exec.Cmd
	errors  strings.Builder

	mu    sync.Mutex
	acked map[uint64]bool
}

// told is a line of a producer's output. These are the names that Kafka's
// VerifiableProducer uses.
type told struct {
	Name      string `json:"name"`
	Value     string `json:"value"`
	Offset    int64  `json:"offset"`
	Partition int32  `json:"partition"`
	Message   string `json:"message"`
}

// foreignEndMax is how long a program may take to end when it is asked to. A
// producer with records that are not acknowledged may wait for them for long;
// what becomes of them is not known, as of all that it left.
const foreignEndMax = 10 * time.Second

// start runs the program until ctx ends.
func (f *foreign) start(ctx context.Context) {
	f.load.t.Helper()
	f.since, f.acked = f.load.record.now(), map[uint64]bool{}
	out, err := f.cmd.StdoutPipe()
	if err != nil {
		f.load.t.Fatal(err)
	}
	f.cmd.Stderr = &f.errors
	if err := f.cmd.Start(); err != nil {
		f.load.t.Fatal(err)
	}
	f.load.start(f.name, func() {
		over := make(chan struct{})
		defer close(over)
		go f.end(ctx, over)
		f.listen(out)
		_ = f.cmd.Wait() // a signal ended it
		if ctx.Err() == nil {
			f.load.problem("%s ended by itself: %s", f.name, f.errors.String())
		}
	})
}

// end has the program end with ctx.
func (f *foreign) end(ctx context.Context, over <-chan struct{}) {
	select {
	case <-ctx.Done():
	case <-over:
		return
	}
	_ = f.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	select {
	case <-over:
	case <-time.After(foreignEndMax):
		_ = f.cmd.Process.Kill()
	}
}

func (f *foreign) listen(out io.Reader) {
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var line told
		if json.Unmarshal(lines.Bytes(), &line) != nil {
			continue
		}
		switch line.Name {
		case "producer_send_success":
			value, ok := foreignValue(line.Value)
			if !ok {
				f.load.problem("%s: %q", f.name, lines.Text())
				continue
			}
			f.produced(value, line.Partition, line.Offset)
		case "producer_send_error":
			f.load.problem("%s: %s", f.name, lines.Text())
		}
	}
}

// produced records an append that was acknowledged.
func (f *foreign) produced(value uint64, p int32, offset int64) {
	f.mu.Lock()
	f.acked[value] = true
	f.mu.Unlock()
	op := f.op(value, p)
	f.load.record.began(op)
	op.Invoke, op.Produce.BaseOffset = f.since, offset
	f.load.record.ended(op, history.OutcomeOK)
}

func (f *foreign) op(value uint64, p int32) *history.Op {
	op := &history.Op{Client: f.name, Node: history.Unknown, Kind: history.KindProduce, Topic: f.topic.id, Partition: p}
	op.Produce = &history.Produce{
		Acks: -1, ProducerID: history.Unknown, ProducerEpoch: history.Unknown, BaseSequence: history.Unknown,
		BaseOffset: history.Unknown, LogStart: history.Unknown,
		Records: []history.Record{{
			Offset: history.Unknown, Epoch: history.Unknown, Value: value,
			ProducerID: history.Unknown, ProducerEpoch: history.Unknown, Sequence: history.Unknown,
		}},
	}
	return op
}

// untold adds what the program sent and heard nothing of: all that any read of
// the history shows of its records.
func (f *foreign) untold() {
	seen := map[uint64]int32{}
	f.load.record.each(func(op *history.Op) {
		if op.Read == nil || op.Topic != f.topic.id {
			return
		}
		for _, r := range op.Read.Records {
			if r.Value>>programShift == f.program && !f.acked[r.Value] {
				seen[r.Value] = op.Partition
			}
		}
	})
	for value, p := range seen {
		op := f.op(value, p)
		f.load.record.began(op)
		op.Invoke = f.since
		f.load.record.ended(op, history.OutcomeMaybe)
	}
}

func foreignValue(text string) (uint64, bool) {
	var program, number uint64
	if n, err := fmt.Sscanf(text, "%d.%d", &program, &number); n != 2 || err != nil || program == 0 {
		return 0, false
	}
	return program<<programShift | number, true
}
