package linearizability

import "github.com/moldau/moldau/linearizability/history"

type index struct{}

func newIndex(*history.History) (*index, error) { return &index{}, nil }
func (*index) describe(*history.Op) string      { return "" }
func checkLogOrder(r *run)                      {}
func checkRegisters(r *run)                     {}
func checkAnomalies(r *run)                     {}
func checkIdempotence(r *run)                   {}
func checkGroups(r *run)                        {}
func checkRetention(r *run)                     {}
func checkLookups(r *run)                       {}
func checkLiveness(r *run)                      {}
