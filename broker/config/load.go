package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Report is what Load has to say about properties that it accepted.
type Report struct {
	Ignored  []string // known settings without an effect yet, sorted
	Unknown  []string // names that no setting has, sorted
	Warnings []string // lines for the log; they name the above too
}

// Load checks the node's properties and makes its typed settings. Of a name
// given twice the last counts, so that the command line may follow the file.
// The error names everything that is wrong, joined by "; ".
func Load(properties []Property) (*Broker, *Report, error) {
	l := loader{static: Map{}, report: &Report{}}
	l.take(properties)
	b := &Broker{Static: l.static}
	if len(l.problems) == 0 {
		l.session()
		b.fill(b.Layers())
		l.node(b)
		l.relations(b)
		l.connectionLimits(b)
	}
	l.protection()
	if len(l.problems) > 0 {
		return nil, l.report, errors.New(strings.Join(l.problems, "; "))
	}
	l.finish()
	return b, l.report, nil
}

type loader struct {
	static   Map // known settings
	prefixed []Property
	report   *Report
	problems []string
}

func (l *loader) fail(format string, args ...any) {
	l.problems = append(l.problems, fmt.Sprintf(format, args...))
}

func (l *loader) failErr(err error) {
	if err != nil {
		l.problems = append(l.problems, err.Error())
	}
}

func (l *loader) warn(format string, args ...any) {
	l.report.Warnings = append(l.report.Warnings, fmt.Sprintf(format, args...))
}

// take sorts the properties into known, prefixed and unknown ones and checks
// the values of the known.
func (l *loader) take(properties []Property) {
	lines := map[string]int{}
	last := map[string]string{}
	var names []string
	for _, p := range properties {
		if _, seen := last[p.Name]; !seen {
			names = append(names, p.Name)
		} else if p.Line > 0 && lines[p.Name] > 0 {
			l.warn("%s is set twice, in lines %d and %d: the last counts", p.Name, lines[p.Name], p.Line)
		}
		lines[p.Name], last[p.Name] = p.Line, p.Value
	}
	slices.Sort(names)
	for _, name := range names {
		text := last[name]
		e := table.byBroker[name]
		switch {
		case e != nil:
			if _, err := e.Parse(text); err != nil {
				l.failErr(err)
				continue
			}
			if e.Default.Set || trim(text) != "" || e.Type == List {
				l.static[name] = text
			}
		case strings.HasPrefix(name, "listener.name."):
			l.prefixed = append(l.prefixed, Property{Name: name, Value: text})
		case foreign(name):
			l.report.Ignored = append(l.report.Ignored, name)
		case renamed(name) != "":
			l.fail("%s is what Kafka calls %s now, and asks for what this node does not have yet", name, renamed(name))
		case protective(name):
			l.fail("unknown setting %q looks like one of protection, which must not be missed%s", name, didYouMean(name))
		default:
			l.report.Unknown = append(l.report.Unknown, name)
			l.warn("%s", unknownWarning(name))
		}
	}
}

// foreign reports names that plugins of Kafka read.
func foreign(name string) bool {
	return strings.HasPrefix(name, "rsm.config.") || strings.HasPrefix(name, "rlmm.config.") ||
		strings.HasPrefix(name, "config.providers.")
}

// removed are settings that Kafka had once; an entry ending in a dot stands
// for all that begin with it.
var removed = []string{
	"zookeeper.", "inter.broker.protocol.version", "log.message.format.version",
	"log.message.timestamp.difference.max.ms", "broker.id.generation.enable", "reserved.broker.max.id",
	"controlled.shutdown.max.retries", "controlled.shutdown.retry.backoff.ms",
	"offsets.commit.required.acks", "password.encoder.", "log.message.downconversion.enable",
}

func isRemoved(name string) bool {
	return slices.ContainsFunc(removed, func(r string) bool {
		return name == r || strings.HasSuffix(r, ".") && strings.HasPrefix(name, r)
	})
}

func unknownWarning(name string) string {
	if isRemoved(name) {
		return fmt.Sprintf("%s was removed from Kafka, it has no effect", name)
	}
	text := fmt.Sprintf("setting %q is unknown and has no effect", name)
	if other := counterpart(ScopeBroker, name); other != "" {
		return fmt.Sprintf("setting %q has no effect here, %s", name, other)
	}
	return text + didYouMean(name)
}

func didYouMean(name string) string {
	if near := suggest(ScopeBroker, name); near != "" {
		return fmt.Sprintf(": did you mean %q?", near)
	}
	return ""
}

// session takes Kafka's default session where a file gives Kafka's pace of
// heartbeats alone, for which the session here is too short.
func (l *loader) session() {
	const heartbeat, session = "broker.heartbeat.interval.ms", "broker.session.timeout.ms"
	if !l.set(heartbeat) || l.set(session) {
		return
	}
	e := table.byBroker[session]
	none := Layers{Static: l.static}
	if none.effective(table.byBroker[heartbeat]).Int >= none.effective(e).Int {
		l.static[session] = e.Kafka.Text
		l.warn("%s is %s, as in Kafka, since %s is set to %s", session, e.Kafka.Text, heartbeat, l.static[heartbeat])
	}
}

// finish writes the one warning that names what is ignored.
func (l *loader) finish() {
	for _, e := range table.brokers {
		text, set := l.static[e.Name]
		if !set || e.Support != Ignored {
			continue
		}
		if v, err := e.Parse(text); err == nil && !e.isDefault(v) {
			l.report.Ignored = append(l.report.Ignored, e.Name)
		}
	}
	for _, p := range l.prefixed {
		if _, setting, _ := strings.Cut(strings.TrimPrefix(p.Name, "listener.name."), "."); limitsListener(setting) {
			continue
		}
		l.report.Ignored = append(l.report.Ignored, p.Name)
	}
	slices.Sort(l.report.Ignored)
	if len(l.report.Ignored) > 0 {
		l.warn("settings without an effect yet: %s", strings.Join(l.report.Ignored, ", "))
	}
}
