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
		if r.has(authentication) && r.kind&(announced|leaving) == 0 {
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
		} else if r.source != 0 && r.kind&(alert|announced|leaving) == 0 {
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

// Findings implements Technique.
func (t *rates) Findings(context.Context, Querier) ([]Finding, error) {
	logs := t.logs()
	calendars := map[string]*calendar{}
	days := 1
	for d, l := range logs {
		calendars[d] = newCalendar(*l)
		days = max(days, len(calendars[d].days))
	}
	peers := t.peers()
	tests := math.Log2(max(fewestTests, float64(t.cells)/float64(days)))
	tails := map[tailKey]*surprises{}
	perhaps := map[rateKey][]candidate{}
	var sc scan
	var hits []*hit
	for _, k := range t.order {
		c := calendars[k.dataset]
		if c == nil || len(c.days) == 0 {
			continue
		}
		s := *t.series[k]
		if !s.dense(c) {
			hits = append(hits, t.sparse(k, c, peers[rateKey{kind: k.kind, dataset: k.dataset}], tests)...)
			continue
		}
		if s.most() <= uint32(k.kind.least())/2 {
			continue
		}
		sc.use(c)
		sc.lay(s)
		if cs := t.candidates(&sc, k, tests, tails); len(cs) > 0 {
			perhaps[k] = cs
		}
	}
	for _, l := range tails {
		slices.Sort(l.bits)
	}
	for _, k := range t.order {
		if cs := perhaps[k]; len(cs) > 0 {
			sc.use(calendars[k.dataset])
			sc.lay(*t.series[k])
			chosen := t.choose(&sc, k, cs, tests, tails, logs[k.dataset])
			if p := peers[rateKey{kind: k.kind, dataset: k.dataset}]; k.kind.stranger() && outside(k.a) && len(p.counts) >= ratePeers {
				// Addresses outside come and go: what is usual of one says less than what all of them do.
				most := percentile(p.counts, 0.99)
				chosen = slices.DeleteFunc(chosen, func(h *hit) bool { return float64(h.count) <= most*float64(h.hours) })
			}
			hits = append(hits, chosen...)
		}
	}
	var out []Finding
	for _, h := range together(hits) {
		f := h.finding
		if h.drop {
			f = h.fewer
		}
		told := f()
		for _, o := range h.also {
			told.Surprise = max(told.Surprise, o.bits)
			if LevelRank(o.level()) > LevelRank(told.Level) {
				told.Level = o.level()
			}
		}
		out = append(out, told)
	}
	slices.SortStableFunc(out, func(a, b Finding) int { return cmp.Compare(a.First, b.First) })
	return out, nil
}
