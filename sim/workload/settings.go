package workload

import (
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/linearizability/history"
)

const (
	alterConfigsVersion    = 1
	describeConfigsVersion = 4
	unsetOne               = 4 // of so many alterations one takes the setting away
)

// alterable are settings of topics that take any number from a least one on, so
// that no value need be written twice.
var alterable = [...]struct {
	name  string
	least uint64
}{
	{"max.message.bytes", 600_000},
	{"segment.ms", 5_000},
	{"index.interval.bytes", 1_000},
	{"file.delete.delay.ms", 1_000},
	{"segment.jitter.ms", 1},
}

// codecSettings are what compression.type is set to, at times: brokers then
// compress what they are sent anew.
var codecSettings = [...]string{"producer", "zstd", "lz4", "snappy", "gzip", "uncompressed"}

// Setting writes and reads one setting of one topic, with nothing else between.
type Setting struct {
	Topic   *Topic
	Every   time.Duration
	Timeout time.Duration
}

// Run is Actor's.
func (a Setting) Run(env *Env) {
	client := newClient(env, a.Timeout)
	defer client.close()
	for !env.stopping() {
		if env.Rand.IntN(2) == 0 {
			client.alterSetting(a.Topic, alterable[0].name, client.drawSetting(0))
		} else {
			client.describeSetting(a.Topic, alterable[0].name)
		}
		client.pause(a.Every/2 + time.Duration(env.Rand.Int64N(int64(a.Every)+1)))
	}
}

// drawSetting draws a value that nobody has written, nil to take it away.
func (c *client) drawSetting(which int) *string {
	if c.env.Rand.IntN(unsetOne) == 0 {
		return nil
	}
	value := strconv.FormatUint(alterable[which].least+c.env.Recorder.NewValue(), 10)
	return &value
}

// alter changes one setting of one topic.
func (d *admin) alter() {
	topic := d.topic()
	which := d.env.Rand.IntN(len(alterable) + 1)
	if which < len(alterable) {
		d.fetcher.alterSetting(topic, alterable[which].name, d.fetcher.drawSetting(which))
		return
	}
	value := codecSettings[d.env.Rand.IntN(len(codecSettings))]
	d.fetcher.alterSetting(topic, "compression.type", &value)
}

// readBack reads one setting of one topic.
func (d *admin) readBack() {
	d.fetcher.describeSetting(d.topic(), alterable[d.env.Rand.IntN(len(alterable))].name)
}

// alterSetting sets a topic's setting once, nil takes it away.
func (c *client) alterSetting(topic *Topic, name string, value *string) {
	l := c.link(nobody)
	if l == nil {
		return
	}
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	req.Version = alterConfigsVersion
	resource := kmsg.NewIncrementalAlterConfigsRequestResource()
	resource.ResourceType, resource.ResourceName = kmsg.ConfigResourceTypeTopic, topic.Spec.Name
	one := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
	one.Name, one.Value, one.Op = name, value, kmsg.IncrementalAlterConfigOpSet
	if value == nil {
		one.Op = kmsg.IncrementalAlterConfigOpDelete
	}
	resource.Configs = append(resource.Configs, one)
	req.Resources = append(req.Resources, resource)
	op := settingOp(c, l, topic, name, history.KindAlterConfig)
	op.Config.Unset = value == nil
	if value != nil {
		op.Config.Value = *value
	}
	call := c.record(l, req, op)
	if call.err != nil {
		return
	}
	resp := call.resp.(*kmsg.IncrementalAlterConfigsResponse)
	if len(resp.Resources) != 1 || resp.Resources[0].ResourceName != topic.Spec.Name {
		c.odd(op, call)
		return
	}
	c.env.Recorder.Answered(op, resp.Resources[0].ErrorCode, call.at)
}

func settingOp(c *client, l *link, topic *Topic, name string, kind history.Kind) *history.Op {
	return &history.Op{
		Client: c.env.Name, Node: l.node, Kind: kind, Topic: topic.Text(),
		Config: &history.Config{Resource: "topic/" + topic.Text(), Name: name},
	}
}

// describeSetting reads a topic's setting once.
func (c *client) describeSetting(topic *Topic, name string) {
	l := c.link(nobody)
	if l == nil {
		return
	}
	req := kmsg.NewPtrDescribeConfigsRequest()
	req.Version = describeConfigsVersion
	resource := kmsg.NewDescribeConfigsRequestResource()
	resource.ResourceType, resource.ResourceName, resource.ConfigNames = kmsg.ConfigResourceTypeTopic, topic.Spec.Name, []string{name}
	req.Resources = append(req.Resources, resource)
	op := settingOp(c, l, topic, name, history.KindDescribeConfig)
	call := c.record(l, req, op)
	if call.err != nil {
		return
	}
	resp := call.resp.(*kmsg.DescribeConfigsResponse)
	if len(resp.Resources) != 1 || resp.Resources[0].ResourceName != topic.Spec.Name ||
		resp.Resources[0].ErrorCode == 0 && (len(resp.Resources[0].Configs) != 1 || resp.Resources[0].Configs[0].Name != name) {
		c.odd(op, call)
		return
	}
	answer := &resp.Resources[0]
	if answer.ErrorCode == 0 {
		got := &answer.Configs[0]
		op.Config.Unset = got.Source != kmsg.ConfigSourceDynamicTopicConfig
		if !op.Config.Unset && got.Value != nil {
			op.Config.Value = *got.Value
		}
	}
	c.env.Recorder.Answered(op, answer.ErrorCode, call.at)
}
