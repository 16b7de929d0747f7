package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// pollWait is how long a poll may find nothing before the ends are looked at.
const pollWait = 500 * time.Millisecond

// consuming are the flags of consume.
type consuming struct {
	topics     []string
	offset     string
	count      int64
	partitions []int32
	group      string
	output     string
	exitAtEnd  bool
	committed  bool
}

func (a *app) consumeCommand() *cobra.Command {
	var c consuming
	cmd := &cobra.Command{
		Use: "consume TOPIC...", Short: "Print records", Args: cobra.MinimumNArgs(1),
		Long: "Print records: values line by line, as --output says, or with --format json one object a line.\n\n" + formatHelp,
	}
	cmd.Flags().StringVarP(&c.offset, "offset", "o", "start", "where to begin: start, end, an offset, -N (the last N of each partition) or @time; with a group, where it has committed nothing")
	cmd.Flags().Int64VarP(&c.count, "num", "n", 0, "stop after so many records (0: never)")
	cmd.Flags().Int32SliceVarP(&c.partitions, "partition", "p", nil, "read these partitions only")
	cmd.Flags().StringVarP(&c.group, "group", "g", "", "read as a member of this consumer group, and commit")
	cmd.Flags().StringVarP(&c.output, "output", "f", "", "how to print a record; see above")
	cmd.Flags().BoolVarP(&c.exitAtEnd, "exit-at-end", "e", false, "stop at the end that the partitions have now")
	cmd.Flags().BoolVar(&c.committed, "read-committed", false, "leave out records of open and aborted transactions")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		c.topics = args
		if c.count < 0 {
			return a.usageError("invalid value \"%d\" for --num: want at least 0", c.count)
		}
		print, err := a.printer(c.output)
		if err != nil {
			return a.usageError("%w", err)
		}
		from, err := parseStart(c.offset, time.Now())
		if err != nil {
			return a.usageError("%w", err)
		}
		if c.group != "" && len(c.partitions) > 0 {
			return a.usageError("--partition cannot be used with --group: the group gives out the partitions")
		}
		return a.consume(&c, from, print)
	}
	return cmd
}

func (a *app) printer(output string) (printer, error) {
	if a.json() {
		return func(w io.Writer, r *kgo.Record) error { return lineJSON(w, newConsumed(r)) }, nil
	}
	if output == "" {
		output = `%v\n`
	}
	format, err := parseFormat(output)
	if err != nil {
		return nil, err
	}
	var line []byte
	return func(w io.Writer, r *kgo.Record) error {
		line = line[:0]
		for _, part := range format {
			line = part(line, r)
		}
		_, err := w.Write(line)
		return err
	}, nil
}

func (a *app) consume(c *consuming, from startPoint, print printer) error {
	ctx, stop := interruptible()
	defer stop()
	lookup, err := a.client(ctx)
	if err != nil {
		return err
	}
	defer lookup.Close()
	r := &reading{app: a, consuming: c, admin: kadm.NewClient(lookup), print: print, position: map[string]map[int32]int64{}}
	if err := r.prepare(ctx, from); err != nil {
		return err
	}
	r.client, err = a.client(ctx, r.opts(from.option())...)
	if err != nil {
		return err
	}
	defer r.client.CloseAllowingRebalance()
	return r.run(ctx)
}

// reading is a consumption under way.
type reading struct {
	*consuming
	app      *app
	admin    *kadm.Client
	client   *kgo.Client
	print    printer
	assigned map[string][]int32         // partitions to read; of all members, for a group
	ends     kadm.ListedOffsets         // the ends when it began
	position map[string]map[int32]int64 // one past the last record seen
	printed  int64
}

// prepare looks up the partitions and their ends, and finds topics and
// partitions that are not there.
func (r *reading) prepare(ctx context.Context, from startPoint) error {
	ctx, cancel := context.WithTimeout(ctx, r.app.timeout)
	defer cancel()
	topics, err := r.admin.ListTopics(ctx, r.topics...)
	if err != nil {
		return wireError(err, "")
	}
	r.assigned = map[string][]int32{}
	for _, t := range topics.Sorted() {
		if t.Err != nil {
			return fmt.Errorf("topic %s: %w", t.Topic, wireError(t.Err, ""))
		}
		r.assigned[t.Topic] = t.Partitions.Numbers()
		for _, p := range r.partitions {
			if _, ok := t.Partitions[p]; !ok {
				return fmt.Errorf("topic %s has no partition %d", t.Topic, p)
			}
		}
		if len(r.partitions) > 0 {
			r.assigned[t.Topic] = r.partitions
		}
		r.position[t.Topic] = map[int32]int64{}
	}
	if !r.exitAtEnd {
		return nil
	}
	if r.ends, err = r.admin.ListEndOffsets(ctx, r.topics...); err != nil {
		return wireError(err, "")
	}
	return r.beginnings(ctx, from)
}

