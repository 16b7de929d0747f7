package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/moldau/moldau/broker/config"
	"github.com/moldau/moldau/broker/identity"
	"github.com/moldau/moldau/broker/raftmeta"
)

const (
	// meetRetryAfter passes between two rounds of questions to other controllers.
	meetRetryAfter = 100 * time.Millisecond
	// meetTimeout bounds each step of a question.
	meetTimeout = time.Second
)

// alone reports whether the configuration names no other controller.
func (b *Broker) alone() bool {
	set := b.cfg.Settings
	others := slices.ContainsFunc(set.Voters, func(v config.Voter) bool { return v.ID != set.NodeID })
	return set.IsController && !others && len(set.Join) == 0
}

// meet finds the cluster of a node that has none, or makes it. What raft needs
// is durable when it returns; the store, if there is one, is open.
func (b *Broker) meet(ctx context.Context, id identity.Identity) (clusterID string, store *raftmeta.Store, err error) {
	self := raftmeta.Peer{Node: id.NodeID, Directory: id.Metadata}
	switch set := b.cfg.Settings; {
	case b.alone():
		store, err = raftmeta.Bootstrap(b.storeConfig(), self)
		return id.ClusterID, store, err
	case set.IsController && len(set.Voters) > 0:
		return b.meetVoters(ctx, self, id.ClusterID)
	}
	clusterID, err = b.meetCluster(ctx, self)
	if err == nil && b.cfg.Settings.IsController {
		store, err = raftmeta.OpenStore(b.storeConfig())
	}
	return clusterID, store, err
}

// asked is what came of a question to one controller.
type asked struct {
	who    string // "node 2 at host:port"
	answer raftmeta.Answer
	err    error
}

// askAll asks all questions side by side.
func (b *Broker) askAll(ctx context.Context, questions map[string]raftmeta.Question) ([]asked, error) {
	results := make(chan asked, len(questions))
	for address, q := range questions { //det:ok the answers are sorted
		go func() {
			who := "the controller at " + address
			if q.To != raftmeta.AnyNode {
				who = fmt.Sprintf("node %d at %s", q.To, address)
			}
			a, err := raftmeta.Ask(b.cfg.Network, address, meetTimeout, ctx.Done(), q)
			results <- asked{who, a, err}
		}()
	}
	var all []asked
	for range questions {
		select {
		case a := <-results:
			all = append(all, a)
		case <-ctx.Done():
			return nil, errors.New("stopped while it looked for its cluster")
		}
	}
	slices.SortFunc(all, func(x, y asked) int { return strings.Compare(x.who, y.who) })
	return all, nil
}

// meetVoters forms a cluster with the voters that the configuration names: the
// lowest of them bootstraps when all have answered, with their directory ids, that
// they are empty. The others learn the cluster's id from the first raft
// connection that means them. A node whose disk was emptied finds a majority of
// the voters in one cluster and comes back as an observer, without a vote.
func (b *Broker) meetVoters(ctx context.Context, self raftmeta.Peer, newID string) (string, *raftmeta.Store, error) {
	set := b.cfg.Settings
	ids, questions, lowest := []int32{}, map[string]raftmeta.Question{}, self.Node
	for _, v := range set.Voters {
		ids, lowest = append(ids, v.ID), min(lowest, v.ID)
	}
	for _, v := range set.Voters {
		if v.ID != self.Node {
			questions[v.Address()] = raftmeta.Question{From: self, To: v.ID, Voters: ids}
		}
	}
	lobby := raftmeta.NewLobby(raftmeta.LobbyConfig{Self: self, Voters: ids, Timeout: meetTimeout})
	b.door.wait(lobby)
	for said := ""; ; {
		answers, err := b.askAll(ctx, questions)
		if err != nil {
			return "", nil, err
		}
		v := verdict(answers, len(ids))
		switch {
		case v.cluster != "":
			store, err := raftmeta.OpenStore(b.storeConfig())
			return v.cluster, store, err
		case v.empty != nil && self.Node == lowest:
			store, err := raftmeta.Bootstrap(b.storeConfig(), append([]raftmeta.Peer{self}, v.empty...)...)
			return newID, store, err
		case v.empty != nil:
			v.waits = fmt.Sprintf("node %d to make the cluster", lowest)
		}
		said = b.sayMeeting(v.waits, said)
		timer := b.cfg.Clock.NewTimer(meetRetryAfter)
		select {
		case cluster := <-lobby.Found():
			timer.Stop()
			store, err := raftmeta.OpenStore(b.storeConfig())
			return cluster, store, err
		case <-ctx.Done():
		case <-timer.C():
		}
		timer.Stop()
	}
}

