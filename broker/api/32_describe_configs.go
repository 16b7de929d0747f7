package api

import (
	"strconv"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/config"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/metaimage"
)

// describeConfigs answers key 32 for topics and brokers (KIP-133); v1 adds
// synonyms (KIP-226), v3 types and documentation (KIP-569).
func (h *Handler) describeConfigs(r *kmsg.DescribeConfigsRequest) kmsg.Response {
	resp := kmsg.NewPtrDescribeConfigsResponse()
	img := h.cfg.Manager.Image()
	for _, res := range r.Resources {
		out := kmsg.NewDescribeConfigsResponseResource()
		out.ResourceType, out.ResourceName = res.ResourceType, res.ResourceName
		list, code, text := h.describeResource(img, res)
		out.ErrorCode, out.ErrorMessage = int16(code), ptr(text)
		for i := range list {
			out.Configs = append(out.Configs, describedConfig(&list[i], r))
		}
		resp.Resources = append(resp.Resources, out)
	}
	return resp
}

func (h *Handler) describeResource(img *metaimage.Image, res kmsg.DescribeConfigsRequestResource) ([]config.Description, kafka.ErrorCode, string) {
	names := res.ConfigNames
	if len(names) == 0 {
		names = nil // all
	}
	switch res.ResourceType {
	case kmsg.ConfigResourceTypeTopic:
		switch {
		case !validTopicName(res.ResourceName):
			return nil, kafka.ErrInvalidTopicException, "topic name " + strconv.Quote(res.ResourceName) + " is not valid"
		case img.TopicByName(res.ResourceName) == nil:
			return nil, kafka.ErrUnknownTopicOrPartition, "topic " + res.ResourceName + " does not exist"
		}
		return config.DescribeTopic(h.cfg.Layers(img, res.ResourceName), names), kafka.ErrNone, ""
	case kmsg.ConfigResourceTypeBroker:
		l := h.cfg.Layers(img, "")
		if res.ResourceName == "" {
			return config.DescribeDefaultBroker(l.DefaultBroker, names), kafka.ErrNone, ""
		}
		if id, err := strconv.Atoi(res.ResourceName); err != nil || int32(id) != h.cfg.NodeID {
			return nil, kafka.ErrInvalidRequest, "broker " + res.ResourceName + " is not the one that was asked, " + strconv.Itoa(int(h.cfg.NodeID))
		}
		return config.DescribeBroker(l, names), kafka.ErrNone, ""
	}
	return nil, kafka.ErrInvalidRequest, "resources of type " + res.ResourceType.String() + " have no configuration here"
}

func describedConfig(d *config.Description, r *kmsg.DescribeConfigsRequest) kmsg.DescribeConfigsResponseResourceConfig {
	out := kmsg.NewDescribeConfigsResponseResourceConfig()
	out.Name, out.ReadOnly, out.IsSensitive = d.Name, d.ReadOnly, d.Sensitive
	if !d.Null {
		out.Value = ptr(d.Value)
	}
	out.Source = kmsg.ConfigSource(d.Origin)
	out.IsDefault = d.Origin == config.OriginDefault
	out.ConfigType = kmsg.ConfigType(d.Type)
	if r.IncludeSynonyms {
		for _, s := range d.Synonyms {
			syn := kmsg.NewDescribeConfigsResponseResourceConfigConfigSynonym()
			syn.Name, syn.Source = s.Name, kmsg.ConfigSource(s.Origin)
			if !s.Null {
				syn.Value = ptr(s.Value)
			}
			out.ConfigSynonyms = append(out.ConfigSynonyms, syn)
		}
	}
	if r.IncludeDocumentation {
		out.Documentation = ptr(d.Doc)
	}
	return out
}
