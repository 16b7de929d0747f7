package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func (a *app) configCommand() *cobra.Command {
	return group("config", "Show and change settings of topics and brokers", a.configDescribeCommand(), a.configAlterCommand())
}

// configChange are the flags of an incremental change.
type configChange struct{ set, remove, add, subtract []string }

func (c *configChange) flags(cmd *cobra.Command) {
	cmd.Flags().StringArrayVarP(&c.set, "config", "c", nil, "set, as key=value; may be repeated")
	cmd.Flags().StringArrayVarP(&c.remove, "delete", "d", nil, "go back to the default of this key; may be repeated")
	cmd.Flags().StringArrayVar(&c.add, "append", nil, "add to a list, as key=value")
	cmd.Flags().StringArrayVar(&c.subtract, "subtract", nil, "take from a list, as key=value")
}

func (c *configChange) alters() ([]kadm.AlterConfig, error) {
	var out []kadm.AlterConfig
	for _, part := range []struct {
		op   kadm.IncrementalOp
		list []string
	}{{kadm.SetConfig, c.set}, {kadm.AppendConfig, c.add}, {kadm.SubtractConfig, c.subtract}} {
		for _, s := range part.list {
			name, value, ok := strings.Cut(s, "=")
			if !ok || name == "" {
				return nil, fmt.Errorf("invalid setting %q: want key=value", s)
			}
			out = append(out, kadm.AlterConfig{Op: part.op, Name: name, Value: &value})
		}
	}
	for _, name := range c.remove {
		out = append(out, kadm.AlterConfig{Op: kadm.DeleteConfig, Name: name})
	}
	return out, nil
}

// configInfo is a setting in JSON, in the words of DescribeConfigs.
type configInfo struct {
	Name      string  `json:"name"`
	Value     *string `json:"value"`
	Source    string  `json:"configSource"`
	Sensitive bool    `json:"isSensitive"`
}

// resource reads "topic NAME", "broker ID" and "broker" (all brokers).
func (a *app) resource(args []string) (kind string, broker int32, err error) {
	switch {
	case args[0] == "topic" && len(args) == 2:
		return "topic", 0, nil
	case args[0] == "broker" && len(args) == 1:
		return "brokers", 0, nil
	case args[0] == "broker":
		id, err := strconv.ParseInt(args[1], 10, 32)
		if err != nil || id < 0 {
			return "", 0, a.usageError("invalid broker id %q", args[1])
		}
		return "broker", int32(id), nil
	}
	return "", 0, a.usageError("want topic NAME, broker ID, or broker for all of them")
}

func (a *app) configDescribeCommand() *cobra.Command {
	var all bool
	c := &cobra.Command{Use: "describe topic NAME | broker [ID]", Short: "Show settings and where they come from", Args: cobra.RangeArgs(1, 2)}
	c.Flags().BoolVarP(&all, "all", "a", false, "show defaults too")
	c.RunE = func(_ *cobra.Command, args []string) error {
		kind, broker, err := a.resource(args)
		if err != nil {
			return err
		}
		return a.withAdmin(func(ctx context.Context, admin *admin) error {
			var described kadm.ResourceConfigs
			switch kind {
			case "topic":
				described, err = admin.DescribeTopicConfigs(ctx, args[1])
			case "broker":
				described, err = admin.DescribeBrokerConfigs(ctx, broker)
			default:
				described, err = admin.DescribeBrokerConfigs(ctx)
			}
			switch {
			case err != nil && kind == "broker" && strings.Contains(err.Error(), "unknown broker"):
				return fmt.Errorf("broker %d is not in the cluster", broker)
			case err != nil:
				return wireError(err, "")
			}
			return a.printConfigs(described, all)
		})
	}
	return c
}

func (a *app) printConfigs(described kadm.ResourceConfigs, all bool) error {
	var failed failures
	infos, rows := []configInfo{}, [][]string{}
	for _, r := range described {
		if r.Err != nil {
			failed.add("describe "+r.Name, r.Err, r.ErrMessage)
			continue
		}
		slices.SortFunc(r.Configs, func(x, y kadm.Config) int { return strings.Compare(x.Key, y.Key) })
		for _, c := range r.Configs {
			if !all && c.Source == kmsg.ConfigSourceDefaultConfig {
				continue
			}
			infos = append(infos, configInfo{Name: c.Key, Value: c.Value, Source: c.Source.String(), Sensitive: c.Sensitive})
			rows = append(rows, []string{c.Key, c.MaybeValue(), strings.ToLower(c.Source.String())})
		}
	}
	if a.json() {
		if err := a.printJSON(infos); err != nil {
			return err
		}
		return failed.err()
	}
	if err := failed.err(); err != nil && len(rows) == 0 {
		return err
	}
	if err := a.table([]string{"NAME", "VALUE", "SOURCE"}, rows); err != nil {
		return err
	}
	return failed.err()
}

func (a *app) configAlterCommand() *cobra.Command {
	var change configChange
	c := &cobra.Command{Use: "alter topic NAME | broker [ID]", Short: "Change settings; broker without an id changes all", Args: cobra.RangeArgs(1, 2)}
	change.flags(c)
	c.RunE = func(_ *cobra.Command, args []string) error {
		kind, broker, err := a.resource(args)
		if err != nil {
			return err
		}
		alters, err := change.alters()
		if err != nil {
			return a.usageError("%w", err)
		}
		if len(alters) == 0 {
			return a.usageError("nothing to change: want --config, --delete, --append or --subtract")
		}
		return a.withAdmin(func(ctx context.Context, admin *admin) error {
			var responses kadm.AlterConfigsResponses
			var err error
			switch kind {
			case "topic":
				responses, err = admin.AlterTopicConfigs(ctx, alters, args[1])
			case "broker":
				responses, err = admin.AlterBrokerConfigs(ctx, alters, broker)
			default:
				responses, err = admin.AlterBrokerConfigs(ctx, alters)
			}
			if err != nil {
				return wireError(err, "")
			}
			var failed failures
			for _, r := range responses {
				if r.Err != nil {
					failed.add("alter "+strings.Join(args, " "), r.Err, r.ErrMessage)
				}
			}
			if failed.err() != nil {
				return failed.err()
			}
			return a.done("altered", []string{strings.Join(args, " ")}, failed)
		})
	}
	return c
}
