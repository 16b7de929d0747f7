package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/moldau/moldau/bench/compare"
	"github.com/moldau/moldau/bench/peer"
)

// session is one execution of the program.
type session struct {
	options
	binary string
	out    string // directory of the results
	stamp  string // begins the names of its files
	data   string // directory for servers, emptied at the end
	kafka  *peer.Kafka
	why    string // there is no Kafka
	table  io.Writer
	began  time.Time
}

func run(ctx context.Context, o options) (err error) {
	root, err := peer.Root()
	if err != nil {
		return err
	}
	s := &session{options: o, out: filepath.Join(root, "out", "bench"), began: time.Now()}
	s.stamp = s.began.UTC().Format("20060102-150405")
	if s.options.data == "" {
		s.options.data = filepath.Join(s.out, "data")
	}
	if err := os.MkdirAll(s.out, 0o755); err != nil {
		return err
	}
	if err := os.MkdirAll(s.options.data, 0o755); err != nil {
		return err
	}
	if s.data, err = os.MkdirTemp(s.options.data, "run-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(s.data)) }()
	if s.binary, err = peer.BuildMoldau(root); err != nil {
		return err
	}
	s.findKafka(root)
	file, err := os.Create(filepath.Join(s.out, s.stamp+".txt"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	s.table = io.MultiWriter(os.Stdout, file)
	parts := map[string]func(context.Context) error{partCompare: s.compare, partSync: s.fanout, partStart: s.startup, partHostile: s.hostile}
	for _, part := range allParts() {
		if slices.Contains(o.only, part) {
			if err := parts[part](ctx); err != nil {
				return err
			}
		}
	}
	s.say("results: %s.txt and %s-*.jsonl", filepath.Join(s.out, s.stamp), filepath.Join(s.out, s.stamp))
	return nil
}

func (s *session) findKafka(root string) {
	s.why = "-kafka=false"
	if s.options.kafka {
		k, err := peer.FindKafka(root)
		if err == nil {
			s.kafka = &k
			return
		}
		s.why = err.Error()
	}
	s.say("SKIPPED: Apache Kafka is not measured: %s", s.why)
}

// say writes a line of progress.
func (s *session) say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%7.1fs  %s\n", time.Since(s.began).Seconds(), fmt.Sprintf(format, args...))
}

// lines opens the JSON file of a part.
func (s *session) lines(part string) (emit func(any) error, closeFile func() error, err error) {
	f, err := os.Create(filepath.Join(s.out, s.stamp+"-"+part+".jsonl"))
	if err != nil {
		return nil, nil, err
	}
	return json.NewEncoder(f).Encode, f.Close, nil
}

// readyTimeout is how long a server may take to serve.
const readyTimeout = 2 * time.Minute

func await(server *peer.Server) error {
	return server.Await(readyTimeout, 50*time.Millisecond, func() error {
		w, err := peer.Dial(server.Addr)
		if err != nil {
			return err
		}
		defer w.Close()
		_, err = w.Metadata(false)
		return err
	})
}

// compare starts both servers and runs the loads.
func (s *session) compare(ctx context.Context) (err error) {
	emit, closeFile, err := s.lines(partCompare)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeFile()) }()
	c := compare.Config{
		Rounds: s.rounds, Retries: s.retries, OthersMax: s.othersMax, Sync: s.sync,
		Emit: func(r compare.Run) error { return emit(r) }, Say: s.say,
	}
	stop, err := s.servers(&c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	if err := c.Warm(ctx, s.scenarios, s.warm); err != nil {
		return err
	}
	var rows []compare.Row
	var failed error
	for _, scenario := range s.scenarios {
		runs, err := c.Scenario(ctx, scenario)
		failed = errors.Join(failed, err)
		rows = append(rows, compare.Summary(scenario, runs, s.rounds)...)
		if s.profile > 0 && err == nil {
			failed = errors.Join(failed, c.Profile(ctx, scenario, s.profile, s.out))
		}
		if ctx.Err() != nil {
			break
		}
	}
	fmt.Fprintf(s.table, "\nMoldau beside Apache Kafka 4.4.0: medians of %d alternation(s); a run counts when others had at most %.0f %% of the machine\n",
		s.rounds, 100*s.othersMax)
	if s.rounds < compare.RoundsMin {
		fmt.Fprintf(s.table, "(smoke: verdicts need %d alternations)\n", compare.RoundsMin)
	}
	if s.kafka == nil {
		fmt.Fprintf(s.table, "SKIPPED: Apache Kafka: %s\n", s.why)
	}
	return errors.Join(failed, compare.Print(s.table, rows))
}

// servers starts what is compared.
func (s *session) servers(c *compare.Config) (stop func() error, err error) {
	var started []*peer.Server
	stop = func() error {
		var err error
		for _, server := range started {
			err = errors.Join(err, server.Stop())
		}
		return err
	}
	if c.Moldau, err = peer.Moldau(s.binary, filepath.Join(s.data, "moldau")); err != nil {
		return nil, err
	}
	started = append(started, c.Moldau)
	if s.kafka != nil {
		if c.Kafka, err = s.kafka.Start(filepath.Join(s.data, "kafka")); err != nil {
			return nil, errors.Join(err, stop())
		}
		started = append(started, c.Kafka)
	}
	for _, server := range started {
		if err := await(server); err != nil {
			return nil, errors.Join(err, stop())
		}
		s.say("%s serves on %s (process %d)", server.Name, server.Addr, server.PID)
	}
	return stop, nil
}
