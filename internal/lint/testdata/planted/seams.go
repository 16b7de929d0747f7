// in: broker/server

package server

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	mrand "math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	. "time"
)

func around(ctx context.Context) {
	_ = Now()       // want "time.Now goes around the seam: take clock.Clock"
	Sleep(Second)   // want "time.Sleep"
	<-After(Second) // want "time.After"
	now := Since    // want "time.Since"
	_ = now
	_ = NewTicker                                 // want "time.NewTicker"
	_, cancel := context.WithTimeout(ctx, Second) // want "context.WithTimeout"
	cancel()
	_, cancel = context.WithCancel(ctx)
	cancel()
	_, _ = os.ReadFile("f") // want "os.ReadFile goes around the seam: take vfs.FS"
	_ = os.Getenv("HOME")
	_ = filepath.WalkDir // want "filepath.WalkDir"
	_ = filepath.Join("a", "b")
	_, _ = net.Dial("tcp", "a:1") // want "net.Dial goes around the seam: take transport.Network"
	var d net.Dialer              // want "net.Dialer"
	_, _ = d.Dial("tcp", "a:1")
	_, _, _ = net.SplitHostPort("a:1")
	_, _ = tls.Dial("tcp", "a:1", nil) // want "crypto/tls.Dial"
	_, _ = http.Get("http://a")        // want "net/http.Get"
	_, _ = rand.Read(nil)              // want "crypto/rand.Read"
	_ = mrand.IntN(3)                  // want "math/rand/v2.IntN"
	_ = mrand.New(mrand.NewPCG(1, 2)).IntN(3)
	_ = exec.Command("ls") // want "os/exec.Command"
	signal.Stop(nil)       // want "os/signal.Stop"
}
