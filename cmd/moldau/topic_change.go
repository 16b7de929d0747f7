package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

func (a *app) println(format string, args ...any) { fmt.Fprintf(a.out, format+"\n", args...) }

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func (a *app) topicCreateCommand() *cobra.Command {
	var partitions int32
	var replicas int16
	var configs []string
	var ifNotExists bool
	c := &cobra.Command{Use: "create TOPIC...", Short: "Create topics", Args: cobra.MinimumNArgs(1)}
	c.Flags().Int32VarP(&partitions, "partitions", "p", -1, "number of partitions (-1: the cluster's default)")
	c.Flags().Int16VarP(&replicas, "replicas", "r", -1, "replicas of each partition (-1: the cluster's default)")
	c.Flags().StringArrayVarP(&configs, "config", "c", nil, "a setting of the topic, as key=value; may be repeated")
	c.Flags().BoolVar(&ifNotExists, "if-not-exists", false, "succeed if the topic is already there")
	c.RunE = func(_ *cobra.Command, names []string) error {
		settings := map[string]*string{}
		for _, s := range configs {
			name, value, ok := strings.Cut(s, "=")
			if !ok || name == "" {
				return a.usageError("invalid value %q for --config: want key=value", s)
			}
			settings[name] = &value
		}
		return a.withAdmin(func(ctx context.Context, admin *admin) error {
			responses, err := admin.CreateTopics(ctx, partitions, replicas, settings, names...)
			if err != nil {
				return wireError(err, "")
			}
			return a.created(responses, ifNotExists)
		})
	}
	return c
}

func (a *app) created(responses kadm.CreateTopicResponses, ifNotExists bool) error {
	var failed failures
	infos := []topicInfo{}
	for _, r := range responses.Sorted() {
		switch {
		case r.Err == nil:
			infos = append(infos, topicInfo{Topic: r.Topic, TopicID: topicID(r.ID), NumPartitions: int(r.NumPartitions), ReplicationFactor: int(r.ReplicationFactor)})
		case !ifNotExists || !errors.Is(r.Err, kerr.TopicAlreadyExists):
			failed.add("create topic "+r.Topic, r.Err, r.ErrMessage)
		}
	}
	if a.json() {
		if err := a.printJSON(infos); err != nil {
			return err
		}
		return failed.err()
	}
	for _, info := range infos {
		a.println("created topic %s: %s, %s", info.Topic, counted(info.NumPartitions, "partition"), counted(info.ReplicationFactor, "replica"))
	}
	return failed.err()
}

func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}

func (a *app) topicDeleteCommand() *cobra.Command {
	var ifExists bool
	c := &cobra.Command{Use: "delete TOPIC...", Short: "Delete topics with their records", Args: cobra.MinimumNArgs(1)}
	c.Flags().BoolVar(&ifExists, "if-exists", false, "succeed if the topic is not there")
	c.RunE = func(_ *cobra.Command, names []string) error {
		return a.withAdmin(func(ctx context.Context, admin *admin) error {
			responses, err := admin.DeleteTopics(ctx, names...)
			if err != nil {
				return wireError(err, "")
			}
			var failed failures
			deleted := []string{}
			for _, r := range responses.Sorted() {
				switch {
				case r.Err == nil:
					deleted = append(deleted, r.Topic)
				case !ifExists || !errors.Is(r.Err, kerr.UnknownTopicOrPartition):
					failed.add("delete topic "+r.Topic, r.Err, r.ErrMessage)
				}
			}
			return a.done("deleted topic", deleted, failed)
		})
	}
	return c
}

// done prints the names that something was done to, then what failed.
func (a *app) done(what string, names []string, failed failures) error {
	if a.json() {
		if err := a.printJSON(notNil(names)); err != nil {
			return err
		}
		return failed.err()
	}
	for _, name := range names {
		a.println("%s %s", what, name)
	}
	return failed.err()
}

func (a *app) topicAlterCommand() *cobra.Command {
	var partitions int
	var change configChange
	c := &cobra.Command{Use: "alter TOPIC...", Short: "Change settings, or add partitions", Args: cobra.MinimumNArgs(1)}
	c.Flags().IntVarP(&partitions, "partitions", "p", 0, "grow to so many partitions")
	change.flags(c)
	c.RunE = func(_ *cobra.Command, names []string) error {
		alters, err := change.alters()
		if err != nil {
			return a.usageError("%w", err)
		}
		if len(alters) == 0 && partitions == 0 {
			return a.usageError("nothing to change: want --config, --delete, --append, --subtract or --partitions")
		}
		return a.withAdmin(func(ctx context.Context, admin *admin) error {
			return a.alterTopics(ctx, admin, names, alters, partitions)
		})
	}
	return c
}

