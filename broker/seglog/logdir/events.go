package logdir

import (
	"log/slog"
)

// DirectoryOffline: a log directory is lost to this process.
type DirectoryOffline struct {
	Dir string
	Err error
}

func (DirectoryOffline) Kind() string      { return "log-directory-offline" }
func (DirectoryOffline) Level() slog.Level { return slog.LevelError }
func (e DirectoryOffline) Attrs() []slog.Attr {
	return []slog.Attr{slog.String("dir", e.Dir), slog.String("error", e.Err.Error())}
}

// NoSpace: an append found the file system full; the partition refuses
// appends until space returns.
type NoSpace struct {
	Dir       string
	Topic     string
	Partition int32
	Offset    int64
}

func (NoSpace) Kind() string      { return "log-no-space" }
func (NoSpace) Level() slog.Level { return slog.LevelError }
func (e NoSpace) Attrs() []slog.Attr {
	return []slog.Attr{slog.String("dir", e.Dir), slog.String("topic", e.Topic), slog.Int("partition", int(e.Partition)), slog.Int64("offset", e.Offset)}
}

// LogCut: recovery cut a log at bytes that failed their checks.
type LogCut struct {
	Dir       string
	Topic     string
	Partition int32
	Offset    int64  // where the log ends now
	Bytes     int64  // that were cut off
	Reason    string // what failed
	Kept      string // name of the file that the bytes are kept in, if they are
}

func (LogCut) Kind() string      { return "log-cut" }
func (LogCut) Level() slog.Level { return slog.LevelWarn }
func (e LogCut) Attrs() []slog.Attr {
	return []slog.Attr{
		slog.String("dir", e.Dir), slog.String("topic", e.Topic), slog.Int("partition", int(e.Partition)),
		slog.Int64("offset", e.Offset), slog.Int64("bytes", e.Bytes), slog.String("reason", e.Reason), slog.String("kept", e.Kept),
	}
}

// RecoveryDone: a log directory was recovered.
type RecoveryDone struct {
	Dir        string
	Clean      bool // the last stop was clean
	Partitions int
	Replayed   int   // journal entries
	Scanned    int64 // bytes
	TookMs     int64
}

func (RecoveryDone) Kind() string      { return "log-directory-recovered" }
func (RecoveryDone) Level() slog.Level { return slog.LevelInfo }
func (e RecoveryDone) Attrs() []slog.Attr {
	return []slog.Attr{
		slog.String("dir", e.Dir), slog.Bool("clean", e.Clean), slog.Int("partitions", e.Partitions),
		slog.Int("replayed", e.Replayed), slog.Int64("scanned", e.Scanned), slog.Int64("ms", e.TookMs),
	}
}

// JournalDamaged: a journal commit that may have been complete cannot be read.
type JournalDamaged struct {
	Dir      string
	Sequence uint64 // of the commit
	Named    int    // partitions that it names; -1 when the list cannot be read
}

func (JournalDamaged) Kind() string      { return "journal-damaged" }
func (JournalDamaged) Level() slog.Level { return slog.LevelWarn }
func (e JournalDamaged) Attrs() []slog.Attr {
	return []slog.Attr{slog.String("dir", e.Dir), slog.Uint64("sequence", e.Sequence), slog.Int("named", e.Named)}
}
