package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

func (a *app) groupCommand() *cobra.Command {
	return group("group", "List and describe consumer groups", a.groupListCommand(), a.groupDescribeCommand())
}

// listedGroup is a group of the list in JSON.
type listedGroup struct {
	Group        string `json:"group"`
	ProtocolType string `json:"protocolType"`
	State        string `json:"state"`
	Coordinator  int32  `json:"coordinator"`
}

func (a *app) groupListCommand() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List groups", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return a.withAdmin(func(ctx context.Context, admin *admin) error {
				listed, err := admin.ListGroups(ctx)
				if err != nil {
					return wireError(err, "")
				}
				groups, rows := []listedGroup{}, [][]string{}
				for _, g := range listed.Sorted() {
					groups = append(groups, listedGroup{g.Group, g.ProtocolType, g.State, g.Coordinator})
					rows = append(rows, []string{g.Group, g.ProtocolType, g.State, strconv.Itoa(int(g.Coordinator))})
				}
				if a.json() {
					return a.printJSON(groups)
				}
				return a.table([]string{"GROUP", "TYPE", "STATE", "COORDINATOR"}, rows)
			})
		},
	}
}

// groupInfo is a described group in JSON.
type groupInfo struct {
	Group        string        `json:"group"`
	State        string        `json:"state"`
	ProtocolType string        `json:"protocolType"`
	Protocol     string        `json:"protocol"`
	Coordinator  int32         `json:"coordinator"`
	Lag          int64         `json:"lag"`
	Members      []memberInfo  `json:"members"`
	Offsets      []groupOffset `json:"offsets"`
}

type memberInfo struct {
	MemberID   string  `json:"memberId"`
	InstanceID *string `json:"groupInstanceId"`
	ClientID   string  `json:"clientId"`
	ClientHost string  `json:"clientHost"`
	Partitions int     `json:"partitions"`
}

// groupOffset is a partition of a group; the committed offset is null where
// there is none, the lag null where it is not known.
type groupOffset struct {
	Topic           string `json:"topic"`
	Partition       int32  `json:"partition"`
	CommittedOffset *int64 `json:"committedOffset"`
	LogEndOffset    int64  `json:"logEndOffset"`
	Lag             *int64 `json:"lag"`
	MemberID        string `json:"memberId"`
	ClientID        string `json:"clientId"`
	Error           string `json:"error,omitempty"`
}

func (a *app) groupDescribeCommand() *cobra.Command {
	return &cobra.Command{
		Use: "describe GROUP...", Short: "Show members, committed offsets and lag", Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, names []string) error {
			return a.withAdmin(func(ctx context.Context, admin *admin) error {
				var lags kadm.DescribedGroupLags
				err := retry(ctx, func() (err error) {
					lags, err = admin.Lag(ctx, names...)
					for _, l := range lags {
						err = errors.Join(err, transient(l.Error()))
					}
					return err
				})
				if err != nil {
					return wireError(err, "")
				}
				var failed failures
				infos := []groupInfo{}
				for _, l := range lags.Sorted() {
					if err := groupError(l); err != nil {
						failed.add("group "+l.Group, err, "")
						continue
					}
					infos = append(infos, newGroupInfo(l))
				}
				if err := a.printGroups(infos); err != nil {
					return err
				}
				return failed.err()
			})
		},
	}
}

// groupError is what keeps a group from being shown. Older versions answer a
// group that is not there as a dead one.
func groupError(l kadm.DescribedGroupLag) error {
	if err := l.Error(); err != nil {
		return err
	}
	if l.State == "Dead" && len(l.Members) == 0 && len(l.Lag) == 0 {
		return kerr.GroupIDNotFound
	}
	return nil
}

func newGroupInfo(l kadm.DescribedGroupLag) groupInfo {
	info := groupInfo{
		Group: l.Group, State: l.State, ProtocolType: l.ProtocolType, Protocol: l.Protocol,
		Coordinator: l.Coordinator.NodeID, Members: []memberInfo{}, Offsets: []groupOffset{},
	}
	counts := map[string]int{}
	for _, m := range l.Lag.Sorted() {
		if m.Topic == "" {
			continue
		}
		o := groupOffset{Topic: m.Topic, Partition: m.Partition, LogEndOffset: m.End.Offset}
		if m.Commit.At >= 0 {
			o.CommittedOffset = &m.Commit.At
		}
		if m.Lag >= 0 {
			o.Lag = &m.Lag
			info.Lag += m.Lag
		}
		if m.Member != nil {
			o.MemberID, o.ClientID = m.Member.MemberID, m.Member.ClientID
			counts[m.Member.MemberID]++
		}
		var code *kerr.Error
		if errors.As(m.Err, &code) {
			o.Error = code.Message
		}
		info.Offsets = append(info.Offsets, o)
	}
	for _, m := range l.Members {
		info.Members = append(info.Members, memberInfo{m.MemberID, m.InstanceID, m.ClientID, m.ClientHost, counts[m.MemberID]})
	}
	slices.SortFunc(info.Members, func(x, y memberInfo) int { return strings.Compare(x.MemberID, y.MemberID) })
	return info
}

func (a *app) printGroups(infos []groupInfo) error {
	if a.json() {
		return a.printJSON(infos)
	}
	for i, g := range infos {
		if i > 0 {
			a.println("")
		}
		protocol := g.Protocol
		if protocol == "" {
			protocol = "-"
		}
		a.println("group %s  state %s  protocol %s  coordinator %d  members %d  lag %d", g.Group, g.State, protocol, g.Coordinator, len(g.Members), g.Lag)
		var rows [][]string
		for _, o := range g.Offsets {
			rows = append(rows, []string{o.Topic, strconv.Itoa(int(o.Partition)), optional(o.CommittedOffset), fmt.Sprint(o.LogEndOffset), optional(o.Lag), o.MemberID, o.ClientID})
		}
		if len(rows) == 0 {
			continue
		}
		if err := a.table([]string{"TOPIC", "PARTITION", "CURRENT-OFFSET", "LOG-END-OFFSET", "LAG", "MEMBER-ID", "CLIENT-ID"}, rows); err != nil {
			return err
		}
	}
	return nil
}

func optional(n *int64) string {
	if n == nil {
		return ""
	}
	return strconv.FormatInt(*n, 10)
}
