package main

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func (a *app) topicCommand() *cobra.Command {
	return group("topic", "Create, list, describe, change and delete topics",
		a.topicCreateCommand(), a.topicListCommand(), a.topicDescribeCommand(),
		a.topicDeleteCommand(), a.topicAlterCommand(), a.topicElectCommand())
}

// topicInfo is a topic in JSON, in Kafka's field words.
type topicInfo struct {
	Topic             string            `json:"topic"`
	TopicID           string            `json:"topicId"`
	Internal          bool              `json:"internal"`
	NumPartitions     int               `json:"numPartitions"`
	ReplicationFactor int               `json:"replicationFactor"`
	Partitions        []partitionInfo   `json:"partitions,omitempty"`
	Configs           map[string]string `json:"configs,omitempty"`
}

type partitionInfo struct {
	Partition       int32   `json:"partition"`
	Leader          int32   `json:"leader"`
	LeaderEpoch     int32   `json:"leaderEpoch"`
	Replicas        []int32 `json:"replicas"`
	ISR             []int32 `json:"isr"`
	ELR             []int32 `json:"elr"`
	LastKnownELR    []int32 `json:"lastKnownElr"`
	OfflineReplicas []int32 `json:"offlineReplicas"`
	Error           string  `json:"error,omitempty"`
}

func newTopicInfo(t kadm.TopicDetail) topicInfo {
	info := topicInfo{Topic: t.Topic, TopicID: topicID(t.ID), Internal: t.IsInternal, NumPartitions: len(t.Partitions)}
	for _, p := range t.Partitions.Sorted() {
		info.ReplicationFactor = max(info.ReplicationFactor, len(p.Replicas))
	}
	return info
}

func topicID(id kadm.TopicID) string { return base64.RawURLEncoding.EncodeToString(id[:]) }

func (a *app) topicListCommand() *cobra.Command {
	var internal bool
	c := &cobra.Command{Use: "list", Short: "List topics", Args: cobra.NoArgs}
	c.Flags().BoolVarP(&internal, "internal", "i", false, "show internal topics too")
	c.RunE = func(*cobra.Command, []string) error {
		return a.withAdmin(func(ctx context.Context, admin *admin) error {
			topics, err := admin.ListTopicsWithInternal(ctx)
			if err != nil {
				return wireError(err, "")
			}
			infos, rows := []topicInfo{}, [][]string{}
			for _, t := range topics.Sorted() {
				if t.IsInternal && !internal {
					continue
				}
				info := newTopicInfo(t)
				infos = append(infos, info)
				rows = append(rows, []string{info.Topic, strconv.Itoa(info.NumPartitions), strconv.Itoa(info.ReplicationFactor)})
			}
			if a.json() {
				return a.printJSON(infos)
			}
			return a.table([]string{"TOPIC", "PARTITIONS", "REPLICAS"}, rows)
		})
	}
	return c
}

func (a *app) topicDescribeCommand() *cobra.Command {
	return &cobra.Command{
		Use: "describe TOPIC...", Short: "Show partitions, leaders, replicas and settings", Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, names []string) error {
			return a.withAdmin(func(ctx context.Context, admin *admin) error {
				return a.describeTopics(ctx, admin, names)
			})
		},
	}
}

func (a *app) describeTopics(ctx context.Context, admin *admin, names []string) error {
	topics, err := admin.ListTopics(ctx, names...)
	if err != nil {
		return wireError(err, "")
	}
	configs := topicOverrides(ctx, admin, names)
	eligible := eligibleReplicas(ctx, admin, names)
	var failed failures
	infos := []topicInfo{}
	for _, t := range topics.Sorted() {
		if t.Err != nil {
			failed.add("topic "+t.Topic, t.Err, "")
			continue
		}
		info := newTopicInfo(t)
		info.Configs = configs[t.Topic]
		for _, p := range t.Partitions.Sorted() {
			info.Partitions = append(info.Partitions, newPartitionInfo(p, eligible[t.Topic][p.Partition]))
		}
		infos = append(infos, info)
	}
	if err := a.printTopics(infos); err != nil {
		return err
	}
	return failed.err()
}

