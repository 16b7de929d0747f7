package hostile

import (
	"strings"
	"testing"
	"time"

	"github.com/moldau/moldau/bench/stats"
)

func TestVerdicts(t *testing.T) {
	round := func(ratio float64, busy bool, rss int64) Round {
		return Round{Ratio: ratio, TooBusy: busy, PeakRSSBytes: rss}
	}
	const small, large = 200_000_000, 300_000_001
	for name, c := range map[string]struct {
		rounds []Round
		want   []string
	}{
		"met by the best":  {[]Round{round(2.5, false, small), round(9, false, small), round(4, false, small)}, []string{"2.50 times", "4.00 in the median", "best): met", "200 MB", "300): met"}},
		"missed":           {[]Round{round(3.1, false, small), round(9, false, large), round(4, false, small)}, []string{"3.10 times", "best): missed", "300): missed"}},
		"busy best":        {[]Round{round(2, true, small), round(9, false, small), round(4, false, small), round(5, false, small)}, []string{"4.00 times", "5.00 in the median", "best): missed"}},
		"too few count":    {[]Round{round(2, true, small), round(9, false, small), round(4, false, small)}, []string{"too busy to tell", "300): met"}},
		"too few in sum":   {[]Round{round(2, false, large)}, []string{"smoke", "300): missed"}},
		"nothing measured": {nil, []string{"smoke"}},
	} {
		got := strings.Join(Verdicts(c.rounds), "\n")
		for _, want := range c.want {
			if !strings.Contains(got, want) {
				t.Errorf("%s: no %q in\n%s", name, want, got)
			}
		}
	}
}

func TestRatio(t *testing.T) {
	quiet, attack := &stats.Histogram{}, &stats.Histogram{}
	quiet.AddN(time.Millisecond, 100)
	attack.AddN(time.Millisecond, 90)
	attack.AddN(4*time.Millisecond, 10)
	var r Round
	r.fill(quiet, attack)
	if r.Ratio < 3.9 || r.Ratio > 4.1 || r.QuietP50Ms < 0.99 || r.AttackP50Ms > 1.01 {
		t.Errorf("%+v", r)
	}
	var text strings.Builder
	if err := Print(&text, []Round{r}); err != nil || !strings.Contains(text.String(), "4.0") {
		t.Errorf("%s, %v", text.String(), err)
	}
}
