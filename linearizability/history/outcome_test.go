package history_test

import (
	"testing"

	"github.com/moldau/moldau/linearizability/history"
)

// changing are the kinds that change something.
var changing = []history.Kind{
	history.KindProduce, history.KindCommitOffset, history.KindCreateTopic, history.KindDeleteTopic, history.KindAlterConfig,
	history.KindInitProducerID, history.KindDeleteRecords, history.KindAssign, history.KindLeaveGroup, history.KindDeleteGroup, history.KindEndTxn,
}

// TestMaybeWhateverTheKind: these can follow a change, in every API that makes
// one: an unexpected error, lost leadership, time, a broken connection, a
// failed disk, too few replicas.
func TestMaybeWhateverTheKind(t *testing.T) {
	for _, kind := range changing {
		for _, code := range []int16{-1, 5, 6, 7, 9, 13, 19, 20, 41, 56, 1000} {
			if got := history.Classify(kind, code); got != history.OutcomeMaybe {
				t.Errorf("%s with code %d: %s", kind, code, got)
			}
		}
		if got := history.Classify(kind, 0); got != history.OutcomeOK {
			t.Errorf("%s with code 0: %s", kind, got)
		}
	}
}

// TestOutcomes has the codes of each API of which one could think otherwise.
func TestOutcomes(t *testing.T) {
	for _, c := range []struct {
		kind history.Kind
		code int16
		want history.Outcome
		why  string
	}{
		{history.KindProduce, 2, history.OutcomeFailed, "checked before the append"},
		{history.KindProduce, 3, history.OutcomeMaybe, "the topic went while the batch waited"},
		{history.KindProduce, 10, history.OutcomeFailed, "too large"},
		{history.KindProduce, 45, history.OutcomeFailed, "out of order"},
		{history.KindProduce, 46, history.OutcomeMaybe, "a duplicate was appended before"},
		{history.KindProduce, 47, history.OutcomeFailed, "fenced"},
		{history.KindProduce, 100, history.OutcomeMaybe, "as 3"},
		{history.KindCommitOffset, 14, history.OutcomeFailed, "still loading"},
		{history.KindCommitOffset, 15, history.OutcomeMaybe, "what a failed append is turned into"},
		{history.KindCommitOffset, 16, history.OutcomeMaybe, "leadership was lost, perhaps after the append"},
		{history.KindCommitOffset, 22, history.OutcomeFailed, "an old generation"},
		{history.KindCommitOffset, 25, history.OutcomeFailed, "an unknown member"},
		{history.KindCommitOffset, 27, history.OutcomeFailed, "refused while rebalancing"},
		{history.KindCreateTopic, 36, history.OutcomeMaybe, "there already, perhaps by an earlier try of the broker's"},
		{history.KindCreateTopic, 37, history.OutcomeFailed, "wrong partitions"},
		{history.KindDeleteTopic, 3, history.OutcomeMaybe, "not there, perhaps by an earlier try of the broker's"},
		{history.KindDeleteTopic, 100, history.OutcomeMaybe, "as 3"},
		{history.KindAlterConfig, 40, history.OutcomeFailed, "not a value"},
		{history.KindDeleteRecords, 1, history.OutcomeFailed, "above the high watermark"},
		{history.KindDeleteRecords, 3, history.OutcomeMaybe, "the topic went while the answer waited"},
		{history.KindInitProducerID, 51, history.OutcomeFailed, "another transaction is going on"},
		{history.KindAssign, 79, history.OutcomeFailed, "only a member id was made"},
		{history.KindAssign, 27, history.OutcomeMaybe, "it may have joined"},
		{history.KindDeleteGroup, 68, history.OutcomeFailed, "not empty"},
		{history.KindEndTxn, 51, history.OutcomeMaybe, "it may be going on"},
		{history.KindFetch, 1, history.OutcomeFailed, "reads change nothing"},
		{history.KindFetchOffset, -1, history.OutcomeFailed, "reads change nothing"},
		{history.KindListOffsets, 78, history.OutcomeFailed, "reads change nothing"},
	} {
		if got := history.Classify(c.kind, c.code); got != c.want {
			t.Errorf("%s with code %d: %s, want %s: %s", c.kind, c.code, got, c.want, c.why)
		}
	}
}
