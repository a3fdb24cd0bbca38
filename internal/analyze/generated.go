package analyze

import (
	"cmp"
	"context"
	_ "embed"
	"fmt"
	"math"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/prose"
)

// generated finds sources that look up domains made up by an algorithm (DGA), as malware does
// that tries one rendezvous after the other. Where answers are logged it goes by what gives any
// such algorithm away, whatever its names look like: many different registered domains that do not exist, asked for
// by one source within a day or a week, where others ask for few (Antonakakis et al. 2012); what the names look like
// says how sure it is. Where answers are not logged only names can tell whose letters follow each other as in no language. See
// docs/techniques/generated.md.
type generated struct {
	sources map[generatedKey]*lookups
	order   []generatedKey
	sampled int
	tooMany bool
}

// generatedKey is what a source asked on one day.
type generatedKey struct {
	source string // its address, or the host that logged
	day    int32
}

// lookups are the registered domains that a source asked for.
type lookups struct {
	all, odd       distinct
	exist, missing distinct // as answers say; a domain may be in both, by different names below it
	bits           int64    // of the odd ones' names, for the mean, in thousandths
	scored         int
	sample         []sampled // of the missing ones, those of the smallest hashes
	examples       []string  // of the odd ones
	found          []string  // of the odd ones that exist
	dataset        string
	first, last    int64 // of the odd and the missing ones
	from, to       int64 // of the missing ones
}

// sampled is a domain of a sample that does not depend on the order in which they came.
type sampled struct {
	hash   uint64
	domain string
}

const (
	maxLookupSources = 50_000
	maxSampled       = 500_000 // domains, in all samples
	maxSample        = 32      // of a source and day
	maxExamples      = 10
	oddLabel         = 8    // letters from which on a label is long enough to judge
	oddBits          = 7.5  // bits a letter, from which on it is odd: words have about 4, random letters 10
	oddHex           = 16   // hexadecimal digits, both letters and figures, that are no name however they follow
	wordBits         = 4.0  // a letter of usual names
	generatedLeast   = 10   // domains
	generatedTimes   = 3    // as many as three quarters of others have
	generatedShare   = 0.25 // of all domains that the source asked for, where others are not known
	oddShare         = 0.10 // of all domains, where answers are not logged,
	oddUsual         = 0.02 // when others have so many at least,
	oddSurprise      = 20.0 // and it is so unlikely that it comes of that, in bits
	generatedShared  = 4    // others that ask for the same: not one that is its own
	randomBits       = 6.5  // a letter, in the mean of those that do not exist: abbreviations stay below
	alikeLengths     = 0.35 // coefficient of variation; names that people chose have 0.5
	generatedWindow  = 7    // days, of those that ask slowly
)

var _ = register(newGenerated)

func newGenerated() Technique { return &generated{sources: map[generatedKey]*lookups{}} }

// Name implements Technique.
func (*generated) Name() string { return "generated" }

// About implements Technique.
func (*generated) About() string { return "Names made by an algorithm" }

// Needs implements Technique.
func (*generated) Needs() []string { return []string{"dns.question.name"} }

type generatedDigest struct {
	keys []generatedKey
	vals []lookups
}

// Digest implements Technique.
func (t *generated) Digest(path string, b *event.Batch) any { return digestRows(t, path, b) }

func (*generated) digest(_ string, rs *rows) any {
	type key struct {
		source sym
		day    int32
	}
	var t tally[key, lookups]
	for i := range rs.list {
		r := &rs.list[i]
		if r.question == "" || r.has(alert) {
			continue
		}
		source := cmp.Or(r.source, r.host)
		if r.answered && r.upstream() {
			source = cmp.Or(r.destination, r.host)
		}
		domain := registered(r.question)
		if source == 0 || domain == "" || ownSuffix(domain) {
			continue
		}
		l := t.at(key{source, dayOf(r.time)})
		hash := hashOf(domain)
		l.all.add(hash)
		gone, exists := false, false
		switch r.rcode {
		case "NOERROR", "NoError", "0":
			l.exist.add(hash)
			exists = true
		case "NXDOMAIN", "NXDomain", "3":
			switch r.qtype {
			case "", "A", "AAAA", "1", "28": // who looks for a host asks for an address; mail servers ask for other things
				l.missing.add(hash)
				l.keep(sampled{hash, domain})
				gone = true
			}
		}
		name, _, _ := strings.Cut(domain, ".")
		bits, odd := oddName(name)
		if odd && !gone && shared(domain) {
			odd = false // customers of a content network have such names, and they exist
		}
		if odd || gone {
			if l.dataset == "" {
				l.first, l.last, l.dataset = r.time, r.time, rs.keep(r.dataset)
			}
			l.first, l.last = min(l.first, r.time), max(l.last, r.time)
		}
		if gone {
			l.missed(r.time, r.time)
		}
		if odd {
			l.odd.add(hash)
			l.bits += int64(1000 * bits)
			l.scored++
			example(&l.examples, domain)
			if exists {
				example(&l.found, domain)
			}
		}
	}
	if len(t.keys) == 0 {
		return nil
	}
	d := &generatedDigest{vals: t.vals}
	for _, k := range t.keys {
		d.keys = append(d.keys, generatedKey{rs.keep(k.source), k.day})
	}
	for i := range d.vals {
		l := &d.vals[i]
		for _, list := range [][]string{l.examples, l.found} {
			for j, e := range list {
				list[j] = strings.Clone(e)
			}
		}
		for j := range l.sample {
			l.sample[j].domain = strings.Clone(l.sample[j].domain)
		}
	}
	return d
}

