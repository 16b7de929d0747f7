package workload

import (
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/linearizability/history"
)

const initProducerIDVersion = 4

// IDTaker asks for producer ids.
type IDTaker struct {
	Every   time.Duration // mean time between requests
	Timeout time.Duration
}

// Run is Actor's.
func (a IDTaker) Run(env *Env) {
	c := newClient(env, a.Timeout)
	defer c.close()
	for !env.stopping() {
		takeProducerID(c)
		c.pause(a.Every/2 + time.Duration(env.Rand.Int64N(int64(a.Every)+1)))
	}
}

// takeProducerID asks for a producer id once.
func takeProducerID(c *client) (id int64, epoch int16, ok bool) {
	l := c.link(nobody)
	if l == nil {
		return 0, 0, false
	}
	req := kmsg.NewPtrInitProducerIDRequest()
	req.Version, req.TransactionTimeoutMillis = initProducerIDVersion, int32(c.limit.Milliseconds())
	req.ProducerID, req.ProducerEpoch = history.Unknown, history.Unknown
	op := &history.Op{Client: c.env.Name, Node: l.node, Kind: history.KindInitProducerID}
	c.env.Recorder.Begin(op)
	call := l.ask(req, c.limit)
	if call.err != nil {
		c.env.Recorder.End(op, call.unknown(), 0, call.at)
		c.failed(call.err)
		return 0, 0, false
	}
	c.answered()
	resp := call.resp.(*kmsg.InitProducerIDResponse)
	if resp.ErrorCode == 0 {
		op.Producer = &history.Producer{ID: resp.ProducerID, Epoch: resp.ProducerEpoch}
	}
	c.env.Recorder.Answered(op, resp.ErrorCode, call.at)
	return resp.ProducerID, resp.ProducerEpoch, resp.ErrorCode == 0
}
