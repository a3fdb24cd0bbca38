package logpattern

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestOrderAndMergingChangeNothing mines the messages of all systems one system after the other, shuffled, and in eight
// miners that are merged: the templates are the same, each id that was given leads to one of them, and the ids that one
// miner knows are those of a miner that was written and read.
//
//	go test -v -run Order ./logpattern
func TestOrderAndMergingChangeNothing(t *testing.T) {
	var truth, messages []string
	for _, sys := range systems {
		s, err := readSystem(sys.name, 3)
		if err != nil {
			t.Fatal(err)
		}
		of, lines := s.lines(max(*linesOfSystem/5, 1000))
		for i := range of {
			of[i] = sys.name + of[i]
		}
		truth, messages = append(truth, of...), append(messages, lines...)
	}
	texts := func(m *Miner) (out []string) {
		for _, x := range m.Templates() {
			out = append(out, x.Text)
		}
		slices.Sort(out)
		return out
	}
	resolved := func(what string, m *Miner, given []string) []string {
		now := m.Resolve()
		by := map[string]string{}
		for _, x := range m.Templates() {
			by[x.ID] = x.Text
		}
		out := make([]string, len(given))
		moved := 0
		for i, id := range given {
			if to, ok := now[id]; ok {
				id = to
				moved++
			}
			var ok bool
			if out[i], ok = by[id]; !ok {
				t.Fatalf("%s: the id %s leads to no template", what, id)
			}
		}
		t.Logf("%-28s %5d templates, of %5d masked messages; %.1f%% of the messages have an id that became an alias", what, len(by), m.Len(), 100*float64(moved)/float64(len(given)))
		return out
	}
	mine := func(m *Miner, order []int) []string {
		given := make([]string, len(messages))
		for _, i := range order {
			given[i] = m.ID(m.Add(messages[i]))
		}
		return given
	}
	order := make([]int, len(messages))
	for i := range order {
		order[i] = i
	}
	one := New()
	first := resolved("one system after another", one, mine(one, order))
	grouping := func(texts []string) { a := agree(truth, texts); t.Logf("%28s GA %.3f FGA %.3f", "", a.ga, a.fga) }
	grouping(first)

	r := rand.New(rand.NewPCG(1, 1))
	shuffled := slices.Clone(order)
	r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	other := New()
	second := resolved("shuffled", other, mine(other, shuffled))
	grouping(second)

	// Eight collectors that each see some messages, the state of each written, read and merged.
	merged := New()
	given := make([]string, len(messages))
	for k := range 8 {
		m := New()
		for _, i := range shuffled {
			if i%8 == k {
				given[i] = m.ID(m.Add(messages[i]))
			}
		}
		var state bytes.Buffer
		if _, err := m.WriteTo(&state); err != nil {
			t.Fatal(err)
		}
		again, err := Read(&state)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(texts(again), texts(m)) {
			t.Error("what was read is not what was written")
		}
		merged.Merge(again)
	}
	third := resolved("merged from eight", merged, given)
	grouping(third)
	different := 0
	for i := range first {
		if first[i] != second[i] || first[i] != third[i] {
			if different++; different < 4 {
				t.Logf("%q\nis %q,\nif shuffled %q,\nif merged %q", messages[i], first[i], second[i], third[i])
			}
		}
	}
	// Groups of more than maxMembers were sealed, each at its own time.
	t.Logf("%d of %d messages are of another template in one of the orders", different, len(messages))
	if different*500 > len(messages) {
		t.Error("the templates depend on the order")
	}
}
