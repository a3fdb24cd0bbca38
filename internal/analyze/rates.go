package analyze

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/prose"
)

// rates finds hours in which something happened far more often, or a log was
// written far less, than at that time of day before: records of each log and host,
// actions and their outcomes, failed and successful logins of each account and
// source, refused connections, errors of web servers. See docs/techniques/rates.md.
type rates struct {
	series  map[rateKey]*series
	order   []rateKey // as they came
	cells   int
	tooMany bool
}

type rateKind uint8

const (
	rateRecords     rateKind = iota // of a log on a host
	rateAction                      // an action with an outcome, of a log
	rateFailedUser                  // failed logins of an account
	rateFailedFrom                  // failed logins from a source
	rateFailedHost                  // failed logins on a host
	rateLoginUser                   // successful logins of an account
	rateFrom                        // records from a source
	rateDenied                      // refused connections, of a log
	rateServerError                 // answers 5xx of a web server
	rateClientError                 // answers 4xx to a source
	rateFiles                       // files that an account dealt with
)

type rateKey struct {
	kind             rateKind
	dataset, a, more string
}

const (
	maxRateSeries = 100_000
	maxRateCells  = 1_000_000 // 24 bytes each
)

var _ = register(newRates)

func newRates() Technique { return &rates{series: map[rateKey]*series{}} }

// Name implements Technique.
func (*rates) Name() string { return "rates" }

// About implements Technique.
func (*rates) About() string { return "Bursts and drops" }

// Needs implements Technique.
func (*rates) Needs() []string { return []string{"@timestamp"} }

// rateDigest is the cells of a batch by key.
type rateDigest struct {
	keys  []rateKey
	cells []cell
}

// cellTally gathers cells by a packed key; a key has one cell for each hour in a row.
type cellTally struct {
	index map[uint64]int32
	keys  []uint64
	cells []cell
}

func (t *cellTally) count(key uint64, time int64) {
	h := hourOf(time)
	i, ok := t.index[key]
	if !ok || t.cells[i].hour != h {
		i = int32(len(t.cells))
		t.index[key] = i
		t.keys, t.cells = append(t.keys, key), append(t.cells, cell{hour: h, first: time, last: time})
	}
	c := &t.cells[i]
	c.count++
	c.first, c.last = min(c.first, time), max(c.last, time)
}

// pack packs a kind and three names of a batch into one number.
func pack(kind uint8, a, b, c sym) uint64 {
	const most = 1<<20 - 1
	return uint64(kind)<<60 | uint64(a&most)<<40 | uint64(b&most)<<20 | uint64(c&most)
}

// Digest implements Technique.
func (t *rates) Digest(path string, b *event.Batch) any { return digestRows(t, path, b) }

func (*rates) digest(_ string, rs *rows) any {
	if len(rs.list) == 0 {
		return nil
	}
	t := cellTally{index: make(map[uint64]int32, 64)}
	for i := range rs.list {
		r := &rs.list[i]
		put := func(k rateKind, a, b sym) { t.count(pack(uint8(k), r.dataset, a, b), r.time) }
		put(rateRecords, r.host, 0)
		if r.action != 0 && r.host != 0 {
			put(rateAction, r.action, sym(r.outcome))
		}
		if r.has(authentication) {
			switch r.outcome {
			case failure:
				if r.user != 0 {
					put(rateFailedUser, r.user, 0)
				}
				if r.source != 0 {
					put(rateFailedFrom, r.source, 0)
				}
				if r.host != 0 {
					put(rateFailedHost, r.host, 0)
				}
			case success:
				if r.user != 0 {
					put(rateLoginUser, r.user, 0)
				}
			}
		} else if r.source != 0 && !r.has(alert) {
			put(rateFrom, r.source, 0)
		}
		if r.has(files) && r.user != 0 {
			put(rateFiles, r.user, 0)
		}
		if r.has(denied) {
			put(rateDenied, r.host, 0)
		}
		if r.status >= 500 {
			put(rateServerError, r.host, 0)
		} else if r.status >= 400 && r.source != 0 {
			put(rateClientError, r.source, 0)
		}
	}
	d := &rateDigest{cells: t.cells}
	for _, k := range t.keys {
		kind := rateKind(k >> 60)
		key := rateKey{kind: kind, dataset: rs.keep(sym(k >> 40 & (1<<20 - 1))), a: rs.keep(sym(k >> 20 & (1<<20 - 1)))}
		if kind == rateAction {
			key.more = [...]string{"", "success", "failure"}[k&3]
		}
		d.keys = append(d.keys, key)
	}
	return d
}

