package workload_test

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/batch"
	"github.com/moldau/moldau/linearizability"
	"github.com/moldau/moldau/linearizability/history"
	"github.com/moldau/moldau/sim/workload"
)

// every calls f for each n-th call.
func every(n int, f func()) func() {
	count := 0
	return func() {
		if count++; count%n == 0 {
			f()
		}
	}
}

// acked is a good answer to a produce request that nobody carried out.
func acked(req *kmsg.ProduceRequest, offset int64) *kmsg.ProduceResponse {
	resp := req.ResponseKind().(*kmsg.ProduceResponse)
	resp.SetVersion(req.GetVersion())
	for _, t := range req.Topics {
		out := kmsg.NewProduceResponseTopic()
		out.Topic, out.TopicID = t.Topic, t.TopicID
		for _, p := range t.Partitions {
			one := kmsg.NewProduceResponseTopicPartition()
			one.Partition, one.BaseOffset, one.LogStartOffset = p.Partition, offset, 0
			out.Partitions = append(out.Partitions, one)
		}
		resp.Topics = append(resp.Topics, out)
	}
	return resp
}

// parts calls f for each partition of a fetch answer.
func parts(resp *kmsg.FetchResponse, f func(p *kmsg.FetchResponseTopicPartition)) {
	for i := range resp.Topics {
		for j := range resp.Topics[i].Partitions {
			f(&resp.Topics[i].Partitions[j])
		}
	}
}

// onFetch lies in each n-th answer with records.
func onFetch(n int, f func(p *kmsg.FetchResponseTopicPartition)) func() lies {
	return func() lies {
		var at *kmsg.FetchResponseTopicPartition
		lie := every(n, func() { f(at) })
		return lies{response: func(_ kmsg.Request, resp kmsg.Response) {
			if fetch, ok := resp.(*kmsg.FetchResponse); ok {
				parts(fetch, func(p *kmsg.FetchResponseTopicPartition) {
					if at = p; len(p.RecordBatches) > 0 {
						lie()
					}
				})
			}
		}}
	}
}

// onAnswer lies in each n-th answer of a kind.
func onAnswer[R kmsg.Response](n int, f func(resp R)) func() lies {
	return func() lies {
		var at R
		lie := every(n, func() { f(at) })
		return lies{response: func(_ kmsg.Request, resp kmsg.Response) {
			if r, ok := resp.(R); ok {
				at = r
				lie()
			}
		}}
	}
}

