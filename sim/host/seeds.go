package main

import (
	"fmt"
	"strconv"
	"strings"
)

// seedsMax bounds a range of seeds.
const seedsMax = 10_000_000

// parseSeeds reads "7", "1-500" and lists of both.
func parseSeeds(text string) (seeds []uint64, err error) {
	for _, part := range strings.Split(text, ",") {
		first, last, isRange := strings.Cut(part, "-")
		a, err := parseSeed(first)
		if err != nil {
			return nil, err
		}
		b := a
		if isRange {
			if b, err = parseSeed(last); err != nil {
				return nil, err
			}
		}
		if b < a || b-a >= uint64(seedsMax-len(seeds)) {
			return nil, fmt.Errorf("seeds %q: the last is below the first, or there are more than %d", part, seedsMax)
		}
		for seed := a; ; seed++ {
			seeds = append(seeds, seed)
			if seed == b {
				break
			}
		}
	}
	return seeds, nil
}

func parseSeed(text string) (uint64, error) {
	seed, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("seed %q: a decimal number below 2^64 is wanted, a range 1-500, or a list of both", text)
	}
	return seed, nil
}

// formatSeeds writes ascending seeds as ranges.
func formatSeeds(seeds []uint64) string {
	var b strings.Builder
	for i := 0; i < len(seeds); {
		j := i
		for j+1 < len(seeds) && seeds[j+1] == seeds[j]+1 {
			j++
		}
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		fmt.Fprint(&b, seeds[i])
		if j > i {
			fmt.Fprintf(&b, "-%d", seeds[j])
		}
		i = j + 1
	}
	return b.String()
}
