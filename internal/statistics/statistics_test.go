package statistics

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/store"
)

var start = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

// fact is an event to be stored: its time and its fields, name and value in turn.
type fact struct {
	at     time.Time
	fields []string
}

func filled(t testing.TB, facts []fact) store.Store {
	t.Helper()
	st, err := store.Open(t.TempDir(), store.Options{MinFreeDisk: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	w := st.NewWriter()
	var b event.Batch
	flush := func() {
		if err := w.Add(&store.Source{ID: "000000000000000000000001", Path: "x.log"}, b.Events); err != nil {
			t.Fatal(err)
		}
		b.Reset()
	}
	for i, f := range facts {
		e := b.Begin(int64(i), "x")
		e.ID = fmt.Sprintf("000000000000000000000001-%010x", i)
		if !f.at.IsZero() {
			e.Time = f.at.UnixNano()
		}
		for j := 0; j < len(f.fields); j += 2 {
			b.Add(f.fields[j], f.fields[j+1])
		}
		if len(b.Events) == 2000 {
			flush()
		}
	}
	flush()
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := st.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	return st
}

func TestCountsDistinctAndEntropyAreExact(t *testing.T) {
	var facts []fact
	for i := range 64 {
		facts = append(facts, fact{start.Add(time.Duration(i) * time.Minute), []string{"user.name", fmt.Sprintf("u%d", i%8)}})
	}
	facts = append(facts, fact{time.Time{}, nil}, fact{start, []string{"user.name", "rare\x1b[31m"}})
	st := filled(t, facts)
	d, err := Count(t.Context(), st, "*", "user.name", 3, 2)
	if err != nil {
		t.Fatal(err)
	}
	if d.Events != 66 || d.With != 65 || d.Distinct != 9 || d.Once != 1 || len(d.Top) != 3 || d.Top[0].Value != "u0" || d.Top[0].Count != 8 {
		t.Errorf("%+v", d)
	}
	if d.Bottom[0].Value != "rare\x1b[31m" || d.Bottom[1].Value != "u0" {
		t.Errorf("rarest %+v", d.Bottom)
	}
	want := -8*(8.0/65)*math.Log2(8.0/65) - 1.0/65*math.Log2(1.0/65)
	if math.Abs(d.Entropy-want) > 1e-12 {
		t.Errorf("entropy %v, want %v", d.Entropy, want)
	}
}

func TestAFieldMayHaveAnyName(t *testing.T) {
	for _, name := range []string{"n", "a", "b", "first", "last", "count", "total", "_x", "a b", `q"uote`, "select"} {
		var facts []fact
		for i := range 96 {
			facts = append(facts, fact{start.Add(time.Duration(i) * 30 * time.Minute), []string{name, fmt.Sprint(i % 4), "user.name", "alice"}})
		}
		st := filled(t, facts)
		d, err := Count(t.Context(), st, "*", name, 2, 2)
		if err != nil || d.With != 96 || d.Distinct != 4 {
			t.Errorf("count by %q: %+v, %v", name, d, err)
		}
		n, err := CountNumbers(t.Context(), st, "*", name)
		if err != nil || n.N != 96 || n.Sum() != 144 {
			t.Errorf("numbers in %q: %+v, %v", name, n, err)
		}
		x, err := Cross(t.Context(), st, "*", "user.name", name, 5, 5)
		if err != nil || x.N != 96 || len(x.Cols) != 4 {
			t.Errorf("cross table of %q: %+v, %v", name, x, err)
		}
		compareDays(t, facts, name)
	}
}

func TestAnEventWithSeveralValuesCountsForEach(t *testing.T) {
	st := filled(t, []fact{{start, []string{"event.category", "web", "event.category", "session"}}, {start, []string{"event.category", "web"}}})
	d, err := Count(t.Context(), st, "*", "event.category", 5, 0)
	if err != nil {
		t.Fatal(err)
	}
	if d.With != 3 || len(d.Top) != 2 || d.Top[0] != (Value{"web", 2, start.UnixNano(), start.UnixNano()}) {
		t.Errorf("%+v", d)
	}
}

func TestNothingToCountIsNoError(t *testing.T) {
	st := filled(t, []fact{{time.Time{}, []string{"a", "b"}}})
	for _, q := range []string{"*", "nothing:=there"} {
		d, err := Count(t.Context(), st, q, "user.name", 3, 3)
		if err != nil || d.Distinct != 0 || d.First != event.NoTime || d.Entropy != 0 || d.Evenness() != 0 {
			t.Errorf("%s: %+v %v", q, d, err)
		}
		n, err := CountNumbers(t.Context(), st, q, "source.bytes")
		if err != nil || n.N != 0 || !math.IsNaN(n.Quantile(0.5)) {
			t.Errorf("%s: %+v %v", q, n, err)
		}
		x, err := Cross(t.Context(), st, q, "a", "user.name", 3, 3)
		if err != nil || x.N != 0 || x.P != 1 {
			t.Errorf("%s: %+v %v", q, x, err)
		}
		c, err := Compare(t.Context(), st, q, Period{0, int64(time.Hour)}, Period{int64(time.Hour), int64(2 * time.Hour)}, nil)
		if err != nil || len(c.Changes) != 0 {
			t.Errorf("%s: %+v %v", q, c, err)
		}
	}
}

// Published values: Wilson's interval for 8 of 10 (Newcombe, 1998, gives .490 to
// .943), Garwood's for 5 events (1.623 to 11.668).
func TestIntervalsAreThePublishedOnes(t *testing.T) {
	if _, low, high := Share(8, 10); math.Abs(low-0.490) > 5e-4 || math.Abs(high-0.943) > 5e-4 {
		t.Errorf("8 of 10: %v to %v", low, high)
	}
	if p, low, high := Share(0, 20); p != 0 || low != 0 || math.Abs(high-0.161) > 5e-4 {
		t.Errorf("0 of 20: %v to %v", low, high)
	}
	if _, low, high := Rate(5, 1); math.Abs(low-1.623) > 1e-3 || math.Abs(high-11.668) > 1e-3 {
		t.Errorf("5: %v to %v", low, high)
	}
	if r, low, high := Rate(0, 1); r != 0 || low != 0 || math.Abs(high-3.689) > 1e-3 {
		t.Errorf("0: %v to %v", low, high)
	}
	// Benjamini and Hochberg's own example: of 15 tests at .05, four are kept.
	p := []float64{0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1}
	kept := 0
	for _, q := range Adjust(p, 15) {
		if q <= 0.05 {
			kept++
		}
	}
	if kept != 4 {
		t.Errorf("%d kept, want 4", kept)
	}
}

func TestQuantilesAreThoseOfTheSortedNumbers(t *testing.T) {
	var facts []fact
	for i := range 101 {
		facts = append(facts, fact{start, []string{"source.bytes", fmt.Sprint(i * 10)}})
	}
	facts = append(facts, fact{start, []string{"source.bytes", "many"}})
	n, err := CountNumbers(t.Context(), filled(t, facts), "*", "source.bytes")
	if err != nil {
		t.Fatal(err)
	}
	if n.N != 101 || n.NotOnes != 1 || n.Quantile(0.5) != 500 || n.Quantile(0.99) != 990 || n.Quantile(1) != 1000 || n.Sum() != 50500 {
		t.Errorf("%d numbers, %d others, median %v", n.N, n.NotOnes, n.Quantile(0.5))
	}
}

func TestManyNumbersAreDrawnAsTheirQuantiles(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	n := &Numbers{}
	for i := range 500 {
		n.Values, n.Counts = append(n.Values, float64(i*i)), append(n.Counts, float64(1+r.IntN(50)))
		n.N += int64(n.Counts[i])
	}
	for i, v := range n.Expand(1000) {
		if want := n.Quantile((float64(i) + 0.5) / 1000); v != want {
			t.Fatalf("number %d is %v, want %v", i, v, want)
		}
	}
	if got := len(n.Expand(1 << 20)); int64(got) != n.N {
		t.Errorf("%d numbers of %d", got, n.N)
	}
}

func TestACrossTableAddsUpAndFindsWhatGoesTogether(t *testing.T) {
	var facts []fact
	r := rand.New(rand.NewPCG(1, 1))
	for i := range 2000 {
		user := fmt.Sprintf("u%d", r.IntN(10))
		outcome := "success"
		if r.IntN(10) == 0 || user == "u3" {
			outcome = "failure"
		}
		facts = append(facts, fact{start.Add(time.Duration(i) * time.Second), []string{"user.name", user, "event.outcome", outcome, "noise", fmt.Sprint(r.IntN(3))}})
	}
	st := filled(t, facts)
	x, err := Cross(t.Context(), st, "*", "user.name", "event.outcome", 5, 5)
	if err != nil {
		t.Fatal(err)
	}
	sum := int64(0)
	for r := range x.Counts {
		for c, n := range x.Counts[r] {
			sum += n
			if n < 0 {
				t.Errorf("%s, %s: %d", x.Rows[r], x.Cols[c], n)
			}
		}
	}
	if sum != 2000 || x.N != 2000 || len(x.Rows) != 6 || x.Rows[5] != Other {
		t.Errorf("%d of %d, rows %q", sum, x.N, x.Rows)
	}
	if x, err = Cross(t.Context(), st, "*", "user.name", "event.outcome", 20, 20); err != nil {
		t.Fatal(err)
	}
	u3, failure := slices.Index(x.Rows, "u3"), slices.Index(x.Cols, "failure")
	if x.P > 1e-9 || x.CramersV < 0.5 || x.Residual(u3, failure) < 10 {
		t.Errorf("p %v, V %v, residual %v", x.P, x.CramersV, x.Residual(u3, failure))
	}
	if x, err = Cross(t.Context(), st, "*", "user.name", "noise", 20, 20); err != nil || x.P < 1e-3 || x.CramersV > 0.15 {
		t.Errorf("noise: p %v, V %v, %v", x.P, x.CramersV, err)
	}
}

func TestNobodyHidesAmongTheRestByItsName(t *testing.T) {
	var facts []fact
	for i := range 100 {
		facts = append(facts, fact{start.Add(time.Duration(i) * time.Minute), []string{"user.name", []string{Other, Other, fmt.Sprint("u", i)}[i%3], "event.outcome", "failure"}})
	}
	st := filled(t, facts)
	s, err := CountOverTime(t.Context(), st, "*", "user.name", "", time.Hour, 2)
	if err != nil || len(s.Names) != 3 || s.Names[0] != `"(other)"` || s.Names[2] != Other {
		t.Fatalf("%+v %v", s, err)
	}
	sums := []float64{0, 0, 0}
	for i := range s.Values {
		for _, v := range s.Values[i] {
			sums[i] += v
		}
	}
	if !slices.Equal(sums, []float64{67, 1, 32}) {
		t.Errorf("sums %v", sums)
	}
	paths, err := CountPaths(t.Context(), st, "*", []string{"user.name", "event.outcome"}, 2)
	if err != nil || paths[0].Values[0] != `"(other)"` || paths[0].Count != 67 || paths[1].Values[0] != Other || paths[1].Count != 32 {
		t.Errorf("%+v %v", paths, err)
	}
	x, err := Cross(t.Context(), st, "*", "user.name", "event.outcome", 2, 2)
	if err != nil || x.Rows[0] != `"(other)"` || x.Rows[2] != Other || x.RowSums[2] != 32 {
		t.Errorf("%+v %v", x, err)
	}
}

func TestStepsAreCountedWhereTheyAre(t *testing.T) {
	for _, step := range []time.Duration{time.Minute, time.Hour, 24 * time.Hour, 7 * 24 * time.Hour, 28 * 24 * time.Hour, 365 * 24 * time.Hour} {
		var facts []fact
		for i := range 40 { // one in the middle of each, the first ones more
			for range 1 + 40/(i+1) {
				facts = append(facts, fact{time.Unix(0, floorTo(start.UnixNano(), step)).Add(time.Duration(i)*step + step/2), []string{"x", "y"}})
			}
		}
		s, err := CountOverTime(t.Context(), filled(t, facts), "*", "", "", step, 0)
		if err != nil || s.Start != floorTo(start.UnixNano(), step) || len(s.Values[0]) != 40 {
			t.Fatalf("%s: %v, from %s, %v", step, err, stamp(s.Start), s.Values)
		}
		for i, n := range s.Values[0] {
			if n != float64(1+40/(i+1)) {
				t.Errorf("%s: step %d has %v", step, i, n)
			}
		}
	}
}

func TestBlocksBeginWithTheirPeriod(t *testing.T) {
	var facts []fact
	for i := range 96 {
		facts = append(facts, fact{start.Add(10*time.Minute + time.Duration(i)*time.Hour + time.Minute), []string{"user.name", fmt.Sprint("u", i%48)}})
	}
	from := start.Add(10 * time.Minute).UnixNano()
	c := &Comparison{Block: time.Hour}
	p := Period{from, from + int64(96*time.Hour)}
	s, err := c.series(t.Context(), filled(t, facts), "*", "user.name", p, []Value{{Value: "u0"}, {Value: "u47"}})
	if err != nil || s["u0"][0] != 1 || s["u0"][48] != 1 || s["u47"][47] != 1 || s["u47"][95] != 1 || occupied(s["u0"]) != 2 {
		t.Errorf("%v %v", s, err)
	}
}

func TestASumOfNoNumbersIsNoSeries(t *testing.T) {
	st := filled(t, []fact{{start, []string{"user.name", "a"}}, {start.Add(time.Hour), []string{"source.bytes", "many"}}})
	if s, err := CountOverTime(t.Context(), st, "*", "", "source.bytes", 0, 0); err != nil || len(s.Values) != 0 {
		t.Errorf("%+v %v", s, err)
	}
}

func TestATimeThatIsMadeUpIsNotSeen(t *testing.T) {
	st := filled(t, []fact{{start, []string{"user.name", "a"}}, {time.Time{}, []string{"user.name", "a"}}, {time.Time{}, []string{"user.name", "b"}}})
	d, err := Count(t.Context(), st, "*", "user.name", 5, 0)
	if err != nil || d.Top[0] != (Value{"a", 2, start.UnixNano(), start.UnixNano()}) || d.Top[1] != (Value{"b", 1, event.NoTime, event.NoTime}) {
		t.Errorf("%+v %v", d, err)
	}
	if _, untimed, _, _, err := Extent(t.Context(), st, "*"); untimed != 2 || err != nil {
		t.Errorf("%d %v", untimed, err)
	}
}

func TestFewRecordsInACellAreNotMadeMuchOf(t *testing.T) {
	var facts []fact
	for i := range 1000 {
		f := []string{"user.name", fmt.Sprint("u", i%3), "event.outcome", "success"}
		switch {
		case i == 0: // one of one: 0.04 are expected, by chance 1 of 25 has it
			f[1], f[3] = "once", "failure"
		case i%25 == 1:
			f[3] = "failure"
		case i%10 == 2 && i < 200:
			f[1], f[3] = "often", "failure"
		}
		facts = append(facts, fact{start.Add(time.Duration(i) * time.Second), f})
	}
	x, err := Cross(t.Context(), filled(t, facts), "*", "user.name", "event.outcome", 20, 20)
	if err != nil {
		t.Fatal(err)
	}
	failure := slices.Index(x.Cols, "failure")
	once, often := slices.Index(x.Rows, "once"), slices.Index(x.Rows, "often")
	if x.Stands(once, failure) != 0 || x.Residual(once, failure) < 3 || x.Stands(often, failure) != 1 || x.Stands(often, 1-failure) != -1 {
		t.Errorf("residuals %v and %v; %d, %d, %d", x.Residual(once, failure), x.Residual(often, failure), x.Stands(once, failure), x.Stands(often, failure), x.Stands(often, 1-failure))
	}
	if small, cells, rough := x.Small(); small == 0 || cells != 10 || !rough {
		t.Errorf("%d of %d, %v", small, cells, rough)
	}
}

// bursty makes two days of records whose values come in bursts, as those of
// logs do: some hundred episodes a day, each of one value and of any size.
func bursty(r *rand.Rand, values int) []fact {
	var facts []fact
	for range 400 {
		at := start.Add(time.Duration(r.IntN(48*3600)) * time.Second)
		value := fmt.Sprintf("v%d", int(math.Abs(r.NormFloat64())*float64(values)/3))
		for i := range 1 + int(math.Exp(1.3*r.NormFloat64()+1)) {
			facts = append(facts, fact{at.Add(time.Duration(i) * time.Second), []string{"event.action", value}})
		}
	}
	return facts
}

func compareDays(t *testing.T, facts []fact, fields ...string) *Comparison {
	t.Helper()
	day := int64(24 * time.Hour)
	from := start.UnixNano()
	c, err := Compare(t.Context(), filled(t, facts), "*", Period{from, from + day}, Period{from + day, from + 2*day}, fields)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestBurstsAloneAreNoChange(t *testing.T) {
	false0, naive, tests := 0, 0, 0
	for seed := range uint64(12) {
		c := compareDays(t, bursty(rand.New(rand.NewPCG(seed, 7)), 30), "event.action")
		tests += c.Tests
		for _, ch := range c.Changes {
			if ch.Significant() {
				false0++
			}
			// What a chi-square of single records would have said.
			if chiSquareP(homogeneity([2]int64{ch.Before, ch.After}, [2]int64{c.EventsBefore, c.EventsAfter}), 1) < 0.05/float64(c.Tests) {
				naive++
			}
		}
		if c.RateP < 1e-4 {
			t.Errorf("seed %d: rate p = %v", seed, c.RateP)
		}
	}
	t.Logf("%d tests: %d false alarms, %d by a chi-square of records even after Bonferroni's correction", tests, false0, naive)
	if false0 > 3 || naive < 10*max(1, false0) {
		t.Errorf("%d false alarms in 12 comparisons of the same; counting records gives %d", false0, naive)
	}
}

func TestALastingChangeIsFoundAndSaid(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 7))
	facts := bursty(r, 30)
	for h := range 48 {
		n := 3
		if h >= 24 {
			n = 30
		}
		for range n {
			facts = append(facts, fact{start.Add(time.Duration(h*3600+r.IntN(3600)) * time.Second), []string{"event.action", "export", "source.bytes", fmt.Sprint(1000 + r.IntN(100)*(1+h/24))}})
		}
	}
	c := compareDays(t, facts, "event.action", "source.bytes")
	if len(c.Changes) == 0 || c.Changes[0].Value != "export" || !c.Changes[0].Significant() {
		t.Fatalf("%+v", c.Changes)
	}
	s := c.Changes[0].Sentence(c)
	if !strings.HasPrefix(s, "event.action: export rose ") || !strings.Contains(s, "72 → 720 records") || !strings.Contains(s, "24 of 24 hours (q ") {
		t.Error(s)
	}
	for _, f := range c.Fields {
		if f.Field == "source.bytes" && (!f.Significant() || f.KS < 0.3) {
			t.Errorf("%+v", f)
		}
	}
}

func TestAFieldOfFewValuesIsNotDrownedByOneOfMany(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 8))
	many := Family{Tests: 10_000}
	for range 200 {
		many.P = append(many.P, r.Float64())
	}
	q := Families([]Family{{P: []float64{0.4, 1e-5, 0.9}, Tests: 3}, many, {}}, 0.05)
	if q[0][1] > 1e-4 || q[0][0] <= 0.05 || slices.Min(q[1]) <= 0.05 {
		t.Errorf("%v, %v", q[0], slices.Min(q[1]))
	}
	if got := Adjust(append([]float64{0.4, 1e-5, 0.9}, many.P...), 10_003)[1]; got < 0.05 {
		t.Errorf("all in one: %v; the test shows nothing", got)
	}
	// Where nothing is so, something is found in at most one of twenty.
	found := 0
	for range 1000 {
		var f []Family
		for range 40 {
			one := Family{Tests: 1 + int(math.Exp(5*r.Float64()))}
			for range one.Tests {
				one.P = append(one.P, r.Float64())
			}
			f = append(f, one)
		}
		for _, q := range Families(f, 0.05) {
			if slices.Min(q) <= 0.05 {
				found++
				break
			}
		}
	}
	if found > 70 {
		t.Errorf("of 1000 times nothing, %d found", found)
	}
}

