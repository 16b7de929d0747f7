package main

import (
	"os/exec"
	"strings"
)

// commit names the code that runs: the commit, with "-changed" where the
// checkout differs from it.
func commit() string {
	head, err := exec.Command("git", "rev-parse", "--short=12", "HEAD").Output()
	if err != nil {
		return "unknown"
	}
	name := strings.TrimSpace(string(head))
	if changed, err := exec.Command("git", "status", "--porcelain", "--untracked-files=no").Output(); err != nil || len(changed) > 0 {
		name += "-changed"
	}
	return name
}

// brokerFolders hold the code that a node runs.
var brokerFolders = [...]string{"broker", "disk", "net", "clock"}

// brokerCommit names the newest commit that changed what a node runs: runs on
// later ones say the same about it.
func brokerCommit() string {
	args := append([]string{"log", "-1", "--format=%H", "--"}, brokerFolders[:]...)
	out, err := exec.Command("git", args...).Output()
	name := strings.TrimSpace(string(out))
	if err != nil || len(name) < commitLen {
		return "unknown"
	}
	return name[:commitLen]
}

// commitLen is how many digits of a commit name it.
const commitLen = 12
