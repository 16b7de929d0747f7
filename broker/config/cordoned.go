package config

import "slices"

const cordonedName = "cordoned.log.dirs"

// CordonedDirs are those of a broker's log directories that get no new replicas
// (KIP-1066), by the broker's layers. Names that are none of them are left out.
func CordonedDirs(l Layers, dirs []string) (cordoned []string) {
	named := l.effective(table.byBroker[cordonedName]).Value.List
	for _, dir := range dirs {
		if slices.Contains(named, "*") || slices.Contains(named, dir) {
			cordoned = append(cordoned, dir)
		}
	}
	return cordoned
}
