package controller

import (
	"fmt"
	"testing"
)

// A broker with 2,000 topics of one partition comes back after a kill.
func BenchmarkRestart2000(b *testing.B) {
	s := newSimple(b)
	for i := range 2000 {
		s.create(fmt.Sprint("topic", i), 1)
	}
	inc := byte(2)
	b.ReportAllocs()
	for b.Loop() {
		inc++
		if inc == 0 {
			inc = 1
		}
		s.register(inc)
		s.heartbeat()
	}
}

func BenchmarkHeartbeat(b *testing.B) {
	s := newSimple(b)
	for i := range 2000 {
		s.create(fmt.Sprint("topic", i), 1)
	}
	b.ReportAllocs()
	for b.Loop() {
		s.heartbeat()
	}
}