// Merge implements Technique.
func (t *rates) Merge(digest any) {
	d := digest.(*rateDigest)
	for i, k := range d.keys {
		s := t.series[k]
		if s == nil {
			if len(t.series) >= maxRateSeries {
				t.tooMany = true
				continue
			}
			s = new(series)
			t.series[k] = s
			t.order = append(t.order, k)
		}
		if t.cells >= maxRateCells && (len(*s) == 0 || (*s)[len(*s)-1].hour != d.cells[i].hour) {
			t.tooMany = true
			continue
		}
		if s.add(d.cells[i]) {
			t.cells++
		}
	}
}

func (t *rates) limits() []string {
	if !t.tooMany {
		return nil
	}
	return []string{fmt.Sprintf("more than %s series or %s hours of them: rates of what came last are not watched", prose.Number(maxRateSeries), prose.Number(maxRateCells))}
}

// logs are the records of each log, of all hosts.
func (t *rates) logs() map[string]*series {
	logs := map[string]*series{}
	for _, k := range t.order {
		if k.kind != rateRecords {
			continue
		}
		if logs[k.dataset] == nil {
			logs[k.dataset] = new(series)
		}
		for _, c := range *t.series[k] {
			logs[k.dataset].add(c)
		}
	}
	return logs
}

// covered lists for each log the days on which it was written.
func (t *rates) covered() map[string][]int32 {
	days := map[string][]int32{}
	for _, k := range t.order {
		if k.kind != rateRecords {
			continue
		}
		for _, c := range *t.series[k] {
			d := int32(floorDiv(int64(c.hour), 24))
			if l := days[k.dataset]; len(l) == 0 || l[len(l)-1] != d {
				days[k.dataset] = append(l, d)
			}
		}
	}
	for k, l := range days {
		slices.Sort(l)
		days[k] = slices.Compact(l)
	}
	return days
}

// A burst must be this.
const (
	rateBits     = 6          // more surprising than so many bits, after as many tests as were made
	rateLeast    = 10         // so many more than what is usual at most
	rateTimes    = 1.5        // and so many times as many
	rateSoonest  = 5          // without a daily baseline, so many times
	ratePeers    = 30         // active hours of others of its kind that something without a rhythm is compared with
	dropCells    = 5 * 24 / 3 // hours with any, before a drop is looked for
	dropLow      = 0.7        // of the fewest usual, at most
	rateExpected = 30         // records an hour that a log must usually have for a drop to mean something
)

// Findings implements Technique.
func (t *rates) Findings(context.Context, Querier) ([]Finding, error) {
	covered := t.covered()
	peers := t.peers()
	tests := math.Log2(float64(t.cells + 1))
	logs := t.logs()
	var out []Finding
	for _, k := range t.order {
		days := covered[k.dataset]
		if len(days) == 0 {
			continue
		}
		s := *t.series[k]
		var run *burst
		flush := func() {
			if run != nil {
				out = append(out, run.finding(k))
				run = nil
			}
		}
		for _, c := range s {
			if c.count <= rateLeast {
				continue
			}
			u, ok := s.expect(c.hour, days)
			if !ok {
				continue
			}
			n, times := float64(c.count), float64(rateTimes)
			if !u.seasonal {
				times = rateSoonest
			}
			if n < u.high*times || n < u.high+rateLeast {
				continue
			}
			bits := surpriseOf(n, u.mean, u.variance) - tests
			if u.median == 0 {
				// What is mostly not there has no rhythm of its own: it is judged by others of its kind.
				common := peers[rateKey{kind: k.kind, dataset: k.dataset}]
				most := percentile(common, 0.99)
				if len(common) < ratePeers || n < rateTimes*most {
					continue
				}
				u.peers, u.peak = len(common), most
				bits = min(bits, math.Log2(float64(len(common)))+4*math.Log2(n/most))
			}
			if bits < rateBits {
				continue
			}
			if run != nil && c.hour > run.hour+1 {
				flush()
			}
			if run == nil {
				run = &burst{first: c.first, usual: u}
			}
			run.hour, run.last = c.hour, c.last
			run.count += int(c.count)
			run.hours++
			run.bits = max(run.bits, bits)
		}
		flush()
		if k.kind == rateRecords || k.kind == rateAction {
			out = append(out, t.drops(k, days, tests, logs)...)
		}
	}
	return merged(out), nil
}