// untruths are what a broker must never do, what it is found by, and the actors
// that meet it.
var untruths = []struct {
	name   string
	lies   func() lies
	actors func(b *bed, topics []*workload.Topic)
	found  []string // checker and anomaly; or "failure"
}{
	{name: "acks and loses", lies: func() lies {
		n := 0
		return lies{request: func(req kmsg.Request) (kmsg.Response, bool) {
			if produce, ok := req.(*kmsg.ProduceRequest); ok {
				if n++; n%20 == 0 {
					return acked(produce, -1), false
				}
			}
			return nil, false
		}}
	}, actors: produceAndFetch, found: []string{"log-order lost"}},
	{name: "appends twice", lies: func() lies {
		n := 0
		return lies{request: func(req kmsg.Request) (kmsg.Response, bool) {
			_, produce := req.(*kmsg.ProduceRequest)
			n++
			return nil, produce && n%20 == 0
		}}
	}, actors: produceAndFetch, found: []string{"anomalies duplicate", "log-order two-offsets"}},
	{name: "answers another offset", lies: onAnswer(20, func(resp *kmsg.ProduceResponse) { resp.Topics[0].Partitions[0].BaseOffset++ }),
		actors: produceAndFetch, found: []string{"log-order inconsistent", "log-order two-offsets"}},
	{name: "shows above the high watermark", lies: onFetch(10, func(p *kmsg.FetchResponseTopicPartition) {
		h, _ := batch.ParseHeader(p.RecordBatches)
		p.HighWatermark, p.LastStableOffset = h.LastOffset(), h.LastOffset()
	}), actors: produceAndFetch, found: []string{"log-order above-high-watermark"}},
	{name: "high watermark goes back", lies: onFetch(10, func(p *kmsg.FetchResponseTopicPartition) {
		p.HighWatermark, p.LastStableOffset, p.RecordBatches = 1, 1, nil
	}),
		actors: produceAndFetch, found: []string{"log-order high-watermark-back"}},
	{name: "leaves a batch out", lies: onFetch(10, func(p *kmsg.FetchResponseTopicPartition) {
		if _, _, rest, err := batch.Next(p.RecordBatches); err == nil {
			p.RecordBatches = rest
		}
	}), actors: produceAndFetch, found: []string{"log-order gap"}},
	{name: "skips in polls", lies: onFetch(10, func(p *kmsg.FetchResponseTopicPartition) {
		if _, _, rest, err := batch.Next(p.RecordBatches); err == nil {
			p.RecordBatches = rest
		}
	}), actors: polls, found: []string{"anomalies poll-skip"}},
	{name: "serves an older batch again", lies: func() lies {
		old := map[int32][]byte{}
		return onFetch(1, func(p *kmsg.FetchResponseTopicPartition) {
			if h, _ := batch.ParseHeader(p.RecordBatches); h.BaseOffset > 30 && old[p.Partition] != nil {
				p.RecordBatches = slices.Concat(p.RecordBatches, old[p.Partition])
			}
			if _, b, _, err := batch.Next(p.RecordBatches); err == nil && old[p.Partition] == nil {
				old[p.Partition] = slices.Clone(b)
			}
		})()
	}, actors: produceAndFetch, found: []string{"log-order gap", "log-order disorder", "anomalies int-nonmonotonic-poll"}},
	{name: "moves a batch to another offset", lies: onFetch(10, func(p *kmsg.FetchResponseTopicPartition) {
		if h, b, _, err := batch.Next(p.RecordBatches); err == nil {
			batch.SetBaseOffset(b, h.BaseOffset+1)
		}
	}), actors: produceAndFetch, found: []string{"log-order inconsistent", "log-order two-offsets"}},
	{name: "changes bytes", lies: onFetch(10, func(p *kmsg.FetchResponseTopicPartition) { p.RecordBatches[len(p.RecordBatches)-1] ^= 1 }),
		actors: produceAndFetch, found: []string{"log-order corrupt"}},
	{name: "answers another question", lies: func() lies {
		n := 0
		return lies{frame: func(_ kmsg.Request, body []byte) []byte {
			if n++; n%50 == 0 {
				binary.BigEndian.PutUint32(body, 77_777)
			}
			return body
		}}
	}, actors: produceAndFetch, found: []string{"failure"}},
	{name: "cuts an answer short", lies: func() lies {
		n := 0
		return lies{frame: func(_ kmsg.Request, body []byte) []byte {
			if n++; n%50 == 0 {
				return body[:len(body)/2]
			}
			return body
		}}
	}, actors: produceAndFetch, found: []string{"failure"}},
	{name: "leaves a partition out of an answer", lies: onAnswer(10, func(resp *kmsg.FetchResponse) { resp.Topics = resp.Topics[:0] }),
		actors: produceAndFetch, found: []string{"failure"}},
	{name: "forgets the latest offset", lies: onAnswer(1, func(resp *kmsg.ListOffsetsResponse) {
		if p := &resp.Topics[0].Partitions[0]; p.Timestamp < 0 && p.Offset > 100 {
			p.Offset -= 100
		}
	}), actors: produceAndFetch, found: []string{"log-order latest-back"}},
	{name: "is off by one in look-ups by time", lies: onAnswer(1, func(resp *kmsg.ListOffsetsResponse) {
		if p := &resp.Topics[0].Partitions[0]; p.Timestamp > 0 && p.Offset > 0 {
			p.Offset++
		}
	}), actors: produceAndFetch, found: []string{"lookups time-wrong", "lookups time-not-first"}},
	{name: "does not know where an epoch ended", lies: onAnswer(1, func(resp *kmsg.OffsetForLeaderEpochResponse) { resp.Topics[0].Partitions[0].EndOffset = 0 }),
		actors: produceAndFetch, found: []string{"lookups epoch-end-short"}},
	{name: "leaves news out of a session", lies: func() lies {
		n := 0
		return lies{response: func(req kmsg.Request, resp kmsg.Response) {
			if fetch, ok := req.(*kmsg.FetchRequest); ok && fetch.SessionEpoch > 0 {
				if n++; n%5 == 0 {
					resp.(*kmsg.FetchResponse).Topics = nil
				}
			}
		}}
	}, actors: sessions, found: []string{"lookups session-omitted"}},
	{name: "tells an old high watermark in a session", lies: func() lies {
		return lies{response: func(req kmsg.Request, resp kmsg.Response) {
			if fetch, ok := req.(*kmsg.FetchRequest); ok && fetch.SessionEpoch > 0 {
				parts(resp.(*kmsg.FetchResponse), func(p *kmsg.FetchResponseTopicPartition) {
					if p.HighWatermark > 20 {
						p.HighWatermark, p.LastStableOffset, p.RecordBatches = 20, 20, nil
					}
				})
			}
		}}
	}, actors: sessions, found: []string{"lookups session-differs"}},
	{name: "hands a producer id out again", lies: onAnswer(2, func(resp *kmsg.InitProducerIDResponse) { resp.ProducerID-- }),
		actors: func(b *bed, _ []*workload.Topic) {
			b.run("ids", workload.IDTaker{Every: 300 * time.Millisecond, Timeout: time.Second})
		}, found: []string{"idempotence id-reused"}},
	{name: "forgets a producer", lies: onAnswer(20, func(resp *kmsg.ProduceResponse) { resp.Topics[0].Partitions[0].ErrorCode = 45 }),
		actors: func(b *bed, topics []*workload.Topic) {
			p := producer(topics)
			p.Idempotent, p.KeepsID, p.InFlight = true, true, 1
			b.run("p", p)
		}, found: []string{"failure"}},
	{name: "appends what it refused", lies: onAnswer(20, func(resp *kmsg.ProduceResponse) { resp.Topics[0].Partitions[0].ErrorCode = 10 }),
		actors: produceAndFetch, found: []string{"log-order failed-write", "anomalies G1a"}},
	{name: "tells no committed offset", lies: onAnswer(3, func(resp *kmsg.OffsetFetchResponse) {
		resp.Groups[0].Topics[0].Partitions[0].Offset = -1
		resp.Groups[0].Topics[0].Partitions[0].Metadata = nil
	}), actors: groups, found: []string{"registers not-linearizable", "groups stale-offset"}},
	{name: "invents a committed offset", lies: onAnswer(3, func(resp *kmsg.OffsetFetchResponse) { resp.Groups[0].Topics[0].Partitions[0].Offset += 3 }),
		actors: groups, found: []string{"groups uncommitted-offset"}},
	{name: "gives two members one partition", lies: onAnswer(1, func(resp *kmsg.SyncGroupResponse) {
		if len(resp.MemberAssignment) > 0 {
			all := kmsg.ConsumerMemberAssignment{Topics: []kmsg.ConsumerMemberAssignmentTopic{{Topic: "a", Partitions: []int32{0, 1}}}}
			resp.MemberAssignment = all.AppendTo(nil)
		}
	}), actors: groups, found: []string{"groups two-owners"}},
	{name: "gives an old generation", lies: func() lies {
		told := int32(0)
		return onAnswer(1, func(resp *kmsg.JoinGroupResponse) {
			switch {
			case resp.ErrorCode != 0:
			case told < 2 || resp.Generation == told:
				told = resp.Generation
			default:
				resp.Generation = told - 1
			}
		})()
	}, actors: groups, found: []string{"liveness no-progress"}},
	{name: "deletes no records", lies: func() lies {
		low := map[string]int64{}
		return lies{request: func(req kmsg.Request) (kmsg.Response, bool) {
			del, ok := req.(*kmsg.DeleteRecordsRequest)
			if !ok || del.Topics[0].Partitions[0].Offset <= low[del.Topics[0].Topic] {
				return nil, false
			}
			resp := del.ResponseKind().(*kmsg.DeleteRecordsResponse)
			resp.SetVersion(del.GetVersion())
			t := kmsg.NewDeleteRecordsResponseTopic()
			t.Topic = del.Topics[0].Topic
			p := kmsg.NewDeleteRecordsResponseTopicPartition()
			p.Partition, p.LowWatermark = del.Topics[0].Partitions[0].Partition, del.Topics[0].Partitions[0].Offset
			t.Partitions = append(t.Partitions, p)
			resp.Topics = append(resp.Topics, t)
			return resp, false
		}}
	}, actors: func(b *bed, topics []*workload.Topic) {
		produceAndFetch(b, topics)
		b.run("admin", workload.Admin{Topics: topics, Every: 100 * time.Millisecond, Timeout: time.Second, DeleteRecords: true})
	}, found: []string{"retention log-start-back", "retention deleted-read"}},
	{name: "deletes records that nobody asked it to", lies: onFetch(1, func(p *kmsg.FetchResponseTopicPartition) {
		if p.HighWatermark > 100 {
			p.LogStartOffset = 50
		}
	}), actors: produceAndFetch, found: []string{"retention deleted-early"}},
	{name: "forgets a setting", lies: onAnswer(4, func(resp *kmsg.DescribeConfigsResponse) {
		c := &resp.Resources[0].Configs[0]
		c.Source, c.Value = kmsg.ConfigSourceDynamicTopicConfig, kmsg.StringPtr("12345")
	}), actors: func(b *bed, topics []*workload.Topic) {
		b.run("s", workload.Setting{Topic: topics[0], Every: 50 * time.Millisecond, Timeout: time.Second})
	}, found: []string{"registers not-linearizable"}},
	{name: "does not answer any more", lies: func() lies {
		return onFetch(1, func(p *kmsg.FetchResponseTopicPartition) { p.RecordBatches = nil })()
	}, actors: func(b *bed, topics []*workload.Topic) {
		c := consumer(topics)
		c.Lookups, c.Seeks = 0, 0
		b.run("p", producer(topics))
		b.run("stuck", c)
	}, found: []string{"liveness no-progress"}},
}

