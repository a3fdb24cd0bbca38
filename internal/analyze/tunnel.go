package analyze

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/prose"
)

// tunnel finds domains through whose names data is sent: many different names below
// one registered domain, long, of letters that follow each other at random, from few
// sources. See docs/techniques/tunnel.md.
type tunnel struct {
	domains map[string]*zone
	order   []string
	tooMany bool
}

// zone is what was asked below a registered domain.
type zone struct {
	queries     int
	names       distinct
	sources     distinct
	length      int64   // of the labels below the domain, in all
	bits        int64   // their oddity, weighted by length, in thousandths
	letters     [40]int // how often they have each letter, digit, other
	bulky       int     // queries for types with room for data: TXT, NULL, CNAME, MX, SRV, KEY, PRIVATE
	top         []asker // the first sources
	logs        []asker // the first datasets: resolver and sensors may all tell of the same query
	dataset     string
	first, last int64
}

type asker struct {
	name  string
	count int
}

const (
	maxZones  = 50_000
	maxAskers = 8
)

var _ = register(newTunnel)

func newTunnel() Technique { return &tunnel{domains: map[string]*zone{}} }

// Name implements Technique.
func (*tunnel) Name() string { return "tunnel" }

// About implements Technique.
func (*tunnel) About() string { return "Data in looked-up names" }

// Needs implements Technique.
func (*tunnel) Needs() []string { return []string{"dns.question.name"} }

type tunnelDigest struct {
	keys []string
	vals []zone
}

// Digest implements Technique.
func (t *tunnel) Digest(path string, b *event.Batch) any { return digestRows(t, path, b) }

func (*tunnel) digest(_ string, rs *rows) any {
	var t tally[string, zone]
	for i := range rs.list {
		r := &rs.list[i]
		if r.question == "" || r.answered && r.rcode == "" || r.has(alert) {
			continue
		}
		domain := registered(r.question)
		below := len(r.question) - len(domain) - 1
		if domain == "" || below < 1 {
			continue
		}
		if strings.HasSuffix(r.question, ".") {
			below--
		}
		labels := r.question[:below]
		if ofAddress(labels) {
			continue // blocklists and senders' checks ask about an address; it was not made to be sent
		}
		z := t.at(domain)
		if z.queries == 0 {
			z.first, z.last, z.dataset = r.time, r.time, rs.keep(r.dataset)
		}
		z.first, z.last = min(z.first, r.time), max(z.last, r.time)
		z.queries++
		z.names.add(hashOf(labels))
		z.length += int64(below)
		z.bits += int64(1000 * oddity(labels) * float64(below))
		for i := range len(labels) {
			switch c := labels[i] | 0x20; {
			case 'a' <= c && c <= 'z':
				z.letters[c-'a']++
			case '0' <= labels[i] && labels[i] <= '9':
				z.letters[26+labels[i]-'0']++
			case labels[i] != '.':
				z.letters[36]++
			}
		}
		switch r.qtype {
		case "TXT", "NULL", "CNAME", "MX", "SRV", "KEY", "PRIVATE", "16", "10", "5", "15", "33", "65399":
			z.bulky++
		}
		source := r.source
		if r.answered && r.upstream() {
			source = r.destination // it asked
		}
		if s := cmp.Or(source, r.host); s != 0 {
			name := rs.keep(s)
			z.sources.add(hashOf(name))
			z.top = asked(z.top, name, 1)
		}
		z.logs = asked(z.logs, rs.keep(r.dataset), 1)
	}
	if len(t.keys) == 0 {
		return nil
	}
	d := &tunnelDigest{vals: t.vals, keys: t.keys}
	for i, k := range d.keys {
		d.keys[i] = strings.Clone(k)
	}
	return d
}

// ofAddress reports whether the first labels of a name are those of an IPv4 address, or of an IPv6 address by the half byte.
func ofAddress(labels string) bool {
	numbers, digits := 0, 0
	for l := range strings.SplitSeq(labels, ".") {
		if n := number(l); n >= 0 && n <= 255 && len(l) <= 3 {
			numbers++
			if numbers == 4 && digits < 4 {
				return true
			}
		} else {
			numbers = -100
		}
		if len(l) == 1 && unhexLetter(l[0]) {
			digits++
		} else {
			digits = -100
		}
		if digits == 32 {
			return true
		}
		if numbers < 0 && digits < 0 {
			return false
		}
	}
	return false
}

