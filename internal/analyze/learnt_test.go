package analyze

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/sextant-logs/sextant/internal/event"
)

// oneRecord answers every query with one record.
type oneRecord struct{}

func (oneRecord) Query(_ context.Context, _ string, fn func([]event.Field) error) error {
	return fn([]event.Field{{Name: "_time", Value: "2024-03-04T10:00:00Z"}, {Name: "event.id", Value: "s-1"}, {Name: "_msg", Value: "record"},
		{Name: "host.name", Value: "web1"}, {Name: "event.outcome", Value: "failure"}})
}

func texts(id string) (string, string) { return id, "text of " + id }

// messages observes messages of one host in order, size events a batch.
func observeMessages(s *sequences, size int, patterns []string) {
	var b event.Batch
	for i, p := range patterns {
		e := b.Begin(int64(i), p)
		e.ID, e.Time = fmt.Sprintf("s-%06d", i), int64(i)*1e9
		b.Add("host.name", "web1")
		b.Add("event.dataset", "app")
		b.Add("log.pattern.id", p)
		if (i+1)%size == 0 || i == len(patterns)-1 {
			s.Observe("app.log", &b)
			b.Reset()
		}
	}
}

func cycle(n int) (out []string) {
	for i := range n {
		out = append(out, []string{"open", "read", "read2", "close"}[i%4])
	}
	return out
}

func TestAMessageOutOfItsOrderIsAFindingWithWhatWasExpected(t *testing.T) {
	messages := cycle(4000)
	messages[3001] = "panic" // where read was due
	var before string
	for _, size := range []int{1, 7, 4000} {
		s := newSequences().(*sequences)
		s.SetTemplates(texts)
		observeMessages(s, size, messages)
		fs, err := s.Findings(context.Background(), nil)
		if err != nil || len(fs) == 0 {
			t.Fatalf("%d findings, %v", len(fs), err)
		}
		f := fs[0]
		want := "After “text of close” and “text of open”, “text of read” had followed 749 of 749 times; here came “text of panic”, once in all: "
		if !strings.HasPrefix(f.Explanation, want) || f.Level != "low" || f.Evidence[0].ID != "s-003001" || f.Entities.Hosts[0] != "web1" {
			t.Errorf("%+v", f)
		}
		if got := fmt.Sprint(fs); before != "" && got != before {
			t.Errorf("batches of %d:\n%s\nelse\n%s", size, got, before)
		} else {
			before = got
		}
	}
}

func TestWhatRepeatsIsNamedOnce(t *testing.T) {
	messages := make([]string, 3000)
	for i := range messages {
		messages[i] = "beat"
	}
	messages[2000] = "stop"
	s := newSequences().(*sequences)
	s.SetTemplates(texts)
	observeMessages(s, 500, messages)
	fs, err := s.Findings(context.Background(), nil)
	want := "After two of “text of beat”, another of these had followed 1,998 of 1,998 times; here came “text of stop”, once in all: "
	if err != nil || len(fs) == 0 || !strings.HasPrefix(fs[0].Explanation, want) {
		t.Errorf("%v %+v", err, fs)
	}
}

func TestSurprisesAreThoseOfAnyBatching(t *testing.T) {
	messages := cycle(2000)
	messages[1501] = "panic"
	run := func(size int) (out []Surprise) {
		s := newSequences()
		var b event.Batch
		for i, p := range messages {
			b.Begin(int64(i), p)
			b.Add("event.dataset", "app")
			b.Add("host.name", "web1")
			b.Add("log.pattern.id", p)
			if (i+1)%size == 0 || i == len(messages)-1 {
				Surprises(s, "app.log", &b, func(_ int, x Surprise) { out = append(out, x) })
				b.Reset()
			}
		}
		return out
	}
	one, all := run(1), run(2000)
	if len(one) != 2000 || fmt.Sprint(one) != fmt.Sprint(all) {
		t.Fatalf("%d and %d differ", len(one), len(all))
	}
	if x := one[1501]; x.Bits < 15 || one[1500].Bits > 0.1 {
		t.Errorf("%+v after %+v", x, one[1500])
	}
}