// peers lists for each kind of series in a log how much there is in an hour in which there is any.
func (t *rates) peers() map[rateKey][]float64 {
	all := map[rateKey][]float64{}
	for _, k := range t.order {
		kind := rateKey{kind: k.kind, dataset: k.dataset}
		for _, c := range *t.series[k] {
			all[kind] = append(all[kind], float64(c.count))
		}
	}
	for _, v := range all {
		slices.Sort(v)
	}
	return all
}

// burst is a run of hours.
type burst struct {
	hour        int32
	first, last int64
	count       int
	hours       int
	bits        float64
	usual       usual
}

func (u *usual) text() string {
	r := fmt.Sprintf("%.0f–%.0f", u.low, u.high)
	if u.low == u.high {
		r = fmt.Sprintf("%.0f", u.high)
	}
	what := ""
	if u.seasonal {
		what = " at that time of day"
	}
	of := ""
	if u.weekly {
		of = " of the same kind"
	}
	s := fmt.Sprintf("usually %s an hour%s over %s%s", r, what, prose.Count(u.days, "day"), of)
	if u.peers > 0 {
		s += fmt.Sprintf("; others of its kind have at most %.0f in 99 of 100 hours in which they have any", u.peak)
	}
	return s
}

func (b *burst) finding(k rateKey) Finding {
	f := Finding{
		Title: "Far more than usual", Level: "informational", First: b.first, Last: b.last, Count: b.count, Surprise: b.bits,
		Rule:     Rule{ID: "rates", Name: "Rate far above its baseline", FalsePositives: []string{"A job that runs rarely", "A change of what is logged"}},
		Datasets: nonEmpty(k.dataset),
	}
	w := where{}.between(b.first, b.last).is("event.dataset", k.dataset)
	var who, what string
	name := clip(k.a, 100)
	failed := func(w where) where { return w.has("event.category", "authentication").is("event.outcome", "failure") }
	switch k.kind {
	case rateRecords:
		f.Title, f.Rule.ID, who, what = "A log has far more records than usual", "rates.records", "log "+k.dataset, "records"
		if k.a != "" {
			who += " of " + name
		}
		w = w.is("host.name", k.a)
		f.Entities.Hosts = nonEmpty(k.a)
	case rateAction:
		f.Title, f.Rule.ID, who, what = "An action is far more frequent than usual", "rates.action", "log "+k.dataset, "records of "+name
		if k.more != "" {
			what += " (" + k.more + ")"
		}
		w = w.any(k.a, "event.action", "event.code").is("event.outcome", k.more)
	case rateFailedUser:
		f.Title, f.Rule.ID, who, what = "Far more failed logins of an account than usual", "rates.failed-logins.user", "account "+name, "failed logins"
		w = failed(w).any(k.a, "user.name", "user.target.name")
		f.Entities.Users = []string{k.a}
		f.Level, f.Techniques, f.Tactics = "low", []string{"T1110"}, []string{"credential-access"}
	case rateFailedFrom:
		f.Title, f.Rule.ID, who, what = "Far more failed logins from a source than usual", "rates.failed-logins.source", "source "+name, "failed logins"
		w = failed(w).any(k.a, "source.ip", "client.ip")
		f.Entities.Sources = []string{k.a}
		f.Techniques, f.Tactics = []string{"T1110"}, []string{"credential-access"}
		if !outside(k.a) { // the internet guesses all day
			f.Level = "low"
		}
	case rateFailedHost:
		f.Title, f.Rule.ID, who, what = "Far more failed logins on a host than usual", "rates.failed-logins.host", "host "+name, "failed logins"
		w = failed(w).any(k.a, "host.name", "host.hostname")
		f.Entities.Hosts = []string{k.a}
		f.Level, f.Techniques, f.Tactics = "low", []string{"T1110"}, []string{"credential-access"}
	case rateLoginUser:
		f.Title, f.Rule.ID, who, what = "Far more logins of an account than usual", "rates.logins.user", "account "+name, "logins"
		w = w.has("event.category", "authentication").is("event.outcome", "success").any(k.a, "user.name", "user.target.name")
		f.Entities.Users = []string{k.a}
	case rateFrom:
		f.Title, f.Rule.ID, who, what = "A source is far busier than usual", "rates.source", "source "+name, "records in "+k.dataset
		w = w.any(k.a, "source.ip", "client.ip")
		f.Entities.Sources = []string{k.a}
	case rateDenied:
		f.Title, f.Rule.ID, who, what = "Far more refused connections than usual", "rates.denied", "log "+k.dataset, "refused connections"
		if k.a != "" {
			who += " of " + name
		}
		w = w.is("host.name", k.a).has("event.type", "denied")
		f.Entities.Hosts = nonEmpty(k.a)
	case rateServerError:
		f.Title, f.Rule.ID, who, what = "Far more errors of a web server than usual", "rates.server-errors", "log "+k.dataset, "answers 5xx"
		if k.a != "" {
			who += " of " + name
		}
		w = append(w.is("host.name", k.a), `"http.response.status_code":>=500`)
		f.Entities.Hosts = nonEmpty(k.a)
	case rateClientError:
		f.Title, f.Rule.ID, who, what = "Far more refused requests of a source than usual", "rates.client-errors", "source "+name, "answers 4xx"
		w = append(w.any(k.a, "source.ip", "client.ip"), `"http.response.status_code":>=400`)
		f.Entities.Sources = []string{k.a}
	case rateFiles:
		f.Title, f.Rule.ID, who, what = "An account deals with far more files than usual", "rates.files", "account "+name, "records of files in "+k.dataset
		w = w.has("event.category", "file").any(k.a, "user.name", "user.target.name")
		f.Entities.Users = []string{k.a}
		f.Level, f.Techniques, f.Tactics = "low", []string{"T1005", "T1039"}, []string{"collection"}
	}
	f.Explanation = fmt.Sprintf("%s: %s %s %s, %s.", who, prose.Number(b.count), what, span(b.first, b.last), b.usual.text())
	f.Query = w.String()
	return f
}

