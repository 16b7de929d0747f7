package config

import (
	"fmt"
	"strings"
)

//go:generate go test -run TestDocsAreCurrent . -write-docs

// Markdown is docs/configuration.md: all settings that are not internal.
func Markdown() string {
	var b strings.Builder
	b.WriteString(`# Settings

Generated from the table in broker/config by ` + "`make docs`" + `; do not edit.

Names, types, defaults and valid values are those of Apache Kafka 4.4, and Kafka's ` + "`server.properties`" + ` starts a node:
` + "`moldau start --config server.properties --set num.partitions=3`" + `. A wrong value is refused with the valid range, an unknown
name is warned of. What is only Moldau's begins with ` + "`moldau.`" + `.

- Settings marked *ignored* are checked, kept and described, but have no effect, for the reason that stands there; the start names those
  that are set in one warning.
- Settings marked *refused* ask for protection or for a feature that is not there yet: a value that asks for it refuses the start,
  for one listener too (` + "`listener.name.<listener>.<setting>`" + `), as does a listener whose protocol is not PLAINTEXT. A node is never
  open where its settings look closed.
- *Change*: restart; broker, while it runs, one broker at a time; cluster, while it runs, for all brokers or one.

## Where the defaults differ from Kafka's

| setting | here | Kafka | why |
|---|---|---|---|
`)
	for _, scope := range []Scope{ScopeBroker, ScopeTopic} {
		for _, e := range Entries(scope) {
			if e.Kafka != nil {
				fmt.Fprintf(&b, "| %s (%s) | %s | %s | %s |\n", e.Name, scope, cell(e.Default), cell(*e.Kafka), e.Reason)
			}
		}
	}
	own := func(e *Entry) bool { return strings.HasPrefix(e.Name, "moldau.") }
	section(&b, "Moldau's own settings of a node", ScopeBroker, own)
	section(&b, "Settings of a topic", ScopeTopic, func(*Entry) bool { return true })
	section(&b, "Kafka's settings of a broker", ScopeBroker, func(e *Entry) bool { return !own(e) })
	return b.String()
}

func section(b *strings.Builder, title string, scope Scope, want func(*Entry) bool) {
	change := "change"
	if scope == ScopeTopic {
		change = "default from the broker's"
	}
	fmt.Fprintf(b, "\n## %s\n\n| setting | type | default | valid | %s | meaning |\n|---|---|---|---|---|---|\n", title, change)
	for _, e := range Entries(scope) {
		if e.Internal || !want(e) {
			continue
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %s%s |\n", e.Name, strings.ToLower(e.Type.String()), cell(e.Default), checkCell(e), fifthCell(e),
			support(e), e.Doc)
	}
}

// support is what comes of a setting that is not served.
func support(e *Entry) string {
	switch e.Support {
	case Ignored:
		return "*ignored: " + e.Why + ".* "
	case Refused:
		return "*refused* "
	}
	return ""
}

func cell(d DefaultText) string {
	switch {
	case !d.Set:
		return "unset"
	case d.Text == "":
		return "empty"
	}
	return strings.ReplaceAll(d.Text, ",", ", ")
}

func checkCell(e *Entry) string {
	if e.Valid == nil {
		return ""
	}
	return e.Valid.String()
}

func fifthCell(e *Entry) string {
	if e.Scope == ScopeTopic {
		names := make([]string, len(e.Synonyms))
		for i, s := range e.Synonyms {
			names[i] = s.Name
		}
		return strings.Join(names, ", ")
	}
	return [...]string{"restart", "broker", "cluster"}[e.Dynamic]
}