func TestALogThatKeepsToItsOrderOrHasNoneSurprisesNobody(t *testing.T) {
	random := make([]string, 4000)
	for i := range random {
		random[i] = fmt.Sprint("kind", (i*i*7+i/3)%11)
	}
	for name, messages := range map[string][]string{"none": nil, "one": {"a"}, "cycle": cycle(4000), "no order": random} {
		s := newSequences().(*sequences)
		observeMessages(s, 100, messages)
		if fs, err := s.Findings(context.Background(), nil); err != nil || len(fs) != 0 {
			t.Errorf("%s: %d findings, %v", name, len(fs), err)
		}
	}
}

func TestSequencesAreBoundedWhateverTheLogHas(t *testing.T) {
	s := newSequences().(*sequences)
	var b event.Batch
	for i := range 120_000 {
		b.Begin(int64(i), "x")
		b.Add("host.name", fmt.Sprint("h", i))
		b.Add("event.dataset", fmt.Sprint("d", i))
		b.Add("log.pattern.id", fmt.Sprint("p", i))
		if i%5000 == 0 {
			s.Observe("x", &b)
			b.Reset()
		}
	}
	if len(s.streams) > maxSeqStreams || len(s.names) > maxSeqSymbols || len(s.datasets) > maxSeqSymbols+1 || len(s.surprises) > maxSeqSurprises {
		t.Errorf("%d streams, %d symbols, %d datasets, %d surprises", len(s.streams), len(s.names), len(s.datasets), len(s.surprises))
	}
}

// office digests days of some people's logins, and a night on which one of
// them tries what nobody does.
func office(batch int, strange bool) *isolation {
	t := newIsolation().(*isolation)
	var b event.Batch
	n := 0
	flush := func() {
		if d := t.Digest("auth.log", &b); d != nil {
			t.Merge(d)
		}
		b.Reset()
	}
	add := func(user, source, outcome string, at time.Time) {
		e := b.Begin(int64(n), "x")
		e.Time = at.UnixNano()
		b.Add("user.name", user)
		b.Add("source.ip", source)
		b.Add("host.name", "bastion")
		b.Add("event.outcome", outcome)
		if n++; n%batch == 0 {
			flush()
		}
	}
	for day := range 14 {
		for hour := 8; hour < 18; hour++ {
			for u := range 6 {
				for k := range 1 + (day+hour+u)%3 {
					outcome := "success"
					if (day+hour*u+k)%17 == 0 {
						outcome = "failure"
					}
					add(fmt.Sprint("user", u), fmt.Sprintf("192.0.2.%d", u), outcome, time.Date(2024, 3, 1+day, hour, k*7, u, 0, time.UTC))
				}
			}
		}
	}
	if strange {
		for k := range 300 {
			add("user3", fmt.Sprintf("198.51.100.%d", k%40), "failure", time.Date(2024, 3, 10, 2, k/10, k%60, 0, time.UTC))
		}
	}
	flush()
	return t
}

func TestTheHourThatSetsSomebodyApartIsAFindingThatSaysWhy(t *testing.T) {
	var before string
	for _, batch := range []int{1, 13, 5000} {
		fs, err := office(batch, true).Findings(context.Background(), oneRecord{})
		if err != nil {
			t.Fatal(err)
		}
		var f *Finding
		for i := range fs {
			if strings.HasPrefix(fs[i].Explanation, "user3 on 2024-03-10, 02:00–03:00 UTC: ") {
				f = &fs[i]
			}
		}
		if f == nil || !strings.Contains(f.Explanation, "300 failures (usually 0") || f.Query == "" || f.Count != 300 {
			t.Fatalf("%+v", fs)
		}
		if got := fmt.Sprint(fs); before != "" && got != before {
			t.Errorf("batches of %d:\n%s\nelse\n%s", batch, got, before)
		} else {
			before = got
		}
	}
}