func TestWhatIsNewOrGoneIsNamed(t *testing.T) {
	var facts []fact
	for h := range 48 {
		at := start.Add(time.Duration(h) * time.Hour)
		for u := range 10 {
			facts = append(facts, fact{at, []string{"user.name", fmt.Sprint("u", u), "url.path", fmt.Sprint("/", h, "/", u), "event.action", "read"}})
		}
	}
	facts = append(facts, fact{start.Add(30 * time.Hour), []string{"user.name", "mallory"}}, fact{start.Add(3 * time.Hour), []string{"user.name", "old"}})
	c := compareDays(t, facts, "user.name", "url.path", "event.action")
	want := []string{"user.name: 1 new of 11: mallory (1 record, from 03-03 06:00); 1 gone of 11: old (1 record, until 03-02 03:00).",
		"Most values are others each time in url.path (240 new, 240 gone)."}
	if got := c.News(); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	for _, ch := range c.Changes {
		if ch.Significant() {
			t.Errorf("%+v", ch)
		}
	}
}

func TestComparingDoesNotDependOnTheOrderOfRows(t *testing.T) {
	facts := bursty(rand.New(rand.NewPCG(5, 7)), 200)
	a := compareDays(t, facts, "event.action")
	slices.Reverse(facts)
	b := compareDays(t, facts, "event.action")
	if fmt.Sprint(a.Changes, a.Fields) != fmt.Sprint(b.Changes, b.Fields) {
		t.Errorf("%v\n%v", a.Fields, b.Fields)
	}
}

func TestSentencesReadWell(t *testing.T) {
	for _, c := range []struct {
		before, after float64
		want          string
	}{{0.1, 0.2, "2.0-fold"}, {0.1, 0.15, "by 50%"}, {0.01, 0.5, "50-fold"}, {0.3, 0.1, "to a third"}, {0.3, 0.01, "to a 30th"}, {0.4, 0.3, "to a share of 75%"}, {0.22, 0.01, "to a 22nd"}} {
		if got := times(c.before, c.after); got != c.want {
			t.Errorf("%v to %v: %q, want %q", c.before, c.after, got, c.want)
		}
	}
}
