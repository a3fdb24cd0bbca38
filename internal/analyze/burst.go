package analyze

import (
	"cmp"
	"math"
	"slices"
)

// A burst must be this.
const (
	rateBits     = 2    // more surprising than so many bits, beside as many counts as there are in a day: once in four days by chance, in all series together
	rateLeast    = 10   // so many more than what is usual at most
	failedLeast  = 5    // of failed logins
	rateTimes    = 1.5  // and so many times as many as usual
	rateAbove    = 1.2  // and so many times as many as what is usual at most
	rateSoonest  = 5    // without a daily baseline, so many times
	rateActive   = 12   // active hours, on five days, from which on a series has a rhythm of its own
	suddenHours  = 5    // hours with which it is known how much one has
	ratePeers    = 30   // active hours of others of its kind that something without a rhythm is compared with
	clearBits    = 6    // more surprising than so many bits even if what is usual at most were the mean: chance is not all of it
	fewestTests  = 1000 // counts a day at least
	dropLow      = 0.85 // of the fewest usual, at most
	dropTimes    = 0.6  // and of what is usual
	dropExpected = 30   // records that there must usually be for a drop to mean something
)

// hit is a stretch of hours in which a series has far too much, or far too little.
type hit struct {
	key         rateKey
	drop        bool
	from, hours int32 // slots of its log's calendar
	first, last int64
	count       int
	bits        float64
	usual       usual
	also        []*hit // the same, as others tell it
}

// excess is how many more, or fewer, there are than usual.
func (b *hit) excess() float64 {
	return math.Abs(float64(b.count) - b.usual.mean*float64(b.hours)/float64(max(b.usual.hours, 1)))
}

// candidate is a window that may be a hit.
type candidate struct {
	t    int32 // index of the layout
	size uint8 // of windows
	drop bool
	bits float64
}

// surprises are how surprising the windows of series of a kind are by the model, so that what the model is surprised by all the time is none.
type surprises struct {
	windows int
	bits    []float64 // of those that are more surprising than one of ten
}

const (
	tailBits    = 3.3  // one of ten
	maxTail     = 5000 // scores of a kind that are kept
	fewestTails = 500  // windows with which a tail is believed
)

type tailKey struct {
	kind    rateKind
	dataset string
	size    uint8
	drop    bool
}

// calibrated is how surprising so many bits are where windows are as they are: the tail from one of ten to one of a hundred or two hundred,
// which is straight in bits if the model is right, is drawn on (peaks over a threshold, with an exponential tail).
func (l *surprises) calibrated(bits float64) float64 {
	if l == nil || l.windows < fewestTails {
		return bits
	}
	share := max(0.005, 10/float64(l.windows))
	n := float64(l.windows)
	at := func(share float64) float64 { // the bits that so many reach
		i := len(l.bits) - int(share*n)
		if i < 0 {
			return math.Min(tailBits, -math.Log2(share))
		}
		return l.bits[min(i, len(l.bits)-1)]
	}
	high, low := at(share), at(10*share)
	slope := max(1, (high-low)/math.Log2(10))
	right := -math.Log2(share)
	if high = max(high, right); bits <= high {
		return min(bits, right)
	}
	return right + (bits-high)/slope
}

// least is how many more than usual there must be for anybody to care.
func (k rateKind) least() float64 {
	switch k {
	case rateFailedUser, rateFailedFrom, rateFailedHost:
		return failedLeast
	}
	return rateLeast
}

func (s series) most() (n uint32) {
	for i := range s {
		n = max(n, s[i].count)
	}
	return n
}

// dense reports whether a series has a rhythm that can be learnt: in a log of years it takes more, or all those that are hardly ever there would be
// laid out hour by hour.
func (s series) dense(c *calendar) bool {
	return len(s) >= max(rateActive, 24*len(c.days)/100) && len(s.days(c)) >= fewestDays
}

