package api

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/coord"
	"github.com/moldau/moldau/broker/group"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/server"
	"github.com/moldau/moldau/broker/shard"
)

// Requests of consumer groups go to the coordinator of the group's partition;
// those that name many groups are split by partition and their answers joined.

// coordinatorOf is the replica that carries a group's coordinator, or nil.
func (h *Handler) coordinatorOf(groupID string) *shard.Handle {
	topic := h.cfg.Manager.Image().TopicByName(kafka.OffsetsTopicName)
	if topic == nil {
		return nil
	}
	index := coord.PartitionFor(groupID, int32(topic.NumPartitions()))
	return h.cfg.Manager.Find(kafka.TopicPartition{Topic: topic.ID, Partition: index})
}

// commitOffsets answers key 8. A commit that is not durable in time
// (offsets.commit.timeout.ms) is answered as Kafka does; it may still be made.
func (h *Handler) commitOffsets(req *server.Request, r *kmsg.OffsetCommitRequest) kmsg.Response {
	answer := h.start(req, r, h.coordinatorOf(r.Group))
	if answer == nil {
		return group.Refuse(r, kafka.ErrNotCoordinator)
	}
	timer := h.cfg.Clock.NewTimer(h.cfg.Settings.OffsetsCommitTimeout)
	defer timer.Stop()
	select {
	case resp := <-answer:
		if resp == nil {
			return group.Refuse(r, kafka.ErrNotCoordinator)
		}
		return resp
	case <-timer.C():
		return group.Refuse(r, kafka.ErrCoordinatorNotAvailable)
	case <-req.Conn.Closed():
		return nil
	}
}

// callGroup asks the coordinator of one group.
func (h *Handler) callGroup(req *server.Request, body kmsg.Request, groupID string) kmsg.Response {
	return h.await(req, h.start(req, body, h.coordinatorOf(groupID)), body)
}

// start gives body to a coordinator; the result is nil when there is none.
func (h *Handler) start(req *server.Request, body kmsg.Request, hd *shard.Handle) <-chan kmsg.Response {
	if hd == nil {
		return nil
	}
	c := &shard.Call{
		Handle: hd, Body: body, ClientID: string(req.ClientID), ClientHost: "/" + req.Conn.Host,
		Random: kafka.NewUUID(h.cfg.Entropy),
	}
	return c.Start()
}

// await waits for a coordinator's answer; without one it is NOT_COORDINATOR.
// It is nil when the connection closed meanwhile.
func (h *Handler) await(req *server.Request, answer <-chan kmsg.Response, body kmsg.Request) kmsg.Response {
	if answer == nil {
		return group.Refuse(body, kafka.ErrNotCoordinator)
	}
	select {
	case resp := <-answer:
		if resp == nil {
			return group.Refuse(body, kafka.ErrNotCoordinator)
		}
		return resp
	case <-req.Conn.Closed():
		return nil
	}
}

// listGroups answers key 16 from every coordinator of this broker.
func (h *Handler) listGroups(req *server.Request, r *kmsg.ListGroupsRequest) kmsg.Response {
	resp := kmsg.NewPtrListGroupsResponse()
	topic := h.cfg.Manager.Image().TopicByName(kafka.OffsetsTopicName)
	if topic == nil {
		return resp
	}
	var answers []<-chan kmsg.Response
	for index := range topic.Partitions() {
		if hd := h.cfg.Manager.Find(kafka.TopicPartition{Topic: topic.ID, Partition: index}); hd != nil {
			answers = append(answers, h.start(req, r, hd))
		}
	}
	for _, a := range answers {
		part, _ := h.await(req, a, r).(*kmsg.ListGroupsResponse)
		if part == nil {
			return nil
		}
		if code := kafka.ErrorCode(part.ErrorCode); code != kafka.ErrNone && code != kafka.ErrNotCoordinator {
			resp.ErrorCode = part.ErrorCode
		}
		resp.Groups = append(resp.Groups, part.Groups...)
	}
	return resp
}

// describeGroups answers key 15.
func (h *Handler) describeGroups(req *server.Request, r *kmsg.DescribeGroupsRequest) kmsg.Response {
	resp := kmsg.NewPtrDescribeGroupsResponse()
	bodies := make([]*kmsg.DescribeGroupsRequest, len(r.Groups))
	answers := make([]<-chan kmsg.Response, len(r.Groups))
	for i, id := range r.Groups {
		one := *r
		one.Groups = []string{id}
		bodies[i] = &one
		answers[i] = h.start(req, &one, h.coordinatorOf(id))
	}
	for i, a := range answers {
		part, _ := h.await(req, a, bodies[i]).(*kmsg.DescribeGroupsResponse)
		if part == nil {
			return nil
		}
		for j := range part.Groups {
			if part.Groups[j].ErrorCode == 0 {
				part.Groups[j].AuthorizedOperations = asked(r.Version >= 3 && r.IncludeAuthorizedOperations, operationsGroup)
			}
		}
		resp.Groups = append(resp.Groups, part.Groups...)
	}
	return resp
}

// deleteGroups answers key 42.
func (h *Handler) deleteGroups(req *server.Request, r *kmsg.DeleteGroupsRequest) kmsg.Response {
	resp := kmsg.NewPtrDeleteGroupsResponse()
	ids := slices.Clone(r.Groups)
	slices.Sort(ids)
	for _, id := range slices.Compact(ids) {
		one := *r
		one.Groups = []string{id}
		part, _ := h.callGroup(req, &one, id).(*kmsg.DeleteGroupsResponse)
		if part == nil {
			return nil
		}
		resp.Groups = append(resp.Groups, part.Groups...)
	}
	return resp
}

// offsetFetch answers key 9; v8 and later ask for many groups (KIP-709).
func (h *Handler) offsetFetch(req *server.Request, r *kmsg.OffsetFetchRequest) kmsg.Response {
	if r.Version < 8 {
		return h.callGroup(req, r, r.Group)
	}
	resp := kmsg.NewPtrOffsetFetchResponse()
	bodies := make([]*kmsg.OffsetFetchRequest, len(r.Groups))
	answers := make([]<-chan kmsg.Response, len(r.Groups))
	for i, g := range r.Groups {
		one := *r
		one.Groups = []kmsg.OffsetFetchRequestGroup{g}
		bodies[i] = &one
		answers[i] = h.start(req, &one, h.coordinatorOf(g.Group))
	}
	for i, a := range answers {
		part, _ := h.await(req, a, bodies[i]).(*kmsg.OffsetFetchResponse)
		if part == nil {
			return nil
		}
		resp.Groups = append(resp.Groups, part.Groups...)
	}
	return resp
}