// upstream reports whether a record of an answer has the server as its source, as packets do.
func (r *row) upstream() bool { return r.sourcePort == 53 && r.port != 53 }

func example(list *[]string, domain string) {
	if len(*list) < maxExamples && !slices.Contains(*list, domain) {
		*list = append(*list, domain)
	}
}

// missed widens the span of what did not exist.
func (l *lookups) missed(from, to int64) {
	if l.from == 0 && l.to == 0 {
		l.from, l.to = from, to
	}
	l.from, l.to = min(l.from, from), max(l.to, to)
}

// keep keeps a domain if its hash is one of the smallest; it reports how many there are more.
func (l *lookups) keep(s sampled) int {
	i, found := slices.BinarySearchFunc(l.sample, s, func(a, b sampled) int { return cmp.Compare(a.hash, b.hash) })
	if found || i == maxSample {
		return 0
	}
	if len(l.sample) == maxSample {
		l.sample = l.sample[:maxSample-1]
		l.sample = slices.Insert(l.sample, i, s)
		return 0
	}
	l.sample = slices.Insert(l.sample, i, s)
	return 1
}

// Merge implements Technique.
func (t *generated) Merge(digest any) {
	d := digest.(*generatedDigest)
	for i, k := range d.keys {
		from := &d.vals[i]
		l := t.sources[k]
		if l == nil {
			if len(t.sources) >= maxLookupSources {
				t.tooMany = true
				continue
			}
			l = &lookups{}
			t.sources[k] = l
			t.order = append(t.order, k)
		}
		for _, s := range from.sample {
			if t.sampled < maxSampled || len(l.sample) > 0 {
				t.sampled += l.keep(s)
			}
		}
		l.merge(from)
	}
}

// merge adds what another stretch, or day, of the same source has, but for the sample.
func (l *lookups) merge(from *lookups) {
	l.all.merge(&from.all)
	l.odd.merge(&from.odd)
	l.exist.merge(&from.exist)
	l.missing.merge(&from.missing)
	if from.dataset != "" {
		if l.dataset == "" {
			l.first, l.last, l.dataset = from.first, from.last, from.dataset
		}
		l.first, l.last = min(l.first, from.first), max(l.last, from.last)
	}
	if from.from != 0 || from.to != 0 {
		l.missed(from.from, from.to)
	}
	l.bits += from.bits
	l.scored += from.scored
	for _, e := range from.examples {
		example(&l.examples, e)
	}
	for _, e := range from.found {
		example(&l.found, e)
	}
}

func (t *generated) limits() []string {
	if !t.tooMany {
		return nil
	}
	return []string{fmt.Sprintf("more than %s sources a day asked for names: the last were not watched for generated domains", prose.Number(maxLookupSources))}
}

// gone is how many different domains were asked for of which no name existed.
func (l *lookups) gone() int {
	if l.missing.count() == 0 {
		return 0
	}
	var both distinct
	both.merge(&l.exist)
	both.merge(&l.missing)
	return max(0, min(both.count()-l.exist.count(), l.missing.count()))
}

// shape is what names that do not exist have in common.
type shape struct {
	bits              float64 // a letter
	length, variation float64 // mean of letters, and their standard deviation as a share of it
}

