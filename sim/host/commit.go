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
