package analyze

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/learn"
	"github.com/sextant-logs/sextant/internal/prose"
)

// isolation finds hours in which a user, a host or an address did what sets it
// apart from all others and from itself: an isolation forest over what each
// did in each hour, and how rare that is. It names the quantities that set it apart, and what is usual.
type isolation struct {
	hours [len(isoKinds)]isoTable
	names map[uint32]string // of kinds of records
}

// isoKinds are what is looked at: a field, what else of a record counts as a
// partner of it, and what as a target.
var isoKinds = [...]struct {
	name, field     string
	partner, target string // as said
}{
	{"user", "user.name", "addresses", "hosts"},
	{"host", "host.name", "users", "processes"},
	{"source address", "source.ip", "users", "targets"},
}

// The features of an hour of somebody.
const (
	isoEvents = iota
	isoFailures
	isoFailed
	isoPartners
	isoTargets
	isoActions
	isoBytes
	isoHour
	isoGrowth
	isoRare  // bits: how few hours have the rarest of its kinds of records
	isoFirst // kinds of records that it never had before
	isoFeatures
)

// isoTable is the hours of all users, hosts or addresses.
type isoTable struct {
	cells map[isoKey]*isoCell
	level int // entities are a sample of one in 2^level
}

type isoKey struct {
	entity string
	hour   int64 // since the epoch
}

// isoCell is what somebody did in an hour. Sets are bitmaps in which a member
// sets one bit: they are merged in any order, and hold about as many as they have bits.
type isoCell struct {
	events, failures  float64
	bytes             float64
	partners, targets isoSet
	actions           isoActionsOf
}

// isoActionsOf is the kinds of records of an hour, by hash: all of them up to
// maxIsoActions, else those of the lowest hashes (bottom-k; Cohen, Kaplan,
// Summarizing Data using Bottom-k Sketches, PODC 2007), which is the same in any order.
type isoActionsOf []uint32

func (a *isoActionsOf) add(h uint32) {
	i, ok := slices.BinarySearch(*a, h)
	if ok || i == maxIsoActions {
		return
	}
	if len(*a) == maxIsoActions {
		*a = (*a)[:maxIsoActions-1]
	}
	*a = slices.Insert(*a, i, h)
}

func (a *isoActionsOf) merge(o isoActionsOf) {
	for _, h := range o {
		a.add(h)
	}
}

// size estimates how many there are.
func (a isoActionsOf) size() float64 {
	if len(a) < maxIsoActions {
		return float64(len(a))
	}
	return math.Round((maxIsoActions - 1) / (float64(a[maxIsoActions-1]) / (1 << 32)))
}

type isoSet [4]uint64

// isoHash is a hash that is the same in every run: FNV-1a of the parts, finished.
func isoHash(parts ...string) uint64 {
	h := uint64(14695981039346656037)
	for i, s := range parts {
		if i > 0 {
			h *= 1099511628211 // as after a byte 0
		}
		for i := range len(s) {
			h = (h ^ uint64(s[i])) * 1099511628211
		}
	}
	h ^= h >> 32
	h *= 0xd6e8feb86659fd93
	return h ^ h>>32
}

func (s *isoSet) add(v string) {
	h := isoHash(v)
	s[h>>6&3] |= 1 << (h & 63)
}

func (s *isoSet) merge(o *isoSet) {
	for i := range s {
		s[i] |= o[i]
	}
}

// size estimates the members of the set (linear counting).
func (s *isoSet) size() float64 {
	zero := 256
	for _, w := range s {
		zero -= bits.OnesCount64(w)
	}
	if zero == 0 {
		zero = 1
	}
	return math.Round(256 * math.Log(256/float64(zero)))
}

