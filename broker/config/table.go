package config

import (
	"cmp"
	"math"
	"slices"
	"strconv"
)

// maxLong is how Kafka writes "without limit" for many LONG settings.
const maxLong = math.MaxInt64

var maxLongText = strconv.FormatInt(maxLong, 10)

// index is the table with its lookups. It is built once and never changes.
type index struct {
	brokers, topics []*Entry // sorted by name
	byBroker        map[string]*Entry
	byTopic         map[string]*Entry
}

var table = newIndex()

func newIndex() *index {
	t := &index{byBroker: map[string]*Entry{}, byTopic: map[string]*Entry{}}
	for _, part := range [][]Entry{
		nodeEntries(), networkEntries(), logEntries(), replicaEntries(), groupEntries(),
		transactionEntries(), securityEntries(), remoteEntries(), topicEntries(), moldauEntries(), extraEntries(),
	} {
		for i := range part {
			e := &part[i]
			if e.Scope == ScopeTopic {
				t.topics = append(t.topics, e)
				t.byTopic[e.Name] = e
			} else {
				t.brokers = append(t.brokers, e)
				t.byBroker[e.Name] = e
			}
		}
	}
	byName := func(a, b *Entry) int { return cmp.Compare(a.Name, b.Name) }
	slices.SortFunc(t.brokers, byName)
	slices.SortFunc(t.topics, byName)
	return t
}

// Lookup returns the entry of a setting, nil if there is none. It must not be changed.
func Lookup(scope Scope, name string) *Entry {
	if scope == ScopeTopic {
		return table.byTopic[name]
	}
	return table.byBroker[name]
}

// Entries returns a scope's settings, sorted by name. They must not be changed.
func Entries(scope Scope) []*Entry {
	if scope == ScopeTopic {
		return slices.Clone(table.topics)
	}
	return slices.Clone(table.brokers)
}

func kafkaHas(text string) *DefaultText { d := value(text); return &d }

func kafkaNone() *DefaultText { return &DefaultText{} }
