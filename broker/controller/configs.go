package controller

import (
	"errors"
	"math"
	"strconv"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/metaimage"
	"github.com/moldau/moldau/broker/metarecord"
)

// Bounds of one request that alters configs.
const (
	configValueBytesMax     = math.MaxInt16 // of one value, as in Kafka
	configChangesPerRequest = 10_000        // settings named
)

// incrementalAlterConfigs sets, deletes, appends to or subtracts from single
// settings (KIP-339). Each resource changes as a whole or not at all.
func (m *Machine) incrementalAlterConfigs(req *kmsg.IncrementalAlterConfigsRequest) ([]metarecord.Record, kmsg.Response) {
	asked := make([]resourceEdits, len(req.Resources))
	for i := range req.Resources {
		r := &req.Resources[i]
		asked[i].resource = resourceOf(r.ResourceType, r.ResourceName)
		for _, c := range r.Configs {
			asked[i].edits = append(asked[i].edits, configEdit{c.Name, c.Op, c.Value})
		}
	}
	reply := kmsg.NewPtrIncrementalAlterConfigsResponse()
	records, done := m.alterResources(asked, req.ValidateOnly, func(i int, code int16, message *string) {
		res := kmsg.NewIncrementalAlterConfigsResponseResource()
		res.ResourceType, res.ResourceName = req.Resources[i].ResourceType, req.Resources[i].ResourceName
		res.ErrorCode, res.ErrorMessage = code, message
		reply.Resources = append(reply.Resources, res)
	})
	if !done {
		return nil, tooManyConfigs(req)
	}
	return records, reply
}

// alterConfigs replaces all settings of resources by those named (KIP-133).
// Settings that are fixed, or that the controller derived, stay.
func (m *Machine) alterConfigs(req *kmsg.AlterConfigsRequest) ([]metarecord.Record, kmsg.Response) {
	asked := make([]resourceEdits, len(req.Resources))
	for i := range req.Resources {
		r := &req.Resources[i]
		asked[i].resource, asked[i].whole = resourceOf(r.ResourceType, r.ResourceName), true
		for _, c := range r.Configs {
			asked[i].edits = append(asked[i].edits, configEdit{c.Name, kmsg.IncrementalAlterConfigOpSet, c.Value})
		}
	}
	reply := kmsg.NewPtrAlterConfigsResponse()
	records, done := m.alterResources(asked, req.ValidateOnly, func(i int, code int16, message *string) {
		res := kmsg.NewAlterConfigsResponseResource()
		res.ResourceType, res.ResourceName = req.Resources[i].ResourceType, req.Resources[i].ResourceName
		res.ErrorCode, res.ErrorMessage = code, message
		reply.Resources = append(reply.Resources, res)
	})
	if !done {
		return nil, tooManyConfigs(req)
	}
	return records, reply
}

func tooManyConfigs(req kmsg.Request) kmsg.Response {
	return ErrorReply(req, kafka.ErrPolicyViolation, "Excessively large number of configs per request.")
}

// resourceEdits are the changes of one resource that a request asks for.
type resourceEdits struct {
	resource metaimage.Resource
	edits    []configEdit
	whole    bool // settings that are not named go
}

// alterResources turns a request into records, none if it is only to be checked,
// and tells answer what comes of each resource, in their order. done is false, and
// nothing is answered, where the request names more settings than one may.
func (m *Machine) alterResources(asked []resourceEdits, validateOnly bool, answer func(i int, code int16, message *string)) (records []metarecord.Record, done bool) {
	total := 0
	counts := make(map[metaimage.Resource]int)
	for i := range asked {
		counts[asked[i].resource]++
		total += len(asked[i].edits)
	}
	if total > configChangesPerRequest {
		return nil, false
	}
	x := m.newTurn()
	for i := range asked {
		a := &asked[i]
		if a.whole {
			x.deleteOthers(a)
		}
		if refused := x.alterResource(a.resource, counts[a.resource] > 1, a.edits); refused != nil {
			answer(i, int16(refused.code), &refused.message)
		} else {
			answer(i, 0, nil)
		}
	}
	if validateOnly {
		return nil, true
	}
	return x.records, true
}

