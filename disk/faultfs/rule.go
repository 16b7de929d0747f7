package faultfs

import (
	"path"
	"slices"
	"sync"
	"time"

	"github.com/moldau/moldau/clock"
	"github.com/moldau/moldau/internal/invariant"
)

// Op is a kind of call.
type Op string

// The calls that rules pick from.
const (
	OpCreate    Op = "create"
	OpOpen      Op = "open" // Open and OpenRead
	OpRead      Op = "read"
	OpWrite     Op = "write" // WriteAt and WriteVecAt
	OpTruncate  Op = "truncate"
	OpSync      Op = "sync"
	OpRemove    Op = "remove"
	OpRemoveAll Op = "removeall"
	OpRename    Op = "rename" // picked by its old name
	OpMkdirAll  Op = "mkdirall"
	OpList      Op = "list"
	OpStat      Op = "stat"
	OpSyncDir   Op = "syncdir"
	OpLock      Op = "lock"
	OpUsage     Op = "usage"
)

// Rule says what happens to which calls. What is zero picks everything, or
// does nothing.
type Rule struct {
	// Ops are the kinds of calls picked.
	Ops []Op
	// Pattern is matched, as by path.Match, against the last element of the
	// name, or against the whole name if it has a slash. One that is malformed
	// panics in Add.
	Pattern string
	// Nth picks only the nth of the calls that fit, counting from 1.
	Nth int

	// Delay passes on the clock before the call goes on.
	Delay time.Duration
	// Hold keeps the call until it is closed.
	Hold <-chan struct{}
	// Err fails the call, which does not reach the file system below.
	Err error
	// PartBytes of a write that Err fails are written first.
	PartBytes int64
}

// rules is the list in force.
type rules struct {
	clock clock.Clock
	mu    sync.Mutex
	list  []*activeRule
}

// activeRule is a rule with the number of calls that fitted it.
type activeRule struct {
	Rule
	fitted int
}

func (r *rules) add(rule Rule) (remove func()) {
	_, err := path.Match(rule.Pattern, "")
	invariant.Check(err == nil, "fault rule with pattern %q", rule.Pattern)
	active := &activeRule{Rule: rule}
	active.Ops = slices.Clone(rule.Ops)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, active)
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.list = slices.DeleteFunc(r.list, func(a *activeRule) bool { return a == active })
	}
}

// pick counts the call against every rule and returns those that apply.
func (r *rules) pick(op Op, name string) (applied []Rule) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, rule := range r.list {
		if !rule.fits(op, name) {
			continue
		}
		rule.fitted++
		if rule.Nth == 0 || rule.Nth == rule.fitted {
			applied = append(applied, rule.Rule)
		}
	}
	return applied
}

func (rule *activeRule) fits(op Op, name string) bool {
	if len(rule.Ops) > 0 && !slices.Contains(rule.Ops, op) {
		return false
	}
	if rule.Pattern == "" {
		return true
	}
	whole, _ := path.Match(rule.Pattern, name) // the pattern was checked
	last, _ := path.Match(rule.Pattern, path.Base(name))
	return whole || last
}

// apply delays and holds the call, and returns the error that it is to have,
// with the number of bytes to write before.
func (r *rules) apply(op Op, name string) (partBytes int64, err error) {
	for _, rule := range r.pick(op, name) {
		if rule.Delay > 0 {
			r.clock.Sleep(rule.Delay, nil)
		}
		if rule.Hold != nil {
			<-rule.Hold
		}
		if err == nil && rule.Err != nil {
			partBytes, err = rule.PartBytes, rule.Err
		}
	}
	return partBytes, err
}
