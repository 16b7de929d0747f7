package history

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
)

// Writer writes a history line by line. It is for one goroutine at a time. The
// first error stays: every later call returns it.
type Writer struct {
	buffer *bufio.Writer
	lines  int64
	ended  bool
	err    error
}

// line is one line of the format; one member is set.
type line struct {
	Header *Header `json:"header,omitempty"`
	Topic  *Topic  `json:"topic,omitempty"`
	Op     *Op     `json:"op,omitempty"`
	Event  *Event  `json:"event,omitempty"`
	End    *end    `json:"end,omitempty"`
}

// end is the last line: Lines counts those before it.
type end struct {
	At    int64 `json:"at"`
	Lines int64 `json:"lines"`
}

// NewWriter writes the header, with Format and Version filled in, and returns a
// writer for the rest.
func NewWriter(w io.Writer, header Header) (*Writer, error) {
	header.Format, header.Version = Format, Version
	writer := &Writer{buffer: bufio.NewWriter(w)}
	return writer, writer.write(line{Header: &header})
}

// Topic declares a topic id.
func (w *Writer) Topic(t Topic) error { return w.write(line{Topic: &t}) }

// Op writes one operation, when its outcome is known or the run is over.
func (w *Writer) Op(op *Op) error { return w.write(line{Op: op}) }

// Event writes a fault or a mark.
func (w *Writer) Event(e Event) error { return w.write(line{Event: &e}) }

// End writes the last line, at a time in ns of true time, and flushes.
func (w *Writer) End(at int64) error {
	if err := w.write(line{End: &end{At: at, Lines: w.lines}}); err != nil {
		return err
	}
	w.ended = true
	return w.flush()
}

func (w *Writer) write(l line) error {
	if w.ended && w.err == nil {
		w.err = fmt.Errorf("history: a line after the end")
	}
	if w.err != nil {
		return w.err
	}
	text, err := json.Marshal(l)
	if err != nil {
		w.err = fmt.Errorf("history: line %d: %w", w.lines+1, err)
		return w.err
	}
	w.lines++
	w.buffer.Write(text)
	if err := w.buffer.WriteByte('\n'); err != nil {
		w.err = fmt.Errorf("history: line %d: %w", w.lines, err)
	}
	return w.err
}

func (w *Writer) flush() error {
	if err := w.buffer.Flush(); err != nil && w.err == nil {
		w.err = fmt.Errorf("history: %w", err)
	}
	return w.err
}

// Write writes a whole history.
func Write(to io.Writer, h *History) error {
	w, err := NewWriter(to, h.Header)
	if err != nil {
		return err
	}
	for _, t := range h.Topics {
		w.write(line{Topic: &t})
	}
	for i := range h.Events {
		w.write(line{Event: &h.Events[i]})
	}
	for i := range h.Ops {
		w.write(line{Op: &h.Ops[i]})
	}
	return w.End(h.End)
}