// deleteOthers adds that the settings go that are not named.
func (x *turn) deleteOthers(a *resourceEdits) {
	named := make(map[string]bool, len(a.edits))
	for _, e := range a.edits {
		named[e.name] = true
	}
	for name, v := range x.m.img.ConfigsOf(a.resource) {
		if !named[name] && !v.Derived && x.checkChange(a.resource, name) == nil {
			a.edits = append(a.edits, configEdit{name, kmsg.IncrementalAlterConfigOpDelete, nil})
		}
	}
}

func resourceOf(typ kmsg.ConfigResourceType, name string) metaimage.Resource {
	return metaimage.Resource{Type: metaimage.ResourceType(typ), Name: name}
}

// configEdit is one change of a setting.
type configEdit struct {
	name  string
	op    kmsg.IncrementalAlterConfigOp
	value *string
}

// alterResource turns edits of one resource into records.
func (x *turn) alterResource(r metaimage.Resource, duplicate bool, edits []configEdit) *refusal {
	if duplicate {
		return refusef(kafka.ErrInvalidRequest, "Each resource must appear at most once.")
	}
	if refused := x.checkResource(r); refused != nil {
		return refused
	}
	seen := make(map[string]bool)
	var records []metarecord.Record
	after := x.explicit(r)
	for _, e := range edits {
		if seen[e.name] {
			return refusef(kafka.ErrInvalidRequest, "Error due to duplicate config keys")
		}
		seen[e.name] = true
		value, refused := x.edited(r, e)
		if refused != nil {
			return refused
		}
		if value == nil {
			after = after.unset(e.name)
		} else {
			after = after.set(e.name, *value)
		}
		if record := x.configRecord(r, e.name, value); record != nil {
			records = append(records, record)
		}
	}
	consequences, refused := x.configConsequences(r, after)
	if refused != nil {
		return refused
	}
	x.records = append(append(x.records, records...), consequences...)
	return nil
}

// checkResource reports whether configs can be set on the resource.
func (x *turn) checkResource(r metaimage.Resource) *refusal {
	switch r.Type {
	case metaimage.ResourceTopic:
		if r.Name == kafka.MetadataTopicName || x.img.TopicByName(r.Name) == nil {
			return refusef(kafka.ErrUnknownTopicOrPartition, "The topic '%s' does not exist.", r.Name)
		}
		return nil
	case metaimage.ResourceBroker:
		if r.Name == "" {
			return nil
		}
		id, err := strconv.ParseInt(r.Name, 10, 32)
		if err != nil || r.Name != itoa(int32(id)) {
			return refusef(kafka.ErrInvalidRequest, "Node id must be an integer, but it is: %s", r.Name)
		}
		if x.img.Broker(int32(id)) == nil {
			return refusef(kafka.ErrBrokerIDNotRegistered, "No broker with id %d found.", id)
		}
		return nil
	}
	switch r.Type {
	case metaimage.ResourceClientMetrics, metaimage.ResourceGroup:
		return refusef(kafka.ErrInvalidRequest, "Configs of resource type %d are not supported yet.", r.Type)
	}
	return refusef(kafka.ErrInvalidRequest, "Unknown resource type %d", r.Type)
}

// explicit are the settings of a resource that somebody set.
func (x *turn) explicit(r metaimage.Resource) namedSettings {
	var list namedSettings
	for name, v := range x.img.ConfigsOf(r) {
		if !v.Derived {
			list = append(list, Setting{name, v.Value})
		}
	}
	return list
}

// checkChange says whether a setting of the resource may change at all.
func (x *turn) checkChange(r metaimage.Resource, name string) error {
	if r.Type == metaimage.ResourceTopic {
		return x.m.cfg.Configs.ValidateTopicChange(name)
	}
	if name == configMinInsync && r.Name != "" {
		return &ConfigError{kafka.ErrInvalidConfig, "Broker-level min.insync.replicas cannot be altered while ELR is enabled."}
	}
	return x.m.cfg.Configs.ValidateBrokerChange(name, r.Name == "")
}

