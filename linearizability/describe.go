package linearizability

import (
	"fmt"
	"strings"

	"github.com/moldau/moldau/linearizability/history"
)

// describe says an operation in words, for people.
func (x *index) describe(op *history.Op) string {
	var b strings.Builder
	fmt.Fprintf(&b, "op %d: %s %s", op.ID, op.Client, op.Kind)
	if topic := x.topics[op.Topic]; topic != nil {
		fmt.Fprintf(&b, " %s/%d", topic.Name, op.Partition)
	}
	b.WriteString(x.describeBody(op))
	fmt.Fprintf(&b, " (%s", seconds(op.Invoke))
	if op.Return == history.Never {
		b.WriteString(" to never")
	} else {
		fmt.Fprintf(&b, " to %s", seconds(op.Return))
	}
	fmt.Fprintf(&b, ", %s", op.Outcome)
	if op.Code != 0 {
		fmt.Fprintf(&b, " code %d", op.Code)
	}
	if op.Node >= 0 {
		fmt.Fprintf(&b, ", node %d", op.Node)
	}
	b.WriteString(")")
	return b.String()
}

// seconds prints ns of true time.
func seconds(ns int64) string { return fmt.Sprintf("%.6fs", float64(ns)/1e9) }

func (x *index) describeBody(op *history.Op) string {
	switch {
	case op.Produce != nil:
		text := fmt.Sprintf(" %s acks %d", values(op.Produce.Records), op.Produce.Acks)
		if op.Produce.ProducerID >= 0 {
			text += fmt.Sprintf(" producer %d/%d sequence %d", op.Produce.ProducerID, op.Produce.ProducerEpoch, op.Produce.BaseSequence)
		}
		if op.Produce.BaseOffset >= 0 {
			text += fmt.Sprintf(" at offset %d", op.Produce.BaseOffset)
		}
		return text
	case op.Read != nil:
		text := fmt.Sprintf(" at %d got %s", op.Read.Position, values(op.Read.Records))
		if n := len(op.Read.Records); n > 0 {
			text += fmt.Sprintf(" at offsets %d..%d", op.Read.Records[0].Offset, op.Read.Records[n-1].Offset)
		}
		if op.Read.Final {
			text += " final"
		}
		return text + fmt.Sprintf(" log start %d high watermark %d epoch %d", op.Read.LogStart, op.Read.HighWatermark, op.Read.LeaderEpoch)
	case op.ListOffsets != nil:
		return fmt.Sprintf(" %d answered %d (timestamp %d)", op.ListOffsets.Target, op.ListOffsets.Offset, op.ListOffsets.TimestampMs)
	case op.EpochEnd != nil:
		return fmt.Sprintf(" of epoch %d answered epoch %d end %d", op.EpochEnd.Asked, op.EpochEnd.Epoch, op.EpochEnd.EndOffset)
	case op.Session != nil:
		return fmt.Sprintf(" session %d epoch %d", op.Session.ID, op.Session.Epoch)
	case op.Offset != nil:
		return fmt.Sprintf(" group %s member %q generation %d offset %d %q", op.Offset.Group, op.Offset.Member, op.Offset.Generation, op.Offset.Value, op.Offset.Metadata)
	case op.Group != nil:
		return fmt.Sprintf(" group %s member %q generation %d has %s", op.Group.Group, op.Group.Member, op.Group.Generation, x.names(op.Group.Partitions))
	case op.Config != nil && op.Config.Unset:
		return fmt.Sprintf(" %s %s unset", op.Config.Resource, op.Config.Name)
	case op.Config != nil:
		return fmt.Sprintf(" %s %s=%q", op.Config.Resource, op.Config.Name, op.Config.Value)
	case op.Producer != nil:
		return fmt.Sprintf(" got %d/%d", op.Producer.ID, op.Producer.Epoch)
	case op.Delete != nil:
		return fmt.Sprintf(" below %d answered log start %d", op.Delete.Before, op.Delete.LowWatermark)
	case op.Txn != nil:
		return fmt.Sprintf(" %s commit %t", op.Txn.Txn, op.Txn.Commit)
	}
	return ""
}

// valuesShownMax is how many values a text shows.
const valuesShownMax = 4

func values(records []history.Record) string {
	var b strings.Builder
	b.WriteString("[")
	for i, record := range records {
		if i == valuesShownMax {
			fmt.Fprintf(&b, " and %d more", len(records)-i)
			break
		}
		if i > 0 {
			b.WriteString(" ")
		}
		fmt.Fprintf(&b, "%x", record.Value)
	}
	return b.String() + "]"
}

func (x *index) names(parts []history.TopicPartition) string {
	names := make([]string, len(parts))
	for i, part := range parts {
		names[i] = x.name(part)
	}
	return "[" + strings.Join(names, " ") + "]"
}

func (x *index) name(part history.TopicPartition) string {
	if topic := x.topics[part.Topic]; topic != nil {
		return fmt.Sprintf("%s/%d", topic.Name, part.Partition)
	}
	return fmt.Sprintf("%s/%d", part.Topic, part.Partition)
}
