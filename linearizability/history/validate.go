package history

import (
	"errors"
	"fmt"
)

// Validate finds what no recorder that keeps the package's rules would write.
// A history that fails here has no verdict.
func (h *History) Validate() error {
	topics := make(map[string]*Topic, len(h.Topics))
	for i := range h.Topics {
		t := &h.Topics[i]
		switch {
		case t.ID == "" || topics[t.ID] != nil:
			return fmt.Errorf("history: topic %q: an id that is empty or there twice", t.ID)
		case t.Durability != DurabilitySync && t.Durability != DurabilityOS:
			return fmt.Errorf("history: topic %q: durability %q is neither %q nor %q", t.ID, t.Durability, DurabilitySync, DurabilityOS)
		}
		topics[t.ID] = t
	}
	seen := make(map[int64]struct{}, len(h.Ops))
	for i := range h.Ops {
		op := &h.Ops[i]
		if _, twice := seen[op.ID]; twice || op.ID <= 0 {
			return fmt.Errorf("history: operation %d: an id that is not above 0 or there twice", op.ID)
		}
		seen[op.ID] = struct{}{}
		if err := op.validate(); err != nil {
			return fmt.Errorf("history: operation %d (%s): %w", op.ID, op.Kind, err)
		}
		if needsTopic(op.Kind) {
			if t := topics[op.Topic]; t == nil || op.Partition < 0 || op.Partition >= t.Partitions {
				return fmt.Errorf("history: operation %d (%s): topic id %q partition %d was not declared", op.ID, op.Kind, op.Topic, op.Partition)
			}
		}
		if last := max(op.Invoke, op.Return); last > h.End {
			return fmt.Errorf("history: operation %d (%s): at %d, after the end %d", op.ID, op.Kind, last, h.End)
		}
	}
	return nil
}

func (o *Op) validate() error {
	switch {
	case o.Client == "":
		return errors.New("no client")
	case o.Invoke < 0 || (o.Return < o.Invoke && o.Return != Never):
		return fmt.Errorf("invoked at %d, returned at %d", o.Invoke, o.Return)
	case o.Outcome != OutcomeOK && o.Outcome != OutcomeFailed && o.Outcome != OutcomeMaybe:
		return fmt.Errorf("outcome %q", o.Outcome)
	case o.OK() && o.Return == Never:
		return errors.New("ok without an answer")
	case o.OK() && o.Code != 0:
		return fmt.Errorf("ok with error code %d", o.Code)
	case o.Outcome == OutcomeFailed && o.Code != 0 && Classify(o.Kind, o.Code) == OutcomeMaybe:
		return fmt.Errorf("failed with error code %d, after which it may have happened", o.Code)
	}
	wants, known := o.bodyOf()
	if !known {
		return errors.New("unknown kind")
	}
	if !wants && (o.OK() || changes(o.Kind)) {
		return errors.New("the body of its kind is missing")
	}
	return o.validateBody()
}

// changes reports whether a kind's body is needed even if the answer is not
// known: it is what may have happened.
func changes(kind Kind) bool {
	switch kind {
	case KindProduce, KindCommitOffset, KindAlterConfig, KindDeleteRecords, KindEndTxn:
		return true
	}
	return false
}

func (o *Op) validateBody() error {
	switch {
	case o.Produce != nil && len(o.Produce.Records) == 0:
		return errors.New("no records")
	case o.Produce != nil && (o.Produce.Acks < -1 || o.Produce.Acks > 1):
		return fmt.Errorf("acks %d", o.Produce.Acks)
	}
	if o.Read != nil {
		for _, r := range o.Read.Records {
			if r.Offset < 0 {
				return fmt.Errorf("read a record at offset %d", r.Offset)
			}
		}
	}
	return nil
}

// bodyOf reports whether the body that the kind wants is there.
func (o *Op) bodyOf() (there, known bool) {
	switch o.Kind {
	case KindProduce:
		return o.Produce != nil, true
	case KindFetch, KindPoll, KindScan:
		return o.Read != nil, true
	case KindListOffsets:
		return o.ListOffsets != nil, true
	case KindEpochEnd:
		return o.EpochEnd != nil, true
	case KindSessionFetch:
		return o.Session != nil, true
	case KindCommitOffset, KindFetchOffset:
		return o.Offset != nil, true
	case KindAssign, KindLeaveGroup, KindDeleteGroup:
		return o.Group != nil, true
	case KindAlterConfig, KindDescribeConfig:
		return o.Config != nil, true
	case KindInitProducerID:
		return o.Producer != nil, true
	case KindDeleteRecords:
		return o.Delete != nil, true
	case KindEndTxn:
		return o.Txn != nil, true
	case KindSeek, KindCreateTopic, KindDeleteTopic, KindMetadata:
		return true, true
	}
	return false, false
}

func needsTopic(kind Kind) bool {
	switch kind {
	case KindProduce, KindFetch, KindPoll, KindScan, KindListOffsets, KindEpochEnd, KindSeek, KindDeleteRecords:
		return true
	}
	return false
}
