package statistics

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/store"
)

// Period is a stretch of time, From included and To not; ns since the epoch.
type Period struct{ From, To int64 }

func (p Period) filter() string {
	return "_time:>=" + stamp(p.From) + " _time:<" + stamp(p.To) + " " + timed
}

func (p Period) length() time.Duration { return time.Duration(p.To - p.From) }

func stamp(ns int64) string { return time.Unix(0, ns).UTC().Format(time.RFC3339Nano) }

// Change is a value whose share among the values of its field differs between
// two periods.
type Change struct {
	Field string
	Value string
	Before,
	After int64 // events
	ShareBefore,
	ShareAfter float64
	// BlocksBefore and BlocksAfter are in how many of the stretches of time into
	// which the periods are cut the value occurs: a burst is in one.
	BlocksBefore, BlocksAfter int
	Bits                      float64 // its part of the field's Divergence: how large the change is
	P                         float64 // probability of such a change by chance, bursts considered
	Q                         float64 // P corrected for the number of tests, by field and of fields (see Families)
}

// Changed is what a field as a whole did between two periods.
type Changed struct {
	Field          string
	DistinctBefore int64
	DistinctAfter  int64
	EventsBefore   int64
	EventsAfter    int64
	Divergence     float64 // Jensen–Shannon, in bits: 0 the same, 1 nothing in common
	ChiSquare      float64 // of the table of values by period, corrected for bursts
	Freedom        float64
	P, CramersV    float64
	Numeric        bool
	KS             float64 // Kolmogorov–Smirnov distance, if Numeric
	KSAt           float64 // where the distributions are farthest apart
	KSP            float64
	MedianBefore   float64
	MedianAfter    float64
	// New are the values that only the period after has, Gone those that only the
	// one before has: how many, and the most frequent of them (with the times within the period).
	New, Gone       int64
	NewTop, GoneTop []Value
	tests           int
}

// Comparison is what changed between two periods.
type Comparison struct {
	Before, After Period
	Block         time.Duration // the periods are cut into stretches so long
	EventsBefore,
	EventsAfter int64
	BlocksBefore, BlocksAfter int
	RateP                     float64 // that the rate of all events changed, by their number in each block
	Tests                     int     // values tried: those in at least minTested events
	Changes                   []Change
	Fields                    []Changed
}

const (
	minTested     = 5   // events that have a value, for it to be tried
	maxNamed      = 5   // values of a field that are new, or gone, to be named
	maxCandidates = 200 // values of a field that are looked at closely, those of the largest change
	wantBlocks    = 48  // of a period, about
	significant   = 0.05
)

// DefaultFields are compared where no fields are named: those that tell what
// happened, to whom and from where, and that are not different in every event.
var DefaultFields = []string{
	"event.dataset", "event.category", "event.action", "event.outcome", "event.code", "event.reason", "host.name", "user.name", "user.target.name",
	"source.ip", "source.geo.country_iso_code", "destination.ip", "destination.port", "destination.domain", "network.transport", "network.protocol",
	"process.name", "process.parent.name", "process.executable", "service.name", "file.path", "registry.path", "url.domain", "url.path", "http.request.method",
	"http.response.status_code", "user_agent.name", "user_agent.original", "dns.question.name", "dns.question.type", "dns.response_code",
	"rule.name", "log.level", "log.pattern.id", "winlog.channel", "winlog.logon.type", "source.bytes", "destination.bytes", "http.response.body.bytes",
	"network.bytes", "event.duration",
}

// numericFields are compared by the sizes of their numbers, not by which occur.
var numericFields = map[string]bool{"source.bytes": true, "destination.bytes": true, "http.response.body.bytes": true, "network.bytes": true, "event.duration": true, "source.packets": true, "destination.packets": true}

