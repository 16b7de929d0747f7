package broker

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/moldau/moldau/broker/config"
	"github.com/moldau/moldau/broker/quorum"
	"github.com/moldau/moldau/broker/uplink"
	"github.com/moldau/moldau/net/transport"
)

// controllerEndpoints are where this node's controller listener is reached.
func (b *Broker) controllerEndpoints() []quorum.Endpoint {
	var out []quorum.Endpoint
	for i, l := range b.controllerListens {
		host, port := splitAddr(l.ln.Addr())
		if l.Host != "" {
			host = l.Host
		}
		if a := b.cfg.Settings.Advertised; anyHost(host) && len(a) > 0 && a[0].Host != "" {
			host = a[0].Host
		}
		for _, v := range b.cfg.Settings.Voters {
			if i == 0 && v.ID == b.cfg.Settings.NodeID { // as the others are told
				host, port = v.Host, uint16(v.Port)
			}
		}
		out = append(out, quorum.Endpoint{Name: l.Name, Host: host, Port: port})
	}
	return out
}

// anyHost reports whether a host to listen on is none to connect to.
func anyHost(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "" || err == nil && ip.IsUnspecified()
}

// splitAddr takes an address that a listener gave apart.
func splitAddr(addr string) (string, uint16) {
	if ap, err := netip.ParseAddrPort(addr); err == nil {
		return ap.Addr().String(), ap.Port()
	}
	colon := strings.LastIndexByte(addr, ':')
	port, _ := strconv.Atoi(addr[colon+1:])
	return addr[:max(colon, 0)], uint16(port)
}

// controllerAddresses are where the controller listener of a node may be
// reached: as it registered, then as the configuration says. One of them is old
// while a node moves.
func (b *Broker) controllerAddresses(node int32) []string {
	var out []string
	if c := b.holder.Load().Controller(node); c != nil && len(c.EndPoints) > 0 {
		out = append(out, config.Voter{Host: c.EndPoints[0].Host, Port: int(c.EndPoints[0].Port)}.Address())
	}
	for _, v := range b.cfg.Settings.Voters {
		if v.ID == node && !slices.Contains(out, v.Address()) {
			out = append(out, v.Address())
		}
	}
	return out
}

// knownControllers are those that the node's own broker may ask: the metadata's
// and the configuration's. This node's own is within the process.
func (b *Broker) knownControllers() []uplink.Controller {
	set := b.cfg.Settings
	var ids []int32
	for id := range b.holder.Load().Controllers() {
		ids = append(ids, id)
	}
	for _, v := range set.Voters {
		ids = append(ids, v.ID)
	}
	if set.IsController {
		ids = append(ids, set.NodeID)
	}
	slices.Sort(ids)
	var out []uplink.Controller
	var reached []string
	for _, id := range slices.Compact(ids) {
		c := uplink.Controller{Node: id, Addresses: b.controllerAddresses(id)}
		reached = append(reached, c.Addresses...)
		if id == set.NodeID && set.IsController {
			c.Addresses = []string{internalAddress}
		}
		if len(c.Addresses) > 0 {
			out = append(out, c)
		}
	}
	for _, address := range set.Join {
		if !slices.Contains(reached, address) {
			out = append(out, uplink.Controller{Node: uplink.UnknownNode, Addresses: []string{address}})
		}
	}
	return out
}

// reach is the network as this node's broker sees it: its own controller is
// within the process.
type reach struct {
	transport.Network
	inside transport.Network
}

// Dial connects to an address.
func (r reach) Dial(address string, timeout time.Duration, stop <-chan struct{}) (transport.Conn, error) {
	if address == internalAddress {
		return r.inside.Dial(address, timeout, stop)
	}
	return r.Network.Dial(address, timeout, stop)
}
