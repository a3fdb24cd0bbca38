package timeline

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/statistics"
	"github.com/sextant-logs/sextant/internal/store"
)

var start = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)

type fact struct {
	at     time.Time
	fields []string
}

func filled(t testing.TB, facts ...fact) store.Store {
	t.Helper()
	st, err := store.Open(t.TempDir(), store.Options{MinFreeDisk: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	var b event.Batch
	for i, f := range facts {
		e := b.Begin(int64(i), "record")
		e.ID = fmt.Sprintf("id%06d", i)
		if !f.at.IsZero() {
			e.Time = f.at.UnixNano()
		}
		for j := 0; j < len(f.fields); j += 2 {
			b.Add(f.fields[j], f.fields[j+1])
		}
	}
	w := st.NewWriter()
	if err := w.Add(&store.Source{ID: "s", Path: "x.log"}, b.Events); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := st.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	return st
}

func TestAlikeEventsWithinAMinuteAreOneEntryInOrder(t *testing.T) {
	failed := []string{"event.action", "ssh_login", "event.outcome", "failure", "user.name", "root", "source.ip", "203.0.113.9", "host.name", "web1", "process.name", "sshd"}
	st := filled(t, fact{start, failed}, fact{start.Add(10 * time.Second), []string{"event.action", "other", "host.name", "web1"}}, fact{start.Add(50 * time.Second), failed},
		fact{start.Add(5 * time.Minute), failed}, fact{time.Time{}, []string{"message", "no time \x1b[31m"}})
	var got []string
	err := Entries(t.Context(), st, "*", func(e *Entry) error {
		got = append(got, fmt.Sprintf("%s ×%d %v", e.Text, e.Count, e.Untimed))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"no time \x1b[31m ×1 true", "sshd ssh_login root from 203.0.113.9 ×2 false", "other ×1 false", "sshd ssh_login root from 203.0.113.9 ×1 false"}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestJobsAreFoundWithTheirPeriod(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, period := range []time.Duration{30 * time.Second, 5 * time.Minute, time.Hour, 24 * time.Hour} {
		for _, jitter := range []float64{0, 0.01, 0.04} {
			for _, missed := range []float64{0, 0.1} {
				for _, lines := range []int{1, 4} {
					var times []int64
					for i := range 60 {
						if r.Float64() < missed {
							continue
						}
						at := start.Add(time.Duration(i)*period + time.Duration(r.NormFloat64()*jitter*float64(period)/2)).UnixNano()
						for range lines {
							times = append(times, at)
							at += int64(r.IntN(int(300 * time.Millisecond)))
						}
					}
					rh, ok := rhythm(times)
					if off := float64(rh.Period-period) / float64(period); !ok || off > 0.02 || off < -0.02 {
						t.Errorf("every %v, jitter %v, missed %v, %d lines: %v %+v", period, jitter, missed, lines, ok, rh)
					}
				}
			}
		}
	}
}

func TestAJobAmongOtherEventsIsFoundByItsAutocorrelation(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 2))
	var times []int64
	for i := range 200 {
		times = append(times, start.Add(time.Duration(i)*5*time.Minute).UnixNano())
		if i%3 == 0 {
			times = append(times, start.Add(time.Duration(r.IntN(200*300))*time.Second).UnixNano())
		}
	}
	sortTimes(times)
	rh, ok := rhythm(times)
	if !ok || rh.Period < 295*time.Second || rh.Period > 305*time.Second {
		t.Errorf("%v %+v", ok, rh)
	}
}

func sortTimes(t []int64) {
	for i := range t {
		for j := i; j > 0 && t[j] < t[j-1]; j-- {
			t[j], t[j-1] = t[j-1], t[j]
		}
	}
}

func TestRandomArrivalsAreNoRhythm(t *testing.T) {
	wrong := 0
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 4))
		var times []int64
		at := start.UnixNano()
		for range 8 + r.IntN(200) {
			at += int64(r.ExpFloat64() * float64(5*time.Minute))
			times = append(times, at)
		}
		if rh, ok := rhythm(times); ok {
			wrong++
			t.Logf("%+v", rh)
		}
	}
	if wrong > 2 {
		t.Errorf("%d of 200", wrong)
	}
	for _, times := range [][]int64{nil, {1}, make([]int64, 50)} {
		if rh, ok := rhythm(times); ok {
			t.Errorf("%d times: %+v", len(times), rh)
		}
	}
}

