package config

import (
	"fmt"
	"slices"
)

// suggestDistanceMax is how many single-letter edits a name may lie from the
// setting that is suggested for it; nameLenMax bounds the work.
const (
	suggestDistanceMax = 4
	nameLenMax         = 256 // bytes
)

// suggest returns the setting nearest to name, or "" if none is near.
func suggest(scope Scope, name string) string {
	if len(name) > nameLenMax {
		return ""
	}
	best, at := "", min(suggestDistanceMax, len(name)/3)+1
	for _, e := range Entries(scope) {
		if d := distance(name, e.Name, at); d < at && !e.Internal {
			best, at = e.Name, d
		}
	}
	return best
}

// counterpart explains a name that belongs to the other resource, or is "".
func counterpart(scope Scope, name string) string {
	if scope == ScopeBroker {
		if e := table.byTopic[name]; e != nil && len(e.Synonyms) > 0 {
			return fmt.Sprintf("which is a topic's: its default is the broker's %q", e.Synonyms[0].Name)
		}
		return ""
	}
	for _, e := range table.topics {
		if slices.ContainsFunc(e.Synonyms, func(s Synonym) bool { return s.Name == name }) {
			return fmt.Sprintf("which is a broker's: a topic's is %q", e.Name)
		}
	}
	return ""
}

// distance counts the edits (insert, delete, replace one byte) from a to b; it
// gives up at limit.
func distance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal, least := row[0], i
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := diagonal
			if a[i-1] != b[j-1] {
				cost++
			}
			diagonal = row[j]
			row[j] = min(cost, row[j]+1, row[j-1]+1)
			least = min(least, row[j])
		}
		if least >= limit {
			return limit
		}
	}
	return row[len(b)]
}
