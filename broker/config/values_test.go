package config

import (
	"strings"
	"testing"
)

// stricter are settings with values that Kafka accepts and this node refuses,
// each with the reason; looser those with values that Kafka refuses.
var stricter = map[string]string{
	"broker.heartbeat.interval.ms":                   "a broker whose session ends between two heartbeats is fenced for ever",
	"broker.session.timeout.ms":                      "the same",
	"controller.quorum.election.timeout.ms":          "raft refuses the order of its times",
	"group.max.session.timeout.ms":                   "below the least one no group can be joined",
	"group.min.session.timeout.ms":                   "the same",
	"follower.replication.throttled.rate":            "Kafka reads it as a dynamic setting only, with this range",
	"leader.replication.throttled.rate":              "the same",
	"replica.alter.log.dirs.io.max.bytes.per.second": "the same",
	"allow.everyone.if.no.acl.found":                 "Kafka leaves it to the authorizer",
	"log.dirs":                                       "a directory is locked once",
	"cleanup.policy":                                 "a policy named twice is a slip",
}

var looser = map[string]string{
	"broker.id":                                       "-1 is its default",
	"controller.quorum.voters":                        "none is a node alone",
	"inter.broker.listener.name":                      "the empty text is none",
	"log.dir":                                         "the empty text is none where log.dirs is there",
	"group.consumer.assignors":                        "Java classes, not served",
	"group.share.assignors":                           "Java classes, not served",
	"group.streams.assignors":                         "not served",
	"group.streams.rack.aware.assignment.tags":        "not served",
	"group.streams.topology.description.plugin.class": "not served",
}

// Values are accepted and refused as Kafka does, at the bounds of every setting
// and where settings must fit together.
func TestValuesAreKafkas(t *testing.T) {
	for _, line := range factLines(t, "testdata/values-4.4.0.facts") {
		f := strings.Split(line, "|")
		for i, wanted := range []bool{true, false} {
			for _, value := range strings.Fields(f[2+i]) {
				text := f[1]
				if !strings.Contains(text, "=") {
					text += "=" + strings.Trim(value, `"`)
				}
				err := judge(f[0], text)
				if (err == nil) != wanted && !excused(text, err) {
					t.Errorf("%s %s: Kafka accepts: %v; here: %v", f[0], text, wanted, err)
				}
			}
		}
	}
}

// excused reports a difference that is meant: one of the lists, protection that
// is not there, or an empty name of a Java class, which is none.
func excused(text string, err error) bool {
	name, value, _ := strings.Cut(text, "=")
	if err != nil {
		return stricter[name] != "" || strings.Contains(err.Error(), "asks for what this node does not have")
	}
	e := Lookup(ScopeBroker, name)
	return looser[name] != "" || value == "" && e != nil && e.Type == Class
}

// judge is this node's word on settings joined by "&".
func judge(scope, text string) error {
	if scope == "topic" {
		l := Map{}
		for _, s := range strings.Split(text, "&") {
			name, value, _ := strings.Cut(s, "=")
			if err := ValidateTopic(name, value); err != nil {
				return err
			}
			l[name] = value
		}
		return ValidateTopicSet(Layers{Topic: l})
	}
	properties := []Property{
		{Name: "process.roles", Value: "broker,controller"}, {Name: "node.id", Value: "1"}, {Name: "controller.quorum.voters", Value: "1@localhost:9093"},
		{Name: "listeners", Value: "PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093"}, {Name: "controller.listener.names", Value: "CONTROLLER"},
		{Name: "log.dirs", Value: "/d1,/d2"},
	}
	for _, s := range strings.Split(text, "&") {
		name, value, _ := strings.Cut(s, "=")
		properties = append(properties, Property{Name: name, Value: value})
	}
	_, _, err := Load(properties)
	return err
}
