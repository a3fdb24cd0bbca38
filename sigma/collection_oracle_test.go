package sigma

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// oracleMerge lays one document over another: maps member by member, all else replaced.
func oracleMerge(base, over map[string]any) map[string]any {
	out := maps.Clone(base)
	if out == nil {
		out = map[string]any{}
	}
	for k, v := range over {
		a, both := out[k].(map[string]any)
		b, maps := v.(map[string]any)
		if both && maps {
			v = oracleMerge(a, b)
		}
		out[k] = v
	}
	return out
}

// Collections agree with what their actions are defined to be: global content is merged into all documents that follow and adds up, reset forgets
// it, and repeat is the rule before with the document merged into it.
func TestCollectionsAgreeWithTheSpecification(t *testing.T) {
	r := rand.New(rand.NewPCG(21, 21))
	some := func(n int, of ...string) string { return of[r.IntN(n)] }
	draw := func() map[string]any {
		d := map[string]any{}
		if r.IntN(2) == 0 {
			d["title"] = some(3, "one", "two", "three")
		}
		if r.IntN(2) == 0 {
			d["level"] = some(3, "low", "medium", "high")
		}
		if r.IntN(3) == 0 {
			d["tags"] = []any{some(2, "attack.t1059", "attack.t1110"), "attack.execution"}[:1+r.IntN(2)]
		}
		if r.IntN(2) == 0 {
			source := map[string]any{}
			for _, k := range []string{"category", "product", "service"} {
				if r.IntN(2) == 0 {
					source[k] = some(2, "x", "y")
				}
			}
			d["logsource"] = source
		}
		if r.IntN(4) > 0 {
			detection := map[string]any{}
			for _, name := range []string{"s", "t"} {
				switch r.IntN(4) {
				case 0:
					detection[name] = map[string]any{some(2, "A", "B"): some(2, "1x", "2x")}
				case 1:
					detection[name] = map[string]any{"A": "1x", "B|contains": []any{"p", "q"}[:1+r.IntN(2)]}
				case 2:
					detection[name] = []any{"word", some(2, "other", "third")}
				}
			}
			if r.IntN(2) == 0 {
				detection["condition"] = some(3, "s", "t", "1 of them")
			}
			d["detection"] = detection
		}
		return d
	}
	kinds := map[string]int{}
	for range 2000 {
		var text strings.Builder
		var global, previous map[string]any
		var want []map[string]any
		for i := range 2 + r.IntN(7) {
			d, action := draw(), some(6, "", "", "", "global", "repeat", "reset")
			if action == "reset" {
				d = map[string]any{}
			}
			if i > 0 {
				text.WriteString("---\n")
			}
			written := maps.Clone(d)
			if action != "" {
				written["action"] = action
			}
			if len(written) == 0 {
				d["title"], written["title"] = "none", "none"
			}
			line, err := json.Marshal(written) // JSON is YAML
			if err != nil {
				t.Fatal(err)
			}
			text.Write(append(line, '\n'))
			switch action {
			case "global":
				global = oracleMerge(global, d)
			case "reset":
				global = nil
			case "repeat":
				if previous == nil {
					continue
				}
				previous = oracleMerge(previous, d)
				want = append(want, previous)
			default:
				previous = oracleMerge(global, d)
				want = append(want, previous)
			}
			kinds[action]++
		}
		// A document by itself says what it means; whether it is a rule at all is the same.
		var wanted []*Rule
		for _, d := range want {
			line, _ := json.Marshal(d)
			rules, _ := Parse("r.yml", line)
			wanted = append(wanted, rules...)
		}
		got, _ := Parse("r.yml", []byte(text.String()))
		if len(got) != len(wanted) {
			t.Fatalf("%d rules, want %d of\n%s", len(got), len(wanted), text.String())
		}
		for i := range got {
			a, b := plainRule(got[i]), plainRule(wanted[i])
			if !reflect.DeepEqual(a, b) {
				t.Fatalf("rule %d is\n%s\nwant\n%s\nof\n%s", i, a, b, text.String())
			}
		}
		kinds["rules"] += len(got)
	}
	for _, k := range []string{"", "global", "repeat", "reset", "rules"} {
		if kinds[k] < 500 {
			t.Errorf("%d of %q: the test shows little", kinds[k], k)
		}
	}
}

// plainRule is what a rule says, without where it stands and in what order its searches do.
func plainRule(r *Rule) string {
	var searches []string
	for _, s := range r.Detection.Searches {
		var alternatives []string
		for _, a := range s.Alternatives {
			var items []string
			for _, it := range a.Items {
				var values []string
				for _, v := range it.Values {
					values = append(values, v.Text)
				}
				items = append(items, fmt.Sprint(it.Field, it.Modifiers, values))
			}
			slices.Sort(items)
			alternatives = append(alternatives, fmt.Sprint(items))
		}
		searches = append(searches, s.Name+fmt.Sprint(alternatives))
	}
	slices.Sort(searches)
	return fmt.Sprint(r.Title, r.Level, r.Tags, r.LogSource, searches, r.Detection.Conditions)
}
