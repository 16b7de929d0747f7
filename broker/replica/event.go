package replica

import (
	"fmt"
	"log/slog"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/seglog"
)

// Source names the partition that an event is of.
type Source struct {
	Topic     string
	Partition int32
}

func (s Source) attrs(more ...slog.Attr) []slog.Attr {
	return append([]slog.Attr{slog.String("topic", s.Topic), slog.Int("partition", int(s.Partition))}, more...)
}

func (r *Replica) source() Source { return Source{Topic: r.cfg.Topic, Partition: r.cfg.ID.Partition} }

// SegmentRolled: a segment was closed and the next one begun.
type SegmentRolled struct {
	Source
	Closed, Base int64
}

func (SegmentRolled) Kind() string      { return "segment-rolled" }
func (SegmentRolled) Level() slog.Level { return slog.LevelDebug }
func (e SegmentRolled) Attrs() []slog.Attr {
	return e.attrs(slog.Int64("closed", e.Closed), slog.Int64("base", e.Base))
}

// LogStartMoved: retention or DeleteRecords raised the log start.
type LogStartMoved struct {
	Source
	From, To int64
	Segments int // deleted with it
}

func (LogStartMoved) Kind() string      { return "log-start-moved" }
func (LogStartMoved) Level() slog.Level { return slog.LevelInfo }
func (e LogStartMoved) Attrs() []slog.Attr {
	return e.attrs(slog.Int64("from", e.From), slog.Int64("to", e.To), slog.Int("segments", e.Segments))
}

// LeaderEpochStarted: this broker leads from Start on.
type LeaderEpochStarted struct {
	Source
	Epoch         int32
	Start         int64
	HighWatermark int64
	Standing      seglog.Standing // with which it was elected
}

func (LeaderEpochStarted) Kind() string { return "leader-epoch-started" }

// Level is Debug where all is well: a start begins an epoch of every partition.
func (e LeaderEpochStarted) Level() slog.Level {
	if e.Standing == seglog.Intact {
		return slog.LevelDebug
	}
	return slog.LevelInfo
}
func (e LeaderEpochStarted) Attrs() []slog.Attr {
	return e.attrs(slog.Int("epoch", int(e.Epoch)), slog.Int64("start", e.Start),
		slog.Int64("high-watermark", e.HighWatermark), slog.String("standing", e.Standing.String()))
}

// LeadEnded: this broker leads no more.
type LeadEnded struct {
	Source
	Epoch  int32 // the new one
	Leader int32 // -1 for none
}

func (LeadEnded) Kind() string { return "lead-ended" }

// Level is Debug: a stop ends the lead of every partition.
func (LeadEnded) Level() slog.Level { return slog.LevelDebug }
func (e LeadEnded) Attrs() []slog.Attr {
	return e.attrs(slog.Int("epoch", int(e.Epoch)), slog.Int("leader", int(e.Leader)))
}

// ReplicaOffline: the replica serves nothing until a restart.
type ReplicaOffline struct {
	Source
	Reason string
}

func (ReplicaOffline) Kind() string      { return "replica-offline" }
func (ReplicaOffline) Level() slog.Level { return slog.LevelError }
func (e ReplicaOffline) Attrs() []slog.Attr {
	return e.attrs(slog.String("reason", e.Reason))
}

// AppendsRefused: the disk is full; offsets from Offset on were given back.
type AppendsRefused struct {
	Source
	Offset int64
	Reason string
}

func (AppendsRefused) Kind() string      { return "appends-refused" }
func (AppendsRefused) Level() slog.Level { return slog.LevelWarn }
func (e AppendsRefused) Attrs() []slog.Attr {
	return e.attrs(slog.Int64("offset", e.Offset), slog.String("reason", e.Reason))
}

// AppendsResumed: appends are tried again from Offset on.
type AppendsResumed struct {
	Source
	Offset int64
}

func (AppendsResumed) Kind() string      { return "appends-resumed" }
func (AppendsResumed) Level() slog.Level { return slog.LevelInfo }
func (e AppendsResumed) Attrs() []slog.Attr {
	return e.attrs(slog.Int64("offset", e.Offset))
}

// logCut is what a follower loses of its log on its leader's word.
type logCut struct {
	Source
	Epoch         int32 // of the leader
	From, To      int64
	HighWatermark int64 // before
}

func (r *Replica) loses(to int64) logCut {
	return logCut{Source: r.source(), Epoch: r.role.LeaderEpoch, From: r.leo, To: to, HighWatermark: r.hw}
}

// Level is Warn where records go that were committed once: only an election
// that may lose them leads to that.
func (e logCut) Level() slog.Level {
	if e.To < e.HighWatermark {
		return slog.LevelWarn
	}
	return slog.LevelInfo
}
func (e logCut) Attrs() []slog.Attr {
	return e.attrs(slog.Int("epoch", int(e.Epoch)), slog.Int64("from", e.From), slog.Int64("to", e.To), slog.Int64("high-watermark", e.HighWatermark))
}

// LogTruncated: a follower cuts what its leader does not have.
type LogTruncated struct{ logCut }

func (LogTruncated) Kind() string { return "log-truncated" }

// LogRestarted: a follower begins its log anew, where the leader's begins.
type LogRestarted struct{ logCut }

func (LogRestarted) Kind() string { return "log-restarted" }

// AnswerRefused: what the leader sent does not fit this log.
type AnswerRefused struct {
	Source
	Leader, Epoch int32
	Offset        int64 // asked for
	Reason        string
}

func (AnswerRefused) Kind() string      { return "fetch-answer-refused" }
func (AnswerRefused) Level() slog.Level { return slog.LevelError }
func (e AnswerRefused) Attrs() []slog.Attr {
	return e.attrs(slog.Int("leader", int(e.Leader)), slog.Int("epoch", int(e.Epoch)), slog.Int64("offset", e.Offset), slog.String("reason", e.Reason))
}

// ISRProposed: the leader asks the controller for another ISR.
type ISRProposed struct {
	Source
	Epoch                   int32
	Adding, Removing, Whole []int32
	Renewed                 bool // the same ISR again: older proposals are void, or the recovery ends
}

func (ISRProposed) Kind() string      { return "isr-proposed" }
func (ISRProposed) Level() slog.Level { return slog.LevelInfo }
func (e ISRProposed) Attrs() []slog.Attr {
	return e.attrs(slog.Int("epoch", int(e.Epoch)), slog.String("adding", fmt.Sprint(e.Adding)), slog.String("removing", fmt.Sprint(e.Removing)),
		slog.String("whole", fmt.Sprint(e.Whole)), slog.Bool("renewed", e.Renewed))
}

// ISRRefused: the controller did not take the proposal.
type ISRRefused struct {
	Source
	Epoch int32
	Code  kafka.ErrorCode
}

func (ISRRefused) Kind() string      { return "isr-refused" }
func (ISRRefused) Level() slog.Level { return slog.LevelInfo }
func (e ISRRefused) Attrs() []slog.Attr {
	return e.attrs(slog.Int("epoch", int(e.Epoch)), slog.String("code", e.Code.Name()))
}
