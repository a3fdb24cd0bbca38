package pipeline

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sextant-logs/sextant/internal/analyze"
	"github.com/sextant-logs/sextant/internal/report"
	"github.com/sextant-logs/sextant/internal/store"
	"github.com/sextant-logs/sextant/logpattern"
)

// The report of a live case tells what that of a case does, and of what it does
// not tell it says so: "nothing in these records" would be untrue.
func TestTheReportOfALiveCaseTellsOfAllItsRecords(t *testing.T) {
	var lines []string
	begin := time.Now().UTC().Add(-6 * time.Hour).Truncate(time.Second)
	for i := range 400 {
		step := time.Second
		if i >= 200 { // the later half of the time has fewer
			step = 40 * time.Second
		}
		at := begin.Add(time.Duration(i) * step).Format(time.RFC3339)
		switch i % 2 {
		case 0:
			lines = append(lines, fmt.Sprintf("<86>1 %s web1 sshd 7 - - Failed password for root from 203.0.113.%d port %d ssh2", at, i%3, 40000+i))
		default:
			lines = append(lines, fmt.Sprintf("<30>1 %s web1 app 8 - - request %d took %d ms", at, i, i%700))
		}
	}
	l, _, end := openHeard(t, t.TempDir())
	defer end()
	send(t, l, lines...)
	var inv *report.Investigation
	for late := time.Now().Add(30 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		l.reported = liveReport{} // as if it were old
		var err error
		if inv, err = l.Report(context.Background()); err != nil {
			t.Fatal(err)
		}
		if inv.Statistics.Events == int64(len(lines)) && len(inv.Incidents) > 0 || time.Now().After(late) {
			break
		}
	}
	if again, err := l.Report(context.Background()); err != nil || again != inv {
		t.Errorf("asked again at once, another report is made: %v", err)
	}
	if inv.Statistics.Events != int64(len(lines)) || len(inv.Incidents) == 0 {
		t.Fatalf("%d records, %d findings, %d incidents", inv.Statistics.Events, len(inv.Findings), len(inv.Incidents))
	}
	if o := inv.Overview; len(o.Kinds) < 2 || len(o.Flows) == 0 || len(o.Links) == 0 || len(o.Changes) == 0 {
		t.Errorf("the overview lacks something: %+v", o)
	}
	for _, id := range inv.Incidents[0].Evidence {
		if !slices.ContainsFunc(inv.Evidence, func(e analyze.Evidence) bool { return e.ID == id }) {
			t.Errorf("record %s is cited and not shown", id)
		}
	}
	if inv.Rules.Loaded == 0 || inv.Rules.Matched == 0 || inv.Live == nil || len(inv.Live.Senders) == 0 || inv.Live.Senders[0].Records == 0 {
		t.Errorf("rules %+v, live %+v", inv.Rules, inv.Live)
	}
	page, err := report.HTML(inv)
	if err != nil {
		t.Fatal(err)
	}
	text := string(page)
	for _, want := range []string{"Live, as it was at", "400 records since", "is not looked at live", "collected live"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	for _, part := range []string{"timeline", "patterns", "learning", "statistics", "flows"} {
		_, rest, _ := strings.Cut(text, `<section id="`+part+`">`)
		rest, _, _ = strings.Cut(rest, "</section>")
		if rest == "" || strings.Contains(rest, "Nothing in these records") {
			t.Errorf("the part %s says that there is nothing", part)
		}
	}

}

func TestWhatTakesTooLongIsSaidInItsPartOfTheReport(t *testing.T) {
	st, err := store.Open(t.TempDir(), store.Options{MinFreeDisk: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	o, err := overview(context.Background(), st, logpattern.New(), time.Nanosecond)
	if err != nil {
		t.Fatal(err)
	}
	if len(o.Missing) != 8 || !slices.ContainsFunc(o.Missing, func(m report.Missing) bool { return m.Part == "timeline" && strings.Contains(m.Text, "takes longer") }) {
		t.Errorf("%+v", o.Missing)
	}
}
