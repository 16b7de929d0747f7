package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// clusterInfo is the cluster in JSON, in Kafka's field words.
type clusterInfo struct {
	ClusterID  string       `json:"clusterId"`
	Controller int32        `json:"controllerId"`
	Brokers    []brokerInfo `json:"brokers"`
	Quorum     *quorumInfo  `json:"quorum"`
}

type brokerInfo struct {
	ID         int32   `json:"id"`
	Host       string  `json:"host"`
	Port       int32   `json:"port"`
	Rack       *string `json:"rack"`
	Controller bool    `json:"isController"`
}

type quorumInfo struct {
	LeaderID      int32         `json:"leaderId"`
	LeaderEpoch   int32         `json:"leaderEpoch"`
	HighWatermark int64         `json:"highWatermark"`
	Voters        []quorumState `json:"currentVoters"`
	Observers     []quorumState `json:"observers"`
}

type quorumState struct {
	ReplicaID    int32 `json:"replicaId"`
	LogEndOffset int64 `json:"logEndOffset"`
	Lag          int64 `json:"lag"`
}

func (a *app) clusterCommand() *cobra.Command {
	return &cobra.Command{
		Use: "cluster", Short: "Show the cluster's id, brokers and metadata quorum", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return a.withAdmin(func(ctx context.Context, admin *admin) error {
				metadata, err := admin.BrokerMetadata(ctx)
				if err != nil {
					return wireError(err, "")
				}
				info := clusterInfo{ClusterID: metadata.Cluster, Controller: metadata.Controller, Brokers: []brokerInfo{}}
				for _, b := range metadata.Brokers {
					info.Brokers = append(info.Brokers, brokerInfo{b.NodeID, b.Host, b.Port, b.Rack, b.NodeID == metadata.Controller})
				}
				info.Quorum = describeQuorum(ctx, admin)
				return a.printCluster(info)
			})
		},
	}
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
	end := int64(0)
	states := func(list []kmsg.DescribeQuorumResponseTopicPartitionReplicaState) []quorumState {
		out := []quorumState{}
		for _, s := range list {
			out = append(out, quorumState{s.ReplicaID, s.LogEndOffset, max(0, end-s.LogEndOffset)})
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

func (a *app) printCluster(info clusterInfo) error {
	if a.json() {
		return a.printJSON(info)
	}
	a.println("cluster %s  controller %d", info.ClusterID, info.Controller)
	var rows [][]string
	for _, b := range info.Brokers {
		rack := ""
		if b.Rack != nil {
			rack = *b.Rack
		}
		rows = append(rows, []string{strconv.Itoa(int(b.ID)), fmt.Sprintf("%s:%d", b.Host, b.Port), rack})
	}
	if err := a.table([]string{"BROKER", "ADDRESS", "RACK"}, rows); err != nil {
		return err
	}
	if info.Quorum == nil {
		return nil
	}
	q := info.Quorum
	a.println("\nmetadata quorum  leader %d  epoch %d  high watermark %d", q.LeaderID, q.LeaderEpoch, q.HighWatermark)
	rows = nil
	for _, s := range q.Voters {
		rows = append(rows, []string{strconv.Itoa(int(s.ReplicaID)), "voter", fmt.Sprint(s.LogEndOffset), fmt.Sprint(s.Lag)})
	}
	for _, s := range q.Observers {
		rows = append(rows, []string{strconv.Itoa(int(s.ReplicaID)), "observer", fmt.Sprint(s.LogEndOffset), fmt.Sprint(s.Lag)})
	}
	return a.table([]string{"NODE", "ROLE", "LOG-END-OFFSET", "LAG"}, rows)
}