// Compare returns what changed between two periods in the given fields, or in
// DefaultFields, the greatest change first.
func Compare(ctx context.Context, st store.Store, query string, before, after Period, fields []string) (*Comparison, error) {
	c := &Comparison{Before: before, After: after, Block: blockOf(before, after)}
	if fields == nil {
		fields = DefaultFields
	}
	totals := [2][]float64{}
	for i, p := range []Period{before, after} {
		series, err := c.series(ctx, st, query, "", p, nil)
		if err != nil {
			return nil, err
		}
		totals[i] = series[""]
	}
	sum := func(x []float64) (n int64) {
		for _, v := range x {
			n += int64(v)
		}
		return n
	}
	c.EventsBefore, c.EventsAfter = sum(totals[0]), sum(totals[1])
	c.BlocksBefore, c.BlocksAfter = len(totals[0]), len(totals[1])
	c.RateP = 1
	if min(c.BlocksBefore, c.BlocksAfter) > 1 {
		a, seA := mean(c.perHour(totals[0], before))
		b, seB := mean(c.perHour(totals[1], after))
		t, df := welch(a, seA, len(totals[0]), b, seB, len(totals[1]))
		c.RateP = studentP(t, df)
	}
	for _, field := range fields {
		if err := c.field(ctx, st, query, field); err != nil {
			return nil, fmt.Errorf("%s: %w", field, err)
		}
	}
	families := make([]Family, len(c.Fields))
	at := map[string]int{}
	for i, f := range c.Fields {
		at[f.Field] = i
		families[i].Tests = f.tests
	}
	for _, ch := range c.Changes { // of a field, in their order
		f := &families[at[ch.Field]]
		f.P = append(f.P, ch.P)
	}
	qs := Families(families, significant)
	for i := range c.Changes {
		of := at[c.Changes[i].Field]
		c.Changes[i].Q, qs[of] = qs[of][0], qs[of][1:]
	}
	slices.SortFunc(c.Changes, func(a, b Change) int {
		return cmp.Or(cmp.Compare(b.Bits, a.Bits), strings.Compare(a.Field, b.Field), strings.Compare(a.Value, b.Value))
	})
	slices.SortStableFunc(c.Fields, func(a, b Changed) int { return cmp.Compare(b.Divergence, a.Divergence) })
	return c, nil
}

// blockOf cuts the shorter of two periods into about wantBlocks blocks of a
// length that people use.
func blockOf(a, b Period) time.Duration {
	raw := min(a.length(), b.length()) / wantBlocks
	for _, s := range []time.Duration{time.Second, 5 * time.Second, 15 * time.Second, time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour, 7 * 24 * time.Hour} {
		if s >= raw {
			return s
		}
	}
	return 30 * 24 * time.Hour
}

// perHour turns the counts of blocks into rates; the last block may be short.
func (c *Comparison) perHour(counts []float64, p Period) []float64 {
	out := slices.Clone(counts)
	for i := range out {
		from := p.From + int64(i)*int64(c.Block)
		out[i] /= time.Duration(min(int64(c.Block), p.To-from)).Hours()
	}
	return out
}

// series counts the events of a period by block: all under "", or those of each
// of some values of a field.
func (c *Comparison) series(ctx context.Context, st store.Store, query, field string, p Period, values []Value) (map[string][]float64, error) {
	blocks := int((p.To - p.From + int64(c.Block) - 1) / int64(c.Block))
	out := map[string][]float64{}
	by := bucketFrom(c.Block, p.From)
	shift := p.From % int64(time.Second)
	q := with(query, p.filter())
	if field != "" {
		q = unrolled(with(q, quote(field)+":*"), field)
		if values != nil {
			q = with(q, among(field, values))
			by += ", " + quote(field)
		}
	}
	if values == nil {
		out[""] = make([]float64, blocks)
	}
	for _, v := range values {
		out[v.Value] = make([]float64, blocks)
	}
	err := st.QueryWith(ctx, q+" | stats by ("+by+") count() sextant_n", store.QueryOptions{Unsorted: true}, func(row []event.Field) error {
		n, err := number(row, "sextant_n")
		key := ""
		if values != nil {
			key = column(row, field)
		}
		at := parseTime(column(row, "_time"))
		if s, ok := out[key]; ok && at != event.NoTime {
			i := int((at + shift - p.From) / int64(c.Block))
			s[min(max(i, 0), blocks-1)] += float64(n)
		}
		return err
	})
	return out, err
}