func newPartitionInfo(p kadm.PartitionDetail, e eligiblePartition) partitionInfo {
	info := partitionInfo{
		Partition: p.Partition, Leader: p.Leader, LeaderEpoch: p.LeaderEpoch,
		Replicas: notNil(p.Replicas), ISR: notNil(p.ISR), OfflineReplicas: notNil(p.OfflineReplicas),
		ELR: notNil(e.elr), LastKnownELR: notNil(e.lastKnown),
	}
	var code *kerr.Error
	if errors.As(p.Err, &code) {
		info.Error = code.Message
	}
	return info
}

func (a *app) printTopics(infos []topicInfo) error {
	if a.json() {
		return a.printJSON(infos)
	}
	for i, info := range infos {
		if i > 0 {
			a.println("")
		}
		a.println("topic %s  id %s  partitions %d  replicas %d", info.Topic, info.TopicID, info.NumPartitions, info.ReplicationFactor)
		for _, name := range sortedKeys(info.Configs) {
			a.println("  %s=%s", name, info.Configs[name])
		}
		var rows [][]string
		for _, p := range info.Partitions {
			rows = append(rows, []string{strconv.Itoa(int(p.Partition)), leaderCell(p), strconv.Itoa(int(p.LeaderEpoch)),
				joinInts(p.Replicas), joinInts(p.ISR), joinInts(p.ELR), joinInts(p.OfflineReplicas)})
		}
		if err := a.table([]string{"PARTITION", "LEADER", "EPOCH", "REPLICAS", "ISR", "ELR", "OFFLINE"}, rows); err != nil {
			return err
		}
	}
	return nil
}

func leaderCell(p partitionInfo) string {
	if p.Leader < 0 {
		return "none"
	}
	return strconv.Itoa(int(p.Leader))
}

// topicOverrides are the settings that the topics have themselves. They are
// left out where the cluster does not tell them.
func topicOverrides(ctx context.Context, admin *admin, names []string) map[string]map[string]string {
	out := map[string]map[string]string{}
	described, err := admin.DescribeTopicConfigs(ctx, names...)
	if err != nil {
		return out
	}
	for _, r := range described {
		for _, c := range r.Configs {
			if c.Source != kmsg.ConfigSourceDynamicTopicConfig {
				continue
			}
			if out[r.Name] == nil {
				out[r.Name] = map[string]string{}
			}
			out[r.Name][c.Key] = c.MaybeValue()
		}
	}
	return out
}

// eligiblePartition is what only DescribeTopicPartitions tells (KIP-966).
type eligiblePartition struct{ elr, lastKnown []int32 }

// eligibleReplicas asks for the eligible leader replicas; clusters without
// that request have none.
func eligibleReplicas(ctx context.Context, admin *admin, names []string) map[string]map[int32]eligiblePartition {
	out := map[string]map[int32]eligiblePartition{}
	req := kmsg.NewPtrDescribeTopicPartitionsRequest()
	for _, name := range names {
		t := kmsg.NewDescribeTopicPartitionsRequestTopic()
		t.Topic = name
		req.Topics = append(req.Topics, t)
	}
	slices.SortFunc(req.Topics, func(x, y kmsg.DescribeTopicPartitionsRequestTopic) int { return cmp.Compare(x.Topic, y.Topic) })
	for {
		resp, err := req.RequestWith(ctx, admin.raw)
		if err != nil {
			return out
		}
		for _, t := range resp.Topics {
			if t.Topic == nil {
				continue
			}
			if out[*t.Topic] == nil {
				out[*t.Topic] = map[int32]eligiblePartition{}
			}
			for _, p := range t.Partitions {
				out[*t.Topic][p.Partition] = eligiblePartition{elr: p.EligibleLeaderReplicas, lastKnown: p.LastKnownELR}
			}
		}
		if resp.NextCursor == nil {
			return out
		}
		cursor := kmsg.NewDescribeTopicPartitionsRequestCursor()
		cursor.Topic, cursor.Partition = resp.NextCursor.Topic, resp.NextCursor.Partition
		req.Cursor = &cursor
	}
}
