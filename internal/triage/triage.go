// Package triage ranks the findings and incidents of a case by how likely they
// are real, as the verdicts that people gave tell. Without verdicts the rank is that
// of the level, of how rare the rule is in the case and of how many records there are; each
// verdict moves what has something in common with what was judged.
package triage

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sextant-logs/sextant/internal/analyze"
	"github.com/sextant-logs/sextant/internal/learn"
	"github.com/sextant-logs/sextant/internal/verdict"
)

// Case is what triage needs of a case's report.json, and its verdicts.
type Case struct {
	Findings  []Finding  `json:"findings"`
	Incidents []Incident `json:"incidents"`

	States map[string]verdict.State `json:"-"` // what people made of findings and incidents, by id

	same map[string]int // findings of a rule
	byID map[string]*Finding
}

// Finding is a finding as the report has it.
type Finding struct {
	analyze.Finding
	First string `json:"first"`
}

// Incident is an incident as the report has it.
type Incident struct {
	ID       string   `json:"id"`
	Title    string   `json:"title"`
	Severity string   `json:"severity"`
	Score    int      `json:"score"`
	Findings []string `json:"findings"`
}

// Read reads the case in dir, which must have been investigated.
func Read(dir string) (*Case, error) {
	path := filepath.Join(dir, "report.json")
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	c := &Case{}
	if err := json.Unmarshal(data, c); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if c.States, _, err = verdict.Read(dir); err != nil {
		return nil, err
	}
	return c.Ready(), nil
}

// Ready makes a case whose lists are filled ready to be asked.
func (c *Case) Ready() *Case {
	ids := map[string][]string{}
	for _, in := range c.Incidents {
		ids[in.ID] = in.Findings
	}
	c.States = verdict.Carry(c.States, ids)
	c.same, c.byID = map[string]int{}, map[string]*Finding{}
	for i := range c.Findings {
		f := &c.Findings[i]
		c.same[f.Rule.ID]++
		c.byID[f.ID] = f
	}
	return c
}

// Item is a finding or an incident and what is thought of it.
type Item struct {
	ID      string   `json:"id"`
	Kind    string   `json:"kind"` // verdict.Finding or verdict.Incident
	Title   string   `json:"title"`
	Level   string   `json:"level"`
	Chance  float64  `json:"chance"`            // that it is real
	Prior   float64  `json:"prior"`             // before any verdict
	Verdict string   `json:"verdict,omitempty"` // that was given
	Why     []Reason `json:"why"`               // what verdicts say, the heaviest first; then what was known before
}

// Reason is what something of an item says for or against it.
type Reason struct {
	Feature string  `json:"feature"` // "source=192.0.2.9"
	Weight  float64 `json:"weight"`  // nats of log-odds; positive speaks for real
	True    int     `json:"true"`    // verdicts on what had the feature; none of what makes the prior
	False   int     `json:"false"`
}

// String says the reason in words.
func (r Reason) String() string {
	name, value, _ := strings.Cut(r.Feature, "=")
	if r.True+r.False == 0 {
		return fmt.Sprintf("%s: %s (%+.1f)", name, value, r.Weight+0) // -0 is 0
	}
	return fmt.Sprintf("%s %s: %d of %d judged real (%+.1f)", name, value, r.True, r.True+r.False, r.Weight)
}

const (
	shownReasons = 5
	leastReason  = 0.05 // nats; what weighs less is shown as 0.0
)

// Model is what was learnt.
type Model struct {
	judge        *learn.Judge
	counts       map[string][2]int // by feature: judged false, judged true
	Judged, True int
	Contradict   []Contradiction // in the order of the first of each
}

// Contradiction is two findings that differ in nothing but their time and number of
// records, and in what was said of them.
type Contradiction struct{ True, False string } // ids

// Train learns from the verdicts of cases. A verdict on an incident is one on
// each of its findings that has none of its own.
func Train(cases ...*Case) *Model {
	es, ids, _ := examples(cases...)
	m := &Model{judge: learn.Learn(es), counts: map[string][2]int{}, Judged: len(es)}
	alike := map[string][2]string{} // the first that were judged false, true
	for i, e := range es {
		if e.True {
			m.True++
		}
		same := strings.Join(slices.DeleteFunc(slices.Clone(e.Features), passing), "\x00")
		first := alike[same]
		if at := &first[b2i(e.True)]; *at == "" {
			*at = ids[i]
			if first[0] != "" && first[1] != "" {
				m.Contradict = append(m.Contradict, Contradiction{True: first[1], False: first[0]})
			}
			alike[same] = first
		}
		for _, f := range e.Features {
			n := m.counts[f]
			if e.True {
				n[1]++
			} else {
				n[0]++
			}
			m.counts[f] = n
		}
	}
	return m
}

