// Package triage ranks the findings and incidents of a case by how likely they
// are real, as the verdicts that people gave tell. Without verdicts the rank is that
// of the level and of how rare the rule is in the case; each verdict moves what has
// something in common with what was judged.
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
	Why     []Reason `json:"why"`               // the heaviest first
}

// Reason is what something of an item says for or against it.
type Reason struct {
	Feature string  `json:"feature"` // "source=192.0.2.9"
	Weight  float64 `json:"weight"`  // nats of log-odds; positive speaks for real
	True    int     `json:"true"`    // verdicts on what had the feature
	False   int     `json:"false"`
}

// String says the reason in words.
func (r Reason) String() string {
	name, value, _ := strings.Cut(r.Feature, "=")
	return fmt.Sprintf("%s %s: %d of %d judged real (%+.1f)", name, value, r.True, r.True+r.False, r.Weight)
}

const shownReasons = 5

// Model is what was learnt.
type Model struct {
	judge  *learn.Judge
	counts map[string][2]int // by feature: judged false, judged true
	Judged int
}

// Train learns from the verdicts of cases. A verdict on an incident is one on
// each of its findings that has none of its own.
func Train(cases ...*Case) *Model { return train(examples(cases...)) }

func train(es []learn.Example) *Model {
	m := &Model{judge: learn.Learn(es), counts: map[string][2]int{}, Judged: len(es)}
	for _, e := range es {
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

// examples returns what was judged, sorted by id within each case.
func examples(cases ...*Case) (es []learn.Example) {
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
				es = append(es, learn.Example{Features: f.features(), Prior: c.prior(f), True: v == verdict.TruePositive})
			}
		}
	}
	return es
}

// levelOdds are the log-odds that a finding of a level is real, before anything
// is known of it.
var levelOdds = map[string]float64{"informational": -4, "low": -3, "medium": -1.5, "high": 0, "critical": 1.5}

func (c *Case) prior(f *Finding) float64 {
	return levelOdds[f.Level] - 0.5*math.Log(float64(max(c.same[f.Rule.ID], 1)))
}

// features says what a finding may have in common with others.
func (f *Finding) features() []string {
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
	out = append(out, "events=about "+strconv.Itoa(1<<int(math.Log2(float64(max(f.Count, 1))))))
	if t, err := time.Parse(time.RFC3339Nano, f.First); err == nil {
		h := t.UTC().Hour() / 6 * 6
		out = append(out, fmt.Sprintf("time=%02d–%02d UTC", h, h+6))
	}
	return out
}

// Rank ranks the findings of the case.
func (c *Case) Rank(m *Model) []Item {
	var out []Item
	for i := range c.Findings {
		f := &c.Findings[i]
		out = append(out, c.item(m, Item{ID: f.ID, Kind: verdict.Finding, Title: f.Title, Level: f.Level}, f.features(), c.prior(f)))
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
				features = append(features, f.features()...)
			}
		}
		slices.Sort(features)
		p := (float64(in.Score) + 2) / 104
		out = append(out, c.item(m, Item{ID: in.ID, Kind: verdict.Incident, Title: in.Title, Level: in.Severity}, slices.Compact(features), math.Log(p/(1-p))))
	}
	order(out)
	return out
}

func order(items []Item) {
	slices.SortStableFunc(items, func(a, b Item) int { return cmp.Or(cmp.Compare(b.Chance, a.Chance), cmp.Compare(a.ID, b.ID)) })
}

func (c *Case) item(m *Model, it Item, features []string, prior float64) Item {
	it.Verdict = c.States[it.ID].Verdict
	it.Prior = 1 / (1 + math.Exp(-prior))
	it.Why = []Reason{}
	var reasons []learn.Reason
	it.Chance, reasons = m.judge.Judge(features, prior)
	for _, r := range reasons[:min(len(reasons), shownReasons)] {
		n := m.counts[r.Feature]
		it.Why = append(it.Why, Reason{Feature: r.Feature, Weight: r.Weight, True: n[1], False: n[0]})
	}
	return it
}

// Evaluation is how well verdicts are foretold from other verdicts, beside the
// prior alone.
type Evaluation struct {
	Judged, True int
	Learnt       learn.Quality
	Prior        learn.Quality
}

const folds = 5

// Evaluate foretells each fifth of the verdicts from the others.
func Evaluate(cases ...*Case) Evaluation {
	es := examples(cases...)
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
	x.Learnt, x.Prior = learn.Measure(learnt, truth), learn.Measure(prior, truth)
	return x
}
