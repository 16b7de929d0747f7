package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/moldau/moldau/broker/config"
)

// starting are the flags of start.
type starting struct {
	config           string
	set              []string
	data             string
	listen           string
	advertise        string
	http             string
	nodeID           int32
	controllerListen string
	voters           string
	join             string
	hints            bool
}

func (a *app) startCommand() *cobra.Command {
	var s starting
	c := &cobra.Command{
		Use: "start", Short: "Start a node", Args: cobra.NoArgs,
		Long: `Start a node. Without flags: node 1, controller and broker, on 127.0.0.1:9092, the controller's
listener on 127.0.0.1:9093, HTTP on 127.0.0.1:9644, data in ./data.

The settings of --config are those of Kafka's server.properties; the flags stand above them, --set above
the flags. A setting that is wrong refuses the start, one that is unknown is warned of.

A cluster: start each of its nodes with --node-id, --listen, --controller-listen, and the same --voters;
the node with the lowest id makes the cluster once all of them are there. One more node: --node-id, --listen
and --join; with --controller-listen it can be made a voter by 'moldau cluster quorum add'.`,
	}
	f := c.Flags()
	f.StringVar(&s.config, "config", "", "a server.properties of Kafka's")
	f.StringArrayVar(&s.set, "set", nil, "a setting, as name=value; may be repeated")
	f.StringVar(&s.data, "data", "", "data directory (log.dirs)")
	f.StringVar(&s.listen, "listen", "", "address for clients, as host:port (listeners)")
	f.StringVar(&s.advertise, "advertise", "", "address that clients are told, as host:port (advertised.listeners)")
	f.StringVar(&s.http, "http", "", "address of metrics and health (moldau.http.listen)")
	f.Int32Var(&s.nodeID, "node-id", -1, "this node's number (node.id)")
	f.StringVar(&s.controllerListen, "controller-listen", "", "address for controllers, as host:port (listeners)")
	f.StringVar(&s.voters, "voters", "", "all controllers of a new cluster, as id@host:port,... (controller.quorum.voters)")
	f.StringVar(&s.join, "join", "", "controllers of a running cluster, as host:port,... (controller.quorum.bootstrap.servers)")
	f.BoolVar(&s.hints, "hints", false, "print what to try next even if the output is no terminal")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if c.Flags().Changed("node-id") && s.nodeID < 0 {
			return a.usageError("invalid value \"%d\" for --node-id: want at least 0", s.nodeID)
		}
		properties, err := a.startProperties(&s)
		if err != nil {
			return err
		}
		cfg, report, err := config.Load(properties)
		if err != nil {
			return err
		}
		if host, err := os.Hostname(); err == nil {
			cfg.SetHostname(host)
		} else {
			cfg.SetHostname("localhost")
		}
		logs := newLogQueue(a.errs, cfg)
		defer logs.Close()
		logger := newLogger(logs, cfg)
		for _, w := range report.Warnings {
			logger.Warn(w)
		}
		return a.start(cfg, logger, logs, s.hints || isTerminal(a.out))
	}
	return c
}

// startProperties are the file's settings, then the flags', then those of --set.
func (a *app) startProperties(s *starting) ([]config.Property, error) {
	var properties []config.Property
	if s.config != "" {
		file, err := os.Open(s.config)
		if err != nil {
			return nil, fmt.Errorf("read the configuration: %w", err)
		}
		defer file.Close()
		if properties, err = config.ParseProperties(file); err != nil {
			return nil, fmt.Errorf("%s: %w", s.config, err)
		}
	}
	add := func(name, value string) {
		if value != "" {
			properties = append(properties, config.Property{Name: name, Value: value})
		}
	}
	add("log.dirs", s.data)
	add("moldau.http.listen", s.http)
	add("controller.quorum.voters", s.voters)
	add("controller.quorum.bootstrap.servers", s.join)
	if s.nodeID >= 0 {
		add("node.id", fmt.Sprint(s.nodeID))
	}
	add("listeners", s.listeners())
	if s.advertise != "" {
		add("advertised.listeners", "PLAINTEXT://"+s.advertise)
	}
	for _, text := range s.set {
		name, value, ok := strings.Cut(text, "=")
		if !ok || name == "" {
			return nil, a.usageError("invalid value %q for --set: want name=value", text)
		}
		properties = append(properties, config.Property{Name: name, Value: value})
	}
	return properties, nil
}

// listeners are those of the flags. Where only the clients' is given, the
// settings add the controller's if the node needs one.
func (s *starting) listeners() string {
	switch {
	case s.controllerListen == "" && s.listen == "":
		return ""
	case s.controllerListen == "":
		return "PLAINTEXT://" + s.listen
	case s.listen == "":
		return "PLAINTEXT://" + defaultBrokers + ",CONTROLLER://" + s.controllerListen
	}
	return "PLAINTEXT://" + s.listen + ",CONTROLLER://" + s.controllerListen
}

func newLogger(w io.Writer, cfg *config.Broker) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(cfg.LogLevel)) // checked by the settings
	return slog.New(logHandler(w, cfg, level))
}

// logHandler writes lines of the form that cfg says.
func logHandler(w io.Writer, cfg *config.Broker, level slog.Level) slog.Handler {
	options := &slog.HandlerOptions{Level: level}
	if cfg.LogFormat == "json" {
		return slog.NewJSONHandler(w, options)
	}
	return slog.NewTextHandler(w, options)
}

// isTerminal reports whether a person reads w.
func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// start runs the node until it fails or a signal ends it. The second signal
// ends the process at once.
func (a *app) start(cfg *config.Broker, logger *slog.Logger, logs *logQueue, hints bool) error {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	finished := make(chan struct{})
	defer close(finished)
	go func() {
		select {
		case s := <-signals:
			logger.Info("stopping", "signal", s.String())
			stop()
		case <-finished:
			return
		}
		select {
		case <-signals:
			logs.Close()
			os.Exit(exitFail)
		case <-finished:
		}
	}()
	err := runNode(ctx, cfg, logger, logs, func(bound addresses) { a.ready(cfg, bound, hints) })
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// addresses are those really listened on; empty for none.
type addresses struct{ kafka, controller, http string }

// ready prints the one line that says that the node serves.
func (a *app) ready(cfg *config.Broker, bound addresses, hints bool) {
	line := fmt.Sprintf("ready node=%d", cfg.NodeID)
	for _, part := range [][2]string{{"kafka", bound.kafka}, {"controller", bound.controller}, {"http", bound.http}, {"data", strings.Join(cfg.LogDirs, ",")}} {
		if part[1] != "" {
			line += " " + part[0] + "=" + part[1]
		}
	}
	a.println("%s", line)
	if !hints {
		return
	}
	at := ""
	if first, _, _ := strings.Cut(bound.kafka, ","); first != defaultBrokers {
		at = " -b " + first
	}
	a.println("  bin/moldau topic create greetings -p 3%s", at)
	a.println("  echo hello | bin/moldau produce greetings%s", at)
	a.println("  bin/moldau consume greetings -n 1%s", at)
}
