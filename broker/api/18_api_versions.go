package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/metaimage"
)

// The keys that are parsed or treated apart.
const (
	keyProduce     = 0
	keyFetch       = 1
	keyAPIVersions = 18
)

// keyRange is an API key with the versions that are served.
type keyRange struct{ key, min, max int16 }

// brokerKeys are what a broker's listener serves. The ranges are Kafka 4.4's;
// a version that is named here works.
var brokerKeys = [...]keyRange{
	{0, 3, 13}, // Produce
	{1, 4, 18}, // Fetch
	{2, 1, 11}, // ListOffsets
	{3, 0, 13}, // Metadata
	{8, 2, 10}, // OffsetCommit
	{9, 1, 10}, // OffsetFetch
	{10, 0, 6}, // FindCoordinator
	{11, 0, 9}, // JoinGroup
	{12, 0, 4}, // Heartbeat
	{13, 0, 5}, // LeaveGroup
	{14, 0, 5}, // SyncGroup
	{15, 0, 6}, // DescribeGroups
	{16, 0, 5}, // ListGroups
	{18, 0, 5}, // ApiVersions
	{19, 2, 7}, // CreateTopics
	{20, 1, 6}, // DeleteTopics
	{21, 0, 2}, // DeleteRecords
	{22, 0, 5}, // InitProducerId
	{23, 2, 4}, // OffsetForLeaderEpoch
	{29, 1, 3}, // DescribeAcls
	{30, 1, 3}, // CreateAcls
	{31, 1, 3}, // DeleteAcls
	{32, 1, 4}, // DescribeConfigs
	{33, 0, 2}, // AlterConfigs
	{35, 1, 5}, // DescribeLogDirs
	{37, 0, 3}, // CreatePartitions
	{42, 0, 3}, // DeleteGroups
	{43, 0, 2}, // ElectLeaders
	{44, 0, 1}, // IncrementalAlterConfigs
	{45, 0, 1}, // AlterPartitionReassignments
	{46, 0, 0}, // ListPartitionReassignments
	{47, 0, 0}, // OffsetDelete
	{55, 0, 2}, // DescribeQuorum
	{57, 0, 2}, // UpdateFeatures
	{60, 0, 2}, // DescribeCluster
	{64, 0, 0}, // UnregisterBroker
	{75, 0, 0}, // DescribeTopicPartitions
	{80, 0, 1}, // AddRaftVoter
	{81, 0, 0}, // RemoveRaftVoter
}

// advertisedProduceMin: old librdkafka turns compression off unless version 0
// of Produce is named, so the answer names it, and 0 to 2 are refused all the same.
const advertisedProduceMin = 0

// versionTable tells what is served, and answers ApiVersions.
type versionTable struct {
	ranges   []keyRange
	min, max [kmsg.MaxKey + 1]int16
}

func newVersionTable(keys []keyRange) *versionTable {
	t := &versionTable{}
	for i := range t.max {
		t.max[i] = -1
	}
	for i := range keys {
		t.ranges = append(t.ranges, keys[i])
		t.min[keys[i].key], t.max[keys[i].key] = keys[i].min, keys[i].max
	}
	return t
}

func (t *versionTable) serves(key, version int16) bool {
	return int(key) < len(t.max) && version >= t.min[key] && version <= t.max[key]
}

func (t *versionTable) keys() []kmsg.ApiVersionsResponseApiKey {
	keys := make([]kmsg.ApiVersionsResponseApiKey, len(t.ranges))
	for i, r := range t.ranges {
		keys[i] = kmsg.NewApiVersionsResponseApiKey()
		keys[i].ApiKey, keys[i].MinVersion, keys[i].MaxVersion = r.key, r.min, r.max
		if r.key == keyProduce {
			keys[i].MinVersion = advertisedProduceMin
		}
	}
	return keys
}