const (
	maxIsoActions   = 64     // kinds of records of an hour that are remembered
	maxIsoNames     = 20_000 // names of kinds of records
	maxIsoCells     = 60_000 // hours of one kind; then only some users, hosts or addresses are looked at
	isoLeast        = 200    // hours of a kind, fewer teach nothing
	isoOwn          = 8      // hours of somebody from which on they are compared with each other
	isoOwnDays      = 3      // days of somebody from which on an hour of the day can be unusual
	isoScore        = 0.6    // of the forest
	isoTop          = 2      // quantities that are furthest out, which count by themselves
	isoReasonsLeast = 2      // one quantity alone is what simpler techniques tell
	isoFarTimes     = 3      // times as much as 99 in 100 hours have,
	isoFarMore      = 5      // and so much more, is far
	isoFarGrowth    = 20
	shownHours      = 10 // findings of a kind
)

var _ = register(newIsolation)

func newIsolation() Technique {
	t := &isolation{names: map[uint32]string{}}
	for i := range t.hours {
		t.hours[i].cells = map[isoKey]*isoCell{}
	}
	return t
}

// Name implements Technique.
func (*isolation) Name() string { return "isolation" }

// About implements Technique.
func (*isolation) About() string { return "Hours of accounts and addresses that stand apart" }

// Needs implements Technique.
func (*isolation) Needs() []string { return []string{"user.name", "host.name", "source.ip"} }

// isoDigest is the hours of a batch.
type isoDigest struct {
	hours [len(isoKinds)]map[isoKey]*isoCell
	names map[uint32]string
}

// Digest implements Technique.
func (*isolation) Digest(_ string, b *event.Batch) any {
	var d isoDigest
	var last [len(isoKinds)]struct {
		key  isoKey
		cell *isoCell
	}
	any := false
	var kind uint32
	var of [3]string // dataset, code, action
	for i := range b.Events {
		e := &b.Events[i]
		if e.Time == event.NoTime {
			continue
		}
		var user, host, source, destination, process, outcome, action, code, dataset, target, sent string
		for j := range e.Fields {
			f := &e.Fields[j]
			switch f.Name {
			case "user.name":
				user = cmp.Or(user, f.Value)
			case "host.name":
				host = cmp.Or(host, f.Value)
			case "source.ip":
				source = cmp.Or(source, f.Value)
			case "destination.ip":
				destination = f.Value
			case "process.name":
				process = f.Value
			case "event.outcome":
				outcome = f.Value
			case "event.action":
				action = f.Value
			case "event.code":
				code = f.Value
			case "event.dataset":
				dataset = f.Value
			case "destination.port", "url.path", "url.original", "dns.question.name":
				target = cmp.Or(target, f.Value)
			case "source.bytes", "http.request.body.bytes":
				sent = f.Value
			}
		}
		n, _ := strconv.ParseFloat(sent, 64)
		hour := floorDiv(e.Time, int64(time.Hour))
		if now := [3]string{dataset, code, action}; now != of || d.names == nil {
			of = now
			kind = uint32(isoHash(dataset, code, action))
			if d.names == nil {
				d.names = map[uint32]string{}
			}
			if _, ok := d.names[kind]; !ok {
				d.names[kind] = strings.Clone(strings.Join(slices.DeleteFunc([]string{dataset, code, action}, func(s string) bool { return s == "" }), " "))
			}
		}
		for k, entity := range [...]string{user, host, source} {
			if entity == "" || len(entity) > 256 {
				continue
			}
			key := isoKey{entity, hour}
			l := &last[k]
			if l.cell == nil || l.key != key {
				if d.hours[k] == nil {
					d.hours[k] = map[isoKey]*isoCell{}
				}
				c := d.hours[k][key]
				if c == nil {
					key.entity = strings.Clone(entity)
					c = &isoCell{}
					d.hours[k][key] = c
					any = true
				}
				l.key, l.cell = key, c
			}
			c := l.cell
			c.events++
			if outcome == "failure" {
				c.failures++
			}
			if n > 0 {
				c.bytes += n
			}
			partner, at := "", ""
			switch k {
			case 0:
				partner, at = source, cmp.Or(host, destination)
			case 1:
				partner, at = user, process
			case 2:
				partner, at = user, destination+"\x00"+target
			}
			if partner != "" {
				c.partners.add(partner)
			}
			if at != "" && at != "\x00" {
				c.targets.add(at)
			}
			c.actions.add(kind)
		}
	}
	if !any {
		return nil
	}
	return &d
}

