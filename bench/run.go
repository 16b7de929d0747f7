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
	parts := map[string]func(context.Context) error{
		partCompare: s.compare, partCluster: s.cluster, partReplicas: s.replicas, partSync: s.fanout, partStart: s.startup, partHostile: s.hostile,
		partFailover: s.failover,
	}
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