func TestRhythmsNameWhatRepeats(t *testing.T) {
	var facts []fact
	for i := range 40 {
		facts = append(facts, fact{start.Add(time.Duration(i) * 5 * time.Minute), []string{"host.name", "web1", "process.name", "CRON", "event.action", "cron_command", "user.name", "root"}},
			fact{start.Add(time.Duration(i)*5*time.Minute + time.Second), []string{"host.name", "web1", "process.name", "CRON", "event.action", "logged-off", "user.name", "root"}},
			fact{start.Add(time.Duration(i) * time.Minute), []string{"source.ip", "192.0.2.15", "destination.ip", "203.0.113.9", "destination.port", "443"}})
	}
	all, err := Rhythms(t.Context(), filled(t, facts...), "*")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for i := range all {
		got = append(got, all[i].Sentence())
	}
	want := []string{"192.0.2.15 → 203.0.113.9 443: every 1 min ± 0 s, 40 times", "web1 CRON cron_command root: every 5 min ± 0 s, 40 times (and 1 more alike)"}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestAJobOfEveryMinuteIsFoundInALongLog(t *testing.T) {
	var facts []fact
	for i := range 10_080 { // a week
		facts = append(facts, fact{start.Add(time.Duration(i) * time.Minute), []string{"source.ip", "192.0.2.15", "destination.ip", "203.0.113.9", "destination.port", "443"}})
	}
	all, err := Rhythms(t.Context(), filled(t, facts...), "*")
	if err != nil || len(all) != 1 || all[0].Sentence() != "192.0.2.15 → 203.0.113.9 443: every 1 min ± 0 s, 10,080 times" {
		t.Errorf("%+v, %v", all, err)
	}
}

func series(counts ...float64) *statistics.Series {
	return &statistics.Series{Start: start.UnixNano(), Step: time.Minute, Names: []string{"x"}, Values: [][]float64{counts}}
}

func TestABurstIsOneAndNightAndDayAreNone(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	counts := make([]float64, 2880)
	for i := range counts {
		counts[i] = float64(r.IntN(4))
		if i%1440 > 480 && i%1440 < 1080 {
			counts[i] += 10 + float64(r.IntN(10))
		}
	}
	if b := Bursts(series(counts...)); len(b) > 2 {
		t.Errorf("%d bursts in two ordinary days: %+v", len(b), b[:3])
	}
	for i := 700; i < 720; i++ {
		counts[i] += 200
	}
	counts[710] = 30 // a quieter minute within
	b := Bursts(series(counts...))
	if len(b) == 0 || b[0].From != start.Add(700*time.Minute).UnixNano() || b[0].To != start.Add(720*time.Minute).UnixNano() {
		t.Errorf("%+v", b)
	}
}

func TestSilenceIsWhatIsLongForThatLog(t *testing.T) {
	counts := make([]float64, 600)
	for i := range counts {
		if i%3 == 0 && (i < 300 || i > 400) {
			counts[i] = 1
		}
	}
	s := Silences(series(counts...))
	if len(s) != 1 || time.Duration(s[0].To-s[0].From) < 100*time.Minute || s[0].Usual != 3*time.Minute {
		t.Errorf("%+v", s)
	}
	if s := Silences(series(1, 0, 0, 0, 0, 0, 0, 0, 0, 1)); len(s) != 0 {
		t.Errorf("two events have no usual silence: %+v", s)
	}
}

func TestProcessesStandUnderWhatStartedThem(t *testing.T) {
	ps := func(s int, pid, ppid, parent, command string) fact {
		return fact{start.Add(time.Duration(s) * time.Second), []string{"event.category", "process", "event.type", "start", "host.name", "ws1", "process.pid", pid, "process.parent.pid", ppid, "process.parent.name", parent, "process.name", strings.Fields(command)[0], "process.command_line", command}}
	}
	st := filled(t, ps(0, "10", "4", "explorer.exe", "cmd.exe"), ps(1, "11", "10", "cmd.exe", "whoami"), ps(2, "12", "10", "cmd.exe", "net user"), ps(3, "13", "10", "cmd.exe", "whoami"), ps(4, "4", "4", "explorer.exe", "loop"),
		ps(5, "14", "10", "other.exe", "late")) // whose parent has a number that was used before
	f, err := ReadProcesses(t.Context(), st, "*")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	f.Walk(func(p *Process, depth, times int) {
		got = append(got, fmt.Sprintf("%s%s ×%d", strings.Repeat(">", depth), p.Command, times))
	})
	if want := "explorer.exe ×1|>cmd.exe ×1|>>whoami ×2|>>net user ×1|>loop ×1|other.exe ×1|>late ×1"; strings.Join(got, "|") != want {
		t.Errorf("%s, want %s", strings.Join(got, "|"), want)
	}
}

func TestNothingGivesNothing(t *testing.T) {
	st := filled(t, fact{time.Time{}, []string{"a", "b"}})
	if f, err := Flows(t.Context(), st, "*", 5); err != nil || len(f) != 0 {
		t.Errorf("%v %v", f, err)
	}
	if r, err := Rhythms(t.Context(), st, "*"); err != nil || len(r) != 0 {
		t.Errorf("%v %v", r, err)
	}
	if b := Bursts(&statistics.Series{}); len(b) != 0 {
		t.Error(b)
	}
}

func TestALogThatIsSilentEachNightHasNoSilenceInIt(t *testing.T) {
	monday := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	s := &statistics.Series{Start: monday.UnixNano(), Step: 10 * time.Minute, Names: []string{"shop"}, Values: [][]float64{make([]float64, 21*144)}}
	for i := range s.Values[0] {
		if at := monday.Add(time.Duration(i) * 10 * time.Minute); at.Hour() >= 8 && at.Hour() < 18 && at.Weekday() != time.Saturday && at.Weekday() != time.Sunday {
			s.Values[0][i] = 5
		}
	}
	if all := Silences(s); len(all) != 0 {
		t.Errorf("%d, the first %+v", len(all), all[0])
	}
	// A day of which nothing is left, and some hours of another.
	clear(s.Values[0][9*144 : 10*144])
	clear(s.Values[0][3*144+60 : 3*144+84])
	all := Silences(s)
	if len(all) != 2 || all[0].To-all[0].From < int64(24*time.Hour) || all[1].To-all[1].From != int64(4*time.Hour) {
		t.Errorf("%+v", all)
	}
}
