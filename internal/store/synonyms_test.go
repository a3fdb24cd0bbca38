package store

import "testing"

func TestAQueryForOneNameOfAValueIsOneForAll(t *testing.T) {
	same := Synonyms{"kind": func(v string) []string {
		return map[string][]string{"a1": {"b2", "c3"}, "b2": {"a1", "c3"}}[v]
	}}
	for query, want := range map[string]string{
		`kind:=a1`:                                     `kind:in("a1","b2","c3")`,
		`kind:a1 or kind:=zz`:                          `kind:in("a1","b2","c3") or kind:=zz`,
		`!kind:in(b2, "x y", a1)`:                      `!kind:in("b2","a1","c3","x y")`,
		`_msg:"kind:=a1" other:=a1`:                    `"kind:=a1" other:=a1`,
		`kind:a* kind:=a*`:                             `kind:a* kind:=a*`,
		`* | stats by (kind) count() | log.kind:="a1"`: ``,
		`kind:in(other:=b2 | fields kind)`:             ``,
	} {
		q, err := parse(query, 1)
		if err != nil {
			t.Fatal(query, err)
		}
		got := same.rewrite(q.String())
		if _, err := parse(got, 1); err != nil {
			t.Errorf("%s became %s: %v", query, got, err)
		}
		if want != "" && got != want {
			t.Errorf("%s became\n%s, want\n%s", query, got, want)
		}
	}
}
