package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// clusterInfo is the cluster in JSON, in Kafka's field words.
type clusterInfo struct {
	ClusterID  string          `json:"clusterId"`
	Controller int32           `json:"controllerId"` // the active one, -1 if none is known
	Brokers    []brokerInfo    `json:"brokers"`
	Partitions partitionCounts `json:"partitions"`
	Quorum     *quorumInfo     `json:"quorum"`
}

type brokerInfo struct {
	ID         int32   `json:"id"`
	Host       string  `json:"host"`
	Port       int32   `json:"port"`
	Rack       *string `json:"rack"`
	Fenced     bool    `json:"fenced"`
	Controller bool    `json:"isController"` // the active one
}

// partitionCounts counts the partitions of all topics.
type partitionCounts struct {
	Topics          int `json:"topics"`
	All             int `json:"all"`
	UnderReplicated int `json:"underReplicated"` // |ISR| below the number of replicas
	WithoutLeader   int `json:"withoutLeader"`
}

type quorumInfo struct {
	LeaderID      int32         `json:"leaderId"`
	LeaderEpoch   int32         `json:"leaderEpoch"`
	HighWatermark int64         `json:"highWatermark"`
	Voters        []quorumState `json:"currentVoters"`
	Observers     []quorumState `json:"observers"`
}

type quorumState struct {
	ReplicaID    int32  `json:"replicaId"`
	DirectoryID  string `json:"replicaDirectoryId"`
	LogEndOffset int64  `json:"logEndOffset"` // -1 if it is not known
	Lag          int64  `json:"lag"`          // -1 if it is not known
	LastFetch    int64  `json:"lastFetchTimestamp"`
	LastCaughtUp int64  `json:"lastCaughtUpTimestamp"`
	Endpoint     string `json:"endpoint,omitempty"`
	directory    [16]byte
}

func (a *app) clusterCommand() *cobra.Command {
	show := func(print func(*app, clusterInfo) error) func(*cobra.Command, []string) error {
		return func(*cobra.Command, []string) error {
			return a.withAdmin(func(ctx context.Context, admin *admin) error {
				info, err := describeCluster(ctx, admin)
				if err != nil {
					return err
				}
				if a.json() {
					return a.printJSON(info)
				}
				return print(a, info)
			})
		}
	}
	c := &cobra.Command{
		Use: "cluster", Short: "Show the cluster, its nodes and its metadata quorum; change the quorum", Args: cobra.NoArgs,
		RunE: show((*app).printStatus),
	}
	quorum := &cobra.Command{
		Use: "quorum", Short: "Show the metadata quorum, or change its voters", Args: cobra.NoArgs,
		RunE: show(func(a *app, info clusterInfo) error { return a.printQuorum(info.Quorum) }),
	}
	quorum.AddCommand(
		a.quorumChange("add ID", "Make a controller that has joined a voter", (*app).addVoter),
		a.quorumChange("remove ID", "Take a voter out of the quorum", (*app).removeVoter),
		a.quorumChange("replace ID", "Take a voter back whose disk was emptied: it is another server now", (*app).replaceVoter),
	)
	c.AddCommand(
		&cobra.Command{Use: "status", Short: "Show the cluster in a few lines", Args: cobra.NoArgs, RunE: show((*app).printStatus)},
		&cobra.Command{Use: "nodes", Short: "List the nodes with their roles", Args: cobra.NoArgs, RunE: show((*app).printNodes)},
		quorum,
	)
	return c
}