// Merge implements Technique. Sums and sets do not depend on the order, nor
// does which entities are left of too many.
func (t *isolation) Merge(digest any) {
	d := digest.(*isoDigest)
	for kind, name := range d.names {
		if known, ok := t.names[kind]; !ok || name < known {
			t.names[kind] = name
		}
	}
	if len(t.names) > 2*maxIsoNames {
		t.prune()
	}
	for k := range d.hours {
		table := &t.hours[k]
		for key, c := range d.hours[k] {
			if !table.takes(key.entity) {
				continue
			}
			to := table.cells[key]
			if to == nil {
				table.cells[key] = c
				continue
			}
			to.events += c.events
			to.failures += c.failures
			to.bytes += c.bytes
			to.partners.merge(&c.partners)
			to.targets.merge(&c.targets)
			to.actions.merge(c.actions)
		}
		for len(table.cells) > maxIsoCells {
			table.level++
			for key := range table.cells {
				if !table.takes(key.entity) {
					delete(table.cells, key)
				}
			}
			if table.level > 60 {
				clear(table.cells) // one entity has them all: hours of seven years
			}
		}
	}
}

// prune keeps the names of the lowest hashes: the same in any order.
func (t *isolation) prune() {
	if len(t.names) > maxIsoNames {
		for _, kind := range slices.Sorted(maps.Keys(t.names))[maxIsoNames:] {
			delete(t.names, kind)
		}
	}
}

func (t *isoTable) takes(entity string) bool {
	return isoHash(entity)>>(64-t.level) == 0
}

// isoHourOf is a row for the forest.
type isoHourOf struct {
	key      isoKey
	cell     *isoCell
	features []float64
	rarest   uint32     // kind of record, by hours
	few      float64    // bits: how few ever have one of its kinds of records
	bits     []float64  // of each feature: how few hours have as much
	isolated float64    // what the forest says
	parts    [3]float64 // bits: the forest's, its kinds of records', those of the features that are furthest out
}

// score is how strange the hour is, in bits: by how few hours reach what it
// does in each of three ways, as if they were independent (Fisher, Statistical Methods for Research Workers, 1925).
func (h *isoHourOf) score() float64 { return h.parts[0] + h.parts[1] + h.parts[2] }

// rows returns the hours by entity and time, with their features.
func (t *isoTable) rows() []isoHourOf {
	out := make([]isoHourOf, 0, len(t.cells))
	for key, c := range t.cells {
		out = append(out, isoHourOf{key: key, cell: c})
	}
	slices.SortFunc(out, func(a, b isoHourOf) int {
		return cmp.Or(cmp.Compare(a.key.entity, b.key.entity), cmp.Compare(a.key.hour, b.key.hour))
	})
	hours := map[uint32]float64{} // that have a kind of record
	whose := map[uint32]float64{} // users, hosts or addresses that have it in any hour
	last := map[uint32]int{}      // of them that was counted, from 1 on
	entities := 0
	for i := range out {
		if i == 0 || out[i].key.entity != out[i-1].key.entity {
			entities++
		}
		for _, h := range out[i].cell.actions {
			hours[h]++
			if last[h] != entities {
				last[h] = entities
				whose[h]++
			}
		}
	}
	for i := range out {
		for _, h := range out[i].cell.actions {
			out[i].few = max(out[i].few, math.Log2(float64(entities)/whose[h]))
		}
	}
	for i := 0; i < len(out); {
		j := i
		for j < len(out) && out[j].key.entity == out[i].key.entity {
			j++
		}
		isoFill(out[i:j], hours, float64(len(out)))
		i = j
	}
	return out
}

