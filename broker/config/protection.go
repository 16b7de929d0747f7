package config

import (
	"fmt"
	"slices"
	"strings"
)

// A node must never be open where its settings look closed. What asks for
// protection that is not there refuses the start:
//
//   - a setting of the table that is Refused, by itself or for one listener
//     (listener.name.<listener>.<setting>), be the listener open here or not;
//   - an older name of such a setting;
//   - an unknown name that a slip of the pen can have made of one;
//   - a listener, or the controllers' one, whose protocol is not plain text.
//
// What stays harmless only tunes, loosens, or says the default.

// protection refuses the settings of the table.
func (l *loader) protection() {
	for _, e := range table.brokers {
		text, set := l.static[e.Name]
		if !set {
			continue
		}
		if v, err := e.Parse(text); err == nil && e.asks(v) {
			l.fail("%s", e.refusal())
		}
	}
	for _, p := range l.prefixed {
		l.prefixedProtection(p)
	}
}

// prefixedProtection refuses a setting for one listener.
func (l *loader) prefixedProtection(p Property) {
	e, rest := prefixedEntry(p.Name)
	if e == nil {
		if protective(rest) {
			l.fail("unknown setting %q looks like one of protection, which must not be missed%s", p.Name, didYouMean(rest))
		}
		return
	}
	v, err := e.Parse(p.Value)
	switch {
	case err != nil:
		l.failErr(fmt.Errorf("%s: %w", p.Name, err))
	case e.asks(v):
		l.fail("%s: %s", p.Name, e.refusal())
	}
}

// prefixedEntry finds the setting behind listener.name.<listener>.<setting>,
// where a SASL mechanism may stand before the setting; nil if none is known by
// what follows the listener, which is rest.
func prefixedEntry(name string) (e *Entry, rest string) {
	_, rest, _ = strings.Cut(strings.TrimPrefix(name, "listener.name."), ".")
	if e = table.byBroker[rest]; e != nil {
		return e, rest
	}
	if _, after, ok := strings.Cut(rest, "."); ok {
		e = table.byBroker[after]
		if e != nil || protective(after) {
			rest = after
		}
	}
	return e, rest
}

// renamed is the name that Kafka gives an older setting of protection now, or "".
func renamed(name string) string {
	if name == "delegation.token.master.key" {
		return "delegation.token.secret.key"
	}
	return ""
}

// protective reports unknown names that a slip of the pen can have made of a
// setting of protection, or that an authorizer of others reads. They refuse
// the start instead of being warned of.
func protective(name string) bool {
	if isRemoved(name) {
		return false
	}
	for _, prefix := range []string{"sasl.", "ssl.", "authorizer.", "security.", "super."} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	for part := range strings.SplitSeq(name, ".") {
		if slices.Contains([]string{"authorizer", "acl", "acls"}, part) {
			return true
		}
	}
	near := suggest(ScopeBroker, name)
	return near != "" && table.byBroker[near].Support == Refused
}
