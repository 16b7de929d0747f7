package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/moldau/moldau/broker"
	"github.com/moldau/moldau/broker/config"
	"github.com/moldau/moldau/broker/observe"
	"github.com/moldau/moldau/clock/sysclock"
	"github.com/moldau/moldau/disk/osfs"
	"github.com/moldau/moldau/net/tcp"
)

// gcPercent keeps the heap close to what lives in it: most of that is the
// request memory, which is bounded and reused, so collections are rare anyway.
const gcPercent = 50

// runNode builds the node on the real clock, network and disks and runs it
// until ctx ends. ready is called once, when it serves. HTTP opens before the
// node starts, so that its probes tell how far it is.
func runNode(ctx context.Context, cfg *config.Broker, logger *slog.Logger, logs *logQueue, ready func(addresses)) (err error) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	network := tcp.New()
	network.ReceiveBytes, network.SendBytes = cfg.SocketReceiveBytes, cfg.SocketSendBytes
	events := observe.NewCounter(eventLog{logger})
	node, err := broker.New(broker.Config{
		Settings: cfg, FS: osfs.New(), Network: network, Clock: sysclock.New(), Entropy: sysclock.Entropy{},
		Events: events, Shards: runtime.GOMAXPROCS(0), OpenFiles: openFilesMax(),
	})
	if err != nil {
		return err
	}
	httpAddress := ""
	if cfg.HTTPListen != "" {
		server, err := serveHTTP(network, cfg, snapshots{node, logs}, events, logger)
		if err != nil {
			return err
		}
		httpAddress = server.Addr()
		defer func() { err = errors.Join(err, server.Close()) }()
	}
	stopProfiles, err := pushProfiles(cfg, logger)
	if err != nil {
		return err
	}
	defer stopProfiles()

	ended := make(chan struct{})
	watching := make(chan struct{})
	go func() {
		defer close(watching)
		select {
		case <-node.Ready():
			ready(bound(node, cfg, httpAddress))
		case <-ended:
		}
	}()
	err = node.Run(ctx)
	close(ended)
	<-watching
	return err
}

// bound are the addresses that the node really listens on.
func bound(node *broker.Broker, cfg *config.Broker, http string) addresses {
	all := node.Addrs()
	list := func(listeners []config.Listener) string {
		var out []string
		for _, l := range listeners {
			out = append(out, all[l.Name])
		}
		return strings.Join(out, ",")
	}
	return addresses{kafka: list(cfg.ClientListeners()), controller: list(cfg.ControllerListeners()), http: http}
}

func serveHTTP(network *tcp.Network, cfg *config.Broker, node snapshots, events *observe.Counter, logger *slog.Logger) (*observe.Server, error) {
	listener, err := network.Listen(cfg.HTTPListen)
	if err != nil {
		return nil, fmt.Errorf("listen for http on %s: %w", cfg.HTTPListen, reason(err))
	}
	server, err := observe.New(observe.Config{
		Listener: listener, Source: node, Events: events, Logger: logger, Process: true,
		Live: node.node.Live, Ready: node.node.Healthy, Troubles: node.node.Troubles,
	})
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	go func() {
		if err := server.Serve(); err != nil {
			logger.Error("http ended", "error", err)
		}
	}()
	return server, nil
}

// openFilesMax is how many files the process may have open, 0 if that is not
// known. The runtime has raised the soft limit to the hard one.
func openFilesMax() int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0
	}
	return int(min(limit.Cur, math.MaxInt32))
}
