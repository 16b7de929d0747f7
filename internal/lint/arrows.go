package lint

import (
	"fmt"
	"go/ast"
	"strings"
)

// THIS TABLE IS POLICY. When a build runs against it, the build is what is
// wrong: move the code, or pass the thing in from above. Who changes an arrow
// changes the architecture, and says so in an ADR (docs/adr).
//
// layers lists the rooms from the top down. A room imports rooms of lower
// layers, and parts of itself; nothing else, unless allowedArrows says so.
var layers = [...][]string{
	{"cmd", "tests", "bench", "tools", "internal/lint"},
	{"sim"},
	{"broker"}, // the assembly: the package itself, not what lies below it
	{"broker/quorum/quorumtest"},
	{"broker/api", "broker/quorum", "broker/uplink", "broker/fetcher"},
	{"broker/server", "broker/observe"},
	{"broker/dump"},
	{"broker/shard"},
	{"broker/seglog/logdir", "broker/raftmeta", "broker/identity", "broker/metaimage/published"},
	{"broker/replica", "broker/controller", "broker/group"},
	{"broker/coord"},
	{"broker/seglog", "broker/metaimage", "broker/config"},
	{"broker/metarecord"},
	{"broker/batch"},
	{"disk/simfs"},
	{"net/simnet", "clock/simclock", "disk/osfs", "disk/memfs", "disk/faultfs", "disk/vfs/vfstest", "net/tcp", "net/memnet", "net/transport/transporttest", "clock/sysclock", "clock/manual", "clock/clocktest"},
	{"broker/event"},
	{"broker/buffer"},
	{"broker/kafka"},
	{"net/transport"},
	{"disk/vfs"},
	{"clock"},
	{"internal/inbox", "internal/ring", "internal/peer", "internal/simcore"},
	{"internal/invariant", "internal/yield", "internal/life", "internal/guard"},
	{"linearizability"}, // below everything: it may import nothing of ours
}

// arrow is an import from one room, or what lies below it, to another.
type arrow struct {
	from, to []string
	why      string
}

// allowedArrows are those that the layers alone would forbid.
var allowedArrows = [...]arrow{
	{[]string{"broker/raftmeta", "broker/quorum", "broker/identity"}, []string{"broker/metaimage/published", "broker/raftmeta"},
		"what applies committed records publishes the image; a node's identity is checked against raft's files"},
}

// Groups of rooms that arrows speak of.
var (
	machines  = []string{"broker/replica", "broker/controller", "broker/coord", "broker/group"}
	pureRooms = []string{"broker/batch", "broker/seglog", "broker/metarecord", "broker/metaimage", "broker/replica", "broker/controller", "broker/coord", "broker/group"}
	realEdges = []string{"disk/osfs", "net/tcp", "clock/sysclock"}
	doubles   = []string{"disk/simfs", "net/simnet", "clock/simclock", "disk/memfs", "disk/faultfs", "clock/manual", "disk/vfs/vfstest", "net/transport/transporttest", "clock/clocktest", "broker/quorum/quorumtest"}
)

// forbiddenArrows point down, and are wrong all the same. Those that point up
// are here too where the reason is worth more than "it points up".
var forbiddenArrows = [...]arrow{
	{[]string{"broker", "sim"}, realEdges,
		"the real disk, network and clock are chosen by the program that embeds the broker; one import here, and the simulator runs on the wrong ones"},
	{[]string{"broker"}, doubles,
		"what tests run on has no place in the program"},
	{[]string{"broker"}, []string{"internal/peer", "internal/lint", "internal/simcore"},
		"help for tests has no place in the program"},
	{machines, []string{"broker/api", "broker/server"},
		"a machine does not know that requests and connections exist; it is explored and simulated without them"},
	{machines, []string{"broker/shard"},
		"the loop drives the machine; a machine that knew its loop could not be stepped by the explorer"},
	{machines, []string{"broker/seglog/logdir", "broker/raftmeta"},
		"a machine returns what is to be written; who writes it, and when it is durable, comes back as an event"},
	{machines, []string{"disk/vfs", "net/transport"},
		"a machine does not know that files and connections exist"},
	{pureRooms, []string{"internal/inbox", "internal/yield"},
		"a queue between goroutines has no use where there is one caller"},
	{[]string{"broker/replica"}, []string{"broker/controller", "broker/group", "broker/coord"},
		"machines meet in the shard and by records alone, so that each is explored without the others"},
	{[]string{"broker/controller"}, []string{"broker/replica", "broker/group", "broker/coord"},
		"machines meet in the shard and by records alone, so that each is explored without the others"},
	{[]string{"broker/group", "broker/coord"}, []string{"broker/replica", "broker/controller"},
		"a coordinator gets its records replayed and its appends acknowledged; whose log that is is no matter of its own"},
	{[]string{"broker/seglog"}, machines,
		"the log obeys; who decides is above it"},
	{[]string{"broker/seglog"}, []string{"broker/metaimage", "broker/metarecord"},
		"a log holds bytes of a topic id and a partition; it is read, dumped and recovered without the cluster's metadata"},
	{[]string{"broker/api"}, []string{"broker/controller", "broker/quorum", "broker/raftmeta"},
		"handlers reach the controller by its protocol, so that a remote one is the same as the one in this process"},
	{[]string{"broker/api"}, []string{"disk/vfs"},
		"handlers read the log by the extents that a shard planned, never by a path"},
	{[]string{"broker/server"}, []string{"broker/shard", "broker/replica", "broker/controller", "broker/group", "broker/coord", "broker/metaimage", "broker/seglog"},
		"the server carries frames; what they mean is the handlers' business"},
	{[]string{"broker/shard"}, []string{"net/transport", "broker/server"},
		"a shard that waits for a socket stalls every partition it holds"},
	{[]string{"broker/shard"}, []string{"broker/controller", "broker/quorum", "broker/uplink"},
		"a shard follows the published image; it asks nobody"},
	{[]string{"linearizability"}, []string{"broker", "sim", "cmd", "net", "disk", "clock", "internal"},
		"what judges a history shares no code, no constant and no idea with what made it; a bug in both would acquit itself"},
	{[]string{"broker", "net", "disk", "clock"}, []string{"linearizability"},
		"help for tests has no place in the program"},
	{[]string{"net", "disk", "clock", "internal"}, []string{"broker", "sim", "cmd"},
		"seams serve every room, the broker is only one of them"},
}

