package config

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// ConnectionLimits bound the connections of a node.
type ConnectionLimits struct {
	// Node is max.connections, of all of the node's listeners for clients together.
	Node int
	// PerHost is max.connections.per.ip, of one address.
	PerHost int
	// Hosts are max.connections.per.ip.overrides, by address.
	Hosts map[string]int
}

// ResolveConnectionLimits finds the limits in the broker's layers.
func ResolveConnectionLimits(l Layers) ConnectionLimits {
	value := func(name string) Value { return l.effective(table.byBroker[name]).Value }
	c := ConnectionLimits{Node: int(value("max.connections").Int), PerHost: int(value("max.connections.per.ip").Int)}
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

const hostLimitsName = "max.connections.per.ip.overrides"

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
// listener.name.<listener>.max.connections, and warns of names.
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
		if setting != "max.connections" {
			continue
		}
		v, err := table.byBroker[setting].Parse(p.Value)
		if err != nil {
			continue // told with the other settings of listeners
		}
		if b.ListenerConnections == nil {
			b.ListenerConnections = map[string]int{}
		}
		b.ListenerConnections[strings.ToUpper(name)] = int(v.Int)
	}
}