// isoFill computes the features of all hours of one entity.
func isoFill(own []isoHourOf, hours map[uint32]float64, all float64) {
	did := map[uint32]bool{}
	var ofDay [24]float64
	days := map[int64]bool{}
	var volumes []float64
	for _, h := range own {
		ofDay[(h.key.hour%24+24)%24]++
		days[floorDiv(h.key.hour, 24)] = true
		volumes = append(volumes, math.Log1p(h.cell.events))
	}
	slices.Sort(volumes)
	for i := range own {
		h := &own[i]
		c := h.cell
		f := make([]float64, isoFeatures)
		f[isoEvents] = math.Log1p(c.events)
		f[isoFailures] = math.Log1p(c.failures)
		if c.events >= 5 {
			f[isoFailed] = c.failures / c.events
		}
		f[isoPartners] = math.Log1p(c.partners.size())
		f[isoTargets] = math.Log1p(c.targets.size())
		f[isoActions] = math.Log1p(c.actions.size())
		f[isoBytes] = math.Log1p(c.bytes)
		if len(days) >= isoOwnDays && len(own) >= isoOwn {
			at := (h.key.hour%24 + 24) % 24
			near := ofDay[at] + ofDay[(at+1)%24] + ofDay[(at+23)%24] - 1 // but for itself
			f[isoHour] = 1 - min(1, near/float64(len(days)))
		}
		if len(own) >= isoOwn {
			f[isoGrowth] = max(0, f[isoEvents]-volumes[len(volumes)/2])
		}
		first := 0.0
		for _, a := range c.actions {
			if r := math.Log2(all / hours[a]); r > f[isoRare] || h.rarest == 0 {
				f[isoRare], h.rarest = r, a
			}
			if !did[a] {
				first++
				did[a] = true
			}
		}
		if i >= isoOwn {
			f[isoFirst] = math.Log1p(first)
		}
		h.features = f
	}
}

// Findings implements Technique.
func (t *isolation) Findings(context.Context, Querier) ([]Finding, error) {
	t.prune()
	var out []Finding
	for k := range t.hours {
		rows := t.hours[k].rows()
		if len(rows) < isoLeast {
			continue
		}
		out = append(out, t.strange(k, rows)...)
	}
	slices.SortFunc(out, func(a, b Finding) int { return cmp.Or(cmp.Compare(a.First, b.First), cmp.Compare(a.ID, b.ID)) })
	return out, nil
}

// isoTails returns for each value how few are as great, in bits: 0 for the
// least, and the same whatever the scale (as in ECOD; Li et al., IEEE TKDE 35(12), 2023).
func isoTails(column []float64) []float64 {
	sorted := slices.Clone(column)
	slices.Sort(sorted)
	out := make([]float64, len(column))
	for i, x := range column {
		at, _ := slices.BinarySearch(sorted, x)
		out[i] = math.Log2(float64(len(sorted)) / float64(len(sorted)-at))
	}
	return out
}