func TestOrdinaryDaysAndTooLittleSetNobodyApart(t *testing.T) {
	if fs, err := office(100, false).Findings(context.Background(), oneRecord{}); err != nil || len(fs) != 0 {
		t.Errorf("%d findings, %v: %+v", len(fs), err, fs)
	}
	for name, times := range map[string][]int64{"none": nil, "one": {0}, "the same time": make([]int64, 5000), "decades apart": {-1e18, 0, 1e18, math.MaxInt64, math.MinInt64 + 1}} {
		tech := newIsolation().(*isolation)
		var b event.Batch
		for i, at := range times {
			b.Begin(int64(i), "x").Time = at
			b.Add("user.name", fmt.Sprint("u", i%7))
			b.Add("source.bytes", "NaN")
		}
		if d := tech.Digest("x", &b); d != nil {
			tech.Merge(d)
		}
		if fs, err := tech.Findings(context.Background(), oneRecord{}); err != nil || len(fs) != 0 {
			t.Errorf("%s: %d findings, %v", name, len(fs), err)
		}
	}
}

func TestOfTooManyPeopleTheSameOnesAreLookedAtInAnyOrder(t *testing.T) {
	run := func(step int) (int, string) {
		tech := newIsolation().(*isolation)
		var b event.Batch
		const n = 150_001
		for i := range n {
			k := i * step % n
			b.Begin(int64(k), "x").Time = 1e18
			b.Add("user.name", fmt.Sprint("\x1b<", k))
			if i%4000 == 0 || i == n-1 {
				if d := tech.Digest("x", &b); d != nil {
					tech.Merge(d)
				}
				b.Reset()
			}
		}
		rows := tech.hours[0].rows()
		return len(rows), rows[0].key.entity + rows[len(rows)-1].key.entity
	}
	n, ends := run(1)
	m, others := run(7919)
	if n > maxIsoCells || n < maxIsoCells/8 || n != m || ends != others {
		t.Errorf("%d and %d, %q and %q", n, m, ends, others)
	}
}

// kindsStore answers with the counts of kinds.
type kindsStore [][]string // dataset, id, count, first, last

func (k kindsStore) Query(ctx context.Context, q string, fn func([]event.Field) error) error {
	if !strings.Contains(q, "stats by") {
		return oneRecord{}.Query(ctx, q, fn)
	}
	for _, r := range k {
		err := fn([]event.Field{{Name: "event.dataset", Value: r[0]}, {Name: "log.pattern.id", Value: r[1]}, {Name: "n", Value: r[2]}, {Name: "first", Value: r[3]}, {Name: "last", Value: r[4]}})
		if err != nil {
			return err
		}
	}
	return nil
}

func TestRareAndNewKindsOfMessagesAreFindingsWhereTheLogIsRegular(t *testing.T) {
	first, late, last := "2024-03-01T00:00:00Z", "2024-03-12T00:00:00Z", "2024-03-14T00:00:00Z"
	store := kindsStore{
		{"app", "usual", "9000", first, last}, {"app", "error-once", "1", late, late}, {"app", "came-up", "40", late, last},
		{"chat", "a", "1000", first, last}, {"few", "b", "1", first, first},
	}
	for i := range 50 {
		store = append(store, []string{"chat", fmt.Sprint("free", i), "1", late, late})
	}
	r := newRarePatterns().(*rarePatterns)
	r.SetTemplates(texts)
	fs, err := r.Findings(context.Background(), store)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range fs {
		got = append(got, f.Title+" "+f.Level+" "+f.Explanation)
	}
	all := strings.Join(got, "\n")
	for _, want := range []string{
		"that is rare low “text of error-once” occurs once among 9,041 records of app, first 11 days after the log begins, which spans 13 days: 13.1 bits of surprise.",
		"that is new informational “text of came-up” occurs 40 times among 9,041 records",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("want %q in\n%s", want, all)
		}
	}
	if len(fs) != 2 {
		t.Errorf("%d findings:\n%s", len(fs), all)
	}
	if fs, err := r.Findings(context.Background(), kindsStore{}); err != nil || len(fs) != 0 {
		t.Errorf("%v %v of nothing", fs, err)
	}
}
