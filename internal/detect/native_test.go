package detect_test

import (
	"bytes"
	"cmp"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/sextant-logs/sextant/internal/detect"
	"github.com/sextant-logs/sextant/internal/enrich"
	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/format"
	"github.com/sextant-logs/sextant/internal/timestamp"
)

// firing runs a log through what reads files, and returns the rules that match and what the log was taken for.
func firing(t testing.TB, m *detect.Matcher, log native) (fired map[string]bool, as string) {
	t.Helper()
	f, _ := format.Recognise(format.NewSample(log.name, log.data, true))
	if f == nil {
		return nil, "nothing"
	}
	var en enrich.Enricher
	clock := timestamp.NewClock(nil, 0)
	params := &format.Params{Clock: clock, Done: func(b *event.Batch) {
		if !b.Event().Bare {
			en.Enrich(b)
		}
	}}
	if f.Name == "windows.eventlog" {
		params.Skim = m.Skim
	}
	fired = map[string]bool{}
	framer, decoder := f.NewFramer(bytes.NewReader(log.data)), f.NewDecoder(params)
	for {
		c, err := framer.Next()
		if err == io.EOF {
			return fired, f.Name
		}
		if err != nil {
			t.Fatal(err)
		}
		var b event.Batch
		decoder.Decode(c, &b)
		for _, h := range m.MatchBatch(&b, nil) {
			fired[h.Rule.ID] = true
		}
	}
}

// Every public rule fires on an event that is made of its own detection and written as its product writes logs. So a log source or a field
// that the table of log sources does not have is found out, for rules that no log of the corpus triggers. With -short one rule in eight is tried.
func TestEveryPublicRuleFiresOnTheLogItIsFor(t *testing.T) {
	corpus := cmp.Or(os.Getenv("SEXTANT_CORPUS"), "../../../shared/corpus")
	public, _ := filepath.Glob(filepath.Join(corpus, "sigma", "rules*"))
	if len(public) == 0 {
		t.Skip("no corpus")
	}
	rules, placeholders := usable(t, public...)
	d, err := detect.Load(detect.Options{Paths: public, Placeholders: placeholders})
	if err != nil {
		t.Fatal(err)
	}
	m := d.NewMatcher()
	s := newSynthesiser(rules, placeholders)
	logs := 0
	for i, r := range rules {
		if testing.Short() && i%8 != 0 {
			continue
		}
		why := cannot[r.ID]
		var tried []native
		ev := s.event(r, func(ev *synthetic) bool {
			tried = natives(ev)
			return len(tried) > 0
		})
		if ev == nil {
			if why == "" {
				t.Errorf("%s (%s): no event makes it fire: %s", r.Title, r.File, r.LogSource)
			}
			continue
		}
		bad := ""
		for _, log := range tried {
			logs++
			fired, as := firing(t, m, log)
			if !fired[r.ID] {
				bad += "\n  " + log.name + " read as " + as
				if !isWindows(r.LogSource) {
					bad += ": " + string(log.data[:min(len(log.data), 700)])
				}
			}
		}
		switch {
		case bad != "" && why == "":
			t.Errorf("%s (%s) %s does not fire on %v %q:%s", r.Title, r.File, r.LogSource, ev.fields, ev.keywords, bad)
		case bad == "" && why != "":
			t.Errorf("%s (%s) fires, though listed: %s", r.Title, r.File, why)
		}
	}
	t.Logf("%d rules, %d logs, %d rules that cannot fire", len(rules), logs, len(cannot))
}

// cannot are the public rules that no log of their log source makes fire, and why.
var cannot = map[string]string{
	"8dee7a0d-43fd-4b3c-8cd1-605e189d195e": "asks for a message that lists properties as JSON; Entra's log has them in members of their own",
	"bcd95697-e3e7-4c6f-8584-8e3503e6929f": "asks for file events of a firewall, which has no such log",
	"639b893f-f93a-4e53-a7c8-f08cf73fe7f7": "asks for the content type of requests, which no access log has by default",
	"53d4bb30-3f36-4e8a-b078-69d36c4a79ff": "asks that a field be a word and match an expression that the word does not",
}

// natives writes an event in each way that products have of logging it.
func natives(ev *synthetic) []native {
	ls := ev.rule.LogSource
	if isWindows(ls) {
		return windowsNatives(ev)
	}
	for _, p := range products {
		if (p.product == "" || p.product == ls.Product) && (p.category == "" || p.category == ls.Category) && (p.service == "" || p.service == ls.Service) {
			return p.write(ev)
		}
	}
	return nil
}
