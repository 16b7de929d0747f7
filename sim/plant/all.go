package plant

import "slices"

// All are the plants, in a fixed order.
func All() []Plant { return slices.Concat(single(), replicated(), histories()) }

// single are bugs that one node shows.
func single() []Plant {
	return []Plant{
		{
			Name: "ack-before-write", Scenario: "recovery", By: []string{"log-order"},
			About: "a produce request is answered as soon as its offsets are known",
			Edits: []Edit{{"broker/replica/wait.go", "\tif queue == allQueue {\n\t\treturn r.hw\n\t}\n\treturn r.committable()\n", "\treturn r.log.Next()\n"}},
		},
		{
			Name: "ack-before-sync", Scenario: "recovery", By: []string{"log-order"},
			About: "durability sync counts what is written and not yet durable",
			Edits: []Edit{{"broker/replica/replica.go", "if r.cfg.Durability == kafka.DurabilityOS {", "if r.cfg.Durability == kafka.DurabilityOS || r.leo >= 0 {"}},
		},
		{
			Name: "recovery-without-crc", Scenario: "recovery", By: []string{"log-order"},
			About: "recovery keeps batches whose checksum is wrong",
			Edits: []Edit{{"broker/seglog/scan.go", "if err := batch.CheckCRC(b); err != nil {", "if err := batch.CheckCRC(b); err != nil && len(b) == 0 {"}},
		},
		{
			Name: "duplicates-forgotten", Scenario: "idempotent", By: []string{"idempotence", "log-order"},
			About: "what producers sent last is forgotten over a restart",
			Edits: []Edit{{"broker/seglog/log.go", "NewProducerTable(cfg.ProducersMax, st.Producers)", "NewProducerTable(cfg.ProducersMax, nil)"}},
		},
		{
			Name: "fetch-above-high-watermark", Scenario: "journal-power", By: []string{"log-order"},
			About: "consumers are given what is written and not yet committed",
			Edits: []Edit{{"broker/replica/fetch.go", "upTo := a.HighWatermark\n", "upTo := r.leo\n"}},
		},
		{
			Name: "index-search-off-by-one", Scenario: "mixed", By: []string{"log-order"},
			About: "the search in the offset index may end one entry too far",
			Edits: []Edit{{"broker/seglog/index.go", "return at(i).Offset > offset })", "return at(i).Offset > offset+1 })"}},
		},
		{
			Name: "truncation-too-far", Scenario: "recovery", By: []string{"log-order"},
			About: "recovery cuts the last sound batch off with a torn one",
			Edits: []Edit{
				{"broker/seglog/scan.go", "\tsegment Segment\n}", "\tsegment Segment\n\tbefore  *Scanner\n}"},
				{"broker/seglog/scan.go", "\tr := Scanned{Batch: *b}\n", "\tbefore := *s\n\ts.before = &before\n\tr := Scanned{Batch: *b}\n"},
				{"broker/seglog/scan.go", ") *CutError {\n\treturn &CutError{\n", ") *CutError {\n\tif s.before != nil {\n\t\t*s = *s.before\n\t}\n\treturn &CutError{\n"},
			},
		},
		{
			Name: "wall-clock-timeout", Scenario: "clocks", By: []string{"liveness"},
			About: "a fetch waits by the wall clock, which may jump",
			Edits: []Edit{
				{"broker/api/01_fetch.go", "deadline := c.h.cfg.Clock.Mono().Add(min(millis(c.req.maxWaitMs), fetchWaitMax))", "deadline := c.h.cfg.Clock.Wall() + min(millis(c.req.maxWaitMs), fetchWaitMax).Milliseconds()"},
				{"broker/api/01_fetch.go", "left := deadline.Sub(c.h.cfg.Clock.Mono())", "left := millis(int32(min(deadline-c.h.cfg.Clock.Wall(), 1<<30)))"},
			},
		},
		{
			Name: "producer-ids-reused", Scenario: "idempotent", By: []string{"idempotence"},
			About: "the next block of producer ids overlaps the one before",
			Edits: []Edit{{"broker/controller/producer_ids.go", "NextProducerID: first + producerIDBlock}", "NextProducerID: first + 1}"}},
		},
		{
			Name: "checkpoint-before-data", Scenario: "journal-hang", By: []string{"log-order"},
			About: "the marks name an end that no commit has made durable yet",
			Edits: []Edit{{"broker/seglog/logdir/marks.go", "if err := d.committer.call(func(*committer) error { return nil }); err != nil {", "if err := error(nil); err != nil {"}},
		},
		{
			Name: "journal-recycled-too-soon", Scenario: "journal-power", By: []string{"log-order"},
			About: "journal blocks are used again before the segments they stand for are synced",
			Edits: []Edit{{"broker/seglog/logdir/marks.go", "if err := d.syncRecycled(blocks); err != nil {", "if err := d.syncRecycled(nil); err != nil {"}},
		},
		{
			Name: "commit-before-write", Scenario: "groups", By: []string{"groups", "registers"},
			About: "an offset commit is answered before its record is written",
			Edits: []Edit{{"broker/coord/runtime.go", "if len(out.Records) == 0 && (!out.Barrier || r.end <= r.highWatermark) {", "if len(out.Replies) > 0 {"}},
		},
	}
}