func unhexLetter(c byte) bool { return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f' }

// asked counts n for the name, if it is one of the first.
func asked(list []asker, name string, n int) []asker {
	for i := range list {
		if list[i].name == name {
			list[i].count += n
			return list
		}
	}
	if len(list) < maxAskers {
		list = append(list, asker{name, n})
	}
	return list
}

// once is how many queries there were, as the log that tells of most has it.
func (z *zone) once() int {
	n := 0
	for _, l := range z.logs {
		n = max(n, l.count)
	}
	return n
}

// Merge implements Technique.
func (t *tunnel) Merge(digest any) {
	d := digest.(*tunnelDigest)
	for i, k := range d.keys {
		from := &d.vals[i]
		z := t.domains[k]
		if z == nil {
			if len(t.domains) >= maxZones {
				t.tooMany = true
				continue
			}
			z = &zone{first: from.first, last: from.last, dataset: from.dataset}
			t.domains[k] = z
			t.order = append(t.order, k)
		}
		z.queries += from.queries
		z.names.merge(&from.names)
		z.sources.merge(&from.sources)
		z.length += from.length
		z.bits += from.bits
		for j, n := range from.letters {
			z.letters[j] += n
		}
		z.bulky += from.bulky
		for _, a := range from.top {
			z.top = asked(z.top, a.name, a.count)
		}
		for _, a := range from.logs {
			z.logs = asked(z.logs, a.name, a.count)
		}
		z.first, z.last = min(z.first, from.first), max(z.last, from.last)
	}
}

func (t *tunnel) limits() []string {
	if !t.tooMany {
		return nil
	}
	return []string{fmt.Sprintf("more than %s registered domains were asked for: the last were not watched for tunnels", prose.Number(maxZones))}
}

// What a tunnel must be. RITA tells of 100 names below a domain and more; names of
// content networks are as many, but short and made of words.
const (
	tunnelNames  = 100
	tunnelLength = 18  // bytes below the domain, in the mean
	tunnelBits   = 6.5 // a letter; words have about 4
	tunnelFew    = 3   // sources: more use a service than a tunnel
	tunnelShort  = 10  // bytes are enough of one source alone, of
	tunnelFresh  = 0.9 // names that it does not ask for twice
)

// askByHash are services that are asked in names by design: what is known of an address, a file or a site, as blocklists (RFC 5782), virus
// scanners and the senders' checks of mail do. Who sends data out cannot have names below them.
var askByHash = []string{"spamhaus.org", "spamhaus.net", "surbl.org", "uribl.com", "sorbs.net", "spamcop.net", "barracudacentral.org", "abuseat.org", "dnswl.org", "senderbase.org", "senderscore.com", "invaluement.com",
	"mailspike.net", "rspamd.com", "sophosxl.net", "mcafee.com", "e5.sk", "cymru.com", "bitdefender.net", "trendmicro.com", "kaspersky-labs.com", "webrootcloudav.com", "habeas.com", "mailshell.net", "dnsbl.info", "dshield.org", "abuse.ch"}

// Findings implements Technique.
func (t *tunnel) Findings(context.Context, Querier) ([]Finding, error) {
	var out []Finding
	for _, k := range t.order {
		z := t.domains[k]
		names, sources := z.names.count(), z.sources.count()
		length := float64(z.length) / float64(z.queries)
		bits := float64(z.bits) / 1000 / float64(z.length)
		alone := sources <= 1 && length >= tunnelShort && names >= 2*tunnelNames && float64(names) >= tunnelFresh*float64(z.once())
		if names < tunnelNames || length < tunnelLength && !alone || bits < tunnelBits || float64(names) < 0.3*float64(z.once()) {
			continue
		}
		f := Finding{
			Title: "Data in looked-up names", Level: "low", First: z.first, Last: z.last, Count: z.queries, Datasets: nonEmpty(z.dataset),
			Rule: Rule{ID: "tunnel", Name: "DNS tunnel", References: []string{"https://github.com/activecm/rita"}, FalsePositives: []string{
				"Reputation services and virus scanners that ask by hash", "Content networks with generated host names"}},
			Techniques: []string{"T1071.004", "T1048.003"}, Tactics: []string{"command-and-control", "exfiltration"},
			Surprise: math.Log2(float64(names)) * length / 4,
		}
		if sources <= tunnelFew && names >= 2*tunnelNames && length >= 24 {
			f.Level = "medium"
		}
		if slices.Contains(askByHash, k) {
			f.Level = "informational"
		}
		bulky := ""
		if z.bulky*10 >= z.queries {
			bulky = fmt.Sprintf(", %d %% for types with room for data (TXT and the like)", 100*z.bulky/z.queries)
		}
		var who []string
		for _, a := range z.top {
			who = append(who, a.name)
		}
		f.Explanation = fmt.Sprintf("%s queries for %s below %s %s by %s: %.0f bytes each below the domain, %.1f bits a letter (words have about 4; entropy %.1f), about %s in all%s.",
			prose.Number(z.once()), different(names, z.once(), "name", "different names"), clip(k, 80), span(z.first, z.last), few(who, 3), length, bits, entropyOf(z.letters[:]), bytesText(float64(z.length)*float64(z.once())/float64(z.queries)), bulky)
		w := where{}.between(z.first, z.last)
		for _, a := range z.top {
			if _, ok := address(a.name); ok {
				f.Entities.Sources = append(f.Entities.Sources, a.name)
			} else {
				f.Entities.Hosts = append(f.Entities.Hosts, a.name)
			}
		}
		f.Query = append(w, `"dns.question.name":`+quote(k)).String()
		out = append(out, f)
	}
	slices.SortStableFunc(out, func(a, b Finding) int { return cmp.Compare(a.First, b.First) })
	return out, nil
}