// describeCluster asks for all that the commands show.
func describeCluster(ctx context.Context, admin *admin) (info clusterInfo, err error) {
	req := kmsg.NewPtrDescribeClusterRequest()
	req.IncludeFencedBrokers = true
	resp, err := req.RequestWith(ctx, admin.raw)
	if err != nil {
		return info, wireError(err, "")
	}
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
		return info, wireError(err, text(resp.ErrorMessage))
	}
	info = clusterInfo{ClusterID: resp.ClusterID, Controller: -1, Brokers: []brokerInfo{}, Quorum: describeQuorum(ctx, admin)}
	if info.Quorum != nil {
		info.Controller = info.Quorum.LeaderID
	}
	for _, b := range resp.Brokers {
		info.Brokers = append(info.Brokers, brokerInfo{b.NodeID, b.Host, b.Port, b.Rack, b.IsFenced, b.NodeID == info.Controller})
	}
	topics, err := admin.ListTopicsWithInternal(ctx)
	if err != nil {
		return info, wireError(err, "")
	}
	for _, t := range topics {
		info.Partitions.Topics++
		for _, p := range t.Partitions {
			info.Partitions.All++
			if len(p.ISR) < len(p.Replicas) {
				info.Partitions.UnderReplicated++
			}
			if p.Leader < 0 {
				info.Partitions.WithoutLeader++
			}
		}
	}
	return info, nil
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// describeQuorum is nil where the cluster does not tell.
func describeQuorum(ctx context.Context, admin *admin) *quorumInfo {
	req := kmsg.NewPtrDescribeQuorumRequest()
	topic := kmsg.NewDescribeQuorumRequestTopic()
	topic.Topic = "__cluster_metadata"
	topic.Partitions = append(topic.Partitions, kmsg.NewDescribeQuorumRequestTopicPartition())
	req.Topics = append(req.Topics, topic)
	resp, err := req.RequestWith(ctx, admin.raw)
	if err != nil || resp.ErrorCode != 0 || len(resp.Topics) == 0 || len(resp.Topics[0].Partitions) == 0 {
		return nil
	}
	p := resp.Topics[0].Partitions[0]
	if p.ErrorCode != 0 {
		return nil
	}
	endpoints := map[int32]string{}
	for _, n := range resp.Nodes {
		if len(n.Listeners) > 0 {
			endpoints[n.NodeID] = fmt.Sprintf("%s:%d", n.Listeners[0].Host, n.Listeners[0].Port)
		}
	}
	end := int64(0)
	states := func(list []kmsg.DescribeQuorumResponseTopicPartitionReplicaState) []quorumState {
		out := []quorumState{}
		for _, s := range list {
			lag := int64(-1)
			if s.LogEndOffset >= 0 {
				lag = max(0, end-s.LogEndOffset)
			}
			out = append(out, quorumState{
				s.ReplicaID, base64.RawURLEncoding.EncodeToString(s.ReplicaDirectoryID[:]), s.LogEndOffset, lag,
				s.LastFetchTimestamp, s.LastCaughtUpTimestamp, endpoints[s.ReplicaID], s.ReplicaDirectoryID,
			})
		}
		return out
	}
	for _, s := range p.CurrentVoters {
		if s.ReplicaID == p.LeaderID {
			end = s.LogEndOffset
		}
	}
	return &quorumInfo{p.LeaderID, p.LeaderEpoch, p.HighWatermark, states(p.CurrentVoters), states(p.Observers)}
}

func (a *app) printStatus(info clusterInfo) error {
	alive := 0
	for _, b := range info.Brokers {
		if !b.Fenced {
			alive++
		}
	}
	a.println("cluster %s", info.ClusterID)
	if q := info.Quorum; q == nil {
		a.println("controllers: none is active, or none answers")
	} else {
		a.println("controller %d is active in epoch %d, voters %s", q.LeaderID, q.LeaderEpoch, q.voterIDs())
	}
	p := info.Partitions
	a.println("%d of %d brokers in service", alive, len(info.Brokers))
	a.println("%d partitions of %d topics: %d under-replicated, %d without a leader", p.All, p.Topics, p.UnderReplicated, p.WithoutLeader)
	return a.printNodes(info)
}

func (q *quorumInfo) voterIDs() string {
	var ids []int32
	for _, v := range q.Voters {
		ids = append(ids, v.ReplicaID)
	}
	slices.Sort(ids)
	return joinInts(ids)
}

// nodeRow is a line of the table of nodes.
type nodeRow struct {
	broker *brokerInfo
	voter  *quorumState
	active bool
}

