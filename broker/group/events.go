package group

import "log/slog"

// RebalanceStarted: members are asked to join again.
type RebalanceStarted struct {
	Group      string
	Generation int32 // the one that ends
	Members    int
	Reason     string
}

// Kind is the event's name.
func (RebalanceStarted) Kind() string { return "group-rebalance-started" }

// Level is the severity.
func (RebalanceStarted) Level() slog.Level { return slog.LevelInfo }

// Attrs are the fields.
func (e RebalanceStarted) Attrs() []slog.Attr {
	return []slog.Attr{slog.String("group", e.Group), slog.Int("generation", int(e.Generation)),
		slog.Int("members", e.Members), slog.String("reason", e.Reason)}
}

// GroupStable: a generation has its assignment.
type GroupStable struct {
	Group      string
	Generation int32
	Members    int
	Leader     string
}

// Kind is the event's name.
func (GroupStable) Kind() string { return "group-stable" }

// Level is the severity.
func (GroupStable) Level() slog.Level { return slog.LevelInfo }

// Attrs are the fields.
func (e GroupStable) Attrs() []slog.Attr {
	return []slog.Attr{slog.String("group", e.Group), slog.Int("generation", int(e.Generation)),
		slog.Int("members", e.Members), slog.String("leader", e.Leader)}
}

// GroupEmptied: the last member is gone.
type GroupEmptied struct {
	Group      string
	Generation int32
}

// Kind is the event's name.
func (GroupEmptied) Kind() string { return "group-emptied" }

// Level is the severity.
func (GroupEmptied) Level() slog.Level { return slog.LevelInfo }

// Attrs are the fields.
func (e GroupEmptied) Attrs() []slog.Attr {
	return []slog.Attr{slog.String("group", e.Group), slog.Int("generation", int(e.Generation))}
}

// GroupDeleted: the group is gone, with its offsets.
type GroupDeleted struct {
	Group  string
	Reason string
}

// Kind is the event's name.
func (GroupDeleted) Kind() string { return "group-deleted" }

// Level is the severity.
func (GroupDeleted) Level() slog.Level { return slog.LevelInfo }

// Attrs are the fields.
func (e GroupDeleted) Attrs() []slog.Attr {
	return []slog.Attr{slog.String("group", e.Group), slog.String("reason", e.Reason)}
}

// MemberRemoved: a member is out of its group.
type MemberRemoved struct {
	Group, Member string
	Generation    int32
	Reason        string
}

// Kind is the event's name.
func (MemberRemoved) Kind() string { return "group-member-removed" }

// Level is the severity.
func (MemberRemoved) Level() slog.Level { return slog.LevelInfo }

// Attrs are the fields.
func (e MemberRemoved) Attrs() []slog.Attr {
	return []slog.Attr{slog.String("group", e.Group), slog.String("member", e.Member),
		slog.Int("generation", int(e.Generation)), slog.String("reason", e.Reason)}
}
