package store

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/VictoriaMetrics/VictoriaLogs/lib/logstorage"

	"github.com/sextant-logs/sextant/internal/event"
)

func TestPipesAreCutWhereTheEnginePrintsThem(t *testing.T) {
	for _, tt := range []struct {
		query string
		want  []string
	}{
		{"*", []string{"*"}},
		{`a:"x | y" | fields "b|c", d | limit 5`, []string{`a:"x | y"`, `fields "b|c", d`, "limit 5"}},
		{`a:in(b:c | fields a) | extract "<x>|<y>" | stats by (z) count() if (q:"|") n`, []string{"a:in(b:c | fields a)", `extract "<x>|<y>"`, `stats by (z) count(*) if (q:"|") as n`}},
		{`a:~"\"|\"" | union (b | limit 3)`, []string{`a:~"\"|\""`, "union (b | limit 3)"}},
		{"x | replace ('|', `\\|`) at _msg", []string{"x", `replace ("|", "\\|")`}},
	} {
		q, err := parse(tt.query, 1)
		if err != nil {
			t.Fatal(err)
		}
		filter, list := pipes(q)
		if got := append([]string{filter}, list...); !slices.Equal(got, tt.want) {
			t.Errorf("%s\n got %q\nwant %q", tt.query, got, tt.want)
		}
	}
}

func TestSortsGetKeysWithinTheirBrackets(t *testing.T) {
	for in, want := range map[string]string{
		`sort by (a desc, "b)") desc limit 3`: `sort by (a desc, "b)", k) desc limit 3`,
		"first 2 by (a) partition by (b)":     "first 2 by (a, k) partition by (b)",
		"sort":                                "sort",
	} {
		if got := addKeys(in, "k"); got != want {
			t.Errorf("%s: %s", in, got)
		}
	}
}

func TestQueryErrorsPointAtThePlace(t *testing.T) {
	_, err := parse("* | stats by (x) count() n\n| fields a,, b", 1)
	want := "query: cannot parse"
	var q *QueryError
	if !errors.As(err, &q) || !strings.HasPrefix(err.Error(), want) {
		t.Fatal(err)
	}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != 3 || lines[1] != "  | fields a,, b" || strings.IndexByte(lines[2], '^') < 13 {
		t.Errorf("%q", lines)
	}
}

// FuzzQuery runs any query on a small store: it is refused or answered, the
// same way twice, and what the engine prints of it can be cut and joined.
func FuzzQuery(f *testing.F) {
	s, err := Open(f.TempDir(), Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { s.Close() })
	w := s.NewWriter()
	if err := errors.Join(w.Add(&Source{ID: testID, Path: "p"}, scattered(300)), w.Flush(), s.Flush(f.Context())); err != nil {
		f.Fatal(err)
	}
	for _, q := range []string{
		"*", "* | limit 3", "user.name:=user1 | fields k", "* | stats by (user.name) count() n | sort by (n desc) limit 2",
		"_time:5m | top 3 by (k)", "event.original:~x | uniq by (k) limit 2", `* | extract "line <n>" | math n + 1 as m | offset 5`,
		"a:in(* | fields k) or {x=~\"y\"} !z", "* | union (*) | first 3 by (k) partition by (user.name)", "options(concurrency=1) * | len(_msg) l | filter l:>3",
		"* | sort by (k) rank as r | limit 2", "* | join by (k) (*) | unroll k", "* | stats by (_time:1h) quantile(0.9, k), row_max(k)", "* | facets", "* | field_values k",
	} {
		f.Add(q)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "sample") || strings.Contains(text, "query_stats") {
			t.Skip() // these answer differently each time by their nature
		}
		q, err := parse(text, 1)
		if err != nil {
			return
		}
		if _, err := logstorage.ParseQueryAtTimestamp(q.String(), 1); err != nil {
			// The engine cannot read what it printed: QueryWith must say so.
			if err := s.Query(t.Context(), text, func([]event.Field) error { return nil }); err == nil {
				t.Errorf("answered, although it cannot be: %v", err)
			}
			return
		}
		filter, list := pipes(q)
		if got := strings.Join(append([]string{filter}, list...), " | "); got != q.String() {
			t.Errorf("cut %q from %q", got, q.String())
		}
		_ = s.QueryWith(t.Context(), text, QueryOptions{Limit: 1000}, func([]event.Field) error { return nil })
	})
}