func (l *lookups) shape() (s shape) {
	var sum, squares, bits float64
	for _, d := range l.sample {
		name, _, _ := strings.Cut(d.domain, ".")
		b, odd := oddName(name)
		if odd {
			b = max(b, oddBits)
		}
		bits += b
		sum += float64(len(name))
		squares += float64(len(name) * len(name))
	}
	n := float64(max(1, len(l.sample)))
	s.bits, s.length = bits/n, sum/n
	s.variation = math.Sqrt(max(0, squares/n-s.length*s.length)) / max(1, s.length)
	return s
}

// peers are how many domains that do not exist three quarters of others ask for.
type peers struct {
	counts []peer // sorted by count
}

type peer struct {
	count  int
	source string
}

// of is what others than the source have, and how many of them there are.
func (u *peers) of(source string) (most, others int) {
	own := 0
	for _, c := range u.counts {
		if c.source == source {
			own++
		}
	}
	others = len(u.counts) - own
	rank := others * 3 / 4
	for _, c := range u.counts {
		if c.source == source {
			continue
		}
		if rank == 0 {
			return c.count, others
		}
		rank--
	}
	return 0, others
}

// oddShareOf is a source's share of odd names.
type oddShareOf struct {
	share  float64
	source string
}

// generatedOthers is how many days, or weeks, of others make known what is usual.
const generatedOthers = 5

// Findings implements Technique.
func (t *generated) Findings(context.Context, Querier) ([]Finding, error) {
	bySource := map[string][]generatedKey{}
	var sources []string
	var daily, weekly peers
	gone := make(map[generatedKey]int, len(t.order))
	shares := make([]oddShareOf, 0, len(sources))
	samples := map[uint64]map[string]bool{} // who has a domain in a sample: those who ask for the same have the same
	for _, k := range t.order {
		if bySource[k.source] == nil {
			sources = append(sources, k.source)
		}
		bySource[k.source] = append(bySource[k.source], k)
		l := t.sources[k]
		for _, s := range l.sample {
			if samples[s.hash] == nil {
				samples[s.hash] = map[string]bool{}
			}
			if len(samples[s.hash]) <= generatedShared {
				samples[s.hash][k.source] = true
			}
		}
		if l.missing.count()+l.exist.count() > 0 {
			gone[k] = l.gone()
			daily.counts = append(daily.counts, peer{gone[k], k.source})
		}
	}
	slices.Sort(sources)
	for _, s := range sources {
		days := bySource[s]
		slices.SortFunc(days, func(a, b generatedKey) int { return cmp.Compare(a.day, b.day) })
		sum, all, odd := 0, 0, 0
		for _, k := range days {
			all, odd = all+t.sources[k].all.count(), odd+t.sources[k].odd.count()
		}
		shares = append(shares, oddShareOf{float64(odd) / float64(max(1, all)), s})
		for i, j := 0, 0; i < len(days); i++ {
			for ; j < len(days) && days[j].day < days[i].day+generatedWindow; j++ {
				sum += gone[days[j]]
			}
			weekly.counts = append(weekly.counts, peer{sum, s})
			sum -= gone[days[i]]
		}
	}
	for _, u := range []*peers{&daily, &weekly} {
		slices.SortFunc(u.counts, func(a, b peer) int { return cmp.Or(cmp.Compare(a.count, b.count), cmp.Compare(a.source, b.source)) })
	}
	// common reports whether most of what does not exist is asked for by many.
	common := func(l *lookups) bool {
		n := 0
		for _, s := range l.sample {
			if len(samples[s.hash]) > generatedShared {
				n++
			}
		}
		return 2*n > len(l.sample)
	}
	slices.SortFunc(shares, func(a, b oddShareOf) int {
		return cmp.Or(cmp.Compare(a.share, b.share), cmp.Compare(a.source, b.source))
	})
	var out []Finding
	for _, s := range sources {
		days := bySource[s]
		told := false
		// The share of odd names that three quarters of others stay below; a source itself is one rank.
		usual, rank := oddUsual, len(shares)*3/4
		if rank < len(shares) && shares[rank].source == s {
			rank--
		}
		if rank >= 0 && len(shares) > 1 {
			usual = max(usual, shares[rank].share)
		}
		for i := 0; i < len(days); {
			if !strange(s, t.sources[days[i]], &daily, usual) {
				i++
				continue
			}
			// Days that follow each other are one finding.
			whole, n := &lookups{}, 0
			for first := i; i < len(days) && (i == first || days[i].day <= days[i-1].day+2) && strange(s, t.sources[days[i]], &daily, usual); i++ {
				whole.whole(t.sources[days[i]])
				n++
			}
			out = append(out, whole.finding(s, n, &daily, common(whole), usual))
			told = true
		}
		for i, j := 0, 0; i < len(days) && !told; i++ {
			sum := 0
			for j = i; j < len(days) && days[j].day < days[i].day+generatedWindow; j++ {
				sum += gone[days[j]]
			}
			if j-i < 2 || sum < generatedLeast {
				continue
			}
			week := &lookups{}
			for _, k := range days[i:j] {
				week.whole(t.sources[k])
			}
			if week.gone() >= generatedLeast && strange(s, week, &weekly, usual) {
				f := week.finding(s, j-i, &weekly, common(week), usual)
				if f.Level == "low" {
					f.Level = "informational" // so many in a week may be slips of the hand
				}
				out = append(out, f)
				told = true
			}
		}
	}
	slices.SortStableFunc(out, func(a, b Finding) int { return cmp.Compare(a.First, b.First) })
	return out, nil
}

