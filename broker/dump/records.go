package dump

import (
	"path"

	"github.com/moldau/moldau/broker/batch"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/metarecord"
	"github.com/moldau/moldau/broker/seglog"
)

// Topics whose records are decoded.
const (
	transactionsTopic = "__transaction_state"
	shareStateTopic   = "__share_group_state"
)

// recordPrinter writes the records of a segment's batches.
type recordPrinter struct {
	d *file
	// topic is whose records are decoded; "" for none.
	topic string
}

func (d *file) recordPrinter() (*recordPrinter, error) {
	p := &recordPrinter{d: d}
	switch d.opt.Decoder {
	case "", DecoderAuto:
		p.topic = d.topic()
	case DecoderMetadata:
		p.topic = kafka.MetadataTopicName
	case DecoderOffsets:
		p.topic = kafka.OffsetsTopicName
	case DecoderTransactions:
		p.topic = transactionsTopic
	case DecoderShareState:
		p.topic = shareStateTopic
	}
	var err error
	d.schema, err = parseSchema(schemaText)
	return p, err
}

// topic is the topic of the file's folder; a checkpoint is always of the metadata log.
func (d *file) topic() string {
	if path.Ext(d.name) == ".checkpoint" {
		return kafka.MetadataTopicName
	}
	topic, _, ok := seglog.ParseFolderName(path.Base(path.Dir(d.path)))
	if !ok {
		return ""
	}
	return topic
}

// batch writes the records of one batch, up to the first that cannot be read.
func (p *recordPrinter) batch(h batch.Header, b []byte) error {
	body, err := p.d.codecs.Body(h, b)
	if err != nil {
		return err
	}
	it := batch.Records(h, body)
	for i := int32(0); ; i++ {
		r, ok, err := it.Next()
		if !ok {
			return err
		}
		p.record(&h, i, &r)
	}
}

func (p *recordPrinter) record(h *batch.Header, i int32, r *batch.Record) {
	sequence := h.BaseSequence
	if sequence >= 0 {
		sequence = batch.AddSequence(sequence, r.OffsetDelta)
	}
	l := object{
		{"offset", r.Offset}, {h.TimestampType().String(), r.Timestamp},
		{"keySize", sizeOf(r.Key)}, {"valueSize", sizeOf(r.Value)}, {"sequence", sequence}, {"headerKeys", headerKeys(r)},
	}
	if p.d.out.json && r.HeaderCount > 0 {
		l = append(l, field{"headers", headers(r)})
	}
	var fields object
	var err error
	switch {
	case h.IsControl():
		fields, err = controlFields(r)
	case p.topic == kafka.MetadataTopicName:
		fields, err = metadataFields(r)
	case p.d.schema.topics[p.topic] != nil:
		fields, err = p.coordinatorFields(r)
	}
	if err != nil {
		fields = append(fields, field{"error", err.Error()})
		p.d.damage++
	}
	if fields == nil || err != nil {
		fields = append(fields, field{"key", nullable(r.Key)}, field{"payload", nullable(r.Value)})
	}
	p.d.out.line("record", append(l, fields...))
}

// sizeOf is Kafka's way to tell a null from an empty value.
func sizeOf(b []byte) int {
	if b == nil {
		return -1
	}
	return len(b)
}

func nullable(b []byte) any {
	if b == nil {
		return nil
	}
	return b
}

func headerKeys(r *batch.Record) list {
	keys := list{}
	for it := r.Headers(); ; {
		h, ok := it.Next()
		if !ok {
			return keys
		}
		keys = append(keys, h.Key)
	}
}

func headers(r *batch.Record) list {
	var l list
	for it := r.Headers(); ; {
		h, ok := it.Next()
		if !ok {
			return l
		}
		l = append(l, object{{"key", h.Key}, {"value", nullable(h.Value)}})
	}
}

func controlFields(r *batch.Record) (object, error) {
	c, err := batch.ParseControl(r.Key, r.Value)
	if err != nil {
		return nil, err
	}
	switch {
	case c.EndTxn != nil:
		return object{{"endTxnMarker", c.Type.String()}, {"coordinatorEpoch", c.EndTxn.CoordinatorEpoch}}, nil
	case c.LeaderChange != nil:
		return object{{"LeaderChange", structOf(c.LeaderChange)}}, nil
	case c.SnapshotHeader != nil:
		return object{{"SnapshotHeader", structOf(c.SnapshotHeader)}}, nil
	case c.SnapshotFooter != nil:
		return object{{"SnapshotFooter", structOf(c.SnapshotFooter)}}, nil
	case c.KRaftVersion != nil:
		return object{{"KRaftVersion", structOf(c.KRaftVersion)}}, nil
	case c.KRaftVoters != nil:
		return object{{"KRaftVoters", structOf(c.KRaftVoters)}}, nil
	}
	return object{{"controlType", c.Type.String()}, {"payload", nullable(r.Value)}}, nil
}

func metadataFields(r *batch.Record) (object, error) {
	m, version, err := metarecord.DecodeVersion(r.Value)
	if err != nil {
		return nil, err
	}
	return object{{"payload", object{{"type", m.Type().String()}, {"version", version}, {"data", structOf(m)}}}}, nil
}

func (p *recordPrinter) coordinatorFields(r *batch.Record) (object, error) {
	kind, key, err := p.d.schema.decodeKey(p.topic, r.Key)
	if err != nil {
		return nil, err
	}
	o := object{{"key", object{{"type", kind.name}, {"data", key}}}}
	if r.Value == nil {
		return append(o, field{"payload", nil}), nil
	}
	version, value, err := kind.decodeValue(r.Value)
	if err != nil {
		return nil, err
	}
	return append(o, field{"payload", object{{"version", version}, {"data", value}}}), nil
}