// drops finds stretches of hours in which a log or one action of it has far less than the
// fewest usual at that time of day. That a log falls silent is told by silence: here are the hours in which
// something of it is left, and actions that are missing while their log goes on.
func (t *rates) drops(k rateKey, covered []int32, tests float64, logs map[string]*series) (out []Finding) {
	s := *t.series[k]
	if len(s) < dropCells || s.commonly() < rateExpected {
		return nil
	}
	log := logs[k.dataset]
	var run *burst
	flush := func() {
		if run != nil && run.bits-tests >= rateBits {
			run.bits -= tests
			out = append(out, run.drop(k))
		}
		run = nil
	}
	at := 1 // the cell at the hour or after it; the first and the last begin and end within the hour
	for h := s[0].hour + 1; h < (*log)[len(*log)-1].hour; h++ {
		for at < len(s) && s[at].hour < h {
			at++
		}
		c := cell{hour: h, first: int64(h) * hour, last: int64(h)*hour + hour - 1}
		if at < len(s) && s[at].hour == h {
			c = s[at]
		} else if k.kind == rateRecords {
			flush()
			if at < len(s) {
				h = s[at].hour - 1
			}
			continue
		}
		n := float64(c.count)
		if 2*n >= max(s.at(h-24), s.at(h+24), s.at(h-168), s.at(h+168)) {
			flush()
			continue
		}
		u, ok := s.expect(h, covered)
		if !ok || !u.seasonal || u.low < rateExpected || n > dropLow*u.low {
			flush()
			continue
		}
		if k.kind == rateAction {
			// Of a log that has little of anything then, an action is not missing.
			if w, ok := log.expect(h, covered); !ok || log.at(h)-n < (w.low-u.high)/2 || log.at(h) <= n {
				flush()
				continue
			}
		}
		if run == nil {
			run = &burst{first: c.first, usual: u}
		}
		run.hour, run.last = c.hour, c.last
		run.count += int(c.count)
		run.hours++
		run.bits += shortfallOf(n, u.mean, u.variance)
	}
	flush()
	return out
}

