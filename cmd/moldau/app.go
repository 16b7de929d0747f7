package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	defaultBrokers = "127.0.0.1:9092"
	dialTimeout    = 5 * time.Second
)

// app is one invocation: its streams and what all commands share.
type app struct {
	in        io.Reader
	out, errs io.Writer
	getenv    func(string) string

	brokers string // host:port, comma-separated
	format  string // table or json
	timeout time.Duration

	started bool // a command runs: errors are no longer of usage
}

// usageError is a wrong use that only shows once a command runs.
func (a *app) usageError(format string, args ...any) error {
	a.started = false
	return fmt.Errorf(format, args...)
}

func (a *app) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "moldau",
		Short:         "Apache Kafka's whole system in one binary",
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if a.format != "table" && a.format != "json" {
				return fmt.Errorf("invalid value %q for --format: want table or json", a.format)
			}
			if a.timeout <= 0 {
				return fmt.Errorf("invalid value %q for --timeout: want more than 0", a.timeout)
			}
			a.started = true
			return nil
		},
	}
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.errs)
	brokers := a.getenv("MOLDAU_BROKERS")
	if brokers == "" {
		brokers = defaultBrokers
	}
	flags := root.PersistentFlags()
	flags.StringVarP(&a.brokers, "brokers", "b", brokers, "brokers to ask first, as host:port,... (or MOLDAU_BROKERS)")
	flags.StringVar(&a.format, "format", "table", "form of the output: table or json")
	flags.DurationVar(&a.timeout, "timeout", 10*time.Second, "longest wait for an answer")
	root.AddCommand(a.startCommand(), a.topicCommand(), a.produceCommand(), a.consumeCommand(),
		a.groupCommand(), a.configCommand(), a.clusterCommand(), a.dumpCommand(), a.versionCommand())
	explainUsage(root)
	return root
}

// group is a command that only holds others.
func group(use, short string, commands ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	c.AddCommand(commands...)
	return c
}

func (a *app) json() bool { return a.format == "json" }

// client connects to the cluster. The first request is made here, so that a
// cluster that cannot be reached is told at once and in one line.
func (a *app) client(ctx context.Context, opts ...kgo.Opt) (*kgo.Client, error) {
	var seeds []string
	for _, s := range strings.Split(a.brokers, ",") {
		if s = strings.TrimSpace(s); s == "" {
			continue
		}
		if _, _, err := net.SplitHostPort(s); err != nil {
			if strings.Contains(s, ":") && net.ParseIP(s) == nil {
				return nil, a.usageError("invalid value %q for --brokers: want host:port, an IPv6 host in brackets", s)
			}
			s = net.JoinHostPort(s, "9092")
		}
		seeds = append(seeds, s)
	}
	if len(seeds) == 0 {
		return nil, a.usageError("no broker given: want --brokers host:port")
	}
	base := []kgo.Opt{
		kgo.SeedBrokers(seeds...), kgo.ClientID("moldau"), kgo.DialTimeout(dialTimeout),
		kgo.RetryTimeout(a.timeout), kgo.MetadataMinAge(100 * time.Millisecond),
	}
	client, err := kgo.NewClient(append(base, opts...)...)
	if err != nil {
		return nil, err
	}
	ping, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	if err := client.Ping(ping); err != nil {
		client.Close()
		return nil, fmt.Errorf("cannot reach %s: %w", strings.Join(seeds, ","), reason(err))
	}
	return client, nil
}

// withAdmin runs f with an admin client and the command's time limit.
func (a *app) withAdmin(f func(ctx context.Context, admin *admin) error) error {
	ctx, stop := interruptible()
	defer stop()
	client, err := a.client(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	adm := &admin{Client: kadm.NewClient(client), raw: client}
	adm.SetTimeoutMillis(int32(min(a.timeout, time.Hour).Milliseconds()))
	return f(ctx, adm)
}

// admin is the admin client, and the client below it for what it lacks.
type admin struct {
	*kadm.Client
	raw *kgo.Client
}

// interruptible ends with the first interrupt.
func interruptible() (context.Context, context.CancelFunc) {
	return signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
}

// retryPause is the wait before a coordinator that is still loading, or whose
// topic is being made, is asked again.
const retryPause = 100 * time.Millisecond

// retry calls f until it succeeds, fails for good, or ctx ends.
func retry(ctx context.Context, f func() error) error {
	for {
		err := f()
		if transient(err) == nil {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(retryPause):
		}
	}
}

// transient is err if asking again may help, else nil.
func transient(err error) error {
	for _, code := range []*kerr.Error{kerr.CoordinatorNotAvailable, kerr.CoordinatorLoadInProgress, kerr.NotCoordinator} {
		if errors.Is(err, code) {
			return err
		}
	}
	return nil
}

// reason shortens what the client library wraps around the cause.
func reason(err error) error {
	var op *net.OpError
	var errno syscall.Errno
	switch {
	case errors.As(err, &errno):
		return errno
	case errors.As(err, &op):
		return op.Err
	case errors.Is(err, context.DeadlineExceeded):
		return errors.New("no answer in time")
	}
	return err
}

// wireError is what a broker answered, in Kafka's words.
func wireError(err error, message string) error {
	var code *kerr.Error
	if !errors.As(err, &code) {
		return reason(err)
	}
	if message == "" {
		message = code.Description
	}
	return fmt.Errorf("%s: %s", code.Message, message)
}

// oneLine makes one line of an error.
func oneLine(err error) string {
	return strings.Join(strings.Fields(err.Error()), " ")
}

// failures collects what went wrong for some of several names.
type failures struct{ list []string }

func (f *failures) add(what string, err error, message string) {
	f.list = append(f.list, what+": "+wireError(err, message).Error())
}

func (f *failures) err() error {
	if len(f.list) == 0 {
		return nil
	}
	return errors.New(strings.Join(f.list, "; "))
}