// days are those on which there is any.
func (s series) days(c *calendar) (days []int32) {
	for i := range s {
		if d := int32(floorDiv(int64(c.slot(s[i].hour)), 24)); len(days) == 0 || days[len(days)-1] != d {
			days = append(days, d)
		}
	}
	return days
}

// peerHours are the hours of series of a kind in a log in which there is any.
type peerHours struct {
	counts      []float64 // sorted
	big, sudden int       // of the greatest tenth, and how many of these are sudden
}

// peers lists the hours of each kind of series in a log.
func (t *rates) peers() map[rateKey]*peerHours {
	all := map[rateKey]*peerHours{}
	of := func(k rateKey) *peerHours {
		kind := rateKey{kind: k.kind, dataset: k.dataset}
		if all[kind] == nil {
			all[kind] = &peerHours{}
		}
		return all[kind]
	}
	for _, k := range t.order {
		p := of(k)
		for _, c := range *t.series[k] {
			p.counts = append(p.counts, float64(c.count))
		}
	}
	for _, p := range all {
		slices.Sort(p.counts)
	}
	for _, k := range t.order {
		p, s := of(k), *t.series[k]
		if len(p.counts) < ratePeers {
			continue
		}
		tenth := percentile(p.counts, 0.9)
		for i := range s {
			if float64(s[i].count) >= tenth {
				p.big++
				if s.sudden(i) {
					p.sudden++
				}
			}
		}
	}
	return all
}

// sudden reports whether a series that is there in some hours has far more in one than in any but those beside it.
func (s series) sudden(i int) bool {
	most, others := uint32(1), 0
	for j := range s {
		if h := s[j].hour - s[i].hour; h < -2 || h > 2 {
			most, others = max(most, s[j].count), others+1
		}
	}
	return others >= suddenHours && s[i].count >= rateSoonest*most
}

// sparse judges what is mostly not there by how much others of its kind have in an hour in which they have any: by the tail of these (Hill),
// or, where there are few, by one so heavy that nothing is known.
func (t *rates) sparse(k rateKey, c *calendar, p *peerHours, tests float64) (out []*hit) {
	common := p.counts
	s := *t.series[k]
	least := k.kind.least()
	if float64(s.most()) <= least {
		return nil
	}
	days := c.days
	switch k.kind { // what a host does is usual on the days on which it writes
	case rateRecords, rateFailedHost, rateDenied, rateServerError:
		if own := t.series[rateKey{kind: rateRecords, dataset: k.dataset, a: k.a}]; own != nil {
			days = own.days(c)
		}
	case rateAction:
		days = s.days(c)
	}
	u := usual{hours: 1}
	most, share, slope := least, 1.0, 1.0
	if n := float64(len(common)); n >= ratePeers {
		share = min(0.1, max(0.01, 3/n))
		most = percentile(common, 1-share)
		wide := min(0.5, 10*share)
		slope = min(4, max(1, math.Log(wide/share)/math.Log(max(most/percentile(common, 1-wide), 1.01))))
		u.peers, u.peak, u.share = len(common), most, share
	}
	var counts []float64
	for i := range s {
		counts = append(counts, float64(s[i].count))
	}
	slices.Sort(counts)
	var run *hit
	for i := range s {
		n := float64(s[i].count)
		if n <= least || n < rateTimes*most {
			continue
		}
		slot := c.slot(s[i].hour)
		today := int32(floorDiv(int64(slot), 24))
		from, _ := slices.BinarySearch(days, today-reach)
		to, _ := slices.BinarySearch(days, today+reach+1)
		if u.days = to - from - 1; u.days < 1 || u.peers == 0 && u.days < fewestDays {
			continue
		}
		bits := slope*math.Log2(n/most) - math.Log2(share) - tests
		if u.peers == 0 { // nobody to compare with: that it is active at all is the news
			bits += math.Log2(max(1, float64(24*(u.days+1))/float64(len(s))))
		}
		if u.peers > 0 && s.sudden(i) { // who has much has mostly had much before
			bits += math.Log2(float64(p.big+1) / float64(p.sudden+1))
		}
		if bits < rateBits {
			continue
		}
		if others := len(counts); u.peers == 0 && others > 1 && n < rateTimes*counts[others-2] {
			continue // it had as much before
		}
		if run != nil && slot == run.from+run.hours {
			run.hours++
			run.count += int(s[i].count)
			run.last, run.bits = s[i].last, max(run.bits, bits)
			continue
		}
		run = &hit{key: k, from: slot, hours: 1, first: s[i].first, last: s[i].last, count: int(s[i].count), bits: min(bits, maxSurprise), usual: u}
		out = append(out, run)
	}
	for _, h := range out {
		t.ordinary(h, s, c)
	}
	return slices.DeleteFunc(out, func(h *hit) bool {
		// What has begun lately and goes on is new, not a burst.
		fresh := k.kind.goesOn() && c.slot(s[0].hour) >= h.from-72 && c.slot(s[0].hour) > c.from && len(s)-int(h.hours) >= 3
		return fresh || h.usual.high >= float64(h.count)/rateTimes
	})
}

