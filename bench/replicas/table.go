package replicas

import (
	"io"
	"math"

	"github.com/moldau/moldau/bench/table"
)

// What is wanted of Moldau.
const (
	createRatioMax  = 0.5
	replicaBytesMax = 10e3
	returnMsMax     = 1000
)

// Of implements table.Run.
func (r Result) Of() (system string, tooBusy bool) { return r.System, r.TooBusy }

func figures() []table.Figure[Result] {
	list := []table.Figure[Result]{
		{Name: "created: answered, ms", Value: func(r Result) float64 { return r.AnsweredMs }},
		{Name: "created: all partitions served, ms", Value: func(r Result) float64 { return r.ServedMs }, RatioMax: createRatioMax},
		{Name: "created: a record acknowledged by each, ms", Value: func(r Result) float64 { return r.WrittenMs }},
		{Name: "idle replica: RSS, KB", Value: func(r Result) float64 { return r.RSSPerReplica / 1e3 }},
		{Name: "idle replica: live heap and stacks, KB", Value: func(r Result) float64 { return r.LivePerReplica / 1e3 }, Most: replicaBytesMax / 1e3},
		{Name: "idle: CPU of all nodes, ms a second", Value: func(r Result) float64 { return r.IdleCPUS * 1e3 }},
		{Name: "killed: exec to all nodes known, ms", Value: func(r Result) float64 { return r.BackMs }, Most: returnMsMax},
		{Name: "killed: exec to in sync everywhere, ms", Value: func(r Result) float64 { return r.InSyncMs }, Most: returnMsMax},
	}
	for i := range list {
		list[i].Format, list[i].Value = "%.1f", told(list[i].Value)
	}
	return list
}

// told is NaN for 0, which stands for what a system does not tell.
func told(of func(Result) float64) func(Result) float64 {
	return func(r Result) float64 {
		if v := of(r); v != 0 {
			return v
		}
		return math.NaN()
	}
}

// Print writes medians over the rounds that met no busy machine.
func Print(w io.Writer, results []Result) error { return table.Compare(w, results, figures()) }
