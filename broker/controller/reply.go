package controller

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/kafka"
)

// Handles reports whether Handle serves requests of the key.
func Handles(key int16) bool {
	req := kmsg.RequestForKey(key)
	return req != nil && ErrorReply(req, kafka.ErrNone, "") != nil
}

// NotController is the answer of a machine without office, nil for requests
// that no machine serves.
func NotController(req kmsg.Request) kmsg.Response {
	return ErrorReply(req, kafka.ErrNotController, "The active controller is another node.")
}

// ErrorReply answers req with one error everywhere that Kafka puts it: at the
// top where the response has a place for it, else at every item that was asked
// about. An empty message is null. It is nil for requests that no machine serves.
func ErrorReply(req kmsg.Request, code kafka.ErrorCode, message string) kmsg.Response {
	reply := errorReply(req, int16(code), textOrNil(message))
	if reply != nil {
		reply.SetVersion(req.GetVersion())
	}
	return reply
}

func textOrNil(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func errorReply(req kmsg.Request, code int16, message *string) kmsg.Response {
	switch req := req.(type) {
	case *kmsg.BrokerRegistrationRequest:
		r := kmsg.NewPtrBrokerRegistrationResponse()
		r.ErrorCode = code
		r.BrokerEpoch = -1
		return r
	case *kmsg.BrokerHeartbeatRequest:
		r := kmsg.NewPtrBrokerHeartbeatResponse()
		r.ErrorCode, r.IsFenced = code, true
		return r
	case *kmsg.UnregisterBrokerRequest:
		r := kmsg.NewPtrUnregisterBrokerResponse()
		r.ErrorCode, r.ErrorMessage = code, message
		return r
	case *kmsg.ControllerRegistrationRequest:
		r := kmsg.NewPtrControllerRegistrationResponse()
		r.ErrorCode, r.ErrorMessage = code, message
		return r
	case *kmsg.UnregisterControllerRequest:
		r := kmsg.NewPtrUnregisterControllerResponse()
		r.ErrorCode, r.ErrorMessage = code, message
		return r
	case *kmsg.AllocateProducerIDsRequest:
		r := kmsg.NewPtrAllocateProducerIDsResponse()
		r.ErrorCode = code
		return r
	case *kmsg.AlterPartitionRequest:
		r := kmsg.NewPtrAlterPartitionResponse()
		r.ErrorCode = code
		return r
	case *kmsg.AssignReplicasToDirsRequest:
		r := kmsg.NewPtrAssignReplicasToDirsResponse()
		r.ErrorCode = code
		return r
	case *kmsg.UpdateFeaturesRequest:
		r := kmsg.NewPtrUpdateFeaturesResponse()
		r.ErrorCode, r.ErrorMessage = code, message
		return r
	case *kmsg.ElectLeadersRequest:
		return errorElectLeaders(req, code, message)
	case *kmsg.AlterPartitionAssignmentsRequest:
		r := kmsg.NewPtrAlterPartitionAssignmentsResponse()
		r.ErrorCode, r.ErrorMessage = code, message
		return r
	case *kmsg.ListPartitionReassignmentsRequest:
		r := kmsg.NewPtrListPartitionReassignmentsResponse()
		r.ErrorCode, r.ErrorMessage = code, message
		return r
	}
	return errorAdminReply(req, code, message)
}

func errorElectLeaders(req *kmsg.ElectLeadersRequest, code int16, message *string) kmsg.Response {
	r := kmsg.NewPtrElectLeadersResponse()
	r.ErrorCode = code // version 1 and later
	if req.Version > 0 {
		return r
	}
	for _, t := range req.Topics {
		rt := kmsg.NewElectLeadersResponseTopic()
		rt.Topic = t.Topic
		for _, p := range t.Partitions {
			rp := kmsg.NewElectLeadersResponseTopicPartition()
			rp.Partition, rp.ErrorCode, rp.ErrorMessage = p, code, message
			rt.Partitions = append(rt.Partitions, rp)
		}
		r.Topics = append(r.Topics, rt)
	}
	return r
}

// errorAdminReply is for the responses without a place at the top.
func errorAdminReply(req kmsg.Request, code int16, message *string) kmsg.Response {
	switch req := req.(type) {
	case *kmsg.CreateTopicsRequest:
		r := kmsg.NewPtrCreateTopicsResponse()
		for i := range req.Topics {
			t := newCreateTopicsResult(req.Topics[i].Topic)
			t.ErrorCode, t.ErrorMessage = code, message
			r.Topics = append(r.Topics, t)
		}
		return r
	case *kmsg.DeleteTopicsRequest:
		r := kmsg.NewPtrDeleteTopicsResponse()
		for _, asked := range deleteTargets(req) {
			t := kmsg.NewDeleteTopicsResponseTopic()
			t.Topic, t.TopicID, t.ErrorCode, t.ErrorMessage = asked.Topic, asked.TopicID, code, message
			r.Topics = append(r.Topics, t)
		}
		return r
	case *kmsg.CreatePartitionsRequest:
		r := kmsg.NewPtrCreatePartitionsResponse()
		for i := range req.Topics {
			t := kmsg.NewCreatePartitionsResponseTopic()
			t.Topic, t.ErrorCode, t.ErrorMessage = req.Topics[i].Topic, code, message
			r.Topics = append(r.Topics, t)
		}
		return r
	case *kmsg.IncrementalAlterConfigsRequest:
		r := kmsg.NewPtrIncrementalAlterConfigsResponse()
		for i := range req.Resources {
			x := kmsg.NewIncrementalAlterConfigsResponseResource()
			x.ResourceType, x.ResourceName = req.Resources[i].ResourceType, req.Resources[i].ResourceName
			x.ErrorCode, x.ErrorMessage = code, message
			r.Resources = append(r.Resources, x)
		}
		return r
	case *kmsg.AlterConfigsRequest:
		r := kmsg.NewPtrAlterConfigsResponse()
		for i := range req.Resources {
			x := kmsg.NewAlterConfigsResponseResource()
			x.ResourceType, x.ResourceName = req.Resources[i].ResourceType, req.Resources[i].ResourceName
			x.ErrorCode, x.ErrorMessage = code, message
			r.Resources = append(r.Resources, x)
		}
		return r
	}
	return nil
}

func newCreateTopicsResult(topic string) kmsg.CreateTopicsResponseTopic {
	t := kmsg.NewCreateTopicsResponseTopic()
	t.Topic = topic
	t.NumPartitions, t.ReplicationFactor = -1, -1
	return t
}

// deleteTargets are the topics of a request in both of its forms.
func deleteTargets(req *kmsg.DeleteTopicsRequest) []kmsg.DeleteTopicsRequestTopic {
	if req.Version >= 6 {
		return req.Topics
	}
	targets := make([]kmsg.DeleteTopicsRequestTopic, len(req.TopicNames))
	for i := range req.TopicNames {
		targets[i] = kmsg.NewDeleteTopicsRequestTopic()
		targets[i].Topic = &req.TopicNames[i]
	}
	return targets
}
