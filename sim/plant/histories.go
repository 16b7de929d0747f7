package plant

import "github.com/moldau/moldau/internal/guard"

// histories are what real systems once did, each with the scenario that retells it:
// the rules that stand against it today are taken out, and it is there again.
func histories() []Plant {
	order := []string{"log-order"}
	return []Plant{
		{
			Name: "history-kip-101-restart", Scenario: "restart-behind-high-watermark", By: order, Without: []guard.Rule{guard.F1Diverge},
			About: "a follower cuts its log at its own high watermark before it asks the leader",
		},
		{
			Name: "history-kip-101-power", Scenario: "shorter-log-leads", By: order, Without: []guard.Rule{guard.L2Diverging},
			About: "a follower keeps what its leader has something else for",
		},
		{
			Name: "history-kip-279", Scenario: "unclean-in-quick-turns", By: order, Without: []guard.Rule{guard.L2Diverging},
			About: "a follower whose last epoch its leader never saw is not told where their logs part",
		},
		{
			Name: "history-kafka-6880", Scenario: "missed-election", By: order, Without: []guard.Rule{guard.L4LeaderEpoch, guard.L2Diverging},
			About: "a fetch under a leader epoch of old is served",
		},
		{
			Name: "history-kafka-7128", Scenario: "joins-below-epoch-start", By: order, Without: []guard.Rule{guard.L5EpochStart},
			About: "a replica joins ISR with the high watermark alone, which lags after an election",
		},
		{
			Name: "history-kip-207", Scenario: "latest-offset-goes-back", By: []string{"log-order", "lookups"}, Without: []guard.Rule{guard.L6Latest},
			About: "a new leader tells its high watermark, which lags, as the latest offset",
		},
		{
			Name: "history-kip-903", Scenario: "emptied-before-it-joins", By: order, Without: []guard.Rule{guard.C2BrokerEpoch, guard.C2PartitionEpoch},
			About: "a change of ISR is taken although a member is another incarnation by now",
		},
		{
			Name: "history-kip-903-memory", Scenario: "emptied-under-its-name", By: order, Without: []guard.Rule{guard.L4Forget},
			About: "what a follower proved counts on when it has come back as another incarnation",
		},
		{
			Name: "history-kip-966-list", Scenario: "eligible-no-more", By: order, Without: []guard.Rule{guard.C3Empty},
			About: "who was eligible to lead stays so while more is committed without it",
		},
		{
			Name: "history-jepsen-kafka", Scenario: "leader-acknowledges-alone", By: order, Without: []guard.Rule{guard.L3MinISR},
			About: "a leader that is alone in ISR acknowledges",
		},
		{
			Name: "history-kip-966", Scenario: "last-member-loses-power", By: order, Without: []guard.Rule{guard.S5Damaged},
			About: "who lost what it had not synced stays what it was",
		},
		{
			Name: "history-jepsen-nats-power", Scenario: "power-loss-among-pauses", By: order, Without: []guard.Rule{guard.L4Durable},
			About: "what is written and not yet synced is acknowledged",
		},
		{
			Name: "history-jepsen-nats-rot", Scenario: "damaged-log-does-not-lead", By: order, Without: []guard.Rule{guard.S5Damaged, guard.S5Marked},
			About: "a replica that lost a part of its log stays what it was",
		},
	}
}