// edited is a setting's value after an edit, nil for none.
func (x *turn) edited(r metaimage.Resource, e configEdit) (*string, *refusal) {
	if err := x.checkChange(r, e.name); err != nil {
		return nil, refusalOf(err)
	}
	if e.op == kmsg.IncrementalAlterConfigOpDelete {
		return nil, nil
	}
	if e.value == nil {
		return nil, refusef(kafka.ErrInvalidRequest, "Null value not supported for : %s", e.name)
	}
	var current *string
	if v, ok := x.img.Config(r, e.name); ok && !v.Derived {
		current = &v.Value
	}
	value := *e.value
	switch e.op {
	case kmsg.IncrementalAlterConfigOpSet:
	case kmsg.IncrementalAlterConfigOpAppend, kmsg.IncrementalAlterConfigOpSubtract:
		var err error
		if value, err = x.m.cfg.Configs.Merge(r.Type, e.name, current, e.op, *e.value); err != nil {
			return nil, refusalOf(err)
		}
	default:
		return nil, refusef(kafka.ErrInvalidRequest, "Unknown config operation %d.", e.op)
	}
	if refused := checkValueSize(value); refused != nil {
		return nil, refused
	}
	var err error
	if r.Type == metaimage.ResourceTopic {
		err = x.m.cfg.Configs.ValidateTopic(e.name, value)
	} else {
		err = x.m.cfg.Configs.ValidateBroker(e.name, value, r.Name == "")
	}
	if err != nil {
		return nil, refusalOf(err)
	}
	return &value, nil
}

func checkValueSize(value string) *refusal {
	if len(value) > configValueBytesMax {
		return refusef(kafka.ErrInvalidRequest, "The configuration value cannot be added because it exceeds the maximum value size of %d bytes.", configValueBytesMax)
	}
	return nil
}

// configRecord is the record of a setting's new value, nil where nothing changes.
func (x *turn) configRecord(r metaimage.Resource, name string, value *string) metarecord.Record {
	now, ok := x.img.Config(r, name)
	switch {
	case value == nil && (!ok || now.Derived):
		return nil
	case value != nil && ok && !now.Derived && now.Value == *value:
		return nil
	case value == nil && r.Type == metaimage.ResourceTopic && name == configMinInsync && x.wantsDerived(r):
		n := itoa(int32(majority(x.replicasOf(r.Name))))
		return &metarecord.Config{ResourceType: int8(r.Type), ResourceName: r.Name, Name: name, Value: &n, Derived: true}
	}
	return &metarecord.Config{ResourceType: int8(r.Type), ResourceName: r.Name, Name: name, Value: value}
}

// wantsDerived reports that no weaker layer sets min.insync.replicas, so that
// the topic gets the majority of its replicas.
func (x *turn) wantsDerived(r metaimage.Resource) bool {
	layers := topicSettings(x.img, r.Name)
	layers.Topic, layers.Derived = noSettings{}, noSettings{}
	return x.m.cfg.Configs.TopicPolicy(layers).MinInsync == 0
}

// replicasOf is how many replicas the topic's partitions have at least.
func (x *turn) replicasOf(topic string) int {
	n := 0
	for _, p := range x.img.TopicByName(topic).Partitions() {
		if f := p.Factor(); n == 0 || f < n {
			n = f
		}
	}
	return n
}

func topicConfig(topic string, s Setting, derived bool) *metarecord.Config {
	return &metarecord.Config{ResourceType: int8(metaimage.ResourceTopic), ResourceName: topic, Name: s.Name, Value: &s.Value, Derived: derived}
}

func refusalOf(err error) *refusal {
	var ce *ConfigError
	if errors.As(err, &ce) {
		return &refusal{ce.Code, ce.Message}
	}
	return &refusal{kafka.ErrInvalidConfig, err.Error()}
}
