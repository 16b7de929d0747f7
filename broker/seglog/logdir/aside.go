package logdir

import (
	"fmt"
	"strings"

	"github.com/moldau/moldau/broker/seglog"
)

// setAside empties the folder of a partition that is Lost, in which its log
// begins anew: its segments are kept under names of ours, for people to look into.
// What says whose log it is goes first, so that a crash leaves a folder that is
// Lost still; the folder is synced with its new partition.metadata.
func (d *Dir) setAside(p *Partition) error {
	dir := p.path()
	list, err := d.cfg.FS.List(dir)
	if err != nil || len(list) == 0 {
		return err
	}
	if err := ignoreMissing(d.cfg.FS.Remove(dir + "/" + seglog.PartitionMetadataFile)); err != nil {
		return err
	}
	taken := make(map[string]bool, len(list))
	for _, info := range list {
		taken[info.Name] = true
	}
	bytes, kept := int64(0), ""
	for _, info := range list {
		base, suffix, ok := seglog.ParseFileName(info.Name)
		switch {
		case strings.HasPrefix(info.Name, damagedPrefix) || info.Name == seglog.PartitionMetadataFile:
		case ok && suffix == seglog.LogSuffix && info.Size > 0:
			kept = freeName(taken, keptName(base, 0))
			if err := d.cfg.FS.Rename(dir+"/"+info.Name, dir+"/"+kept); err != nil {
				return err
			}
			bytes += info.Size
		default:
			if err := d.cfg.FS.Remove(dir + "/" + info.Name); err != nil {
				return err
			}
		}
	}
	d.cfg.Events.Emit(LogCut{
		Dir: d.cfg.Path, Topic: p.topic, Partition: p.id.Partition, Bytes: bytes, Kept: kept,
		Reason: "nothing said that the folder held this topic's log",
	})
	return nil
}

// freeName is want, with a number behind it if that is taken.
func freeName(taken map[string]bool, want string) string {
	file := want
	for n := 1; taken[file]; n++ {
		file = fmt.Sprintf("%s.%d", want, n)
	}
	return file
}
