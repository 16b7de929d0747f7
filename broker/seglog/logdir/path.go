package logdir

// Path is the directory's path, as configured.
func (d *Dir) Path() string { return d.cfg.Path }
