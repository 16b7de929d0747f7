package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/moldau/moldau/sim/engine"
)

// The packages whose lines are listed. The guest's own is counted with them: a
// program whose main package is not leaves no counters when it ends.
const (
	coveredPrefix = "github.com/moldau/moldau/broker"
	countedMain   = "github.com/moldau/moldau/sim/guest"
)

// errNoCounters would else look like a broker without lines.
var errNoCounters = errors.New("the guests left no counters")

// runCoverage runs seeds with a guest that counts lines, and lists the lines of
// the broker that none of them reached.
func runCoverage(ctx context.Context, o *options, out io.Writer) (int, error) {
	if len(o.seeds) == 0 {
		return exitBroken, errors.New("no seeds: make sim-coverage SEEDS=1-100")
	}
	kind, note, err := engine.Choose(o.engine)
	if err != nil {
		return exitBroken, err
	}
	if note != "" {
		fmt.Fprintln(out, note)
	}
	guest, err := engine.Build(ctx, engine.Config{Engine: kind, Package: guestPackage, Dir: ".", Cover: []string{coveredPrefix + "/...", countedMain}})
	if err != nil {
		return exitBroken, err
	}
	r, err := withGuest(o, guest)
	if err != nil {
		return exitBroken, err
	}
	defer r.close()
	var dirs []string
	for i, j := range o.jobsOf() {
		dir := filepath.Join(r.work, "cover", strconv.Itoa(i))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return exitBroken, err
		}
		if err := r.cover(ctx, j, dir); err != nil {
			return exitBroken, err
		}
		dirs = append(dirs, dir)
	}
	profile := filepath.Join(r.work, "cover.txt")
	merge := exec.CommandContext(ctx, "go", "tool", "covdata", "textfmt", "-i="+strings.Join(dirs, ","), "-o="+profile)
	if text, err := merge.CombinedOutput(); err != nil {
		return exitBroken, fmt.Errorf("merge of the coverage: %w\n%s", err, text)
	}
	f, err := os.Open(profile)
	if err != nil {
		return exitBroken, err
	}
	defer f.Close()
	blocks, err := readBlocks(f)
	if err != nil {
		return exitBroken, err
	}
	blocks = slices.DeleteFunc(blocks, func(b block) bool { return !strings.HasPrefix(b.file, coveredPrefix+"/") })
	if len(blocks) == 0 {
		return exitBroken, errNoCounters
	}
	writeUnreached(out, blocks)
	return exitOK, nil
}

// cover makes one run that leaves its counters in dir.
func (r *runner) cover(ctx context.Context, j job, dir string) error {
	res, err := r.guest.Run(ctx, engine.Params{
		Seed: j.seed, Scenario: j.scenario, Duration: j.duration, Events: r.o.events, Reads: r.o.reads, Options: j.options,
		Stdout: r.stdout(j, 1), CoverDir: dir,
	})
	if err != nil {
		return err
	}
	if reason := res.Broken(); reason != "" {
		return fmt.Errorf("seed %d of %s: %s", j.seed, j.scenario, reason)
	}
	return os.Remove(res.Stdout)
}

// block is a run of statements.
type block struct {
	file        string
	first, last int // lines
	statements  int
	reached     bool
}

// readBlocks reads a coverage profile: "file:line.column,line.column statements count".
func readBlocks(from io.Reader) (blocks []block, err error) {
	s := bufio.NewScanner(from)
	for n := 1; s.Scan(); n++ {
		line := s.Text()
		if strings.HasPrefix(line, "mode:") {
			continue
		}
		var b block
		var count, c1, c2 int
		file, rest, ok := strings.Cut(line, ":")
		b.file = file
		if ok {
			_, err = fmt.Sscanf(rest, "%d.%d,%d.%d %d %d", &b.first, &c1, &b.last, &c2, &b.statements, &count)
		}
		if !ok || err != nil {
			return nil, fmt.Errorf("coverage profile: line %d: %q", n, line)
		}
		b.reached = count > 0
		blocks = append(blocks, b)
	}
	return blocks, s.Err()
}

// writeUnreached lists the lines that nothing reached, file by file, and a sum
// for each package.
func writeUnreached(out io.Writer, blocks []block) {
	slices.SortFunc(blocks, func(a, b block) int {
		if c := strings.Compare(a.file, b.file); c != 0 {
			return c
		}
		return a.first - b.first
	})
	type sum struct{ all, reached int }
	packages := map[string]*sum{}
	var names []string
	file, ranges := "", []string(nil)
	flush := func() {
		if len(ranges) > 0 {
			fmt.Fprintf(out, "%s: %s\n", file, strings.Join(ranges, " "))
		}
		ranges = nil
	}
	for _, b := range blocks {
		if b.file != file {
			flush()
			file = b.file
		}
		name := filepath.Dir(b.file)
		if packages[name] == nil {
			packages[name] = &sum{}
			names = append(names, name)
		}
		packages[name].all += b.statements
		if b.reached {
			packages[name].reached += b.statements
			continue
		}
		ranges = append(ranges, fmt.Sprintf("%d-%d", b.first, b.last))
	}
	flush()
	total := sum{}
	for _, name := range names {
		p := packages[name]
		total.all, total.reached = total.all+p.all, total.reached+p.reached
		fmt.Fprintf(out, "%6.1f%% of %5d statements reached: %s\n", percent(p.reached, p.all), p.all, name)
	}
	fmt.Fprintf(out, "%6.1f%% of %5d statements reached in all\n", percent(total.reached, total.all), total.all)
}

func percent(part, all int) float64 { return 100 * float64(part) / float64(max(all, 1)) }
