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
)

// generated finds sources that look up many domains whose names look made up by
// an algorithm (DGA), as malware does that tries one rendezvous after the other: names whose
// letters follow each other as in no language, most of which do not exist. See
// docs/techniques/generated.md.
type generated struct {
	sources map[generatedKey]*lookups
	order   []generatedKey
	tooMany bool
}

// generatedKey is what a source asked on one day.
type generatedKey struct {
	source string // its address, or the host that logged
	day    int32
}

// lookups are the registered domains that a source asked for.
type lookups struct {
	all, odd, missing distinct // missing: odd ones that did not exist
	known             bool     // answers say whether names exist
	bits              int64    // of the odd ones' names, for the mean, in thousandths
	scored            int
	examples          []string
	dataset           string
	first, last       int64 // of the odd ones
}

const (
	maxLookupSources = 50_000
	maxExamples      = 10
	oddLabel         = 8    // letters from which on a label is long enough to judge
	oddBits          = 7.5  // bits a letter, from which on it is odd: words have about 4, random letters 10
	generatedLeast   = 10   // odd domains in a day
	generatedShare   = 0.25 // of all domains that the source asked for
	missingShare     = 0.5  // of the odd ones, where answers tell
	wordBits         = 4.0  // a letter of usual names
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
		if r.question == "" {
			continue
		}
		source := cmp.Or(r.source, r.host)
		domain := registered(r.question)
		if source == 0 || domain == "" {
			continue
		}
		l := t.at(key{source, dayOf(r.time)})
		hash := hashOf(domain)
		l.all.add(hash)
		name, _, _ := strings.Cut(domain, ".")
		bits := oddity(name)
		l.known = l.known || r.rcode != ""
		if bits < oddBits || len(name) < oddLabel {
			continue
		}
		if l.first == 0 && l.last == 0 {
			l.first, l.last, l.dataset = r.time, r.time, rs.keep(r.dataset)
		}
		l.first, l.last = min(l.first, r.time), max(l.last, r.time)
		l.odd.add(hash)
		l.bits += int64(1000 * bits)
		l.scored++
		if r.rcode == "NXDOMAIN" || r.rcode == "NXDomain" || r.rcode == "3" {
			l.missing.add(hash)
		}
		l.example(domain)
	}
	if len(t.keys) == 0 {
		return nil
	}
	d := &generatedDigest{vals: t.vals}
	for _, k := range t.keys {
		d.keys = append(d.keys, generatedKey{rs.keep(k.source), k.day})
	}
	for i := range d.vals {
		for j, e := range d.vals[i].examples {
			d.vals[i].examples[j] = strings.Clone(e)
		}
	}
	return d
}

func (l *lookups) example(domain string) {
	if len(l.examples) < maxExamples && !slices.Contains(l.examples, domain) {
		l.examples = append(l.examples, domain)
	}
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
		l.all.merge(&from.all)
		l.odd.merge(&from.odd)
		l.missing.merge(&from.missing)
		l.known = l.known || from.known
		if from.scored > 0 {
			if l.scored == 0 {
				l.first, l.last, l.dataset = from.first, from.last, from.dataset
			}
			l.first, l.last = min(l.first, from.first), max(l.last, from.last)
		}
		l.bits += from.bits
		l.scored += from.scored
		for _, e := range from.examples {
			l.example(e)
		}
	}
}

func (t *generated) limits() []string {
	if !t.tooMany {
		return nil
	}
	return []string{fmt.Sprintf("more than %s sources a day asked for names: the last were not watched for generated domains", thousands(maxLookupSources))}
}

// Findings implements Technique.
func (t *generated) Findings(context.Context, Querier) ([]Finding, error) {
	var out []Finding
	for _, k := range t.order {
		l := t.sources[k]
		odd, all, missing := l.odd.count(), l.all.count(), l.missing.count()
		if odd < generatedLeast || float64(odd) < generatedShare*float64(all) {
			continue
		}
		absent := float64(missing) >= missingShare*float64(odd)
		if l.known && !absent {
			continue
		}
		f := Finding{
			Title: "Lookups of domains with generated names", Level: "low", First: l.first, Last: l.last, Datasets: nonEmpty(l.dataset),
			Rule: Rule{ID: "generated", Name: "Generated domain names", FalsePositives: []string{"Names in a language or of abbreviations that the letter statistics do not know",
				"Browsers that probe for hijacked answers with random names"}},
			Techniques: []string{"T1568.002"}, Tactics: []string{"command-and-control"},
			Surprise: float64(odd) * (float64(l.bits)/1000/float64(l.scored) - wordBits),
		}
		exist := "whether they exist is not recorded"
		if l.known {
			exist = fmt.Sprintf("%d of them do not exist", missing)
			f.Level = "medium"
		}
		f.Explanation = fmt.Sprintf("%s asked for %d domains with names as random letters have them (%.1f bits a letter, words have about 4), of %d domains in all, %s; %s: %s.",
			clip(k.source, 100), odd, float64(l.bits)/1000/float64(l.scored), all, span(l.first, l.last), exist, few(l.examples, 4))
		w := where{}.between(l.first, l.last)
		if _, ok := address(k.source); ok {
			w = w.any(k.source, "source.ip", "client.ip")
			f.Entities.Sources = []string{k.source}
		} else {
			w = w.is("host.name", k.source)
			f.Entities.Hosts = []string{k.source}
		}
		var names []string
		for _, e := range l.examples {
			names = append(names, `"dns.question.name":`+quote(e)) // and what is below it
		}
		f.Query = append(w, "("+strings.Join(names, " or ")+")").String()
		out = append(out, f)
	}
	slices.SortStableFunc(out, func(a, b Finding) int { return cmp.Compare(a.First, b.First) })
	return out, nil
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
