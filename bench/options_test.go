package main

import (
	"slices"
	"strings"
	"testing"
)

func TestOptions(t *testing.T) {
	o, err := parseOptions(nil)
	if err != nil || len(o.only) != 7 || len(o.scenarios) < 6 || len(o.cluster) != 7 || o.rounds < 3 || o.othersMax != 0.15 || !o.kafka || !o.sync {
		t.Errorf("by default %+v, %v", o, err)
	}
	full := o.scenarios
	o, err = parseOptions(strings.Fields("-quick -only start,compare -scenarios lone,consume -kafka=false -others-max 20"))
	if err != nil || !slices.Equal(o.only, []string{"start", "compare"}) || len(o.scenarios) != 2 || len(o.cluster) != 2 || o.rounds != 1 || o.kafka || o.othersMax != 0.2 {
		t.Errorf("%+v, %v", o, err)
	}
	for _, s := range o.scenarios {
		for _, f := range full {
			if s.Name == f.Name && s.Records*10 > f.Records {
				t.Errorf("%s is not small: %d records", s.Name, s.Records)
			}
		}
	}
	for _, wrong := range []string{"-only nothing", "-scenarios lone,,", "-rounds 0", "-scale 0", "-others-max -1", "-retries -1", "more", "-what"} {
		if _, err := parseOptions(strings.Fields(wrong)); err == nil {
			t.Errorf("%q is accepted", wrong)
		}
	}
}