// whole is merge, with the sample.
func (l *lookups) whole(from *lookups) {
	l.merge(from)
	for _, s := range from.sample {
		l.keep(s)
	}
}

// strange reports whether a source's lookups are to be told of; usual is the share of odd names that others have.
func strange(source string, l *lookups, u *peers, usual float64) bool {
	if gone := l.gone(); gone >= generatedLeast {
		most, others := u.of(source)
		if others >= generatedOthers {
			return gone >= generatedTimes*most
		}
		return float64(gone) >= generatedShare*float64(l.all.count())
	}
	odd := l.odd.count()
	return l.missing.count()+l.exist.count() == 0 && odd >= generatedLeast && float64(odd) >= oddShare*float64(l.all.count()) && manyBits(odd, l.all.count(), usual) >= oddSurprise
}

// manyBits is how unlikely it is to have so many of n if each is so by chance p: the Chernoff bound of the binomial's
// tail, in bits (Hoeffding 1963), n times the divergence of the shares.
func manyBits(k, n int, p float64) float64 {
	share := min(1, float64(k)/float64(max(1, n)))
	if share <= p || p <= 0 || p >= 1 {
		return 0
	}
	bits := share * math.Log2(share/p)
	if share < 1 {
		bits += (1 - share) * math.Log2((1-share)/(1-p))
	}
	return float64(n) * bits
}

func (l *lookups) finding(source string, days int, u *peers, common bool, usual float64) Finding {
	f := Finding{
		Title: "Lookups of domains with generated names", Level: "low", First: l.first, Last: l.last, Datasets: nonEmpty(l.dataset),
		Rule: Rule{ID: "generated", Name: "Generated domain names", FalsePositives: []string{"Names in a language or of abbreviations that the letter statistics do not know",
			"Mail servers that check senders, crawlers and scanners that follow old links", "Resolvers that answer for blocked domains that they do not exist"}},
		Techniques: []string{"T1568.002"}, Tactics: []string{"command-and-control"},
	}
	all, names, exist := l.all.count(), l.examples, ""
	if gone := l.gone(); gone > 0 {
		most, others := u.of(source)
		s := l.shape()
		alike := s.variation <= alikeLengths
		than := "no others to compare with"
		if others >= generatedOthers {
			than = fmt.Sprintf("three quarters of others have %d at most", most)
		}
		looks := fmt.Sprintf("names of %.0f letters, %.1f bits each (words have about 4, random letters 9)", s.length, s.bits)
		switch {
		case s.bits >= randomBits:
			looks += " as at random"
			f.Level = "medium"
		case common:
			looks += ", asked for by many"
			f.Title, f.Level = "Lookups of many domains that do not exist", "informational"
		case alike:
			looks += ", all of about that length"
		default:
			looks += ", of any length"
			f.Title, f.Level = "Lookups of many domains that do not exist", "informational"
		}
		over := ""
		if days > 1 {
			over = fmt.Sprintf(" on %d days", days)
		}
		f.Explanation = fmt.Sprintf("%s asked for %s that do not exist%s, of %d in all, %s; %s; %s: ", clip(source, 100), prose.Count(gone, "domain", "different domains"), over, all, span(l.from, l.to), than, looks)
		f.First, f.Last = l.from, l.to
		f.Surprise = float64(gone) / float64(max(1, most)) * max(1, s.bits-wordBits)
		names = nil
		for _, d := range l.sample {
			names = append(names, d.domain)
		}
		names = names[:min(len(names), maxExamples)]
		if found := l.found; s.bits >= randomBits && len(found) > 0 {
			exist = fmt.Sprintf("; of such names %s", prose.Count(len(found), "exists", "exist")) + ": " + few(found, 3)
			if len(found) >= maxExamples {
				exist = fmt.Sprintf("; %d of such names and more exist: %s", maxExamples, few(found[:3], 3))
			}
			names = append(names, found[:min(len(found), 3)]...)
		}
	} else {
		odd := l.odd.count()
		bits := float64(l.bits) / 1000 / float64(l.scored)
		f.Explanation = fmt.Sprintf("%s asked for %d domains with names as random letters have them (%.1f bits a letter, words have about 4), of %d domains in all, %s, where others have %.0f %%; whether they exist is not recorded: ",
			clip(source, 100), odd, bits, all, span(l.first, l.last), max(1, 100*usual))
		f.Surprise = manyBits(odd, all, usual)
	}
	f.Explanation += few(names, 4) + exist + "."
	w := where{}.between(l.first, l.last)
	if _, ok := address(source); ok {
		w = w.any(source, "source.ip", "client.ip", "destination.ip")
		f.Entities.Sources = []string{source}
	} else {
		w = w.is("host.name", source)
		f.Entities.Hosts = []string{source}
	}
	var asked []string
	for _, n := range names {
		asked = append(asked, `"dns.question.name":`+quote(n)) // and what is below it
	}
	f.Query = append(w, "("+strings.Join(asked, " or ")+")").String()
	return f
}

