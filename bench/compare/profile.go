package compare

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/moldau/moldau/bench/load"
)

// Profile runs a scenario once more on Moldau at os, not measured, and writes
// CPU profiles of all nodes' first d of it and their common listing to dir.
func (c *Config) Profile(ctx context.Context, s load.Scenario, d time.Duration, dir string) (err error) {
	nodes, target := c.side(MoldauOS)
	target.Prefix = "profile-"
	path := filepath.Join(dir, "cpu-"+s.Name)
	var files []string
	for i := range nodes.Nodes {
		file := path
		if len(nodes.Nodes) > 1 {
			file = fmt.Sprintf("%s-%d", path, i+1)
		}
		files = append(files, file+".pb.gz")
	}
	_, err = load.Run(ctx, target, s, func(part func() error) error {
		taken := make(chan error, len(files))
		for i, file := range files {
			go func() {
				taken <- fetch(ctx, fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", nodes.Nodes[i].HTTP, max(1, int(d.Seconds()))), file)
			}()
		}
		err := part()
		for range files {
			err = errors.Join(err, <-taken)
		}
		return err
	})
	if s.Kind == load.Consume {
		err = errors.Join(err, load.Forget(ctx, target, s))
	}
	if err != nil {
		return fmt.Errorf("profile %s: %w", s.Name, err)
	}
	var listing []byte
	for _, order := range []string{"-flat", "-cum"} {
		top, err := exec.CommandContext(ctx, "go", append([]string{"tool", "pprof", "-top", order, "-nodecount=40"}, files...)...).Output()
		if err != nil {
			return fmt.Errorf("list the profile of %s: %w", s.Name, err)
		}
		listing = append(listing, top...)
	}
	c.Say("profile of %s: %s, listed in %s.txt", s.Name, strings.Join(files, ", "), path)
	return os.WriteFile(path+".txt", listing, 0o644)
}

func fetch(ctx context.Context, url, path string) (err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, answer.Status)
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, answer.Body)
	return errors.Join(err, f.Close())
}
