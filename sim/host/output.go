package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"

	"github.com/moldau/moldau/linearizability/history"
	"github.com/moldau/moldau/sim/scenario"
)

// output is what a guest printed, taken apart.
type output struct {
	hash    string // of all of it
	done    *scenario.Done
	history []byte // its lines as they were
}

// lineBytesMax bounds a line of a guest's output.
const lineBytesMax = 16 << 20

var (
	tracePrefix = []byte(`{"trace":`)
	donePrefix  = []byte(`{"done":`)
)

// readOutput reads a guest's standard output from a file.
func readOutput(path string) (*output, error) {
	o, sum := &output{}, fnv.New64a()
	err := eachLine(path, func(line []byte) error {
		_, _ = sum.Write(line)
		_, _ = sum.Write([]byte{'\n'})
		switch {
		case o.done != nil:
			return errors.New("lines after the last")
		case bytes.HasPrefix(line, tracePrefix):
		case bytes.HasPrefix(line, donePrefix):
			var d struct {
				Done *scenario.Done `json:"done"`
			}
			if err := json.Unmarshal(line, &d); err != nil {
				return fmt.Errorf("the last line: %w", err)
			}
			o.done = d.Done
		default:
			o.history = append(append(o.history, line...), '\n')
		}
		return nil
	})
	o.hash = fmt.Sprintf("%016x", sum.Sum64())
	return o, err
}

// eachLine calls take for every line of a file.
func eachLine(path string, take func(line []byte) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	s.Buffer(make([]byte, 0, 1<<20), lineBytesMax)
	for n := 1; s.Scan(); n++ {
		if err := take(s.Bytes()); err != nil {
			return fmt.Errorf("the guest's output, line %d: %w", n, err)
		}
	}
	return s.Err()
}

// load is the history that the checkers judge.
func (o *output) load() (*history.History, error) {
	return history.Load(bytes.NewReader(o.history), history.Limits{})
}

// firstDifference compares two outputs and describes the first line in which
// they differ, "" if there is none.
func firstDifference(a, b string) (string, error) {
	fa, err := os.Open(a)
	if err != nil {
		return "", err
	}
	defer fa.Close()
	fb, err := os.Open(b)
	if err != nil {
		return "", err
	}
	defer fb.Close()
	ra, rb := bufio.NewReaderSize(fa, 1<<20), bufio.NewReaderSize(fb, 1<<20)
	for n := 1; ; n++ {
		la, ea := ra.ReadString('\n')
		lb, eb := rb.ReadString('\n')
		switch {
		case la != lb:
			return fmt.Sprintf("line %d\n  one:   %s\n  other: %s", n, clip(la), clip(lb)), nil
		case errors.Is(ea, io.EOF) && errors.Is(eb, io.EOF):
			return "", nil
		case ea != nil && !errors.Is(ea, io.EOF):
			return "", ea
		case eb != nil && !errors.Is(eb, io.EOF):
			return "", eb
		}
	}
}

// clipMax is how much of a line is shown.
const clipMax = 400

func clip(line string) string {
	line = string(bytes.TrimRight([]byte(line), "\n"))
	if len(line) > clipMax {
		return line[:clipMax] + "…"
	}
	if line == "" {
		return "(the output ended)"
	}
	return line
}