func produceAndFetch(b *bed, topics []*workload.Topic) {
	p := producer(topics)
	p.PartsMax = 1
	b.run("p1", p)
	b.run("p2", p)
	b.run("c1", consumer(topics))
	b.run("c2", consumer(topics))
}

func polls(b *bed, topics []*workload.Topic) {
	p := producer(topics)
	b.run("p1", p)
	for _, name := range []string{"c1", "c2", "c3"} {
		c := consumer(topics)
		c.Polls, c.Seeks, c.Lookups = true, 0, 0
		b.run(name, c)
	}
}

func sessions(b *bed, topics []*workload.Topic) {
	b.run("p1", producer(topics))
	c := consumer(topics)
	c.Sessions, c.Seeks, c.Lookups = true, 0, 0
	b.run("c1", c)
}

func groups(b *bed, topics []*workload.Topic) {
	b.run("p", producer(topics))
	for _, name := range []string{"m1", "m2", "m3"} {
		m := member("g", topics)
		m.Leaves, m.Away = 40, time.Second
		b.run(name, m)
	}
}

// TestLies: what the recorder writes lets the checkers find every lie, and the
// same actors, told the truth by the same proxy, get a clean verdict.
func TestLies(t *testing.T) {
	for _, lie := range untruths {
		t.Run(lie.name, func(t *testing.T) {
			inBubble(t, 7, func(b *bed) {
				b.start()
				p := b.lie(lie.lies())
				topics := b.topics(keeps("a", 2))
				lie.actors(b, topics)
				if !strings.HasPrefix(lie.found[0], "liveness") {
					b.settling = time.Second
				}
				b.sleep(5 * time.Second)
				_, report := b.end(linearizability.Options{})
				p.close()
				b.shut()
				said := report.String()
				for _, want := range lie.found {
					if want == "failure" && len(b.recorder.Failures()) > 0 || strings.Contains(said, "violation:"+want) {
						return
					}
				}
				t.Errorf("not found, failures %v, report:\n%s", b.recorder.Failures(), said)
			})
		})
	}
}

// TestTruth is the control of TestLies.
func TestTruth(t *testing.T) {
	inBubble(t, 7, func(b *bed) {
		b.start()
		p := b.lie(lies{})
		topics := b.topics(keeps("a", 2))
		produceAndFetch(b, topics)
		groups(b, topics)
		b.run("session", workload.Consumer{Topics: topics, Sessions: true, MaxWait: time.Second, Every: 50 * time.Millisecond, Timeout: time.Second})
		b.run("ids", workload.IDTaker{Every: 300 * time.Millisecond, Timeout: time.Second})
		b.run("s", workload.Setting{Topic: topics[0], Every: 50 * time.Millisecond, Timeout: time.Second})
		b.run("admin", workload.Admin{Topics: topics, Every: 100 * time.Millisecond, Timeout: time.Second, DeleteRecords: true})
		b.sleep(8 * time.Second)
		h, report := b.finish(linearizability.Options{})
		p.close()
		b.shut()
		b.fine(h, report, map[history.Kind]int{history.KindProduce: 100})
	})
}
