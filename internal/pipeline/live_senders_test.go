package pipeline

import (
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sextant-logs/sextant/internal/analyze"
	"github.com/sextant-logs/sextant/internal/spool"
	"github.com/sextant-logs/sextant/internal/store"
)

// monday is the beginning of a working week, UTC.
var monday = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

// never has nothing wait.
func never() bool { return false }

// rhythm hears a sender from a time to another: after each record comes a pause.
func rhythm(s *senders, d spool.Delivery, from, to time.Time, pause func(at time.Time) time.Duration) (last time.Time) {
	for at := from; at.Before(to); at = at.Add(pause(at)) {
		d.Received = at.UnixNano()
		s.heard([]*spool.Delivery{&d})
		last = at
	}
	return last
}

// toldAfter is when a sender that stopped is said to be silent, looked at every minute
// for so long; zero if it is not.
func toldAfter(s *senders, d spool.Delivery, last time.Time, within time.Duration) time.Duration {
	x := s.of(&d)
	for t := time.Minute; t <= within; t += time.Minute {
		if _, _, ok := x.quiet(last.Add(t).UnixNano(), s.blind); ok {
			return t
		}
	}
	return 0
}

func TestASenderIsSilentByItsOwnRhythm(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	steady := func(mean time.Duration) func(time.Time) time.Duration {
		return func(time.Time) time.Duration { return time.Duration(r.ExpFloat64() * float64(mean)) }
	}
	// A computer of an office: on working days from about 8 to 18.
	office := func(at time.Time) time.Duration {
		next := at.Add(time.Duration(r.ExpFloat64() * float64(2*time.Minute)))
		for next.Hour() < 8 || next.Hour() >= 18 || next.Weekday() == time.Saturday || next.Weekday() == time.Sunday {
			next = next.Add(time.Duration(1+r.IntN(20)) * time.Minute)
		}
		return next.Sub(at)
	}
	for _, c := range []struct {
		name      string
		pause     func(time.Time) time.Duration
		stop      time.Duration // after Monday of the third week
		least     time.Duration // it is told between
		most      time.Duration
		silentFor time.Duration // looked at
	}{
		{"every second", steady(time.Second), 15 * time.Hour, senderFloor, senderFloor, time.Hour},
		{"every ten minutes", steady(10 * time.Minute), 15 * time.Hour, time.Hour, 8 * time.Hour, 48 * time.Hour},
		{"every hour to the second", func(time.Time) time.Duration { return time.Hour }, 15 * time.Hour, 3 * time.Hour, 3*time.Hour + 2*time.Minute, 48 * time.Hour},
		{"an office, in the morning", office, 10 * time.Hour, senderFloor, 2 * time.Hour, 48 * time.Hour},
		{"an office, in the evening", office, 17*time.Hour + 58*time.Minute, 14 * time.Hour, 17 * time.Hour, 48 * time.Hour},
		{"an office, over the weekend", office, 4*24*time.Hour + 17*time.Hour + 58*time.Minute, 62 * time.Hour, 65 * time.Hour, 96 * time.Hour},
	} {
		s, _ := openSenders(t.TempDir(), monday.Add(-time.Hour))
		d := spool.Delivery{Collector: "syslog+udp://127.0.0.1:514", Peer: "192.0.2.1"}
		last := rhythm(s, d, monday, monday.AddDate(0, 0, 14).Add(c.stop), c.pause)
		if at := toldAfter(s, d, last, c.silentFor); at < c.least || at > c.most {
			t.Errorf("%s: told after %s, not between %s and %s", c.name, at, c.least, c.most)
		}
	}
}

