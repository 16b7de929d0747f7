package lint

import (
	"go/ast"
	"slices"
)

// outside is what may touch the world itself: the real edges, programs, what
// only tests import, the simulator's parts outside the guest and its self-test, and
// internal/simcore, whose ProcessTime is the true time that the simulated
// clocks are wrong against (the others take it from there).
var outside = []string{
	"internal/simcore", "sim/overlay", "sim/engine", "sim/selftest", "sim/host", "sim/plant", "clock/sysclock", "net/tcp", "disk/osfs", "cmd", "tests", "tools", "bench", "internal/lint", "internal/peer",
}

// anyName stands for everything in a package.
const anyName = "*"

// seamNames are the ways around a seam, with the seam to take.
var seamNames = []struct {
	pkg   string
	names []string
	take  string
}{
	{"time", []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "NewTimer", "NewTicker", "Tick", "Timer", "Ticker"}, "clock.Clock"},
	{"context", []string{"WithTimeout", "WithTimeoutCause", "WithDeadline", "WithDeadlineCause"}, "clock.Clock, and a context that is cancelled"},
	{"os", []string{
		"Open", "OpenFile", "Create", "CreateTemp", "ReadFile", "WriteFile", "ReadDir", "Remove", "RemoveAll", "Rename",
		"Mkdir", "MkdirAll", "MkdirTemp", "Stat", "Lstat", "Truncate", "Link", "Symlink", "Readlink", "Chmod", "Chown",
		"Chtimes", "NewFile", "DirFS", "CopyFS", "OpenRoot", "OpenInRoot", "Pipe", "Chdir",
	}, "vfs.FS"},
	{"io/ioutil", []string{anyName}, "vfs.FS"},
	{"path/filepath", []string{"Walk", "WalkDir", "Glob", "EvalSymlinks"}, "vfs.FS"},
	{"net", []string{
		"Dial", "DialTimeout", "DialTCP", "DialUDP", "DialIP", "DialUnix", "Dialer", "Listen", "ListenTCP", "ListenUDP",
		"ListenIP", "ListenUnix", "ListenUnixgram", "ListenMulticastUDP", "ListenPacket", "ListenConfig", "FileConn",
		"FileListener", "FilePacketConn", "LookupHost", "LookupIP", "LookupAddr", "LookupCNAME", "LookupMX", "LookupNS",
		"LookupPort", "LookupSRV", "LookupTXT", "ResolveTCPAddr", "ResolveUDPAddr", "ResolveIPAddr", "ResolveUnixAddr",
		"Resolver", "DefaultResolver", "Interfaces", "InterfaceAddrs",
	}, "transport.Network"},
	{"crypto/tls", []string{"Dial", "DialWithDialer", "Dialer", "Listen"}, "transport.Network"},
	{"net/http", []string{
		"Get", "Head", "Post", "PostForm", "DefaultClient", "DefaultTransport", "DefaultServeMux", "Handle", "HandleFunc",
		"ListenAndServe", "ListenAndServeTLS", "Serve", "ServeTLS",
	}, "transport.Network, and a Server or Transport made over it"},
	{"crypto/rand", []string{anyName}, "clock.Entropy"},
	{"math/rand", []string{anyName}, "clock.Entropy, or a *rand.Rand of math/rand/v2 that is passed in"},
	{"os/exec", []string{anyName}, "no seam: only programs start programs"},
	{"os/signal", []string{anyName}, "no seam: only programs take signals"},
	{"syscall", []string{anyName}, "the seam of what is called"},
	{"golang.org/x/sys/unix", []string{anyName}, "the seam of what is called"},
}

// Seams finds ways around the seams in packages that are to go through them.
func Seams(s *Source) (findings []Finding) {
	for _, pkg := range s.Packages {
		if within(room(pkg.Path), outside...) {
			continue
		}
		for _, file := range pkg.Files {
			ast.Inspect(file, func(n ast.Node) bool {
				if id, ok := n.(*ast.Ident); ok {
					if take := wayAround(packageLevel(pkg.Info, id)); take != "" {
						object := pkg.Info.Uses[id]
						findings = append(findings, s.finding(id, "%s.%s goes around the seam: take %s", object.Pkg().Path(), object.Name(), take))
					}
				}
				return true
			})
		}
	}
	return findings
}

// wayAround returns the seam to take instead of a name, "" if there is none.
func wayAround(pkg, name string) string {
	if pkg == "math/rand/v2" && !slices.Contains(seededNames, name) {
		return "clock.Entropy, or a *rand.Rand that is passed in"
	}
	for _, way := range seamNames {
		if way.pkg == pkg && (way.names[0] == anyName || slices.Contains(way.names, name)) {
			return way.take
		}
	}
	return ""
}