// passing reports whether a feature tells when a finding was or how many there are, and nothing of what it is.
func passing(feature string) bool {
	family, _, _ := strings.Cut(feature, "=")
	switch family {
	case "time", "day", "hour", "host and day", "records", "findings of its rule":
		return true
	}
	return false
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// examples returns what was judged, in the order of the findings of each case,
// and of each its id and how rare its rule is.
func examples(cases ...*Case) (es []learn.Example, ids []string, rarity []float64) {
	for _, c := range cases {
		judged := map[string]string{}
		for _, in := range c.Incidents {
			if v := c.States[in.ID].Verdict; v != "" {
				for _, id := range in.Findings {
					judged[id] = v
				}
			}
		}
		for id, s := range c.States {
			if s.Kind == verdict.Finding && s.Verdict != "" {
				judged[id] = s.Verdict
			}
		}
		for i := range c.Findings {
			f := &c.Findings[i]
			if v := judged[f.ID]; v != "" {
				es = append(es, learn.Example{Features: c.features(f), Prior: odds(c.prior(f)), True: v == verdict.TruePositive})
				ids = append(ids, f.ID)
				rarity = append(rarity, -float64(c.same[f.Rule.ID]))
			}
		}
	}
	return es, ids, rarity
}

// levelOdds are the log-odds that a finding of a level is real, before anything
// is known of it.
var levelOdds = map[string]float64{"informational": -4, "low": -3, "medium": -1.5, "high": 0, "critical": 1.5}

const (
	rarer = -0.5  // nats of log-odds for each nat of findings that the rule has
	more  = 0.125 // and of records that the finding has: many of what is rare weigh most, as in tf–idf
)

// prior is what is known of a finding before any verdict: the sum of the weights.
func (c *Case) prior(f *Finding) []Reason {
	same := max(c.same[f.Rule.ID], 1)
	return []Reason{
		{Feature: "level=" + f.Level, Weight: levelOdds[f.Level]},
		{Feature: "findings of its rule=" + strconv.Itoa(same), Weight: 0 + rarer*math.Log(float64(same))},
		{Feature: "records=" + strconv.Itoa(max(f.Count, 1)), Weight: more * math.Log(float64(max(f.Count, 1)))},
	}
}

func odds(prior []Reason) (sum float64) {
	for _, r := range prior {
		sum += r.Weight
	}
	return sum
}

// features says what a finding may have in common with others.
func (c *Case) features(f *Finding) []string {
	out := []string{"rule=" + f.Rule.ID, "kind=" + f.Kind, "level=" + f.Level}
	add := func(name string, values []string) {
		for _, v := range values[:min(len(values), 10)] {
			out = append(out, name+"="+v)
		}
	}
	add("technique", f.Techniques)
	add("dataset", f.Datasets)
	add("outcome", f.Outcomes)
	add("user", f.Entities.Users)
	add("source", f.Entities.Sources)
	add("destination", f.Entities.Destinations)
	add("host", f.Entities.Hosts)
	add("process", f.Entities.Processes)
	for _, s := range f.Entities.Sources {
		if a, err := netip.ParseAddr(s); err == nil {
			where := "network=public"
			if a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() {
				where = "network=private"
			}
			if !slices.Contains(out, where) {
				out = append(out, where)
			}
		}
	}
	// What was attacked on a day, or in an hour of it, is likelier attacked than on another.
	if t, err := time.Parse(time.RFC3339Nano, f.First); err == nil {
		t = t.UTC()
		day, h := t.Format(time.DateOnly), t.Hour()/6*6
		out = append(out, fmt.Sprintf("time=%02d–%02d UTC", h, h+6), "day="+day, "hour="+t.Format("2006-01-02 15h UTC"))
		for _, host := range f.Entities.Hosts[:min(len(f.Entities.Hosts), 10)] {
			out = append(out, "host and day="+host+" on "+day)
		}
	}
	return append(steps(out, "records", f.Count), steps(nil, "findings of its rule", c.same[f.Rule.ID])...)
}

// steps appends a feature for each power of four that n reaches, so that what
// is learnt of a number goes for those that are near.
func steps(dst []string, name string, n int) []string {
	for s := 4; s <= n && s < 1<<30; s *= 4 {
		dst = append(dst, fmt.Sprintf("%s=%d or more", name, s))
	}
	return dst
}

// Rank ranks the findings of the case.
func (c *Case) Rank(m *Model) []Item {
	var out []Item
	for i := range c.Findings {
		f := &c.Findings[i]
		out = append(out, c.item(m, Item{ID: f.ID, Kind: verdict.Finding, Title: f.Title, Level: f.Level}, c.features(f), c.prior(f)))
	}
	order(out)
	return out
}

// RankIncidents ranks the incidents of the case, each by all that its findings
// have, from the prior that its score gives.
func (c *Case) RankIncidents(m *Model) []Item {
	var out []Item
	for _, in := range c.Incidents {
		var features []string
		for _, id := range in.Findings {
			if f := c.byID[id]; f != nil {
				features = append(features, c.features(f)...)
			}
		}
		slices.Sort(features)
		p := (float64(in.Score) + 2) / 104
		out = append(out, c.item(m, Item{ID: in.ID, Kind: verdict.Incident, Title: in.Title, Level: in.Severity}, slices.Compact(features), []Reason{{Feature: "score=" + strconv.Itoa(in.Score), Weight: math.Log(p / (1 - p))}}))
	}
	order(out)
	return out
}

func order(items []Item) {
	slices.SortStableFunc(items, func(a, b Item) int { return cmp.Or(cmp.Compare(b.Chance, a.Chance), cmp.Compare(a.ID, b.ID)) })
}

func (c *Case) item(m *Model, it Item, features []string, prior []Reason) Item {
	it.Verdict = c.States[it.ID].Verdict
	it.Prior = 1 / (1 + math.Exp(-odds(prior)))
	it.Why = []Reason{}
	var reasons []learn.Reason
	it.Chance, reasons = m.judge.Judge(features, odds(prior))
	for _, r := range reasons[:min(len(reasons), shownReasons)] {
		if math.Abs(r.Weight) < leastReason {
			break // the heaviest are first
		}
		n := m.counts[r.Feature]
		it.Why = append(it.Why, Reason{Feature: r.Feature, Weight: r.Weight, True: n[1], False: n[0]})
	}
	// What is said adds up to the chance.
	if rest := reasons[min(len(reasons), shownReasons):]; len(rest) > 0 {
		sum := 0.0
		for _, r := range rest {
			sum += r.Weight
		}
		if math.Abs(sum) >= 0.05 {
			it.Why = append(it.Why, Reason{Feature: fmt.Sprintf("others that were judged=%d", len(rest)), Weight: sum})
		}
	}
	if b := m.judge.Bias(); math.Abs(b) >= 0.05 {
		it.Why = append(it.Why, Reason{Feature: "all=findings", Weight: b, True: m.True, False: m.Judged - m.True})
	}
	slices.SortStableFunc(prior, func(a, b Reason) int { return cmp.Compare(math.Abs(b.Weight), math.Abs(a.Weight)) })
	it.Why = append(it.Why, prior...)
	return it
}

// Evaluation is how well verdicts are foretold from other verdicts, beside the
// prior alone and the rarest rule first.
type Evaluation struct {
	Judged, True int
	Learnt       learn.Quality
	Prior        learn.Quality
	Rarest       learn.Quality
	Reliable     learn.Reliability // of the chances that were foretold
}

const folds = 5

// Evaluate foretells each fifth of the verdicts from the others.
func Evaluate(cases ...*Case) Evaluation {
	es, _, rarity := examples(cases...)
	learnt, prior, truth := make([]float64, len(es)), make([]float64, len(es)), make([]bool, len(es))
	x := Evaluation{Judged: len(es)}
	for k := range folds {
		var others []learn.Example
		for i, e := range es {
			if i%folds != k {
				others = append(others, e)
			}
		}
		judge := learn.Learn(others)
		for i, e := range es {
			if i%folds == k {
				learnt[i], _ = judge.Judge(e.Features, e.Prior)
				prior[i], truth[i] = e.Prior, e.True
				if e.True {
					x.True++
				}
			}
		}
	}
	x.Learnt, x.Prior, x.Rarest = learn.Measure(learnt, truth), learn.Measure(prior, truth), learn.Measure(rarity, truth)
	x.Reliable = learn.Rely(learnt, truth)
	return x
}