// oddName is the oddity of a label, and whether no one would have chosen it.
func oddName(label string) (bits float64, odd bool) {
	if strings.HasPrefix(label, "xn--") {
		return wordBits, false // of another script: who can say
	}
	bits = oddity(label)
	if bits >= oddBits && len(label) >= oddLabel {
		return bits, true
	}
	figures, letters := 0, 0
	for i := range len(label) {
		switch c := label[i]; {
		case '0' <= c && c <= '9':
			figures++
		case 'a' <= c && c <= 'f':
			letters++
		default:
			return bits, false
		}
	}
	return bits, figures+letters >= oddHex && figures >= 4 && letters >= 4
}

// shared reports whether a domain is below a suffix under which a company lets anybody have names: the private
// part of the public suffix list.
func shared(domain string) bool {
	suffix, icann := publicsuffix.PublicSuffix(domain)
	return !icann && strings.Contains(suffix, ".")
}

// ownSuffix reports whether a domain is below a suffix that networks use of their own
// (RFC 6762 appendix G, RFC 6761, RFC 8375, and what routers and workgroups come with).
func ownSuffix(domain string) bool {
	switch domain[strings.LastIndexByte(domain, '.')+1:] {
	case "intranet", "internal", "private", "corp", "home", "mail", "localdomain", "localhost", "workgroup", "domain", "dhcp", "router", "onion", "invalid":
		return true
	}
	return false
}

// letterBits is, in sixteenths of a bit, how unlikely a letter is after two others in English words; see letters/main.go.
//
//go:embed letters.bin
var letterBits string

const symbols = 28

// oddity is the mean of how surprising each letter of a name is after the two
// before it, in bits.
func oddity(name string) float64 {
	a, b, sum, n := 0, 0, 0, 0
	for i := range len(name) {
		var s int
		switch c := name[i] | 0x20; {
		case 'a' <= c && c <= 'z':
			s = int(c-'a') + 1
		case '0' <= name[i] && name[i] <= '9':
			s = 27
		default: // a hyphen, mostly: a new word
			a, b = 0, 0
			continue
		}
		if s == 27 && b == 27 {
			sum += 16 * 53 / 16 // one digit after another: log2 of ten, and that it goes on
		} else {
			sum += int(letterBits[(a*symbols+b)*symbols+s])
		}
		n++
		a, b = b, s
	}
	if n == 0 {
		return 0
	}
	return float64(sum) / 16 / float64(n)
}

// registered is the domain that was registered, of a name: the public suffix
// and one label; "" for names of one's own network and reverse lookups.
func registered(name string) string {
	name = lower(name)
	if len(name) > 253 || strings.HasSuffix(name, ".arpa") || strings.HasSuffix(name, ".local") || strings.HasSuffix(name, ".lan") || !strings.Contains(name, ".") {
		return ""
	}
	d, err := publicsuffix.EffectiveTLDPlusOne(name)
	if err != nil {
		return ""
	}
	return d
}

// entropyOf is the Shannon entropy of a histogram, in bits.
func entropyOf(counts []int) float64 {
	total := 0
	for _, n := range counts {
		total += n
	}
	var h float64
	for _, n := range counts {
		if n > 0 {
			p := float64(n) / float64(total)
			h -= p * math.Log2(p)
		}
	}
	return h
}
