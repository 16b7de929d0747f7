package workload

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/moldau/moldau/linearizability/history"
)

const finalPartBytes = 1 << 20 // of one final fetch

// errStillNot says that something did not come about in time.
var errStillNot = errors.New("not within the time limit")

// FinalReads reads every partition of the topics, nil for all that were declared
// and not deleted, from log start to high watermark, and records it as final.
// Nothing else may be under way. A partition whose log was damaged may be out of
// service for it. Where wrong bytes come, mend is asked to put another copy in
// their place, which it reports; nil, and what lies behind them stays unread.
func FinalReads(env *Env, topics []*Topic, limit time.Duration, mend func() bool) error {
	if topics == nil {
		for _, t := range env.Recorder.Topics() {
			if !t.Gone() {
				topics = append(topics, t)
			}
		}
	}
	client := newClient(env, callLimit)
	defer client.close()
	f := &fetcher{client, newBatchReader()}
	until := env.Clock.Mono().Add(limit)
	for len(topics) > 0 && !f.complete(topics) {
		if env.Clock.Mono() >= until {
			return fmt.Errorf("workload: final reads: leaders are missing: %s: %w", f.missing(topics), errStillNot)
		}
		client.stale = true
		client.refresh(topics)
		client.pause(retryLater)
	}
	for _, topic := range topics {
		for number := range topic.Partitions() {
			at := &spot{topic: topic, number: number, position: history.Unknown}
			for !f.readOut(at, mend) {
				if env.Clock.Mono() >= until && env.Recorder.damagedAt(at.key()) {
					env.trace(fmt.Sprintf("%s is damaged and stays unread from offset %d on", at, at.position))
					break
				}
				if env.Clock.Mono() >= until {
					return fmt.Errorf("workload: final reads: %s read to offset %d: %w", at, at.position, errStillNot)
				}
				client.refresh(topics)
				client.pause(retryLater)
			}
		}
	}
	return nil
}

// missing names the partitions without a leader.
func (f *fetcher) missing(topics []*Topic) string {
	var names []string
	for _, t := range topics {
		for number := range t.Partitions() {
			if _, ok := f.leaders[part{t.ID, number}]; !ok {
				names = append(names, fmt.Sprintf("%s/%d of %s", t.Spec.Name, number, t.Text()))
			}
		}
	}
	return strings.Join(names, ", ")
}

// complete reports whether all leaders are known.
func (f *fetcher) complete(topics []*Topic) bool {
	for _, t := range topics {
		for number := range t.Partitions() {
			if _, ok := f.leaders[part{t.ID, number}]; !ok {
				return false
			}
		}
	}
	return !f.stale
}

// readOut reads a partition from where it is to the high watermark, and reports
// whether it got there. If the log start moves on meanwhile, it begins anew.
func (f *fetcher) readOut(at *spot, mend func() bool) bool {
	if at.position < 0 {
		offset, ok := f.listOffset(at, history.Earliest)
		if !ok {
			return false
		}
		at.position = offset
	}
	for {
		_, l := f.lead(at.topic, at.number)
		if l == nil {
			return false
		}
		answers, ok := f.fetch(l, []*spot{at}, fetchLimits{maxBytes: finalPartBytes, partBytes: finalPartBytes, final: true}, nil)
		if !ok || len(answers) == 0 {
			return false
		}
		before := at.position
		f.advance(answers)
		switch {
		case answers[0].corrupt:
			return mend == nil || !mend() // as far as one can read
		case answers[0].code != 0:
			return false
		case at.position >= answers[0].high:
			return true
		case at.position == before:
			return false
		}
	}
}
