package main

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/moldau/moldau/bench/load"
)

// The parts of a run.
const (
	partCompare  = "compare"
	partCluster  = "cluster"
	partReplicas = "replicas"
	partSync     = "sync"
	partStart    = "start"
	partHostile  = "hostile"
	partFailover = "failover"
)

// options of the program.
type options struct {
	only      []string
	scenarios []load.Scenario // of compare
	cluster   []load.Scenario // of cluster
	scale     float64
	rounds    int
	retries   int
	warm      time.Duration
	othersMax float64
	kafka     bool
	sync      bool
	profile   time.Duration
	quick     bool
	data      string
}

// quickScale is the part of every amount that -quick takes.
const quickScale = 0.05

func parseOptions(args []string) (options, error) {
	var o options
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	only := f.String("only", "", "parts to run, of "+strings.Join(allParts(), ", ")+"; all by default")
	names := f.String("scenarios", "", "loads of compare and cluster, of "+strings.Join(scenarioNames(), ",")+"; all by default")
	f.Float64Var(&o.scale, "scale", 1, "factor of the loads' amounts, and of what lies in the partitions of a killed node")
	others := f.Float64("others-max", 15, "percent of the machine that others may have for a run to count")
	f.IntVar(&o.rounds, "rounds", 3, "alternations of each load")
	f.IntVar(&o.retries, "retries", 2, "repeats of a run that met a busy machine")
	f.DurationVar(&o.warm, "warm", time.Minute, "load before the first measurement, on each server")
	f.BoolVar(&o.kafka, "kafka", true, "measure Apache Kafka beside")
	f.BoolVar(&o.sync, "sync", true, "measure Moldau at sync beside")
	f.DurationVar(&o.profile, "profile", 0, "length of a CPU profile of Moldau under each load, taken in a run of its own")
	f.BoolVar(&o.quick, "quick", false, "a smoke run: small amounts, one round, no verdicts")
	f.StringVar(&o.data, "data", "", "directory for the servers' data, on the disk to measure; out/bench/data by default")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if f.NArg() > 0 {
		return o, fmt.Errorf("unknown argument %q", f.Arg(0))
	}
	if o.quick {
		o.rounds, o.retries, o.warm, o.scale = 1, 0, time.Second, o.scale*quickScale
	}
	if o.rounds < 1 || o.retries < 0 || o.scale <= 0 || *others <= 0 {
		return o, fmt.Errorf("-rounds, -scale and -others-max must be above 0, -retries not below")
	}
	o.othersMax = *others / 100
	var err error
	if o.only, err = pick(*only, allParts()); err != nil {
		return o, err
	}
	picked, err := pick(*names, scenarioNames())
	o.scenarios = chosen(load.Scenarios(), picked, o.scale)
	o.cluster = chosen(load.ClusterScenarios(), picked, o.scale)
	return o, err
}

// allParts are the parts in the order in which they run.
func allParts() []string {
	return []string{partCompare, partCluster, partReplicas, partSync, partStart, partHostile, partFailover}
}

// pick is the list of names separated by commas, each one of known; all of an
// empty text.
func pick(text string, known []string) ([]string, error) {
	if text == "" {
		return known, nil
	}
	names := strings.Split(text, ",")
	for _, name := range names {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("unknown name %q, not one of %s", name, strings.Join(known, ","))
		}
	}
	return names, nil
}

// chosen are the scenarios of the names, scaled.
func chosen(all []load.Scenario, names []string, scale float64) (out []load.Scenario) {
	for _, s := range all {
		if slices.Contains(names, s.Name) {
			out = append(out, s.Scale(scale))
		}
	}
	return out
}

// scenarioNames are those of either part.
func scenarioNames() []string {
	var names []string
	for _, s := range append(load.Scenarios(), load.ClusterScenarios()...) {
		if !slices.Contains(names, s.Name) {
			names = append(names, s.Name)
		}
	}
	return names
}
