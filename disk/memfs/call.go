package memfs

import "github.com/moldau/moldau/internal/yield"

// Op is a kind of call that changes something.
type Op string

// The calls that the hook sees.
const (
	OpCreate    Op = "create"
	OpWrite     Op = "write" // WriteAt and WriteVecAt
	OpTruncate  Op = "truncate"
	OpSync      Op = "sync"
	OpRemove    Op = "remove"
	OpRemoveAll Op = "removeall"
	OpRename    Op = "rename"
	OpMkdirAll  Op = "mkdirall"
	OpSyncDir   Op = "syncdir"
	OpLock      Op = "lock"
)

// Call is one call, as the hook sees it.
type Call struct {
	Op      Op
	Name    string // as the caller gave it; of a file, the name it was opened under
	NewName string // of a rename
	Off     int64  // of a write
	Len     int64  // bytes of a write, new length of a truncation
}

// OnCall makes hook be called before every call that changes something, on
// the caller's goroutine and without a lock held: it may clone. An error of
// the hook becomes the call's, and nothing is done, except that a Sync that
// fails so drops what it was to write (see the package doc). A nil hook ends it.
func (fsys *FS) OnCall(hook func(Call) error) {
	fsys.mu.Lock()
	defer fsys.mu.Unlock()
	fsys.hook = hook
}

// call asks the hook.
func (fsys *FS) call(c Call) error {
	yield.Point()
	fsys.mu.RLock()
	hook := fsys.hook
	fsys.mu.RUnlock()
	if hook == nil {
		return nil
	}
	return hook(c)
}
