package detect

import (
	"context"
	"testing"
	"testing/fstest"

	"github.com/sextant-logs/sextant/internal/event"
)

// Every document of every rule file is told of once: it matched, it was tried and did not, there was no log for it, or it failed.
func TestTheBooksOfRulesAddUp(t *testing.T) {
	d, err := Load(Options{Embedded: fstest.MapFS{
		"a.yml": {Data: []byte(testRules)}, // matches; its correlation does not
		"b.yml": {Data: []byte("title: same\nlogsource: {product: linux, service: sshd}\ndetection: {s: {a|nosuch: x}, condition: s}\n")},
		"c.yml": {Data: []byte("title: same\nlogsource: {product: linux, service: sshd}\ndetection: {s: {a: x}, condition: s}\n")}, // as the one that fails is called
		"d.yml": {Data: []byte("title: elsewhere\nlogsource: {product: windows}\ndetection: {s: {a: x}, condition: s}\n")},
		"e.yml": {Data: []byte("title: nowhere\nlogsource: {product: nosuch}\ndetection: {s: {a: x}, condition: s}\n")},
		"f.yml": {Data: []byte("title: [broken\n---\ntitle: none of a rule's parts\n---\ntitle: lost\ncorrelation: {type: event_count, rules: [nosuch], timespan: 1m, condition: {gte: 2}}\n")},
		"g.yml": {Data: []byte("title: filter\nlogsource: {product: linux, service: sshd}\nfilter: {rules: [failed], s: {user.name: carol}, condition: not s}\n")},
		"h.yml": {Data: []byte("title: filter of nothing\nlogsource: {product: linux, service: sshd}\nfilter: {rules: [nosuch], s: {user.name: carol}, condition: not s}\n")},
	}})
	if err != nil {
		t.Fatal(err)
	}
	var b event.Batch
	login{"web1", "192.0.2.9", 1}.begin(&b, 0)
	m, g := d.NewMatcher(), d.NewGatherer()
	if err := g.Correlate(&b, m.MatchBatch(&b, nil)); err != nil {
		t.Fatal(err)
	}
	g.Add(&b, "auth.log", m.MatchBatch(&b, nil))
	g.Saw(m)
	if err := g.Correlations(context.Background(), func(Correlation) error { return nil }); err != nil {
		t.Fatal(err)
	}
	const documents = 11
	s := g.Summary()
	if s.Loaded != s.Applied+len(s.NotApplicable) || s.Matched > s.Applied || s.Loaded+len(s.Failed) != documents {
		t.Errorf("%d documents: %d loaded, %d applied, %d matched, %d not applicable, %d failed", documents, s.Loaded, s.Applied, s.Matched, len(s.NotApplicable), len(s.Failed))
	}
	if s.Loaded != 6 || s.Applied != 4 || s.Matched != 1 || len(s.Failed) != 5 {
		t.Errorf("%+v", s)
	}
}

// Keywords are what the record says, not what we say of it; Explain says the same as the matcher.
func TestKeywordsAreLookedForInTheRecordsOwnWords(t *testing.T) {
	d, err := Load(Options{Embedded: fstest.MapFS{"a.yml": {Data: []byte("title: t\nlogsource: {product: cisco, service: aaa}\ndetection: {k: [format, delete], condition: k}\n")}}})
	if err != nil {
		t.Fatal(err)
	}
	for raw, want := range map[string]bool{"no digest from 192.0.2.9": false, "User:bob logged command:format flash:": true} {
		var b event.Batch
		b.Begin(0, raw)
		b.Add("event.dataset", "cisco_ios.log")
		b.Add("cisco.ios.facility", "PARSER")
		b.Add("log.level", "informational")
		b.Add("event.action", "deleted-file")
		b.Add("message", raw)
		if got := len(d.NewMatcher().MatchBatch(&b, nil)) > 0; got != want {
			t.Errorf("%q: matches is %v", raw, got)
		}
		if x, err := d.Explain(d.Rules()[0], &b.Events[0]); err != nil || x.Matched != want {
			t.Errorf("%q: %v, %+v", raw, err, x)
		}
	}
}