func TestASenderThatGoesOnIsHardlyEverSaidToBeSilent(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	heavy := func(time.Time) time.Duration { // pauses with a heavy tail
		return time.Duration(float64(20*time.Second) / max(1e-6, r.Float64()))
	}
	even := func(time.Time) time.Duration { return time.Duration(r.ExpFloat64() * float64(7*time.Minute)) }
	for name, pause := range map[string]func(time.Time) time.Duration{"heavy": heavy, "exponential": even} {
		wrong, weeks := 0, 0.0
		for range 20 {
			s, _ := openSenders(t.TempDir(), monday)
			d := spool.Delivery{Collector: "syslog+udp://127.0.0.1:514", Peer: "192.0.2.1"}
			last := rhythm(s, d, monday, monday.AddDate(0, 0, 3), pause)
			for range 2000 {
				next := last.Add(pause(last))
				x := s.of(&d)
				if _, _, ok := x.quiet(next.UnixNano(), s.blind); ok {
					wrong++
				}
				rhythm(s, d, next, next.Add(1), func(time.Time) time.Duration { return time.Hour })
				last = next
			}
			weeks += last.Sub(monday).Hours() / (7 * 24)
		}
		t.Logf("%s: %d in %.0f weeks", name, wrong, weeks)
		if most := map[string]int{"heavy": 20, "exponential": 3}[name]; wrong > most { // of 20 senders
			t.Errorf("%s: %d times told in vain within %.0f weeks of 20 senders", name, wrong, weeks)
		}
	}
}

func TestASilentSenderIsToldWithItsLastRecordAlsoAfterARestart(t *testing.T) {
	dir := t.TempDir()
	runLive(t, dir, 2, liveLines(100), nil) // of the collector test:
	st, err := store.Open(dir, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	now := time.Now()
	s, err := openSenders(dir, now)
	if err != nil {
		t.Fatal(err)
	}
	d := &spool.Delivery{Collector: "test:"}
	x := s.of(d)
	if len(x.ID) == 0 {
		t.Fatal("the last record is forgotten")
	}
	x.Heard = [2]int{senderHours, senderHours}
	judge := func(at time.Time, waiting func() bool) []analyze.Finding {
		t.Helper()
		if _, err := s.judge(context.Background(), at, waiting, st); err != nil {
			t.Fatal(err)
		}
		return s.findings(at.Add(-24 * time.Hour))
	}
	if fs := judge(now.Add(9*time.Minute), never); len(fs) != 0 {
		t.Errorf("after nine minutes: %v", fs)
	}
	if fs := judge(now.Add(11*time.Minute), func() bool { return true }); len(fs) != 0 {
		t.Errorf("while senders have to wait: %v", fs)
	}
	if fs := judge(now.Add(20*time.Minute), never); len(fs) != 0 {
		t.Errorf("right after senders had to wait: %v", fs)
	}
	fs := judge(now.Add(22*time.Minute), never)
	if len(fs) != 1 || len(fs[0].Evidence) != 1 || fs[0].Entities.Hosts[0] != "web1" || !strings.Contains(fs[0].Explanation, "test:: nothing since") {
		t.Fatalf("%+v", fs)
	}
	if again := judge(now.Add(40*time.Minute), never); len(again) != 1 || again[0].ID != fs[0].ID {
		t.Errorf("%+v", again)
	}
	if stats := s.stats(); !stats[0].Silent || stats[0].Allowed != senderFloor {
		t.Errorf("%+v", stats)
	}
	d.Received = now.Add(41 * time.Minute).UnixNano()
	s.heard([]*spool.Delivery{d})
	changed, err := s.judge(context.Background(), now.Add(42*time.Minute), never, st)
	if fs := s.findings(now); err != nil || !changed || len(fs) != 0 || s.stats()[0].Silent {
		t.Errorf("it sends again: %v %v %v", changed, fs, err)
	}
}

func TestFilesNamedByDateAreOneSender(t *testing.T) {
	s := &senders{all: map[senderKey]*sender{}}
	of := func(path string) *sender { return s.of(&spool.Delivery{Collector: "tail:/logs", Path: path}) }
	today, tomorrow, other := of("/logs/2026-11-30/app.log"), of("/logs/2026-12-01/app.log"), of("/logs/2026-11-30/192.0.2.1")
	if today != tomorrow || today == other || other == of("/logs/2026-11-30/192.0.2.2") {
		t.Errorf("senders %v", slices.Collect(maps.Keys(s.all)))
	}
}
