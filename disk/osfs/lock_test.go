//go:build linux || darwin

package osfs_test

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"testing"

	"github.com/moldau/moldau/disk/osfs"
	"github.com/moldau/moldau/disk/vfs"
	"github.com/moldau/moldau/internal/peer"
)

// lockProgram takes Java's lock as Kafka does, says how that went, and holds
// it until its input ends.
const lockProgram = `
import java.io.RandomAccessFile;
import java.nio.channels.FileLock;

public class Lock {
    public static void main(String[] args) throws Exception {
        try (RandomAccessFile file = new RandomAccessFile(args[0], "rw")) {
            FileLock lock = file.getChannel().tryLock();
            System.out.println(lock == null ? "refused" : "locked");
            System.out.flush();
            System.in.read();
        }
    }
}
`

// javaLock runs the program on a file and returns what it says; end makes it end.
func javaLock(t *testing.T, name string) (says string, end func()) {
	t.Helper()
	source := t.TempDir() + "/Lock.java"
	if err := os.WriteFile(source, []byte(lockProgram), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(peer.Program(t, "java"), "-Xshare:auto", source, name)
	in, inErr := cmd.StdinPipe()
	out, outErr := cmd.StdoutPipe()
	cmd.Stderr = os.Stderr
	if err := errors.Join(inErr, outErr, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	says, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Error(err)
	}
	return says, func() {
		if err := errors.Join(in.Close(), cmd.Wait()); err != nil {
			t.Error(err)
		}
	}
}

func TestLockExcludesJava(t *testing.T) {
	peer.Program(t, "javac")
	fsys, name := osfs.New(), t.TempDir()+"/.lock"
	ours, err := fsys.Lock(name)
	if err != nil {
		t.Fatal(err)
	}
	says, end := javaLock(t, name)
	end()
	if says != "refused\n" {
		t.Errorf("Java beside our lock: %q", says)
	}
	if err := ours.Close(); err != nil {
		t.Fatal(err)
	}
	says, end = javaLock(t, name)
	if says != "locked\n" {
		t.Errorf("Java after our lock: %q", says)
	}
	if _, err = fsys.Lock(name); !errors.Is(err, vfs.ErrLocked) {
		t.Errorf("our lock beside Java's: %v", err)
	}
	end()
	if ours, err = fsys.Lock(name); err != nil {
		t.Fatal(err)
	}
	if err := ours.Close(); err != nil {
		t.Fatal(err)
	}
}
