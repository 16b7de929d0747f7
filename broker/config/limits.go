package config

import (
	"fmt"
	"maps"
	"math"
	"net/netip"
	"slices"
	"strings"
)

// ConnectionLimits bound the connections of a node.
type ConnectionLimits struct {
	// Node is max.connections, of all of the node's listeners for clients together.
	Node int
	// Rate is max.connection.creation.rate, of the same, in connections a second.
	Rate int
	// PerHost is max.connections.per.ip, of one address.
	PerHost int
	// Hosts are max.connections.per.ip.overrides, by address.
	Hosts map[string]int
}

// ResolveConnectionLimits finds the limits in the broker's layers.
func ResolveConnectionLimits(l Layers) ConnectionLimits {
	value := func(name string) Value { return l.effective(table.byBroker[name]).Value }
	c := ConnectionLimits{Node: int(value(maxConnectionsName).Int), Rate: int(value(connectionRateName).Int), PerHost: int(value("max.connections.per.ip").Int)}
	c.Hosts, _ = parseHostLimits(value(hostLimitsName).Text) // checked when it was set
	return c
}

// Host is the limit of one address.
func (c ConnectionLimits) Host(address string) int {
	if n, ok := c.Hosts[address]; ok {
		return n
	}
	return c.PerHost
}

const (
	hostLimitsName     = "max.connections.per.ip.overrides"
	connectionRateName = "max.connection.creation.rate"
	maxConnectionsName = "max.connections"
)

// ListenerLimits are those of one listener.
type ListenerLimits struct {
	Connections int
	Rate        int // new connections in a second
}

// unlimited is how much a listener without limits of its own may take.
func unlimited() ListenerLimits { return ListenerLimits{math.MaxInt32, math.MaxInt32} }

// Listener is the limits of a listener.
func (b *Broker) Listener(name string) ListenerLimits {
	if limits, ok := b.ListenerLimits[name]; ok {
		return limits
	}
	return unlimited()
}

// limitsListener says whether a setting for one listener is one of its limits.
func limitsListener(setting string) bool {
	return setting == maxConnectionsName || setting == connectionRateName
}

// parseHostLimits reads host:count, comma-separated. Nobody is asked for the
// addresses of names, but localhost's are known.
func parseHostLimits(text string) (map[string]int, error) {
	limits := map[string]int{}
	for _, s := range splitList(text) {
		if s == "" {
			continue
		}
		colon := strings.LastIndexByte(s, ':')
		n, err := parseInt(trim(s[colon+1:]), 32)
		if colon <= 0 || err != nil || n < 0 {
			return nil, fmt.Errorf("invalid value %q for %s: want address:count", s, hostLimitsName)
		}
		host := strings.TrimSuffix(strings.TrimPrefix(trim(s[:colon]), "["), "]")
		if address, err := netip.ParseAddr(host); err == nil {
			host = address.Unmap().String()
		}
		limits[host] = int(n)
		if host == "localhost" {
			limits["127.0.0.1"], limits["::1"] = int(n), int(n)
		}
	}
	return limits, nil
}

// connectionLimits checks the limits of connections, reads
// those of single listeners, and warns of names.
func (l *loader) connectionLimits(b *Broker) {
	text := l.static[hostLimitsName]
	hosts, err := parseHostLimits(text)
	l.failErr(err)
	if err == nil && len(hosts) == 0 && ResolveConnectionLimits(b.Layers()).PerHost == 0 {
		l.fail("max.connections.per.ip is 0 and %s names no address: nobody could connect", hostLimitsName)
	}
	for _, host := range slices.Sorted(maps.Keys(hosts)) {
		if _, err := netip.ParseAddr(host); err != nil && host != "localhost" {
			l.warn("%s: the limit of %q has no effect, names are not resolved: give an address", hostLimitsName, host)
		}
	}
	for _, p := range l.prefixed {
		name, setting, _ := strings.Cut(strings.TrimPrefix(p.Name, "listener.name."), ".")
		if !limitsListener(setting) {
			continue
		}
		v, err := table.byBroker[setting].Parse(p.Value)
		if err != nil {
			continue // told with the other settings of listeners
		}
		if b.ListenerLimits == nil {
			b.ListenerLimits = map[string]ListenerLimits{}
		}
		name = strings.ToUpper(name)
		limits := b.Listener(name)
		if setting == maxConnectionsName {
			limits.Connections = int(v.Int)
		} else {
			limits.Rate = int(v.Int)
		}
		b.ListenerLimits[name] = limits
	}
}
