package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/kafka"
)

// Keys 29 to 31: without an authorizer Kafka answers SECURITY_DISABLED, and so
// does this broker, which has none yet.

// noAuthorizer is the message for ACL requests to a broker without one; Kafka's
// differs from one key to the next.
const noAuthorizer = "No Authorizer is configured."

func describeACLs() kmsg.Response {
	resp := kmsg.NewPtrDescribeACLsResponse()
	resp.ErrorCode, resp.ErrorMessage = int16(kafka.ErrSecurityDisabled), ptr(noAuthorizer)
	return resp
}

func createACLs(r *kmsg.CreateACLsRequest) kmsg.Response {
	resp := kmsg.NewPtrCreateACLsResponse()
	for range r.Creations {
		res := kmsg.NewCreateACLsResponseResult()
		res.ErrorCode, res.ErrorMessage = int16(kafka.ErrSecurityDisabled), ptr(noAuthorizer)
		resp.Results = append(resp.Results, res)
	}
	return resp
}

func deleteACLs(r *kmsg.DeleteACLsRequest) kmsg.Response {
	resp := kmsg.NewPtrDeleteACLsResponse()
	for range r.Filters {
		res := kmsg.NewDeleteACLsResponseResult()
		res.ErrorCode, res.ErrorMessage = int16(kafka.ErrSecurityDisabled), ptr(noAuthorizer)
		resp.Results = append(resp.Results, res)
	}
	return resp
}
