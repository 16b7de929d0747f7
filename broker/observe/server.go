package observe

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/pprof"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/moldau/moldau/net/transport"
)

const (
	// connectionsMax bounds open connections; further ones are closed at once.
	connectionsMax = 64
	// scrapesMax bounds scrapes at a time; further ones get 503.
	scrapesMax = 4
	// headerBytesMax bounds a request's header.
	headerBytesMax = 16 << 10
	// readTimeout is how long a request's header, or the next request, may take;
	// writeTimeout how long a client may take nothing of an answer. A profile
	// sends nothing while it runs, which does not count.
	readTimeout  = 30 * time.Second
	writeTimeout = 30 * time.Second
)

// Config is what a Server is made of. Listener and Source are required.
type Config struct {
	// Listener belongs to the Server from New on.
	Listener transport.Listener
	Source   Source
	// Events is shown as moldau_events_total; nil shows none.
	Events *Counter
	// Live says why the process should be ended, nil if it should not; Ready
	// why it should get no traffic. Nil functions mean always well.
	Live, Ready func() error
	// Troubles are what an operator should know, a line each, below the answer
	// of both; nil tells none.
	Troubles func() []string
	// Logger gets the HTTP server's complaints; nil drops them.
	Logger *slog.Logger
	// Process adds the metrics of the Go runtime and the process.
	Process bool
}

// Server is the HTTP server. Make it with New, then Serve, then Close.
type Server struct {
	listener *listener
	http     *http.Server
	once     sync.Once
}

// New makes a Server that does not serve yet.
func New(cfg Config) (*Server, error) {
	if cfg.Listener == nil || cfg.Source == nil {
		return nil, errors.New("observe config: listener and source are required")
	}
	logger := cfg.Logger
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	return &Server{
		listener: newListener(cfg.Listener),
		http: &http.Server{
			Handler: handler(&cfg), MaxHeaderBytes: headerBytesMax,
			ReadHeaderTimeout: readTimeout, IdleTimeout: readTimeout,
			ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
		},
	}, nil
}

// Addr is the address listened on, with the real port.
func (s *Server) Addr() string { return s.listener.inner.Addr() }

// Serve answers until Close. It returns nil after Close.
func (s *Server) Serve() error {
	if err := s.http.Serve(s.listener); err != nil && !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve http on %s: %w", s.Addr(), err)
	}
	return nil
}

// Close ends the listener and all connections.
func (s *Server) Close() error {
	err := error(nil)
	s.once.Do(func() { err = s.http.Close(); err = errors.Join(err, s.listener.Close()) })
	return err
}

func handler(cfg *Config) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(&collector{source: cfg.Source, descs: descs{}})
	if cfg.Events != nil {
		registry.MustRegister(cfg.Events)
	}
	if cfg.Process {
		registerProcess(registry)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{MaxRequestsInFlight: scrapesMax, ErrorHandling: promhttp.ContinueOnError}))
	mux.HandleFunc("GET /healthz", probe(cfg.Live, cfg.Troubles))
	mux.HandleFunc("GET /readyz", probe(cfg.Ready, cfg.Troubles))
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	mux.HandleFunc("GET /{$}", index)
	return mux
}

// probe answers 200 and ok, or 503 and the reason, and below it the troubles.
func probe(state func() error, troubles func() []string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		lines := []string{"ok"}
		status := http.StatusOK
		if state != nil {
			if err := state(); err != nil {
				status, lines[0] = http.StatusServiceUnavailable, err.Error()
			}
		}
		if troubles != nil {
			lines = append(lines, troubles()...)
		}
		w.WriteHeader(status)
		io.WriteString(w, strings.Join(lines, "\n")+"\n")
	}
}

func index(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	io.WriteString(w, "moldau\n\n/metrics\n/healthz\n/readyz\n/debug/pprof/\n")
}
