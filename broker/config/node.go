package config

import (
	"slices"
	"strings"
)

// node works out roles, identity, listeners, quorum and directories.
func (l *loader) node(b *Broker) {
	layers := b.Layers()
	v := func(name string) Value { return layers.effective(table.byBroker[name]).Value }
	l.identity(b, v)
	l.quorum(b, v)
	l.listeners(b, v)
	l.advertised(b, v)
	l.join(b, v)
	l.directories(b, v)
}

func (l *loader) set(name string) bool { _, ok := l.static[name]; return ok }

func (l *loader) identity(b *Broker, v func(string) Value) {
	b.NodeID = int32(v("node.id").Int)
	older := int32(v("broker.id").Int)
	switch {
	case older >= 0 && !l.set("node.id"):
		b.NodeID = older
		l.static["node.id"] = l.static["broker.id"]
	case older >= 0 && older != b.NodeID:
		l.fail("node.id %d and broker.id %d differ", b.NodeID, older)
	case l.set("node.id"):
		l.static["broker.id"] = l.static["node.id"] // both are described, as in Kafka
	}
}

// quorum reads the voters and the roles. Where process.roles is not set, a
// node alone, one that is among the voters, and one that joins with a listener
// for controllers, are both; any other is a broker.
func (l *loader) quorum(b *Broker, v func(string) Value) {
	voters, err := parseVoters(v("controller.quorum.voters").List)
	l.failErr(err)
	b.Voters = voters
	voter := slices.ContainsFunc(voters, func(o Voter) bool { return o.ID == b.NodeID })
	roles := v("process.roles").List
	if !l.set("process.roles") && !voter && (len(voters) > 0 || l.set("controller.quorum.bootstrap.servers") && !l.controllerListener(v)) {
		roles = []string{"broker"}
	}
	b.IsBroker = slices.Contains(roles, "broker")
	b.IsController = slices.Contains(roles, "controller")
	switch {
	case len(roles) == 0:
		l.fail("invalid value \"\" for process.roles: want at least one of broker, controller")
	case b.IsController && len(voters) > 0 && !voter:
		l.fail("node %d is a controller, but controller.quorum.voters does not name it", b.NodeID)
	case !b.IsController && voter:
		l.fail("controller.quorum.voters names node %d, but its process.roles is broker", b.NodeID)
	case !b.IsController && len(voters) == 0 && !l.set("controller.quorum.bootstrap.servers"):
		l.fail("a broker without a controller of its own wants controller.quorum.voters or controller.quorum.bootstrap.servers")
	}
}

// controllerListener reports whether listeners names one for controllers.
func (l *loader) controllerListener(v func(string) Value) bool {
	if !l.set("listeners") {
		return false
	}
	listeners, _ := parseListeners("listeners", v("listeners").List) // told of by listeners
	names := upper(v("controller.listener.names").List)
	return slices.ContainsFunc(listeners, func(o Listener) bool { return slices.Contains(names, o.Name) })
}

// listeners reads the addresses. A node whose roles are not set explicitly gets
// the default controller listener where it names none.
func (l *loader) listeners(b *Broker, v func(string) Value) {
	listeners, err := parseListeners("listeners", v("listeners").List)
	l.failErr(err)
	controllers := upper(v("controller.listener.names").List)
	if len(controllers) == 0 {
		l.fail("invalid value \"\" for controller.listener.names: want the name of a listener")
	}
	isController := func(o Listener) bool { return slices.Contains(controllers, o.Name) }
	if !l.set("listeners") {
		defaults := listeners
		listeners = nil
		for _, o := range defaults {
			if o.Name == "CONTROLLER" && len(controllers) > 0 {
				o.Name = controllers[0]
			}
			if isController(o) && b.IsController || !isController(o) && b.IsBroker {
				listeners = append(listeners, o)
			}
		}
	} else if b.IsController && !l.set("process.roles") && len(controllers) > 0 && !slices.ContainsFunc(listeners, isController) {
		listeners = append(listeners, Listener{Name: controllers[0], Host: "127.0.0.1", Port: 9093})
	}
	for i := range listeners {
		listeners[i].Controller = isController(listeners[i])
	}
	b.Listeners = listeners
	l.failErr(portClash(listeners))
	l.listenerRoles(b)
	l.protocols(b, controllers, v)
}

func (l *loader) listenerRoles(b *Broker) {
	clients, controllers := len(b.ClientListeners()), len(b.ControllerListeners())
	switch {
	case len(l.problems) > 0:
	case b.IsBroker && clients == 0:
		l.fail("listeners has none for clients: all are named by controller.listener.names")
	case !b.IsBroker && clients > 0:
		l.fail("a node that is only a controller may listen only on what controller.listener.names names")
	case b.IsController && controllers == 0:
		l.fail("listeners has none of those that controller.listener.names names")
	case !b.IsController && controllers > 0:
		l.fail("a node that is only a broker must not listen on what controller.listener.names names")
	}
}

