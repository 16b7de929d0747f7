package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"
)

// lineLenMax bounds one record's line, in bytes.
const lineLenMax = 100 << 20

// producing are the flags of produce.
type producing struct {
	topic        string
	keySeparator string
	headers      []string
	codec        string
	acks         string
	partition    int32
	null         string
}

func (a *app) produceCommand() *cobra.Command {
	var p producing
	c := &cobra.Command{
		Use: "produce TOPIC", Short: "Write the lines of the standard input as records", Args: cobra.ExactArgs(1),
		Long: "Write the lines of the standard input as records, idempotently, in order, acknowledged by all\n" +
			"in-sync replicas. With --format json each acknowledged record is printed as a line.",
	}
	c.Flags().StringVarP(&p.keySeparator, "key-separator", "k", "", "split each line at the first of this into key and value")
	c.Flags().StringArrayVarP(&p.headers, "header", "H", nil, "a header of every record, as key=value; may be repeated")
	c.Flags().StringVarP(&p.codec, "compression", "z", "none", "codec: none, gzip, snappy, lz4 or zstd")
	c.Flags().StringVar(&p.acks, "acks", "all", "who acknowledges: all, 1 (leader) or 0 (nobody)")
	c.Flags().Int32VarP(&p.partition, "partition", "p", -1, "write to this partition (-1: by key, else any)")
	c.Flags().StringVarP(&p.null, "null", "Z", "", "this text stands for a null key or value")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		p.topic = args[0]
		if p.partition < -1 {
			return a.usageError("invalid value \"%d\" for --partition: want -1 or a partition", p.partition)
		}
		opts, err := a.producerOpts(&p)
		if err != nil {
			return err
		}
		headers, err := a.recordHeaders(p.headers)
		if err != nil {
			return err
		}
		ctx, stop := interruptible()
		defer stop()
		client, err := a.client(ctx, opts...)
		if err != nil {
			return err
		}
		defer client.Close()
		return a.produce(ctx, client, &p, headers)
	}
	return c
}

func (a *app) producerOpts(p *producing) ([]kgo.Opt, error) {
	opts := []kgo.Opt{kgo.RecordDeliveryTimeout(a.timeout), kgo.AllowAutoTopicCreation(), kgo.UnknownTopicRetries(5)}
	switch p.acks {
	case "all", "-1":
	case "1":
		opts = append(opts, kgo.RequiredAcks(kgo.LeaderAck()), kgo.DisableIdempotentWrite())
	case "0":
		opts = append(opts, kgo.RequiredAcks(kgo.NoAck()), kgo.DisableIdempotentWrite())
	default:
		return nil, a.usageError("invalid value %q for --acks: want all, 1 or 0", p.acks)
	}
	codecs := map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}
	codec, ok := codecs[p.codec]
	if !ok {
		return nil, a.usageError("invalid value %q for --compression: want none, gzip, snappy, lz4 or zstd", p.codec)
	}
	opts = append(opts, kgo.ProducerBatchCompression(codec))
	if p.partition >= 0 {
		opts = append(opts, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	}
	return opts, nil
}

func (a *app) recordHeaders(list []string) ([]kgo.RecordHeader, error) {
	var out []kgo.RecordHeader
	for _, s := range list {
		key, value, ok := strings.Cut(s, "=")
		if !ok {
			return nil, a.usageError("invalid value %q for --header: want key=value", s)
		}
		out = append(out, kgo.RecordHeader{Key: key, Value: []byte(value)})
	}
	return out, nil
}

// produced is an acknowledged record in JSON.
type produced struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
	Timestamp int64  `json:"timestamp"`
}

// produce sends until the input ends, the first record fails, or an interrupt.
func (a *app) produce(ctx context.Context, client *kgo.Client, p *producing, headers []kgo.RecordHeader) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var mu sync.Mutex
	count := 0
	promise := func(r *kgo.Record, err error) {
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			cancel(p.reason(err))
			return
		}
		count++
		if a.json() {
			if err := lineJSON(a.out, produced{r.Topic, r.Partition, r.Offset, r.Timestamp.UnixMilli()}); err != nil {
				cancel(err)
			}
		}
	}
	readErr := readLines(ctx, a.in, func(line []byte) {
		record := p.record(line)
		record.Headers = headers
		client.Produce(ctx, record, promise)
	})
	flushErr := client.Flush(ctx)
	mu.Lock()
	defer mu.Unlock()
	if !a.json() && count > 0 {
		fmt.Fprintf(a.errs, "produced %s to %s\n", counted(count, "record"), p.topic)
	}
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return fmt.Errorf("produce to %s: %w", p.topic, wireError(cause, ""))
	}
	if readErr != nil {
		return readErr
	}
	if flushErr != nil {
		return errors.New("interrupted")
	}
	return nil
}

// reason says in our words what the client library has no error value for.
func (p *producing) reason(err error) error {
	if strings.HasPrefix(err.Error(), "invalid record partitioning choice") {
		return fmt.Errorf("there is no partition %d", p.partition)
	}
	return err
}

// record makes a record of a line.
func (p *producing) record(line []byte) *kgo.Record {
	r := &kgo.Record{Topic: p.topic, Value: line, Partition: p.partition}
	if p.keySeparator != "" {
		if key, value, ok := strings.Cut(string(line), p.keySeparator); ok {
			r.Key, r.Value = []byte(key), []byte(value)
		}
	}
	if p.null != "" && string(r.Value) == p.null {
		r.Value = nil
	}
	if p.null != "" && r.Key != nil && string(r.Key) == p.null {
		r.Key = nil
	}
	return r
}

// readLines hands each line to f, without its end, in memory of its own. A
// read that waits for a person is left behind when ctx ends.
func readLines(ctx context.Context, in io.Reader, f func(line []byte)) error {
	lines := make(chan []byte)
	failed := make(chan error, 1)
	go func() {
		defer close(lines)
		scanner := bufio.NewScanner(in)
		scanner.Buffer(make([]byte, 64<<10), lineLenMax)
		for scanner.Scan() {
			select {
			case lines <- append([]byte{}, scanner.Bytes()...):
			case <-ctx.Done():
				return
			}
		}
		if err := scanner.Err(); err != nil {
			failed <- fmt.Errorf("read the input: %w", err)
		}
	}()
	for {
		select {
		case line, ok := <-lines:
			if !ok {
				select {
				case err := <-failed:
					return err
				default:
					return nil
				}
			}
			f(line)
		case <-ctx.Done():
			return nil
		}
	}
}
