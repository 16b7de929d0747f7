package dump

import (
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/moldau/moldau/broker/batch"
	"github.com/moldau/moldau/broker/seglog"
	"github.com/moldau/moldau/disk/vfs"
)

// Format of the output.
type Format string

const (
	// Text is for people; the zero Format means it too.
	Text Format = "text"
	// JSON is one object a line.
	JSON Format = "json"
)

// Decoder says how the keys and values of records are read.
type Decoder string

const (
	// DecoderAuto follows the folder's topic; the zero Decoder means it too.
	DecoderAuto Decoder = "auto"
	// DecoderNone shows keys and values as they are.
	DecoderNone Decoder = "none"
	// DecoderMetadata reads the records of __cluster_metadata.
	DecoderMetadata Decoder = "metadata"
	// DecoderOffsets reads the records of __consumer_offsets.
	DecoderOffsets Decoder = "offsets"
	// DecoderTransactions reads the records of __transaction_state.
	DecoderTransactions Decoder = "transactions"
	// DecoderShareState reads the records of __share_group_state.
	DecoderShareState Decoder = "share-state"
)

// Options of a dump. The zero value is text, with records, decoded by topic.
type Options struct {
	Format Format
	// SkipRecords shows the batches of a segment alone. Their checksums are
	// still computed, their records not looked at.
	SkipRecords bool
	Decoder     Decoder
}

// ErrDamaged is the class of the error that File returns after a whole dump in
// which something was damaged.
var ErrDamaged = errors.New("damaged")

// ErrUnknownFile: the name is of no kind that a log directory holds.
var ErrUnknownFile = errors.New("unknown kind of file")

// file is one file being dumped.
type file struct {
	fs     vfs.FS
	f      vfs.File
	path   string
	name   string // without folder and without .deleted, .cleaned, .swap
	size   int64
	opt    Options
	out    *printer
	codecs *batch.Codecs
	schema *schema
	damage int
}

// File writes the file at name to w. The kind of file follows from its name,
// the decoder of a segment from its folder's. Errors: ErrUnknownFile,
// ErrDamaged after everything readable was written, or those of fsys and w.
func File(w io.Writer, fsys vfs.FS, name string, opt Options) (err error) {
	if err := opt.check(); err != nil {
		return err
	}
	d := &file{fs: fsys, path: name, name: trimSuffixes(path.Base(name)), opt: opt, out: newPrinter(w, opt.Format)}
	dumper := d.kind()
	if dumper == nil {
		return fmt.Errorf("dump %s: %w", name, ErrUnknownFile)
	}
	if d.f, err = fsys.OpenRead(name); err != nil {
		return fmt.Errorf("dump %s: %w", name, err)
	}
	defer func() { err = errors.Join(err, d.f.Close()) }()
	if d.size, err = d.f.Size(); err != nil {
		return fmt.Errorf("dump %s: %w", name, err)
	}
	d.out.line("file", object{{"Dumping", name}, {"size", d.size}})
	err = errors.Join(dumper(), d.out.flush())
	if err == nil && d.damage > 0 {
		err = fmt.Errorf("%w in %d places", ErrDamaged, d.damage)
	}
	if err != nil {
		return fmt.Errorf("dump %s: %w", name, err)
	}
	return nil
}

func (o *Options) check() error {
	switch o.Format {
	case "", Text, JSON:
	default:
		return fmt.Errorf("unknown format %q: text or json", o.Format)
	}
	switch o.Decoder {
	case "", DecoderAuto, DecoderNone, DecoderMetadata, DecoderOffsets, DecoderTransactions, DecoderShareState:
		return nil
	}
	return fmt.Errorf("unknown decoder %q: want auto, none, metadata, offsets, transactions or share-state", o.Decoder)
}

// trimSuffixes takes off what Kafka appends to a segment's files on their way out or in.
func trimSuffixes(name string) string {
	for _, s := range []string{".deleted", ".swap", ".cleaned"} {
		name = strings.TrimSuffix(name, s)
	}
	return name
}

// kind is how to dump the file, nil when its name is of no known kind.
func (d *file) kind() func() error {
	switch d.name {
	case "leader-epoch-checkpoint":
		return d.leaderEpochs
	case "recovery-point-offset-checkpoint", "replication-offset-checkpoint", "log-start-offset-checkpoint", "cleaner-offset-checkpoint":
		return d.offsets
	case "partition.metadata", "meta.properties":
		return d.properties
	case ".kafka_cleanshutdown", "quorum-state":
		return d.jsonFile
	}
	if strings.HasPrefix(d.name, "moldau.") {
		return d.ownKind()
	}
	switch path.Ext(d.name) {
	case ".log", ".checkpoint":
		return d.segment
	case ".index":
		return d.offsetIndex
	case ".timeindex":
		return d.timeIndex
	case ".txnindex":
		return d.txnIndex
	case ".snapshot":
		return d.producerSnapshot
	}
	return nil
}

// base is the base offset in the file's name, -1 for a name without one.
func (d *file) base() int64 {
	if base, _, ok := seglog.ParseFileName(d.name); ok {
		return base
	}
	return -1
}

// corrupt reports damage at a position of the file.
func (d *file) corrupt(position int64, offset any, format string, args ...any) {
	d.damage++
	l := object{{"position", position}}
	if offset != nil {
		l = append(l, field{"offset", offset})
	}
	d.out.line("CORRUPT", append(l, field{"error", fmt.Sprintf(format, args...)}))
}
