package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Listener is an address that the node listens on, or that it tells clients.
type Listener struct {
	Name       string // upper case, as in listeners
	Host       string // empty: every interface (in Advertised: not known yet)
	Port       int    // 0 takes a free one
	Controller bool   // serves controllers and brokers, not clients
}

// Address is host:port.
func (l Listener) Address() string { return joinHostPort(l.Host, l.Port) }

// String is the form of the properties: NAME://host:port.
func (l Listener) String() string { return l.Name + "://" + l.Address() }

// Voter is a member of the metadata quorum.
type Voter struct {
	ID   int32
	Host string
	Port int
}

// Address is host:port.
func (v Voter) Address() string { return joinHostPort(v.Host, v.Port) }

func joinHostPort(host string, port int) string {
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return host + ":" + strconv.Itoa(port)
}

// splitHostPort reads host:port and [v6]:port; the host may be empty.
func splitHostPort(s string) (host string, port int, err error) {
	colon := strings.LastIndexByte(s, ':')
	if colon < 0 {
		return "", 0, fmt.Errorf("%q has no port: want host:port", s)
	}
	host = s[:colon]
	if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		host = host[1 : len(host)-1]
	} else if strings.ContainsAny(host, "[]") || strings.Count(host, ":") > 1 {
		return "", 0, fmt.Errorf("%q is no address: want host:port, an IPv6 host in brackets", s)
	}
	for _, c := range []byte(host) {
		if !strings.ContainsRune("-%._:", rune(c)) && !isAlphaNumeric(c) {
			return "", 0, fmt.Errorf("%q is no address: %q is no part of a host", s, c)
		}
	}
	n, err := parseInt(s[colon+1:], 32)
	if err != nil || n < 0 || n > 65535 {
		return "", 0, fmt.Errorf("%q has no port in [0,...,65535]", s)
	}
	return host, int(n), nil
}

func isAlphaNumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
}

// parseListeners reads a list of NAME://host:port. Names must differ.
func parseListeners(setting string, list []string) ([]Listener, error) {
	var out []Listener
	for _, s := range list {
		name, address, ok := strings.Cut(s, "://")
		if !ok || name == "" {
			return nil, fmt.Errorf("invalid value %q for %s: want NAME://host:port", s, setting)
		}
		host, port, err := splitHostPort(address)
		if err != nil {
			return nil, fmt.Errorf("invalid value for %s: %w", setting, err)
		}
		l := Listener{Name: strings.ToUpper(name), Host: host, Port: port}
		if slices.ContainsFunc(out, func(o Listener) bool { return o.Name == l.Name }) {
			return nil, fmt.Errorf("invalid value for %s: listener %s is named twice", setting, l.Name)
		}
		out = append(out, l)
	}
	return out, nil
}

// portClash finds two listeners with one port on the same host, or where one
// is on every interface. An IPv4 and an IPv6 address may share a port.
func portClash(listeners []Listener) error {
	for i, a := range listeners {
		for _, b := range listeners[:i] {
			families := a.Host != "" && b.Host != "" && strings.Contains(a.Host, ":") != strings.Contains(b.Host, ":")
			if a.Port != 0 && a.Port == b.Port && !families && (a.Host == b.Host || wildcard(a.Host) || wildcard(b.Host)) {
				return fmt.Errorf("invalid value for listeners: %s and %s share a port", b, a)
			}
		}
	}
	return nil
}

// wildcard reports whether the host stands for every interface.
func wildcard(host string) bool { return host == "" || host == "0.0.0.0" || host == "::" }

// parseProtocols reads listener.security.protocol.map.
func parseProtocols(text string) (Map, error) {
	out := Map{}
	for _, s := range splitList(text) {
		name, protocol, ok := strings.Cut(s, ":")
		name, protocol = strings.ToUpper(trim(name)), strings.ToUpper(trim(protocol))
		if !ok || name == "" || !slices.Contains([]string{"PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"}, protocol) {
			return nil, fmt.Errorf("invalid value %q for listener.security.protocol.map: want NAME:PROTOCOL with a protocol in [PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL]", s)
		}
		if _, twice := out[name]; twice {
			return nil, fmt.Errorf("invalid value for listener.security.protocol.map: %s is named twice", name)
		}
		out[name] = protocol
	}
	return out, nil
}

// parseVoters reads a list of id@host:port.
func parseVoters(list []string) ([]Voter, error) {
	var out []Voter
	for _, s := range list {
		id, address, ok := strings.Cut(s, "@")
		n, err := parseInt(id, 32)
		if !ok || err != nil || n < 0 {
			return nil, fmt.Errorf("invalid value %q for controller.quorum.voters: want id@host:port", s)
		}
		host, port, err := splitHostPort(address)
		if err != nil || host == "" || port == 0 {
			return nil, fmt.Errorf("invalid value %q for controller.quorum.voters: want id@host:port", s)
		}
		if slices.ContainsFunc(out, func(v Voter) bool { return v.ID == int32(n) }) {
			return nil, fmt.Errorf("invalid value for controller.quorum.voters: voter %d is named twice", n)
		}
		v := Voter{ID: int32(n), Host: host, Port: port}
		if i := slices.IndexFunc(out, func(o Voter) bool { return o.Address() == v.Address() }); i >= 0 {
			return nil, fmt.Errorf("invalid value for controller.quorum.voters: voters %d and %d have one address, %s", out[i].ID, v.ID, v.Address())
		}
		out = append(out, v)
	}
	return out, nil
}
