package workload

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/linearizability/history"
)

// describe asks the cluster one of many questions about itself. What counts is
// that an answer comes and can be read.
func (d *admin) describe() {
	l := d.fetcher.link(nobody)
	if l == nil {
		return
	}
	req, code := d.question()
	op := &history.Op{Client: d.env.Name, Node: l.node, Kind: history.KindMetadata}
	call := d.fetcher.record(l, req, op)
	if call.err == nil {
		d.env.Recorder.Answered(op, code(call.resp), call.at)
	}
}

// question draws one, with how its answer says whether all is well.
func (d *admin) question() (kmsg.Request, func(kmsg.Response) int16) {
	fine := func(kmsg.Response) int16 { return 0 }
	switch d.env.Rand.IntN(8) {
	case 0:
		req := kmsg.NewPtrListGroupsRequest()
		req.Version = 5
		return req, func(resp kmsg.Response) int16 { return resp.(*kmsg.ListGroupsResponse).ErrorCode }
	case 1:
		req := kmsg.NewPtrDescribeGroupsRequest()
		req.Version, req.Groups = 5, d.Groups
		return req, fine
	case 2:
		req := kmsg.NewPtrDescribeClusterRequest()
		req.Version = 2
		return req, func(resp kmsg.Response) int16 { return resp.(*kmsg.DescribeClusterResponse).ErrorCode }
	case 3:
		req := kmsg.NewPtrDescribeLogDirsRequest()
		req.Version = 4
		return req, func(resp kmsg.Response) int16 { return resp.(*kmsg.DescribeLogDirsResponse).ErrorCode }
	case 4:
		req := kmsg.NewPtrDescribeTopicPartitionsRequest()
		req.ResponsePartitionLimit = 100
		for _, t := range d.Topics {
			one := kmsg.NewDescribeTopicPartitionsRequestTopic()
			one.Topic = t.Spec.Name
			req.Topics = append(req.Topics, one)
		}
		return req, fine
	case 5:
		req := kmsg.NewPtrDescribeQuorumRequest()
		req.Version = 1
		one := kmsg.NewDescribeQuorumRequestTopic()
		one.Topic = "__cluster_metadata"
		one.Partitions = append(one.Partitions, kmsg.NewDescribeQuorumRequestTopicPartition())
		req.Topics = append(req.Topics, one)
		return req, func(resp kmsg.Response) int16 { return resp.(*kmsg.DescribeQuorumResponse).ErrorCode }
	case 6:
		req := kmsg.NewPtrApiVersionsRequest()
		req.Version, req.ClientSoftwareName, req.ClientSoftwareVersion = 3, "sim", "1"
		return req, func(resp kmsg.Response) int16 { return resp.(*kmsg.ApiVersionsResponse).ErrorCode }
	default:
		req := kmsg.NewPtrMetadataRequest() // of everything
		req.Version = metadataVersion
		return req, fine
	}
}
