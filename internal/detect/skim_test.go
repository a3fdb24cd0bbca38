package detect_test

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sextant-logs/sextant/internal/detect"
	"github.com/sextant-logs/sextant/internal/enrich"
	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/format"
	"github.com/sextant-logs/sextant/internal/rulepack"
	"github.com/sextant-logs/sextant/internal/timestamp"
)

// hitsOf lists the matches of an event log, decoded to all fields or skimmed.
func hitsOf(tb testing.TB, m *detect.Matcher, data []byte, skim bool) (list []string, bare int) {
	tb.Helper()
	f, _ := format.Recognise(format.NewSample("a.evtx", data, true))
	if f == nil || f.Name != "windows.eventlog" {
		return nil, 0
	}
	var en enrich.Enricher
	params := &format.Params{Clock: timestamp.NewClock(nil, 0), Done: func(b *event.Batch) {
		if !b.Event().Bare {
			en.Enrich(b)
		}
	}}
	if skim {
		params.Skim = m.Skim
	}
	var b event.Batch
	framer := f.NewFramer(bytes.NewReader(data))
	for {
		c, err := framer.Next()
		if err == io.EOF {
			return list, bare
		}
		if err != nil {
			tb.Fatal(err)
		}
		b.Reset()
		f.NewDecoder(params).Decode(c, &b)
		for _, h := range m.MatchBatch(&b, nil) {
			e := &b.Events[h.Event]
			list = append(list, fmt.Sprint(e.Offset, " ", h.Rule.ID, " ", h.Source, " ", h.Silent, " ", len(e.Fields), " ", len(e.Raw)))
		}
		for i := range b.Events {
			if b.Events[i].Bare {
				bare++
			}
		}
	}
}

// A skimmed log gives the matches, and the events that matched whole, that the log gives decoded to all fields.
// With -short one log in eight is read, with our own rules only.
func TestSkimmingLosesNoMatch(t *testing.T) {
	corpus := cmp.Or(os.Getenv("SEXTANT_CORPUS"), "../../../shared/corpus")
	var public []string
	stride := 8
	if !testing.Short() {
		public, _ = filepath.Glob(filepath.Join(corpus, "sigma", "rules*"))
		stride = 1
	}
	d, err := detect.Load(detect.Options{Embedded: rulepack.Rules, Paths: public})
	if err != nil {
		t.Fatal(err)
	}
	m := d.NewMatcher()
	files, matches, skipped := 0, 0, 0
	check := func(name string, data []byte) {
		want, _ := hitsOf(t, m, data, false)
		got, bare := hitsOf(t, m, data, true)
		files, matches, skipped = files+1, matches+len(want), skipped+bare
		if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
			t.Errorf("%s: skimmed\n%s\nwant\n%s", name, g, w)
		}
	}
	check("made", windowsLog(t, 5, 2000))
	if skipped == 0 || matches == 0 {
		t.Errorf("%d matches and %d events left bare: the test shows nothing", matches, skipped)
	}
	seen := 0
	for _, dir := range []string{"evtx", "sigma"} {
		filepath.WalkDir(filepath.Join(corpus, dir), func(path string, e fs.DirEntry, err error) error {
			if err != nil || !strings.EqualFold(filepath.Ext(path), ".evtx") {
				return nil
			}
			if seen++; seen%stride != 0 {
				return nil
			}
			data, err := os.ReadFile(path)
			if err != nil {
				t.Error(err)
				return nil
			}
			check(path, data)
			return nil
		})
	}
	t.Logf("%d logs, %d matches, %d events left bare", files, matches, skipped)
}