// unsupported answers an ApiVersions request of an unknown version (KIP-511).
func (t *versionTable) unsupported() kmsg.Response {
	resp := kmsg.NewPtrApiVersionsResponse()
	resp.ErrorCode = int16(kafka.ErrUnsupportedVersion)
	resp.ApiKeys = t.keys()
	return resp
}

// supportedFeatures are the levels of each feature that this program knows.
var supportedFeatures = [...]struct {
	name     string
	min, max int16
}{
	{metaimage.FeatureELR, 0, 1},
	{metaimage.FeatureGroupVersion, 0, 0},
	{metaimage.FeatureKRaftVersion, 0, 0},
	{metaimage.FeatureMetadataVersion, 7, 30},
	{metaimage.FeatureShareVersion, 0, 0},
	{metaimage.FeatureStreamsVersion, 0, 0},
	{metaimage.FeatureTransactionVersion, 0, 0},
}

// featuresWithZeroFrom: older versions hide features whose least level is 0,
// because some clients refuse them (KIP-1022).
const featuresWithZeroFrom = 4

// apiVersions answers key 18.
//
//   - v3 names the client; a name or version that is not of Kafka's pattern is
//     INVALID_REQUEST.
//   - v3+ names features.
//   - v5 checks the cluster and node that the client believes to talk to:
//     REBOOTSTRAP_REQUIRED (KIP-1242).
func (h *Handler) apiVersions(r *kmsg.ApiVersionsRequest) kmsg.Response {
	resp := kmsg.NewPtrApiVersionsResponse()
	if code := bootstrapCheck(r, h.cfg.ClusterID, h.cfg.NodeID); code != kafka.ErrNone {
		resp.ErrorCode = int16(code)
		return resp
	}
	resp.ApiKeys = h.versions.keys()
	h.versions.addFeatures(resp, h.cfg.Manager.Image(), r.Version)
	return resp
}

// bootstrapCheck checks who asks, and whom it believes to ask.
func bootstrapCheck(r *kmsg.ApiVersionsRequest, clusterID string, nodeID int32) kafka.ErrorCode {
	if r.Version >= 3 && (!validSoftware(r.ClientSoftwareName) || !validSoftware(r.ClientSoftwareVersion)) {
		return kafka.ErrInvalidRequest
	}
	if r.Version < 5 {
		return kafka.ErrNone
	}
	wrongCluster := r.ClusterID != nil && *r.ClusterID != "" && *r.ClusterID != clusterID
	if wrongCluster || r.NodeID >= 0 && r.NodeID != nodeID {
		return kafka.ErrRebootstrapRequired
	}
	return kafka.ErrNone
}

func (t *versionTable) addFeatures(resp *kmsg.ApiVersionsResponse, img *metaimage.Image, version int16) {
	if version < 3 {
		return
	}
	for _, f := range supportedFeatures {
		if f.max == 0 || f.min == 0 && version < featuresWithZeroFrom {
			continue
		}
		sf := kmsg.NewApiVersionsResponseSupportedFeature()
		sf.Name, sf.MinVersion, sf.MaxVersion = f.name, f.min, f.max
		resp.SupportedFeatures = append(resp.SupportedFeatures, sf)
	}
	resp.FinalizedFeaturesEpoch = img.Offset()
	for name, level := range img.Features() {
		ff := kmsg.NewApiVersionsResponseFinalizedFeature()
		ff.Name, ff.MinVersionLevel, ff.MaxVersionLevel = name, level, level
		resp.FinalizedFeatures = append(resp.FinalizedFeatures, ff)
	}
}

// validSoftware checks a client's name or version against KIP-511's pattern:
// letters, digits, dots and dashes, beginning and ending with a letter or digit.
func validSoftware(s string) bool {
	alnum := func(c byte) bool {
		return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
	}
	if s == "" || !alnum(s[0]) || !alnum(s[len(s)-1]) {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !alnum(c) && c != '.' && c != '-' {
			return false
		}
	}
	return true
}