// ordinary says what a sparse series has in the other hours, of which most have none.
func (t *rates) ordinary(h *hit, s series, c *calendar) {
	hours := float64(24*(h.usual.days+1) - int(h.hours))
	vs := []weighted{{0, max(hours-float64(len(s)), 0)}}
	for i := range s {
		if slot := c.slot(s[i].hour); slot < h.from || slot >= h.from+h.hours {
			vs = append(vs, weighted{float64(s[i].count), 1})
		}
	}
	h.usual.summarise(vs)
}

// candidates are the windows of a series that may be hits, before it is known how far the model is right.
func (t *rates) candidates(sc *scan, k rateKey, tests float64, tails map[tailKey]*surprises) (out []candidate) {
	drops := k.kind == rateRecords || k.kind == rateAction
	if sc.seldom() {
		return t.soon(sc, k, tests)
	}
	for size, hours := range windows {
		dispersion := sc.model(hours)
		unseen := sc.unseen(dispersion)
		var ts [2]*surprises
		for i := range ts {
			if i == 1 && !drops {
				continue
			}
			key := tailKey{k.kind, k.dataset, uint8(size), i == 1}
			if tails[key] == nil {
				tails[key] = &surprises{}
			}
			ts[i] = tails[key]
		}
		full := len(ts[0].bits) >= maxTail || ts[1] != nil && len(ts[1].bits) >= maxTail
		need := tests + rateBits + toll(size)
		for i, n := range sc.sums {
			if n != n {
				continue
			}
			mean, variance, ok := sc.expected(i, dispersion, unseen)
			if !ok {
				continue
			}
			if !full {
				ts[0].windows++
				if ts[1] != nil {
					ts[1].windows++
				}
			}
			dev := math.Sqrt(variance)
			if full && n < mean+clipped*dev && n > mean-clipped*dev {
				continue
			}
			switch {
			case n > mean+dev:
				bits := surpriseOf(n, mean, variance)
				if bits > tailBits && !full {
					ts[0].bits = append(ts[0].bits, bits)
				}
				if bits > need && n >= rateTimes*mean && n >= mean+k.kind.least() {
					// Of hours in which there is any.
					bits -= surpriseOf(1, mean, variance)
					out = append(out, candidate{int32(i), uint8(size), false, bits})
				}
			case drops && n < mean-dev:
				bits := shortfallOf(n, mean, variance)
				if bits > tailBits && !full {
					ts[1].bits = append(ts[1].bits, bits)
				}
				if bits > need && mean >= dropExpected && n <= dropTimes*mean {
					out = append(out, candidate{int32(i), uint8(size), true, bits})
				}
			}
		}
	}
	return out
}

// toll is what it costs to look at windows of several sizes: half of all changes are held to be of an hour.
func toll(size int) float64 {
	if size == 0 {
		return 1
	}
	return 1 + math.Log2(float64(len(windows)-1))
}

// seldom reports whether there are too few days to know a time of day.
func (s *scan) seldom() bool { return len(s.c.days) <= fewestDays }

