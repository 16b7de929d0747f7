package main

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/moldau/moldau/broker/dump"
	"github.com/moldau/moldau/disk/osfs"
	"github.com/moldau/moldau/disk/vfs"
)

func (a *app) dumpCommand() *cobra.Command {
	var opt dump.Options
	var decoder string
	c := &cobra.Command{
		Use: "dump FILE...", Short: "Print files of a data directory: segments, indexes, snapshots, checkpoints", Args: cobra.MinimumNArgs(1),
		Long: "Print files of a data directory: segments, indexes, producer and metadata snapshots, checkpoints.\n" +
			"The kind follows from the name. With --format json each line is an object.",
	}
	c.Flags().BoolVar(&opt.SkipRecords, "skip-records", false, "show the batches of a segment alone")
	c.Flags().StringVar(&decoder, "decoder", string(dump.DecoderAuto), "how records are read: auto, none, metadata, offsets, transactions or share-state")
	c.RunE = func(_ *cobra.Command, names []string) error {
		opt.Decoder = dump.Decoder(decoder)
		if a.json() {
			opt.Format = dump.JSON
		}
		fs := osfs.New()
		var failed []error
		for _, name := range names {
			path, err := filepath.Abs(name)
			if err == nil {
				var info vfs.Info
				if info, err = fs.Stat(path); err == nil && info.Dir {
					err = errors.New("is a directory: want the files in it")
				}
			}
			if err != nil {
				failed = append(failed, fmt.Errorf("dump %s: %w", name, reason(err)))
				continue
			}
			if err := dump.File(a.out, fs, path, opt); err != nil {
				failed = append(failed, err)
			}
		}
		if len(failed) > 1 {
			return fmt.Errorf("%d of %d files: %w", len(failed), len(names), errors.Join(failed...))
		}
		return errors.Join(failed...)
	}
	return c
}