// isoScores grows a forest on the rows and scores them. It returns the usual
// value of each feature and that of which 99 in 100 are not above, and what the forest says of the middle row.
func isoScores(rows []isoHourOf) (forest *learn.Forest, usual, high []float64, middle float64) {
	tails := make([][]float64, len(rows))
	for i := range tails {
		tails[i] = make([]float64, isoFeatures)
		rows[i].bits = tails[i]
	}
	column := make([]float64, len(rows))
	for f := range isoFeatures {
		for i := range rows {
			column[i] = rows[i].features[f]
		}
		for i, x := range isoTails(column) {
			tails[i][f] = x
		}
		slices.Sort(column)
		usual, high = append(usual, column[len(column)/2]), append(high, column[len(column)*99/100])
	}
	forest = learn.NewForest(tails, 1)
	isolated, top, few := make([]float64, len(rows)), make([]float64, len(rows)), make([]float64, len(rows))
	most := make([]float64, isoFeatures)
	for i := range rows {
		rows[i].isolated = forest.Score(tails[i])
		isolated[i], few[i] = rows[i].isolated, rows[i].few
		copy(most, tails[i])
		slices.Sort(most)
		for _, x := range most[isoFeatures-isoTop:] {
			top[i] += x
		}
	}
	apart, out := isoTails(isolated), isoTails(top)
	// A kind is rare if few hours have it, or if few have it ever: the two say much the same, so they count
	// as one (the harmonic mean of the chances; Wilson, PNAS 116(4), 2019).
	rare := isoTails(few)
	for i := range rare {
		rare[i] = math.Log2(math.Exp2(rare[i]) + math.Exp2(tails[i][isoRare]))
	}
	rare = isoTails(rare)
	for i := range rows {
		rows[i].parts = [...]float64{apart[i], rare[i], out[i]}
	}
	slices.Sort(isolated)
	return forest, usual, high, isolated[len(isolated)/2]
}

func (t *isolation) strange(k int, rows []isoHourOf) []Finding {
	forest, usual, high, median := isoScores(rows)
	order := slices.Clone(rows)
	slices.SortStableFunc(order, func(a, b isoHourOf) int { return cmp.Compare(b.score(), a.score()) })
	var out []Finding
	told := map[string]bool{} // entities
	for rank, h := range order {
		if len(out) >= shownHours {
			break
		}
		if h.isolated < isoScore || told[h.key.entity] {
			continue // its strangest hour stands for it
		}
		why := t.reasons(forest, h, usual, high, k, len(rows))
		if len(why) < isoReasonsLeast {
			continue
		}
		told[h.key.entity] = true
		f := t.finding(k, h, why, len(rows), median)
		f.Surprise = math.Log2(float64(len(rows)) / float64(rank+1))
		f.Query = where{}.is(isoKinds[k].field, h.key.entity).between(f.First, f.Last).String()
		out = append(out, f)
	}
	return out
}

// reasons says which features set an hour apart: those above what 99 in 100
// hours have, without which its score would be lower; the heaviest three. There are
// none if no quantity is far above that.
func (t *isolation) reasons(forest *learn.Forest, h isoHourOf, usual, high []float64, k, hours int) []string {
	type reason struct {
		feature int
		weight  float64
	}
	var rs []reason
	far := false
	for f, w := range forest.Explain(h.bits, make([]float64, isoFeatures)) {
		if w > 0.005 && h.features[f] > high[f] {
			rs = append(rs, reason{f, w})
			far = far || isoFar(f, h.features[f], high[f])
		}
	}
	if !far {
		return nil // somebody is always the first among equals
	}
	slices.SortStableFunc(rs, func(a, b reason) int { return cmp.Compare(b.weight, a.weight) })
	var out []string
	for _, r := range rs[:min(len(rs), 3)] {
		value, u, hi := h.features[r.feature], usual[r.feature], high[r.feature]
		count := func(what string) string {
			return fmt.Sprintf("%s %s (usually %s, in 99 %% of the hours at most %s)", prose.Number(round(math.Expm1(value))), what, prose.Number(round(math.Expm1(u))), prose.Number(round(math.Expm1(hi))))
		}
		switch r.feature {
		case isoEvents:
			out = append(out, count("records"))
		case isoFailures:
			out = append(out, count("failures"))
		case isoFailed:
			out = append(out, fmt.Sprintf("%.0f %% of its records failures (usually %.0f %%)", 100*value, 100*u))
		case isoPartners:
			out = append(out, count(isoKinds[k].partner))
		case isoTargets:
			out = append(out, count(isoKinds[k].target))
		case isoActions:
			out = append(out, count("kinds of actions"))
		case isoBytes:
			out = append(out, count("bytes sent"))
		case isoHour:
			out = append(out, fmt.Sprintf("an hour of the day at which it is active on %.0f %% of its days", 100*(1-value)))
		case isoRare:
			out = append(out, fmt.Sprintf("%s, as in %s of %s %s-hours", cmp.Or(t.names[h.rarest], "a kind of record"), prose.Number(max(1, round(float64(hours)/math.Exp2(value)))), prose.Number(int64(hours)), isoKinds[k].name))
		case isoFirst:
			out = append(out, fmt.Sprintf("%s kinds of records that it never had before", prose.Number(round(math.Expm1(value)))))
		case isoGrowth:
			out = append(out, fmt.Sprintf("%s times as many records as it usually has in an hour", prose.Number(round(math.Exp(value)))))
		}
	}
	return out
}

