package api

import (
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/metaimage"
	"github.com/moldau/moldau/broker/server"
)

// controllerKeys are what the controller listener serves: what brokers ask,
// and the administrative requests that they forward.
var controllerKeys = [...]keyRange{
	{1, 12, 18}, // Fetch, of the metadata log
	{18, 0, 5},  // ApiVersions
	{19, 2, 7},  // CreateTopics
	{20, 1, 6},  // DeleteTopics
	{33, 0, 2},  // AlterConfigs
	{37, 0, 3},  // CreatePartitions
	{43, 0, 2},  // ElectLeaders
	{44, 0, 1},  // IncrementalAlterConfigs
	{45, 0, 1},  // AlterPartitionReassignments
	{46, 0, 0},  // ListPartitionReassignments
	{55, 0, 2},  // DescribeQuorum
	{56, 2, 3},  // AlterPartition
	{57, 0, 2},  // UpdateFeatures
	{59, 0, 1},  // FetchSnapshot
	{60, 0, 2},  // DescribeCluster
	{62, 0, 4},  // BrokerRegistration
	{63, 0, 2},  // BrokerHeartbeat
	{64, 0, 0},  // UnregisterBroker
	{67, 0, 0},  // AllocateProducerIds
	{70, 0, 0},  // ControllerRegistration
	{73, 0, 0},  // AssignReplicasToDirs
	{80, 0, 1},  // AddRaftVoter
	{81, 0, 0},  // RemoveRaftVoter
}

// Quorum is the controller role of this process.
type Quorum interface {
	// Dispatch takes a request; reply is called exactly once and must not wait.
	// It reports false for a key that it does not serve.
	Dispatch(req kmsg.Request, reply func(kmsg.Response)) bool
	// Gone says that the connection of a broker's session ended.
	Gone(broker int32, epoch int64)
}

// ControllerHandler serves the controller listener. It implements server.Handler.
type ControllerHandler struct {
	nodeID    int32
	clusterID string
	guard     *guard
	gate      gate
	versions  *versionTable
	quorum    Quorum
	image     func() *metaimage.Image
}

// NewController returns a ControllerHandler.
func NewController(nodeID int32, clusterID string, q Quorum, image func() *metaimage.Image) *ControllerHandler {
	return &ControllerHandler{
		nodeID: nodeID, clusterID: clusterID, guard: newGuard(),
		versions: newVersionTable(controllerKeys[:]), quorum: q, image: image,
	}
}

// session is the broker whose heartbeats come by a connection.
type session struct {
	broker int32
	epoch  int64
}

// Gone implements server.Handler.
func (h *ControllerHandler) Gone(c *server.Conn) {
	if s, ok := c.State.(session); ok {
		h.quorum.Gone(s.broker, s.epoch)
	}
}

// Serve implements server.Handler.
func (h *ControllerHandler) Serve(req *server.Request) (server.Body, bool, error) {
	if !h.versions.serves(req.Key, req.Version) {
		if req.Key == keyAPIVersions {
			return h.versions.unsupported(), false, nil
		}
		return nil, false, server.Refused{Text: fmt.Sprintf("%s v%d is not served by controllers", kmsg.NameForKey(req.Key), req.Version)}
	}
	decoded, n, err := decode(h.guard, &h.gate, req)
	if err != nil {
		return nil, false, err
	}
	defer h.gate.leave(n)
	var resp kmsg.Response
	if r, ok := decoded.(*kmsg.BrokerHeartbeatRequest); ok {
		req.Conn.State = session{r.BrokerID, r.BrokerEpoch}
	}
	if r, ok := decoded.(*kmsg.ApiVersionsRequest); ok {
		resp = h.apiVersions(r)
	} else if resp = h.ask(req, decoded); resp == nil {
		return nil, false, errControllerGone
	}
	resp.SetVersion(req.Version)
	return resp, false, nil
}

var errControllerGone = errors.New("the connection closed while a request waited for the controller")

// ask waits for the quorum's answer.
func (h *ControllerHandler) ask(req *server.Request, decoded kmsg.Request) kmsg.Response {
	answer := make(chan kmsg.Response, 1)
	if !h.quorum.Dispatch(decoded, func(r kmsg.Response) { answer <- r }) {
		return failed(decoded, kafka.ErrUnsupportedVersion, "the controller does not serve this request yet")
	}
	select {
	case resp := <-answer:
		return resp
	case <-req.Conn.Closed():
		return nil
	}
}

func (h *ControllerHandler) apiVersions(r *kmsg.ApiVersionsRequest) kmsg.Response {
	resp := kmsg.NewPtrApiVersionsResponse()
	if code := bootstrapCheck(r, h.clusterID, h.nodeID); code != kafka.ErrNone {
		resp.ErrorCode = int16(code)
		return resp
	}
	resp.ApiKeys = h.versions.keys()
	h.versions.addFeatures(resp, h.image(), r.Version)
	return resp
}
