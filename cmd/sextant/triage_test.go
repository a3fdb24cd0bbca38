package main

import (
	"bytes"
	"testing"

	"github.com/sextant-logs/sextant/internal/triage"
)

func TestVerdictsThatTeachLittleAreSaidToDoSo(t *testing.T) {
	for _, c := range []struct {
		model triage.Model
		want  string
	}{
		{triage.Model{}, ""},
		{triage.Model{Judged: 20, True: 8}, ""},
		{triage.Model{Judged: 1}, "Nothing was judged real (1 verdict): what is like it sinks, and nothing is known of what is real.\n"},
		{triage.Model{Judged: 3, True: 3}, "All that was judged is real (3 verdicts): what is like it rises, and nothing is known of what is not.\n"},
		{triage.Model{Judged: 4, True: 2, Contradict: []triage.Contradiction{{True: "a\x1b", False: "b"}, {True: "c", False: "d"}}},
			"Verdicts contradict each other: a\\x1b was judged real and b was not, which has the same rule, addresses, users and hosts (one of 2 such pairs). Such verdicts cancel out, but for what their times tell.\n"},
	} {
		var b bytes.Buffer
		if tellVerdicts(&b, &c.model); b.String() != c.want {
			t.Errorf("%+v:\n%s", c.model, b.String())
		}
	}
}
