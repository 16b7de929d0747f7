package api

import (
	"reflect"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/kafka"
)

// failed is the answer to a request that no controller took: code and message
// in every place where the answer to this request carries one.
func failed(req kmsg.Request, code kafka.ErrorCode, message string) kmsg.Response {
	resp := req.ResponseKind()
	resp.SetVersion(req.GetVersion())
	mirror(req, resp)
	setError(reflect.ValueOf(resp).Elem(), int16(code), message)
	return resp
}

// mirror gives the answer the entries that the request asked about.
func mirror(req kmsg.Request, resp kmsg.Response) {
	switch r := req.(type) {
	case *kmsg.CreateTopicsRequest:
		out := resp.(*kmsg.CreateTopicsResponse)
		for _, t := range r.Topics {
			e := kmsg.NewCreateTopicsResponseTopic()
			e.Topic = t.Topic
			out.Topics = append(out.Topics, e)
		}
	case *kmsg.DeleteTopicsRequest:
		out := resp.(*kmsg.DeleteTopicsResponse)
		for _, name := range r.TopicNames {
			e := kmsg.NewDeleteTopicsResponseTopic()
			e.Topic = ptr(name)
			out.Topics = append(out.Topics, e)
		}
		for _, t := range r.Topics {
			e := kmsg.NewDeleteTopicsResponseTopic()
			e.Topic, e.TopicID = t.Topic, t.TopicID
			out.Topics = append(out.Topics, e)
		}
	case *kmsg.CreatePartitionsRequest:
		out := resp.(*kmsg.CreatePartitionsResponse)
		for _, t := range r.Topics {
			e := kmsg.NewCreatePartitionsResponseTopic()
			e.Topic = t.Topic
			out.Topics = append(out.Topics, e)
		}
	case *kmsg.ElectLeadersRequest:
		out := resp.(*kmsg.ElectLeadersResponse)
		for _, t := range r.Topics {
			e := kmsg.NewElectLeadersResponseTopic()
			e.Topic = t.Topic
			for _, index := range t.Partitions {
				p := kmsg.NewElectLeadersResponseTopicPartition()
				p.Partition = index
				e.Partitions = append(e.Partitions, p)
			}
			out.Topics = append(out.Topics, e)
		}
	case *kmsg.AlterConfigsRequest:
		out := resp.(*kmsg.AlterConfigsResponse)
		for _, res := range r.Resources {
			e := kmsg.NewAlterConfigsResponseResource()
			e.ResourceType, e.ResourceName = res.ResourceType, res.ResourceName
			out.Resources = append(out.Resources, e)
		}
	case *kmsg.IncrementalAlterConfigsRequest:
		out := resp.(*kmsg.IncrementalAlterConfigsResponse)
		for _, res := range r.Resources {
			e := kmsg.NewIncrementalAlterConfigsResponseResource()
			e.ResourceType, e.ResourceName = res.ResourceType, res.ResourceName
			out.Resources = append(out.Resources, e)
		}
	}
}

// setError fills ErrorCode and ErrorMessage wherever v has them.
func setError(v reflect.Value, code int16, message string) {
	switch v.Kind() {
	case reflect.Slice:
		for i := range v.Len() {
			setError(v.Index(i), code, message)
		}
	case reflect.Struct:
		if f := v.FieldByName("ErrorCode"); f.IsValid() && f.Kind() == reflect.Int16 {
			f.SetInt(int64(code))
		}
		if f := v.FieldByName("ErrorMessage"); f.IsValid() && f.Type() == reflect.TypeFor[*string]() {
			f.Set(reflect.ValueOf(&message))
		}
		for i := range v.NumField() {
			if f := v.Field(i); f.Kind() == reflect.Slice && f.Type().Elem().Kind() == reflect.Struct {
				setError(f, code, message)
			}
		}
	}
}
