// Package scenario is the runs that the simulator knows, a small file each, and
// the runner that carries one out.
//
//	Scenario.Plan(Draw) ─► Plan: nodes, topics, clients, faults, script
//	Run: start ► topics ► clients + faults for the duration ► heal ► progress
//	     ► quiet ► final reads ► clean stop ► leftovers ► done line
//
// It is NOT a judge: verdicts are made outside, over the history that a run
// writes. A run itself only says when it could not be carried out (Broken).
//
// Everything that a plan draws comes from the seed's streams.
package scenario