// Score is how strange an hour of somebody is.
type Score struct {
	Field, Entity string
	Hour          int64   // since the epoch
	Score         float64 // bits
	Isolated      float64 // what the forest says, 0 to 1
	Rarity        float64 // of its rarest kind of record, in bits
	Events        float64
	Bits          []float64 // what the forest is given
}

// Scores returns the score of every hour of a technique's kind of entity, in
// the order of entities and hours, for measuring the technique named isolation; none of another.
func Scores(t Technique) (out []Score) {
	iso, ok := t.(*isolation)
	if !ok {
		return nil
	}
	for k := range iso.hours {
		rows := iso.hours[k].rows()
		if len(rows) == 0 {
			continue
		}
		isoScores(rows)
		for _, r := range rows {
			out = append(out, Score{Field: isoKinds[k].field, Entity: r.key.entity, Hour: r.key.hour, Score: r.score(), Isolated: r.isolated, Rarity: r.features[isoRare], Events: r.cell.events, Bits: r.bits})
		}
	}
	return out
}

// isoFar reports whether a quantity is of another order than what 99 in 100 hours have.
func isoFar(feature int, value, high float64) bool {
	switch feature {
	case isoFailed, isoHour, isoRare:
		return false // shares; and in any log something is rare
	case isoGrowth:
		return math.Exp(value) >= isoFarGrowth
	}
	return math.Expm1(value) >= isoFarTimes*math.Expm1(high)+isoFarMore
}

func round(x float64) int64 { return int64(math.Round(x)) }

func (t *isolation) finding(k int, h isoHourOf, why []string, rows int, median float64) Finding {
	from := time.Unix(h.key.hour*3600, 0).UTC()
	f := Finding{
		Title: "An hour that sets a " + isoKinds[k].name + " apart", Level: "low",
		Rule:  Rule{ID: "isolation", Name: "Isolated hours", FalsePositives: []string{"Maintenance, backups and migrations", "Somebody who does by day what others never do"}},
		First: from.UnixNano(), Last: from.Add(time.Hour).UnixNano() - 1, Count: int(h.cell.events),
	}
	f.Explanation = fmt.Sprintf("%s on %s, %s–%s UTC: %s. %.1f bits: %.1f for standing apart (isolation %.2f, where the middle of %s %s-hours is %.2f), %.1f for how rare its kinds of records are, %.1f for the %d quantities furthest out.",
		shortTemplate(h.key.entity), from.Format(time.DateOnly), from.Format("15:04"), from.Add(time.Hour).Format("15:04"), strings.Join(why, "; "),
		h.score(), h.parts[0], h.isolated, prose.Number(int64(rows)), isoKinds[k].name, median, h.parts[1], h.parts[2], isoTop)
	if n := t.hours[k].level; n > 0 {
		f.Explanation += fmt.Sprintf(" There are so many that one in %d was looked at.", 1<<n)
	}
	f.ID = stableID("isolation", isoKinds[k].field, h.key.entity, strconv.FormatInt(h.key.hour, 10))
	return f
}
