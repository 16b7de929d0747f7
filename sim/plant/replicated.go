package plant

// replicated are bugs of several nodes: of replicas, of who leads them, and of
// the controllers that decide so.
func replicated() []Plant {
	return []Plant{
		{
			Name: "ack-by-leader-alone", Scenario: "leader-isolated", By: []string{"log-order"},
			About: "the high watermark waits for no follower",
			Edits: []Edit{{"broker/replica/leader.go", "if !r.counted(f.broker) {", "if f.broker >= 0 {"}},
		},
		{
			Name: "fetched-is-durable", Scenario: "power-loss-all", By: []string{"log-order"},
			About: "the leader counts what a follower has written and not yet synced",
			Edits: []Edit{{"broker/replica/leader.go", "if r.cfg.Out.Out(guard.L4Durable) {", "if r.leo >= 0 {"}},
		},
		{
			Name: "report-before-sync", Scenario: "power-loss-all", By: []string{"log-order"},
			About: "a follower says that it has made durable what it has only written",
			Edits: []Edit{
				{"broker/replica/follower.go", "durable := r.committable()\n\treturn Ask{", "durable := r.leo\n\treturn Ask{"},
				{"broker/replica/follower.go", "durable := r.committable()\n\treturn Position{", "durable := r.leo\n\treturn Position{"},
			},
		},
		{
			Name: "min-insync-ignored", Scenario: "cluster", By: []string{"log-order"},
			About: "the high watermark moves while ISR is below min.insync.replicas",
			Edits: []Edit{{"broker/replica/leader.go", "if !r.leading || r.offline || len(r.role.ISR) < r.role.MinISR && !r.cfg.Out.Out(guard.L3MinISR) {", "if !r.leading || r.offline {"}},
		},
		{
			Name: "removal-at-once", Scenario: "leader-isolated", By: []string{"log-order"},
			About: "a member that the leader asked to take out of ISR counts no more before the controller has agreed",
			Edits: []Edit{{"broker/replica/leader.go", "return !r.cfg.Out.Out(guard.L3Removal) || !slices.Contains(r.isr.removing, broker)", "return !slices.Contains(r.isr.removing, broker)"}},
		},
		{
			Name: "truncates-to-high-watermark", Scenario: "cluster", By: []string{"log-order"},
			About: "a follower cuts its log at its own high watermark when the leader changes, as Kafka did before KIP-101",
			Edits: []Edit{{"broker/replica/follower.go", "may && r.hw < r.leo && r.cfg.Out.Out(guard.F1Diverge) {", "may && r.hw < r.leo {"}},
		},
		{
			Name: "never-diverges", Scenario: "pause-leader", By: []string{"log-order"},
			About: "a leader answers a follower whose log left its own as if it had not",
			Edits: []Edit{{"broker/replica/leader.go", "if (epoch < f.LastFetchedEpoch || end < f.Offset) && !r.cfg.Out.Out(guard.L2Diverging) {", "if epoch < -1 {"}},
		},
		{
			Name: "joins-without-catching-up", Scenario: "joins-below-epoch-start", By: []string{"log-order"},
			About: "a replica is taken into ISR before it has what is committed",
			Edits: []Edit{{"broker/replica/isr.go", "(f.durable >= r.hw || out.Out(guard.L5HighWatermark)) &&\n\t\t(f.durable >= r.epochStart || out.Out(guard.L5EpochStart)) &&\n", "true &&\n"}},
		},
		{
			Name: "positions-outlive-restarts", Scenario: "emptied-under-its-name", By: []string{"log-order"},
			About: "what a follower proved counts on after it has registered anew",
			Edits: []Edit{{"broker/replica/leader.go", "case r.cfg.Out.Out(guard.L4Forget):", "case had[i].epoch != f.epoch:"}},
		},
		{
			Name: "latest-before-settled", Scenario: "latest-offset-goes-back", By: []string{"log-order", "lookups"},
			About: "a new leader answers with its latest offset before it knows what is committed (KIP-207)",
			Edits: []Edit{{"broker/replica/listoffset.go", "if !q.Debug && r.epochStart > upTo && !r.cfg.Out.Out(guard.L6Latest) {", "if !q.Debug && r.epochStart > upTo && r.cfg.Out.Out(guard.L6Latest) {"}},
		},
		{
			Name: "lag-without-end", Scenario: "slow-follower", By: []string{"liveness"},
			About: "a follower that lags stays in ISR",
			Edits: []Edit{{"broker/replica/leader.go", "now.Mono.Sub(f.caughtUp) > r.cfg.LagMax", "now.Mono.Sub(f.caughtUp) > 100*r.cfg.LagMax"}},
		},
		{
			Name: "elects-anyone", Scenario: "unclean-forbidden", By: []string{"log-order"},
			About: "a live replica outside of ISR and ELR is elected though the topic forbids it",
			Edits: []Edit{{"broker/controller/elect.go", "if b, ok := c.candidate(c.replicas); ok && c.out.Out(guard.C1Clean) {", "if b, ok := c.candidate(c.replicas); ok {"}},
		},
		{
			Name: "registration-keeps-lead", Scenario: "power-loss-all", By: []string{"log-order"},
			About: "a broker that comes back leads on in its old leader epoch",
			Edits: []Edit{{"broker/controller/broker_register.go", "if p.Leader == broker && x.m.cfg.Out.Out(guard.L1Controller) {", "if p.Leader == broker && !x.m.cfg.Out.Out(guard.L1Controller) {"}},
		},
		{
			Name: "epoch-outlives-leader", Scenario: "leader-isolated", By: []string{"log-order"},
			About: "a leader that takes over from another one begins no leader epoch",
			Edits: []Edit{{"broker/metaimage/partition.go", "q.LeaderEpoch++", "if p.Leader == NoLeader || r.Leader == NoLeader {\n\t\t\tq.LeaderEpoch++\n\t\t}"}},
		},
		{
			Name: "elr-never-emptied", Scenario: "eligible-no-more", By: []string{"log-order"},
			About: "who was eligible to lead stays so while the high watermark moves on without it",
			Edits: []Edit{{"broker/controller/change.go", "if !c.out.Out(guard.C3Empty) {", "if c.out.Out(guard.C3Empty) {"}},
		},
		{
			Name: "metadata-log-unsynced", Scenario: "power-loss-all", By: []string{"log-order", "liveness", "groups", "registers", "idempotence", "lookups"},
			About: "a controller counts a metadata record towards its majority before it is durable",
			Edits: []Edit{{"broker/raftmeta/logstore.go", "if err := seg.file.Sync(); err != nil {\n\t\treturn s.fail(fmt.Errorf(\"sync raft log", "if err := error(nil); err != nil {\n\t\treturn s.fail(fmt.Errorf(\"sync raft log"}},
		},
	}
}