func (a *app) alterTopics(ctx context.Context, admin *admin, names []string, alters []kadm.AlterConfig, partitions int) error {
	failed := failures{}
	bad := map[string]bool{}
	if len(alters) > 0 {
		responses, err := admin.AlterTopicConfigs(ctx, alters, names...)
		if err != nil {
			return wireError(err, "")
		}
		for _, r := range responses {
			if r.Err != nil {
				bad[r.Name] = true
				failed.add("alter topic "+r.Name, r.Err, r.ErrMessage)
			}
		}
	}
	if partitions > 0 {
		responses, err := admin.UpdatePartitions(ctx, partitions, names...)
		if err != nil {
			return wireError(err, "")
		}
		for _, r := range responses.Sorted() {
			if r.Err != nil {
				bad[r.Topic] = true
				failed.add("add partitions to topic "+r.Topic, r.Err, r.ErrMessage)
			}
		}
	}
	altered := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return bad[name] })
	return a.done("altered topic", altered, failed)
}

func (a *app) topicElectCommand() *cobra.Command {
	var unclean bool
	c := &cobra.Command{
		Use: "elect [TOPIC[:PARTITION]]...", Short: "Elect leaders: the preferred replicas, or unclean",
		Long: "Elect leaders: the preferred replicas, or with --unclean any living replica of a partition\n" +
			"without a leader, which loses the records that only others had. Without a topic: all partitions.",
	}
	c.Flags().BoolVar(&unclean, "unclean", false, "let replicas lead that were not in sync; records may be lost")
	c.RunE = func(_ *cobra.Command, names []string) error {
		if unclean && len(names) == 0 {
			return a.usageError("an unclean election wants the topics, or topic:partition, by name")
		}
		return a.withAdmin(func(ctx context.Context, admin *admin) error {
			set, err := a.electionSet(ctx, admin, names)
			if err != nil {
				return err
			}
			how := kadm.ElectPreferredReplica
			if unclean {
				how = kadm.ElectLiveReplica
			}
			results, err := admin.ElectLeaders(ctx, how, set)
			if err != nil {
				return wireError(err, "")
			}
			return a.elected(results)
		})
	}
	return c
}

// electionSet reads TOPIC and TOPIC:PARTITION; nil stands for all.
func (a *app) electionSet(ctx context.Context, admin *admin, names []string) (kadm.TopicsSet, error) {
	if len(names) == 0 {
		return nil, nil
	}
	set := kadm.TopicsSet{}
	for _, name := range names {
		topic, partition, one := strings.Cut(name, ":")
		if one {
			n, err := strconv.ParseInt(partition, 10, 32)
			if err != nil || n < 0 {
				return nil, a.usageError("invalid value %q: want TOPIC or TOPIC:PARTITION", name)
			}
			set.Add(topic, int32(n))
			continue
		}
		details, err := admin.ListTopics(ctx, topic)
		if err != nil {
			return nil, wireError(err, "")
		}
		if details[topic].Err != nil {
			return nil, fmt.Errorf("topic %s: %w", topic, wireError(details[topic].Err, ""))
		}
		set.Add(topic, details[topic].Partitions.Numbers()...)
	}
	return set, nil
}

// electionResult is one partition's election in JSON.
type electionResult struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Elected   bool   `json:"elected"`
	Error     string `json:"error,omitempty"`
}

func (a *app) elected(results kadm.ElectLeadersResults) error {
	var failed failures
	out := []electionResult{}
	for _, topic := range sortedKeys(results) {
		for _, partition := range slices.Sorted(maps.Keys(results[topic])) {
			r := results[topic][partition]
			e := electionResult{Topic: topic, Partition: partition, Elected: r.Err == nil}
			if r.Err != nil && !errors.Is(r.Err, kerr.ElectionNotNeeded) {
				e.Error = wireError(r.Err, r.ErrMessage).Error()
				failed.add(fmt.Sprintf("elect %s-%d", topic, partition), r.Err, r.ErrMessage)
			}
			out = append(out, e)
		}
	}
	if a.json() {
		if err := a.printJSON(out); err != nil {
			return err
		}
		return failed.err()
	}
	count := 0
	for _, e := range out {
		if e.Elected {
			count++
			a.println("elected a leader for %s-%d", e.Topic, e.Partition)
		}
	}
	if count == 0 && len(failed.list) == 0 {
		a.println("no election needed")
	}
	return failed.err()
}