// commonly is how many there are in an hour, of those that have any: of the upper tenth the fewest.
func (s series) commonly() float64 {
	counts := make([]float64, len(s))
	for i, c := range s {
		counts[i] = float64(c.count)
	}
	slices.Sort(counts)
	return percentile(counts, 0.9)
}

func (b *burst) drop(k rateKey) Finding {
	f := Finding{
		Title: "A log has far fewer records than usual", Level: "informational", First: b.first, Last: b.last, Count: b.count, Surprise: b.bits,
		Rule:     Rule{ID: "rates.drop", Name: "Rate far below its baseline", FalsePositives: []string{"A holiday", "Maintenance", "A change of what is logged"}},
		Datasets: nonEmpty(k.dataset),
	}
	who, what := "log "+k.dataset, prose.Count(b.count, "record")
	w := where{}.between(b.first, b.last).is("event.dataset", k.dataset)
	if k.kind == rateAction {
		f.Title = "An action is far less frequent than usual in a log that goes on"
		f.Techniques, f.Tactics = []string{"T1562"}, []string{"defense-evasion"}
		what += " of " + clip(k.a, 100)
		if k.more != "" {
			what += " (" + k.more + ")"
		}
		if b.count > 0 {
			w = w.any(k.a, "event.action", "event.code").is("event.outcome", k.more)
		}
	} else {
		f.Entities.Hosts = nonEmpty(k.a)
		w = w.is("host.name", k.a)
		if k.a != "" {
			who += " of " + clip(k.a, 100)
		}
	}
	f.Explanation = fmt.Sprintf("%s: %s %s in %s, %s.", who, what, span(b.first, b.last), prose.Count(b.hours, "hour"), b.usual.text())
	f.Query = w.String()
	return f
}

// merged leaves out of findings that tell the same burst by other names all but
// the most telling: those with a higher level, or else more surprise, that overlap
// in time and have nearly the same count of the same log.
func merged(all []Finding) []Finding {
	slices.SortStableFunc(all, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(LevelRank(b.Level), LevelRank(a.Level)), cmp.Compare(specificity(&b), specificity(&a)), cmp.Compare(b.Surprise, a.Surprise), cmp.Compare(a.First, b.First), cmp.Compare(a.Explanation, b.Explanation))
	})
	byDay := map[string][]int{}
	var out []Finding
	for _, f := range all {
		key := fmt.Sprint(dayOf(f.First), f.Datasets)
		if slices.ContainsFunc(byDay[key], func(i int) bool {
			o := &out[i]
			return o.First <= f.Last && f.First <= o.Last && float64(f.Count) < 1.25*float64(o.Count) && float64(f.Count) > 0.8*float64(o.Count)
		}) {
			continue
		}
		byDay[key] = append(byDay[key], len(out))
		out = append(out, f)
	}
	slices.SortStableFunc(out, func(a, b Finding) int { return cmp.Compare(a.First, b.First) })
	return out
}

// specificity is how narrowly a finding names who is concerned.
func specificity(f *Finding) int {
	switch {
	case len(f.Entities.Sources) > 0:
		return 3
	case len(f.Entities.Users) > 0:
		return 2
	case len(f.Entities.Hosts) > 0:
		return 1
	}
	return 0
}