// soon finds hours of the first days of a log, compared with all its hours.
func (t *rates) soon(sc *scan, k rateKey, tests float64) (out []candidate) {
	for i, n := range sc.y {
		if n != n || n <= k.kind.least() {
			continue
		}
		u, variance, ok := sc.everyHour(i)
		if !ok || n < rateSoonest*u.high {
			continue
		}
		if bits := surpriseOf(n, u.mean, variance); bits > tests+rateBits {
			out = append(out, candidate{int32(i), 0, false, bits})
		}
	}
	return out
}

// choose takes of the candidates of a series the most surprising that do not overlap, each as long as the change lasts.
func (t *rates) choose(sc *scan, k rateKey, cs []candidate, tests float64, tails map[tailKey]*surprises, log *series) (out []*hit) {
	seldom := sc.seldom()
	for i := range cs {
		c := &cs[i]
		if !seldom {
			c.bits = tails[tailKey{k.kind, k.dataset, c.size, c.drop}].calibrated(c.bits)
		}
		c.bits -= tests + toll(int(c.size))
	}
	slices.SortFunc(cs, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(b.bits, a.bits), cmp.Compare(a.size, b.size), cmp.Compare(a.t, b.t))
	})
	var whole *scan // the log
	if !seldom {
		sc.model(1)
	}
	type stretch struct{ from, to int }
	var taken [2][]stretch
	for _, c := range cs {
		if c.bits < rateBits {
			break
		}
		from, to := int(c.t), int(c.t)+windows[c.size]
		if slices.ContainsFunc(taken[c.down()], func(o stretch) bool { return from < o.to && o.from < to }) {
			continue
		}
		if !seldom {
			from, to = sc.trim(from, to, c.drop)
		}
		if slices.ContainsFunc(taken[c.down()], func(o stretch) bool { return from < o.to && o.from < to }) {
			continue
		}
		h := t.hit(sc, k, from, to, c)
		if h == nil || c.drop && !t.missing(sc, &whole, h, from, log) {
			continue
		}
		taken[c.down()] = append(taken[c.down()], stretch{from, to})
		out = append(out, h)
	}
	return out
}

func (c *candidate) down() int {
	if c.drop {
		return 1
	}
	return 0
}

// trim leaves out the hours at the ends of a window that are as ever, and adds those beside it that are as far from it.
func (s *scan) trim(from, to int, drop bool) (int, int) {
	const mostHours = 7 * 24
	apart := func(t int) float64 { // how far an hour is from what is usual
		b, _ := s.of(t)
		if b == nil || s.y[t] != s.y[t] {
			return 0
		}
		if drop {
			return b.mean - s.y[t]
		}
		return s.y[t] - b.mean
	}
	sum := 0.0
	for t := from; t < to; t++ {
		sum += apart(t)
	}
	least := sum / float64(to-from) / 4
	strange := func(t int) bool {
		if t < 0 || t >= len(s.y) || apart(t) < least {
			return false
		}
		b, _ := s.of(t)
		if drop {
			return s.y[t] < b.mean/1.25
		}
		return s.y[t] > b.mean*1.25
	}
	for to-from > 1 && !strange(from) {
		from++
	}
	for to-from > 1 && !strange(to-1) {
		to--
	}
	for to-from < mostHours && strange(to) && s.at(to) == s.at(to-1)+1 {
		to++
	}
	for to-from < mostHours && strange(from-1) && s.at(from) == s.at(from-1)+1 {
		from--
	}
	return from, to
}