// beginnings works out the first offset that is read of each partition.
func (r *reading) beginnings(ctx context.Context, from startPoint) error {
	starts, err := r.admin.ListStartOffsets(ctx, r.topics...)
	if err != nil {
		return wireError(err, "")
	}
	if from.kind == fromTime {
		if starts, err = r.admin.ListOffsetsAfterMilli(ctx, from.value, r.topics...); err != nil {
			return wireError(err, "")
		}
	}
	var failed failures
	starts.Each(func(o kadm.ListedOffset) {
		if o.Err != nil {
			failed.add(fmt.Sprintf("offsets of %s-%d", o.Topic, o.Partition), o.Err, "")
			return
		}
		first := o.Offset
		switch from.kind {
		case fromEnd:
			first = r.end(o.Topic, o.Partition)
		case fromOffset:
			first = max(first, from.value)
		case fromLast:
			first = max(first, r.end(o.Topic, o.Partition)-from.value)
		}
		r.position[o.Topic][o.Partition] = first
	})
	if r.group != "" && failed.err() == nil {
		return r.takeCommitted(ctx, true)
	}
	return failed.err()
}

// takeCommitted takes what the group has committed as read. At the beginning
// it stands even where it lies before the point to begin at.
func (r *reading) takeCommitted(ctx context.Context, beginning bool) error {
	var committed kadm.OffsetResponses
	err := retry(ctx, func() (err error) {
		committed, err = r.admin.FetchOffsets(ctx, r.group)
		return err
	})
	if err != nil {
		return fmt.Errorf("offsets of group %s: %w", r.group, wireError(err, ""))
	}
	committed.Each(func(o kadm.OffsetResponse) {
		if o.Err == nil && o.At >= 0 && r.position[o.Topic] != nil {
			if beginning {
				r.position[o.Topic][o.Partition] = o.At
			} else {
				r.seen(o.Topic, o.Partition, o.At)
			}
		}
	})
	return nil
}

func (r *reading) seen(topic string, partition int32, next int64) {
	if r.position[topic] != nil {
		r.position[topic][partition] = max(next, r.position[topic][partition])
	}
}

func (r *reading) opts(from kgo.Offset) []kgo.Opt {
	opts := []kgo.Opt{kgo.ConsumeResetOffset(from), kgo.KeepControlRecords(), kgo.FetchMaxWait(pollWait)}
	if r.committed {
		opts = append(opts, kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	}
	if r.group != "" {
		return append(opts, kgo.ConsumerGroup(r.group), kgo.ConsumeTopics(r.topics...), kgo.AutoCommitMarks())
	}
	partitions := map[string]map[int32]kgo.Offset{}
	for topic, list := range r.assigned {
		partitions[topic] = map[int32]kgo.Offset{}
		for _, p := range list {
			partitions[topic][p] = from
		}
	}
	return append(opts, kgo.ConsumePartitions(partitions))
}

// run prints until the count, the end or an interrupt, and commits what was
// printed.
func (r *reading) run(ctx context.Context) error {
	out := bufio.NewWriterSize(r.app.out, 64<<10)
	err := r.poll(ctx, out)
	if flushErr := out.Flush(); err == nil {
		err = flushErr
	}
	if r.group != "" {
		commit, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.app.timeout)
		defer cancel()
		if commitErr := r.client.CommitMarkedOffsets(commit); err == nil && commitErr != nil {
			err = fmt.Errorf("commit offsets of group %s: %w", r.group, wireError(commitErr, ""))
		}
	}
	return err
}

func (r *reading) poll(ctx context.Context, out *bufio.Writer) error {
	for ctx.Err() == nil {
		if r.exitAtEnd && r.reached() {
			return nil
		}
		wait, cancel := context.WithTimeout(ctx, pollWait)
		fetches := r.client.PollFetches(wait)
		cancel()
		for _, e := range fetches.Errors() {
			if errors.Is(e.Err, context.DeadlineExceeded) || errors.Is(e.Err, context.Canceled) {
				continue
			}
			return fmt.Errorf("consume %s: %w", r.where(e), wireError(e.Err, ""))
		}
		for it := fetches.RecordIter(); !it.Done(); {
			record := it.Next()
			if err := r.take(out, record); err != nil {
				return err
			}
			if r.count > 0 && r.printed == r.count {
				return nil
			}
		}
		if err := out.Flush(); err != nil {
			return err
		}
		if fetches.NumRecords() == 0 && r.exitAtEnd && r.group != "" {
			// Other members may have read the rest.
			if err := r.takeCommitted(ctx, false); err != nil && ctx.Err() == nil {
				return err
			}
		}
	}
	return nil
}

func (r *reading) where(e kgo.FetchError) string {
	if e.Topic == "" {
		return "from group " + r.group
	}
	return fmt.Sprintf("%s-%d", e.Topic, e.Partition)
}

func (r *reading) take(out io.Writer, record *kgo.Record) error {
	r.seen(record.Topic, record.Partition, record.Offset+1)
	past := r.exitAtEnd && record.Offset >= r.end(record.Topic, record.Partition)
	if !record.Attrs.IsControl() && !past {
		if err := r.print(out, record); err != nil {
			return err
		}
		r.printed++
	}
	if r.group != "" && !past {
		r.client.MarkCommitRecords(record)
	}
	return nil
}

func (r *reading) end(topic string, partition int32) int64 {
	o, _ := r.ends.Lookup(topic, partition)
	return o.Offset
}

// reached reports whether all partitions were read to the end that they had at
// the beginning.
func (r *reading) reached() bool {
	for topic, list := range r.assigned {
		for _, p := range list {
			if r.position[topic][p] < r.end(topic, p) {
				return false
			}
		}
	}
	return true
}