func (a *app) printNodes(info clusterInfo) error {
	nodes := map[int32]*nodeRow{}
	row := func(id int32) *nodeRow {
		if nodes[id] == nil {
			nodes[id] = &nodeRow{}
		}
		return nodes[id]
	}
	for i := range info.Brokers {
		row(info.Brokers[i].ID).broker = &info.Brokers[i]
	}
	if q := info.Quorum; q != nil {
		for i := range q.Voters {
			r := row(q.Voters[i].ReplicaID)
			r.voter, r.active = &q.Voters[i], q.Voters[i].ReplicaID == q.LeaderID
		}
	}
	var ids []int32
	for id := range nodes {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	var rows [][]string
	for _, id := range ids {
		rows = append(rows, nodes[id].cells(id))
	}
	return a.table([]string{"NODE", "ADDRESS", "RACK", "BROKER", "CONTROLLER", "CONTROLLER-ADDRESS"}, rows)
}

func (r *nodeRow) cells(id int32) []string {
	cells := []string{strconv.Itoa(int(id)), "", "", "", "", ""}
	if b := r.broker; b != nil {
		cells[1], cells[2], cells[3] = fmt.Sprintf("%s:%d", b.Host, b.Port), text(b.Rack), "in service"
		if b.Fenced {
			cells[3] = "fenced"
		}
	}
	if r.voter != nil {
		cells[4], cells[5] = "voter", r.voter.Endpoint
		if r.active {
			cells[4] = "active"
		}
	}
	return cells
}

func (a *app) printQuorum(q *quorumInfo) error {
	if q == nil {
		return errors.New("no controller is active, or none answers")
	}
	a.println("leader %d  epoch %d  high watermark %d", q.LeaderID, q.LeaderEpoch, q.HighWatermark)
	var rows [][]string
	add := func(role string, list []quorumState) {
		for _, s := range list {
			rows = append(rows, []string{strconv.Itoa(int(s.ReplicaID)), role, s.DirectoryID, known(s.LogEndOffset), known(s.Lag), s.Endpoint})
		}
	}
	add("voter", q.Voters)
	add("observer", q.Observers)
	return a.table([]string{"NODE", "ROLE", "DIRECTORY", "LOG-END-OFFSET", "LAG", "ADDRESS"}, rows)
}

// known is a number, nothing where it is below zero.
func known(n int64) string {
	if n < 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

// quorumChange is a command that changes one voter.
func (a *app) quorumChange(use, short string, change func(*app, context.Context, *admin, *quorumInfo, int32) error) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			id, err := strconv.ParseInt(args[0], 10, 32)
			if err != nil || id < 0 {
				return a.usageError("invalid value %q for ID: want a node's number", args[0])
			}
			return a.withAdmin(func(ctx context.Context, admin *admin) error {
				q := describeQuorum(ctx, admin)
				if q == nil {
					return errors.New("no controller is active, or none answers")
				}
				return change(a, ctx, admin, q, int32(id))
			})
		},
	}
}

// find is the entry of a node with another directory than that of not; where there
// are several, the one heard last.
func find(list []quorumState, id int32, not *quorumState) (found *quorumState) {
	for i := range list {
		s := &list[i]
		if s.ReplicaID == id && (not == nil || s.directory != not.directory) && (found == nil || s.LastFetch > found.LastFetch) {
			found = s
		}
	}
	return found
}

func (a *app) addVoter(ctx context.Context, admin *admin, q *quorumInfo, id int32) error {
	if v := find(q.Voters, id, nil); v != nil {
		return fmt.Errorf("node %d is a voter already, with directory %s; if its disk was emptied: moldau cluster quorum replace %d", id, v.DirectoryID, id)
	}
	observer := find(q.Observers, id, nil)
	if observer == nil {
		return fmt.Errorf("node %d follows nobody: start it with --join and --controller-listen first", id)
	}
	return a.makeVoter(ctx, admin, observer)
}

func (a *app) makeVoter(ctx context.Context, admin *admin, s *quorumState) error {
	req := kmsg.NewPtrAddRaftVoterRequest()
	req.VoterID, req.VoterDirectoryID, req.TimeoutMillis = s.ReplicaID, s.directory, int32(a.timeout.Milliseconds())
	resp, err := req.RequestWith(ctx, admin.raw)
	if err != nil {
		return wireError(err, "")
	}
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
		return wireError(err, text(resp.ErrorMessage))
	}
	a.println("node %d is a voter, with directory %s", s.ReplicaID, s.DirectoryID)
	return nil
}

func (a *app) removeVoter(ctx context.Context, admin *admin, q *quorumInfo, id int32) error {
	v := find(q.Voters, id, nil)
	if v == nil {
		return fmt.Errorf("node %d is no voter; the voters are %s", id, q.voterIDs())
	}
	return a.takeVote(ctx, admin, v)
}

func (a *app) takeVote(ctx context.Context, admin *admin, v *quorumState) error {
	req := kmsg.NewPtrRemoveRaftVoterRequest()
	req.VoterID, req.VoterDirectoryID = v.ReplicaID, v.directory
	resp, err := req.RequestWith(ctx, admin.raw)
	if err != nil {
		return wireError(err, "")
	}
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
		return wireError(err, text(resp.ErrorMessage))
	}
	a.println("node %d with directory %s is no voter any more", v.ReplicaID, v.DirectoryID)
	return nil
}

func (a *app) replaceVoter(ctx context.Context, admin *admin, q *quorumInfo, id int32) error {
	old := find(q.Voters, id, nil)
	if old == nil {
		return a.addVoter(ctx, admin, q, id)
	}
	now := find(q.Observers, id, old)
	if now == nil {
		return fmt.Errorf("node %d does not run with another directory than %s, which has the vote: start it with an empty one first",
			id, strings.TrimSpace(old.DirectoryID))
	}
	if err := a.takeVote(ctx, admin, old); err != nil {
		return err
	}
	return a.makeVoter(ctx, admin, now)
}
