package api

import (
	"cmp"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/config"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/seglog/logdir"
	"github.com/moldau/moldau/broker/shard"
)

// describeLogDirs answers key 35: what lies in each log directory (KIP-113);
// v4 adds the file system's size (KIP-827), v5 whether it is cordoned (KIP-1066).
func (h *Handler) describeLogDirs(r *kmsg.DescribeLogDirsRequest) kmsg.Response {
	resp := kmsg.NewPtrDescribeLogDirsResponse()
	handles := h.cfg.Manager.Handles()
	slices.SortFunc(handles, func(a, b *shard.Handle) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.ID.Partition, b.ID.Partition))
	})
	cordoned := config.CordonedDirs(h.cfg.Layers(h.cfg.Manager.Image(), ""), h.cfg.Settings.LogDirs)
	for _, d := range h.cfg.Dirs {
		out := kmsg.NewDescribeLogDirsResponseDir()
		out.Dir, out.TotalBytes, out.UsableBytes = d.Path(), -1, -1
		out.IsCordoned = slices.Contains(cordoned, d.Path())
		if d.Err() != nil {
			out.ErrorCode = int16(kafka.ErrKafkaStorageError)
			resp.Dirs = append(resp.Dirs, out)
			continue
		}
		if total, free, err := d.Usage(); err == nil {
			out.TotalBytes, out.UsableBytes = total, free
		}
		out.Topics = dirTopics(d, handles, r)
		resp.Dirs = append(resp.Dirs, out)
	}
	return resp
}

func dirTopics(d *logdir.Dir, handles []*shard.Handle, r *kmsg.DescribeLogDirsRequest) []kmsg.DescribeLogDirsResponseDirTopic {
	var asked []*shard.Query
	for _, hd := range handles {
		if hd.Partition().Dir() == d && wanted(r, hd) {
			q := &shard.Query{Handle: hd, Kind: shard.QueryStatus}
			q.Start()
			asked = append(asked, q)
		}
	}
	var out []kmsg.DescribeLogDirsResponseDirTopic
	for _, q := range asked {
		if !q.Finish() {
			continue
		}
		hd := q.Handle
		if n := len(out); n == 0 || out[n-1].Topic != hd.Topic {
			t := kmsg.NewDescribeLogDirsResponseDirTopic()
			t.Topic = hd.Topic
			out = append(out, t)
		}
		p := kmsg.NewDescribeLogDirsResponseDirTopicPartition()
		p.Partition, p.Size = hd.ID.Partition, q.Status.Bytes
		t := &out[len(out)-1]
		t.Partitions = append(t.Partitions, p)
	}
	return out
}

func wanted(r *kmsg.DescribeLogDirsRequest, hd *shard.Handle) bool {
	if r.Topics == nil {
		return true
	}
	for _, t := range r.Topics {
		if t.Topic == hd.Topic && slices.Contains(t.Partitions, hd.ID.Partition) {
			return true
		}
	}
	return false
}
