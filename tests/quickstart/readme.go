package quickstart

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// command is one line of the quick start.
type command struct {
	line   string // as a shell reads it
	prints string // the last line of its output, if the README says so
	says   bool
}

// blocks are the shell blocks of README.md's quick start.
func blocks(root string) ([][]command, error) {
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		return nil, err
	}
	_, section, found := strings.Cut(string(readme), "\n## Quick start\n")
	if !found {
		return nil, fmt.Errorf("README.md has no section Quick start")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	var out [][]command
	for {
		_, rest, found := strings.Cut(section, "\n```sh\n")
		if !found {
			return out, nil
		}
		block, after, closed := strings.Cut(rest, "```")
		if !closed {
			return nil, fmt.Errorf("README.md: a block of the quick start is not closed")
		}
		section = after
		var commands []command
		for line := range strings.Lines(block) {
			commands = append(commands, parse(strings.TrimSpace(line)))
		}
		out = append(out, commands)
	}
}

var comment = regexp.MustCompile(`\s+# prints: (.*)$`)

func parse(line string) command {
	m := comment.FindStringSubmatchIndex(line)
	if m == nil {
		return command{line: line}
	}
	return command{line: line[:m[0]], prints: line[m[2]:m[3]], says: true}
}