// protocols refuses every listener that is not plain text, and to speak to
// controllers on one.
func (l *loader) protocols(b *Broker, controllers []string, v func(string) Value) {
	protocols, err := parseProtocols(v("listener.security.protocol.map").Text)
	if err != nil {
		l.failErr(err)
		return
	}
	if !l.set("listener.security.protocol.map") {
		for _, name := range controllers {
			if _, known := protocols[name]; !known {
				protocols[name] = "PLAINTEXT"
			}
		}
	}
	for _, o := range b.Listeners {
		protocol, known := protocols[o.Name]
		if !known {
			l.fail("listener %s has no protocol: name it in listener.security.protocol.map", o.Name)
		} else if protocol != "PLAINTEXT" {
			l.fail("listener %s asks for %s, which this node does not have yet", o, protocol)
		}
	}
	if !b.IsController {
		for _, name := range controllers { // which this node connects to
			if protocol := protocols[name]; protocol != "" && protocol != "PLAINTEXT" {
				l.fail("the controllers' listener %s asks for %s, which this node does not have yet", name, protocol)
			}
		}
	}
}

func (l *loader) advertised(b *Broker, v func(string) Value) {
	clients := b.ClientListeners()
	b.Advertised = slices.Clone(clients)
	if l.set("advertised.listeners") {
		all, err := parseListeners("advertised.listeners", v("advertised.listeners").List)
		l.failErr(err)
		b.Advertised = nil
		for _, a := range all {
			at := slices.IndexFunc(b.Listeners, func(o Listener) bool { return o.Name == a.Name })
			switch {
			case at < 0:
				l.fail("advertised.listeners names %s, which listeners does not", a.Name)
			case !b.Listeners[at].Controller:
				b.Advertised = append(b.Advertised, a)
			}
		}
	}
	if b.IsBroker && len(clients) > 0 && len(b.Advertised) == 0 {
		l.fail("advertised.listeners names no listener of clients")
	}
	for _, a := range b.Advertised {
		if a.Host == "0.0.0.0" || a.Host == "::" {
			l.fail("advertised.listeners: clients cannot connect to %s, set an address that they can reach", a)
		}
	}
	l.interBroker(b, v)
}

// interBroker picks the listener between brokers: by name, else by protocol,
// which is always plain text, else the first.
func (l *loader) interBroker(b *Broker, v func(string) Value) {
	if !b.IsBroker || len(b.Advertised) == 0 {
		return
	}
	b.InterBroker = b.Advertised[0].Name
	wanted := strings.ToUpper(v("inter.broker.listener.name").Text)
	for _, a := range b.Advertised {
		if wanted == "" && a.Name == "PLAINTEXT" || a.Name == wanted {
			b.InterBroker = a.Name
		}
	}
	if wanted != "" && b.InterBroker != wanted {
		l.fail("inter.broker.listener.name %s is not among the advertised listeners", wanted)
	}
	if wanted != "" && l.set("security.inter.broker.protocol") {
		l.fail("only one of inter.broker.listener.name and security.inter.broker.protocol may be set")
	}
}

// join reads the controllers to join. A controller that names only itself, as
// Kafka's sample file does, is a node alone.
func (l *loader) join(b *Broker, v func(string) Value) {
	for _, s := range v("controller.quorum.bootstrap.servers").List {
		host, port, err := splitHostPort(s)
		if err != nil || host == "" || port == 0 {
			l.fail("invalid value %q for controller.quorum.bootstrap.servers: want host:port", s)
			continue
		}
		own := func(o Listener) bool { return o.Controller && o.Port == port && sameHost(o.Host, host) }
		if !slices.ContainsFunc(b.Listeners, own) {
			b.Join = append(b.Join, joinHostPort(host, port))
		}
	}
	if len(b.Join) > 0 && len(b.Voters) > 0 {
		l.fail("only one of controller.quorum.voters and controller.quorum.bootstrap.servers may be set")
	}
}

func sameHost(listen, host string) bool {
	local := func(s string) bool { return s == "localhost" || s == "127.0.0.1" || s == "::1" }
	return listen == host || local(host) && (local(listen) || wildcard(listen))
}

func (l *loader) directories(b *Broker, v func(string) Value) {
	b.LogDirs = v("log.dirs").List
	if !l.set("log.dirs") && l.set("log.dir") {
		b.LogDirs = v("log.dir").List
	}
	if len(b.LogDirs) == 0 {
		l.fail("invalid value \"\" for log.dirs: want at least one directory")
		return
	}
	for i, d := range b.LogDirs {
		if d == "" {
			l.fail("log.dirs has an empty element")
		} else if slices.Contains(b.LogDirs[:i], d) {
			l.fail("log.dirs names %s twice", d)
		}
	}
	b.MetadataDir = v("metadata.log.dir").Text
	if b.MetadataDir == "" {
		b.MetadataDir = b.LogDirs[0]
	}
}

func upper(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = strings.ToUpper(s)
	}
	return out
}
