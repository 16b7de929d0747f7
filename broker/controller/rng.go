package controller

// rng is a small generator (splitmix64) that is a value: placement follows from
// the seed and from the requests alone.
type rng struct{ state uint64 }

func (r *rng) next() uint64 {
	r.state += 0x9e3779b97f4a7c15
	z := r.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// below draws from 0 to n-1; n is positive.
func (r *rng) below(n int) int { return int(r.next() % uint64(n)) }
