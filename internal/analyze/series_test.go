package analyze

import (
	"context"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// perHour is a series with as many an hour as of tells for a day, and its days.
func perHour(days int32, of func(day int32) uint32) (s series, covered []int32) {
	for d := range days {
		covered = append(covered, d)
		for h := range int32(24) {
			s = append(s, cell{hour: d*24 + h, count: of(d)})
		}
	}
	return s, covered
}

// judged lays out a series and learns its baselines by the hour.
func judged(s series) *scan {
	sc := &scan{}
	sc.use(newCalendar(s))
	sc.lay(s)
	sc.model(1)
	return sc
}

func TestBaselinesAge(t *testing.T) {
	changed := func(at int32) func(int32) uint32 {
		return func(d int32) uint32 {
			if d < at {
				return 100
			}
			return 10
		}
	}
	// Three months ago is forgotten.
	s, _ := perHour(100, changed(30))
	sc := judged(s)
	if u := sc.describe(99*24+12, 1); u.high != 10 || u.days > reach {
		t.Errorf("%+v", u)
	}
	if b, _ := sc.of(99*24 + 12); math.Abs(b.mean-10) > 1e-6 {
		t.Errorf("%+v", b)
	}
	// Of what is within reach, what is nearer weighs more: 20 new days against 36 old ones.
	s, _ = perHour(57, changed(33))
	sc = judged(s)
	flat := (33*100 + 23*10) / 56.0
	if b, _ := sc.of(56*24 + 12); b.mean >= flat-5 {
		t.Errorf("mean %.1f, without age %.1f", b.mean, flat)
	}
}

// An action that is missing for three hours while its log goes on is told, and one that is missing because its log has
// nothing is not.
func TestDropsOfAnActionAreToldIfItsLogGoesOn(t *testing.T) {
	for _, c := range []struct {
		name       string
		gone, rest bool // the action is missing, its log too
		want       int
	}{{"all is as ever", false, false, 0}, {"the action is missing", true, false, 1}, {"the log is missing", true, true, 0}} {
		w := &world{start: worldStart, rng: rand.New(rand.NewPCG(1, 1))}
		for d := range 14 {
			for h := range 24 {
				missing := d == 9 && h >= 10 && h < 13
				for m := range 60 {
					at := w.at(d, float64(h)+float64(m)/60)
					if !missing || !c.gone {
						w.add(at, "app.audit", "host.name", "files1", "event.action", "file-read")
					}
					if !missing || !c.rest {
						w.add(at, "app.audit", "host.name", "files1", "event.action", "other")
					}
				}
			}
		}
		tech := newRates()
		for _, b := range w.batches(1000) {
			if d := tech.Digest("log", b); d != nil {
				tech.Merge(d)
			}
		}
		found, err := tech.Findings(context.Background(), emptyStore{})
		var drops []Finding
		for _, f := range found {
			if strings.Contains(f.Explanation, "file-read") {
				drops = append(drops, f)
			}
		}
		if err != nil || len(drops) != c.want || c.want == 1 && !strings.Contains(drops[0].Explanation, "log app.audit: 0 records of file-read 2026-03-11 10:00–12:59, usually 180 in these 3 hours of the day over 9 working days") {
			t.Errorf("%s: %+v %v", c.name, found, err)
		}
	}
}
