package controller

import (
	"fmt"
	"strings"

	"github.com/moldau/moldau/broker/metaimage"
)

// topicNameMax is the length of the longest topic name, so that its folder's
// name with a partition's number stays within file systems' limits.
const topicNameMax = 249

// checkTopicName explains what is wrong with a topic's name, in Kafka's words.
func checkTopicName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("Topic name is invalid: the empty string is not allowed")
	case name == "." || name == "..":
		return fmt.Errorf("Topic name is invalid: '%s' is not allowed", name)
	case len(name) > topicNameMax:
		return fmt.Errorf("Topic name is invalid: the length of '%s' is longer than the max allowed length %d", name, topicNameMax)
	}
	for _, c := range []byte(name) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && c != '.' && c != '_' && c != '-' {
			return fmt.Errorf("Topic name is invalid: '%s' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'", name)
		}
	}
	return nil
}

// metricName is what a topic is called where '.' and '_' are the same: names
// that agree there collide.
func metricName(name string) string { return strings.ReplaceAll(name, ".", "_") }

// collisionVariantsMax bounds the look-ups for one name: with more of '.' and
// '_' in it, the topics that begin alike are scanned instead.
const collisionVariantsMax = 256

// collides finds a topic of the image with which the name collides.
func collides(img *metaimage.Image, name string) (string, bool) {
	var at []int // places of '.' and '_'
	for i, c := range []byte(name) {
		if c == '.' || c == '_' {
			at = append(at, i)
		}
	}
	if len(at) == 0 {
		return "", false
	}
	if len(at) > 20 || 1<<len(at) > collisionVariantsMax {
		return collidesByScan(img, name, name[:at[0]])
	}
	variant := []byte(name)
	for bits := range 1 << len(at) {
		for j, i := range at {
			variant[i] = "._"[bits>>j&1]
		}
		if other := string(variant); other != name && img.TopicByName(other) != nil {
			return other, true
		}
	}
	return "", false
}

// collidesByScan looks at all topics that begin with the prefix, which holds
// neither '.' nor '_': names that collide have it in common.
func collidesByScan(img *metaimage.Image, name, prefix string) (string, bool) {
	metric := metricName(name)
	for other := range img.TopicsFrom(prefix) {
		if !strings.HasPrefix(other, prefix) {
			break
		}
		if other != name && metricName(other) == metric {
			return other, true
		}
	}
	return "", false
}