// forbiddenUses are names that a room may not mention although it may import
// their package, whose messages it sends.
var forbiddenUses = [...]struct {
	from  string
	pkg   string
	names []string
	why   string
}{
	{"broker/api", "broker/replica", []string{"New", "Replica", "Config"}, machineWhy},
	{"broker/api", "broker/group", []string{"New", "Machine", "Config"}, machineWhy},
	{"broker/api", "broker/coord", []string{"New", "Machine", "Runtime", "Partition"}, machineWhy},
}

const machineWhy = "handlers send messages to a machine's shard; who touches the machine itself from a connection's goroutine breaks its single thread"

// layerOf is the index of the layer of a room, by the longest name that covers
// it, and the name.
func layerOf(room string) (layer int, name string) {
	layer = -1
	for i, rooms := range layers {
		for _, candidate := range rooms {
			covers := within(room, candidate)
			if candidate == "broker" {
				covers = room == "broker"
			}
			if covers && len(candidate) > len(name) {
				layer, name = i, candidate
			}
		}
	}
	return layer, name
}

// covered reports whether a room lies below one of roots, in its own right: a
// room that the layers name apart is not a part of the one above it, except
// for roots that hold rooms only.
func covered(room string, roots []string) bool {
	_, name := layerOf(room)
	for _, root := range roots {
		whole := root == "broker" || root == "net" || root == "disk" || root == "clock" || root == "internal" || root == "sim"
		if name == root || (whole && within(room, root)) {
			return true
		}
	}
	return false
}

// Arrows finds imports that break the table.
func Arrows(s *Source) (findings []Finding) {
	for _, pkg := range s.Packages {
		if layer, _ := layerOf(room(pkg.Path)); layer < 0 && len(pkg.Files) > 0 {
			findings = append(findings, s.finding(pkg.Files[0], "%s is in no room: give it a layer in internal/lint/arrows.go", room(pkg.Path)))
			continue
		}
		for _, file := range pkg.Files {
			for _, spec := range file.Imports {
				if why := brokenArrow(pkg.Path, importPath(spec)); why != "" {
					findings = append(findings, s.finding(spec, "%s", why))
				}
			}
			findings = append(findings, s.forbiddenUses(pkg, file)...)
		}
	}
	return findings
}

// brokenArrow says why one package may not import another, "" if it may.
func brokenArrow(fromPath, toPath string) string {
	from, to := room(fromPath), room(toPath)
	fromLayer, fromName := layerOf(from)
	if !strings.HasPrefix(toPath, ModulePath) {
		return ""
	}
	toLayer, toName := layerOf(to)
	if toLayer < 0 {
		return "" // reported by itself
	}
	for _, a := range forbiddenArrows {
		if covered(from, a.from) && covered(to, a.to) && fromName != toName {
			return fmt.Sprintf("%s must not import %s: %s", from, to, a.why)
		}
	}
	if fromLayer < toLayer || fromName == toName {
		return ""
	}
	for _, a := range allowedArrows {
		if covered(from, a.from) && covered(to, a.to) {
			return ""
		}
	}
	return fmt.Sprintf("%s must not import %s: arrows point down, and %s lies above or beside %s", from, to, toName, fromName)
}

// forbiddenUses finds names that a room may not mention.
func (s *Source) forbiddenUses(pkg *Package, file *ast.File) (findings []Finding) {
	ast.Inspect(file, func(n ast.Node) bool {
		id, ok := n.(*ast.Ident)
		if !ok {
			return true
		}
		path, name := packageLevel(pkg.Info, id)
		for _, use := range forbiddenUses {
			if path == ModulePath+"/"+use.pkg && within(room(pkg.Path), use.from) {
				for _, forbidden := range use.names {
					if name == forbidden {
						findings = append(findings, s.finding(id, "%s must not use %s.%s: %s", use.from, use.pkg, name, use.why))
					}
				}
			}
		}
		return true
	})
	return findings
}
