// Package await has the two waits of a measurement of other processes: for what
// they are to have done, which nobody tells the driver, and for time to pass in
// which they are left alone. It measures nothing; whoever waits reads the clock.
package await

import (
	"fmt"
	"time"
)

// Until looks every so often until look has nothing to object to. After timeout it
// returns what the last look objected to.
func Until(timeout, every time.Duration, look func() error) error {
	for deadline := time.Now().Add(timeout); ; Pass(every) {
		err := look()
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("after %s: %w", timeout, err)
		}
	}
}

// Pass lets time pass: between two looks, or because what a system does in it by
// itself is what is measured.
func Pass(d time.Duration) { time.Sleep(d) }