// hit looks at a stretch as it will be told; nil if it is not worth it.
func (t *rates) hit(sc *scan, k rateKey, from, to int, c candidate) *hit {
	s := *t.series[k]
	h := &hit{key: k, drop: c.drop, from: sc.at(from), hours: int32(to - from), bits: min(c.bits, maxSurprise)}
	end := h.from + h.hours
	i, _ := slices.BinarySearchFunc(s, h.from, func(x cell, slot int32) int { return cmp.Compare(sc.c.slot(x.hour), slot) })
	active := 0
	for j := i; j < len(s) && sc.c.slot(s[j].hour) < end; j++ {
		if active == 0 {
			h.first = s[j].first
		}
		h.last = s[j].last
		h.count += int(s[j].count)
		active++
	}
	if sc.seldom() {
		u, _, ok := sc.everyHour(from)
		if !ok {
			return nil
		}
		h.usual = u
		return h
	}
	h.usual = sc.describe(from, to-from)
	n, u := float64(h.count), &h.usual
	if u.days < fewestDays {
		return nil
	}
	if !c.drop {
		if n < rateTimes*u.mean || n < rateAbove*u.high || n < u.high+k.kind.least() || sc.weekly(from, to-from, func(v float64) bool { return v >= n/rateTimes }) || surpriseOf(n, u.high, u.high) < clearBits || t.begins(sc, k, from, to) {
			return nil
		}
		return h
	}
	if n > dropTimes*u.mean || n > dropLow*u.low || shortfallOf(n, u.low, u.low) < clearBits || sc.weekly(from, to-from, func(v float64) bool { return v <= n*rateTimes }) || h.from <= sc.c.from || end > sc.c.to {
		return nil // the first and the last hour of a log begin and end within the hour
	}
	if k.kind == rateRecords && active < to-from {
		return nil // that a log falls silent is told by silence
	}
	if active < to-from || h.count == 0 {
		// What is missing is missing from the beginning to the end.
		h.first, h.last = sc.c.began(h.from), sc.c.began(end)-1
	}
	return h
}

// began is when a slot begins, in ns.
func (c *calendar) began(slot int32) int64 {
	h := slot - c.zone
	for _, t := range c.turns {
		if h-t.shift >= t.hour {
			h -= t.shift
		}
	}
	return int64(h) * hour
}

// weekly reports whether in most of the other weeks it was so on the same day.
func (s *scan) weekly(t, hours int, so func(v float64) bool) bool {
	weeks, as := 0, 0
	for d := -int32(reach); d <= reach; d += 7 {
		if d == 0 {
			continue
		}
		if i := s.index(s.at(t) + 24*d); i >= 0 {
			if v := s.window(i, hours); v == v {
				weeks++
				if so(v) {
					as++
				}
			}
		}
	}
	return weeks >= 2 && 2*as > weeks
}

// goesOn reports whether what a series counts is what its subject mostly does.
func (k rateKind) goesOn() bool {
	return k == rateRecords || k == rateAction || k == rateFrom || k == rateLoginUser
}

// stranger reports whether a series is of an address that may be anybody's.
func (k rateKind) stranger() bool {
	return k == rateFrom || k == rateFailedFrom || k == rateClientError
}

// begins reports whether a burst is only that something is there for the first time, and goes on.
func (t *rates) begins(sc *scan, k rateKey, from, to int) bool {
	if !k.kind.goesOn() {
		return false
	}
	before := max(0, from-24)
	for _, v := range sc.y[:before] {
		if v > 0 {
			return false
		}
	}
	if before == 0 {
		return false
	}
	after, active := 0, 0
	for _, v := range sc.y[to:min(to+24, len(sc.y))] {
		if v == v {
			after++
			if v > 0 {
				active++
			}
		}
	}
	return after < 24 || 2*active >= after
}

// missing reports whether an action is missing while the rest of its log goes on: at least half as much as usual. Of a log itself
// there is nothing to ask.
func (t *rates) missing(sc *scan, whole **scan, h *hit, from int, log *series) bool {
	if h.key.kind != rateAction {
		return true
	}
	if *whole == nil {
		*whole = &scan{}
		(*whole).use(sc.c)
		(*whole).lay(*log)
	}
	w := *whole
	n, u := w.window(from, int(h.hours)), w.describe(from, int(h.hours))
	rest := u.mean - h.usual.mean
	return n-float64(h.count) >= rest/2 && n > float64(h.count)
}