// field compares the values of one field.
func (c *Comparison) field(ctx context.Context, st store.Store, query, field string) error {
	f := Changed{Field: field, P: 1, KSP: 1}
	if numericFields[field] {
		return c.numbers(ctx, st, query, f)
	}
	// One pass over the values: how many, their part of the divergence, and the
	// candidates for a closer look. Values are summed by their pair of counts, so
	// that the sums do not depend on the order in which they come.
	pairs := map[[2]int64]int64{}
	magnitude := func(a, b int64) float64 { return 0 } // set once the totals are known
	var total [2]int64
	query = unrolled(query, field)
	for i, p := range []Period{c.Before, c.After} {
		err := st.Query(ctx, with(query, p.filter(), quote(field)+":*")+" | stats count() sextant_n", func(row []event.Field) (err error) {
			total[i], err = number(row, "sextant_n")
			return err
		})
		if err != nil {
			return err
		}
	}
	f.EventsBefore, f.EventsAfter = total[0], total[1]
	if total[0] == 0 && total[1] == 0 {
		return nil
	}
	if total[0] > 0 && total[1] > 0 {
		magnitude = func(a, b int64) float64 {
			return divergence(float64(a)/float64(total[0]), float64(b)/float64(total[1]))
		}
	}
	key := func(v Value) float64 { return magnitude(v.Count, v.First) } // Count before, First after: see below
	kept := keeper{n: maxCandidates, before: func(a, b Value) int {
		return cmp.Or(cmp.Compare(key(b), key(a)), strings.Compare(a.Value, b.Value))
	}}
	most := func(a, b Value) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Value, b.Value))
	}
	come, gone := keeper{n: maxNamed, before: most}, keeper{n: maxNamed, before: most}
	begin := func() {
		clear(pairs)
		kept.kept, come.kept, gone.kept = nil, nil, nil
		f.New, f.Gone = 0, 0
	}
	either := "((" + c.Before.filter() + ") or (" + c.After.filter() + "))"
	figures := []store.Figure{{Name: "sextant_a", Of: "count() if (" + c.Before.filter() + ")"}, {Name: "sextant_b", Of: "count() if (" + c.After.filter() + ")"},
		{Name: "sextant_first", Of: "min(_time)"}, {Name: "sextant_last", Of: "max(_time)"}}
	err := store.Group(ctx, st, with(query, either, quote(field)+":*"), []string{field}, figures, begin, func(row []event.Field) error {
		a, err := number(row, "sextant_a")
		if err != nil {
			return err
		}
		b, err := number(row, "sextant_b")
		if err != nil {
			return err
		}
		pairs[[2]int64{a, b}]++
		switch {
		case a == 0:
			f.New++
			come.add(Value{column(row, field), b, parseTime(column(row, "sextant_first")), parseTime(column(row, "sextant_last"))})
		case b == 0:
			f.Gone++
			gone.add(Value{column(row, field), a, parseTime(column(row, "sextant_first")), parseTime(column(row, "sextant_last"))})
		}
		if a+b >= minTested && total[0] > 0 && total[1] > 0 {
			kept.add(Value{Value: column(row, field), Count: a, First: b})
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, ab := range slices.SortedFunc(maps.Keys(pairs), func(x, y [2]int64) int { return cmp.Or(cmp.Compare(x[0], y[0]), cmp.Compare(x[1], y[1])) }) {
		n := pairs[ab]
		if ab[0] > 0 {
			f.DistinctBefore += n
		}
		if ab[1] > 0 {
			f.DistinctAfter += n
		}
		f.Divergence += float64(n) * magnitude(ab[0], ab[1])
		if ab[0]+ab[1] >= minTested {
			f.tests += int(n)
			f.ChiSquare += float64(n) * homogeneity(ab, total)
		}
	}
	f.NewTop, f.GoneTop = come.sorted(), gone.sorted()
	f.Freedom = float64(max(f.tests-1, 0))
	candidates := kept.sorted()
	c.Tests += f.tests
	if len(candidates) > 0 {
		if err := c.look(ctx, st, query, &f, candidates); err != nil {
			return err
		}
	}
	c.Fields = append(c.Fields, f)
	return nil
}

// homogeneity is a value's part of Pearson's chi-square of values by period.
func homogeneity(ab, total [2]int64) float64 {
	sum := float64(ab[0]+ab[1]) / float64(total[0]+total[1])
	x := 0.0
	for i := range ab {
		if e := sum * float64(total[i]); e > 0 {
			d := float64(ab[i]) - e
			x += d * d / e
		}
	}
	return x
}

// divergence is a value's part of the Jensen–Shannon divergence, in bits.
func divergence(p, q float64) float64 {
	m := (p + q) / 2
	d := 0.0
	if p > 0 {
		d += p / 2 * math.Log2(p/m)
	}
	if q > 0 {
		d += q / 2 * math.Log2(q/m)
	}
	return max(d, 0)
}

// look tests the candidates by how their share differs from block to block.
func (c *Comparison) look(ctx context.Context, st store.Store, query string, f *Changed, candidates []Value) error {
	var of, all [2]map[string][]float64
	for i, p := range []Period{c.Before, c.After} {
		var err error
		if of[i], err = c.series(ctx, st, query, f.Field, p, candidates); err != nil {
			return err
		}
		if all[i], err = c.series(ctx, st, query, f.Field, p, nil); err != nil {
			return err
		}
	}
	effect, weights := 0.0, 0.0
	for _, v := range candidates {
		ch := Change{Field: f.Field, Value: v.Value, Before: v.Count, After: v.First, Bits: divergence(float64(v.Count)/float64(f.EventsBefore), float64(v.First)/float64(f.EventsAfter))}
		var share, se [2]float64
		var blocks [2]int
		for i := range of {
			share[i], se[i], blocks[i] = ratio(of[i][v.Value], all[i][""])
			n := float64([]int64{f.EventsBefore, f.EventsAfter}[i])
			if p := share[i]; p > 0 && p < 1 && !math.IsInf(se[i], 0) {
				effect += (1 - p) * se[i] * se[i] / (p * (1 - p) / n)
				weights += 1 - p
			}
		}
		ch.ShareBefore, ch.ShareAfter = share[0], share[1]
		ch.BlocksBefore, ch.BlocksAfter = occupied(of[0][v.Value]), occupied(of[1][v.Value])
		t, df := welch(share[0], se[0], blocks[0], share[1], se[1], blocks[1])
		ch.P = studentP(t, df)
		// A share cannot be surer to have changed than the blocks in which the
		// value occurs are unlikely to fall into the periods as they did.
		ch.P = max(ch.P, placement(ch.BlocksBefore, ch.BlocksAfter, blocks[0], blocks[1]))
		c.Changes = append(c.Changes, ch)
	}
	// The design effect: by how much bursts widen the variance (Rao and Scott, 1984).
	deff := 1.0
	if weights > 0 {
		deff = max(effect/weights, 1)
	}
	f.ChiSquare /= deff
	f.P = chiSquareP(f.ChiSquare, f.Freedom)
	f.CramersV = math.Sqrt(f.ChiSquare * deff / float64(f.EventsBefore+f.EventsAfter))
	return nil
}

func occupied(x []float64) (n int) {
	for _, v := range x {
		if v > 0 {
			n++
		}
	}
	return n
}

// placement is the probability that all blocks of a value that is in one period
// only fall into that period by chance; 0 for a value of both.
func placement(a, b, blocksA, blocksB int) float64 {
	if a > 0 && b > 0 || a+b == 0 {
		return 0
	}
	k, of, all := a, blocksA, blocksA+blocksB
	if b > 0 {
		k, of = b, blocksB
	}
	p := 1.0
	for i := range k {
		p *= float64(max(of-i, 0)) / float64(all-i)
	}
	return min(1, 2*p) // either period would have been as remarkable
}

// numbers compares the sizes of a field's numbers.
func (c *Comparison) numbers(ctx context.Context, st store.Store, query string, f Changed) error {
	f.Numeric = true
	var d [2]*Numbers
	for i, p := range []Period{c.Before, c.After} {
		var err error
		if d[i], err = CountNumbers(ctx, st, with(query, p.filter()), f.Field); err != nil {
			return err
		}
	}
	f.EventsBefore, f.EventsAfter = d[0].N, d[1].N
	if d[0].N == 0 || d[1].N == 0 {
		return nil
	}
	f.DistinctBefore, f.DistinctAfter = int64(len(d[0].Values)), int64(len(d[1].Values))
	f.MedianBefore, f.MedianAfter = d[0].Quantile(0.5), d[1].Quantile(0.5)
	f.KS, f.KSAt = distance(d[0], d[1])
	// Events of one burst are alike: the effective sizes follow from how much the
	// share above the point of greatest distance differs between blocks.
	above := with(query, quote(f.Field)+":>"+strconv.FormatFloat(f.KSAt, 'f', -1, 64))
	size := [2]float64{float64(d[0].N), float64(d[1].N)}
	for i, p := range []Period{c.Before, c.After} {
		x, err := c.series(ctx, st, above, f.Field, p, nil)
		if err != nil {
			return err
		}
		n, err := c.series(ctx, st, query, f.Field, p, nil)
		if err != nil {
			return err
		}
		share, se, _ := ratio(x[""], n[""])
		if v := share * (1 - share); v > 0 && se > 0 {
			size[i] = min(size[i], max(v/(se*se), 1))
		}
	}
	f.KSP = kolmogorovP(f.KS, size[0], size[1])
	f.P = f.KSP
	c.Tests++
	c.Fields = append(c.Fields, f)
	return nil
}

// OfTheOthers reports whether the value is about as frequent in time as before, and only makes up another
// share of its field since others came or went.
func (ch *Change) OfTheOthers(c *Comparison) bool {
	if ch.Before == 0 || ch.After == 0 {
		return false
	}
	r := float64(ch.After) / c.After.length().Hours() / (float64(ch.Before) / c.Before.length().Hours())
	if ch.ShareAfter > ch.ShareBefore {
		return r < 1.25
	}
	return r > 0.8
}

// Significant reports whether the change is larger than chance and bursts explain.
func (ch *Change) Significant() bool { return ch.Q <= significant }

// Significant reports whether the field's distribution changed more than chance
// and bursts explain.
func (f *Changed) Significant() bool { return f.P <= significant/100 }
