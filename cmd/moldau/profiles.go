package main

import (
	"fmt"
	"log/slog"
	"strconv"

	"github.com/grafana/pyroscope-go"

	"github.com/moldau/moldau/broker/config"
)

// pushProfiles sends profiles to moldau.pyroscope.url, if there is one, until
// the returned function is called.
func pushProfiles(cfg *config.Broker, logger *slog.Logger) (func(), error) {
	if cfg.PyroscopeURL == "" {
		return func() {}, nil
	}
	profiler, err := pyroscope.Start(pyroscope.Config{
		ApplicationName: "moldau",
		ServerAddress:   cfg.PyroscopeURL,
		Tags:            map[string]string{"node": strconv.Itoa(int(cfg.NodeID))},
		Logger:          profileLog{logger},
	})
	if err != nil {
		return nil, fmt.Errorf("push profiles to %s: %w", cfg.PyroscopeURL, err)
	}
	return func() {
		if err := profiler.Stop(); err != nil {
			logger.Warn("the last profiles were not pushed", "error", err)
		}
	}, nil
}

// profileLog is the log as pyroscope wants it. A server that cannot be reached
// is a warning, never a failure of the node.
type profileLog struct{ logger *slog.Logger }

func (l profileLog) Infof(format string, args ...any)  { l.logger.Debug(fmt.Sprintf(format, args...)) }
func (l profileLog) Debugf(format string, args ...any) { l.logger.Debug(fmt.Sprintf(format, args...)) }
func (l profileLog) Errorf(format string, args ...any) {
	l.logger.Warn("profiles: " + fmt.Sprintf(format, args...))
}