// meeting is what the voters' answers amount to.
type meeting struct {
	cluster string          // that most of them are in
	empty   []raftmeta.Peer // all others, where all are empty
	waits   string          // else why that is not so
}

// verdict weighs the answers of all voters but the node itself.
func verdict(answers []asked, voters int) (m meeting) {
	members := map[string]int{}
	var reasons []string
	for _, a := range answers {
		switch {
		case a.err != nil:
			reasons = append(reasons, fmt.Sprintf("%s: %v", a.who, a.err))
		case a.answer.ClusterID != "":
			members[a.answer.ClusterID]++
			reasons = append(reasons, fmt.Sprintf("%s is in cluster %s", a.who, a.answer.ClusterID))
			if members[a.answer.ClusterID] > voters/2 {
				return meeting{cluster: a.answer.ClusterID}
			}
		default:
			m.empty = append(m.empty, a.answer.Self)
		}
	}
	if len(m.empty) < len(answers) {
		m.empty, m.waits = nil, strings.Join(reasons, "; ")
	}
	return m
}

// meetCluster asks controllers for the cluster that they are in, for a node that
// is none of its voters.
func (b *Broker) meetCluster(ctx context.Context, self raftmeta.Peer) (string, error) {
	set := b.cfg.Settings
	questions := map[string]raftmeta.Question{}
	for _, v := range set.Voters {
		questions[v.Address()] = raftmeta.Question{From: self, To: v.ID}
	}
	for _, address := range set.Join {
		questions[address] = raftmeta.Question{From: self, To: raftmeta.AnyNode}
	}
	until := b.cfg.Clock.Mono().Add(set.RegistrationTimeout)
	for said := ""; ; {
		answers, err := b.askAll(ctx, questions)
		if err != nil {
			return "", err
		}
		cluster, from := "", ""
		var reasons []string
		for _, a := range answers {
			switch {
			case a.err != nil:
				reasons = append(reasons, fmt.Sprintf("%s: %v", a.who, a.err))
			case a.answer.ClusterID == "":
				reasons = append(reasons, a.who+" has no cluster yet")
			case cluster != "" && a.answer.ClusterID != cluster:
				return "", fmt.Errorf("%s is in cluster %s, but %s in cluster %s", from, cluster, a.who, a.answer.ClusterID)
			default:
				cluster, from = a.answer.ClusterID, a.who
			}
		}
		if cluster != "" {
			return cluster, nil
		}
		waits := strings.Join(reasons, "; ")
		if b.cfg.Clock.Mono() >= until {
			return "", fmt.Errorf("no controller of a cluster was found within initial.broker.registration.timeout.ms, %d: %s",
				set.RegistrationTimeout.Milliseconds(), waits)
		}
		said = b.sayMeeting(waits, said)
		b.cfg.Clock.Sleep(meetRetryAfter, ctx.Done())
	}
}

// sayMeeting reports what the node waits for, once while it stays the same.
func (b *Broker) sayMeeting(waits, said string) string {
	if waits != said {
		b.cfg.Events.Emit(WaitingForControllers{Reason: waits})
	}
	return waits
}

// WaitingForControllers: the node has no cluster yet and waits for others.
type WaitingForControllers struct{ Reason string }

// Kind names the event.
func (WaitingForControllers) Kind() string { return "waiting-for-controllers" }

// Level is Warn.
func (WaitingForControllers) Level() slog.Level { return slog.LevelWarn }

// Attrs are its fields.
func (e WaitingForControllers) Attrs() []slog.Attr { return []slog.Attr{slog.String("for", e.Reason)} }
