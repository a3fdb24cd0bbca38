// Package report presents the result of an investigation: as one JSON
// document, as Markdown, and as one HTML file that needs neither network nor script.
package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/sextant-logs/sextant/internal/analyze"
	"github.com/sextant-logs/sextant/internal/incident"
	"github.com/sextant-logs/sextant/internal/triage"
	"github.com/sextant-logs/sextant/internal/verdict"
)

// Investigation is the result of `sextant investigate`. Its JSON form is the
// output contract of DESIGN.md §1; the same evidence, rules and options give the same bytes.
type Investigation struct {
	Case       Case                `json:"case"`
	Sources    []Source            `json:"sources"`
	Accounting Accounting          `json:"accounting"`
	Findings   []Finding           `json:"findings"`
	Incidents  []incident.Incident `json:"incidents"`
	Statistics Statistics          `json:"statistics"`
	Evidence   []analyze.Evidence  `json:"evidence"`   // every record that an incident cites, by time, then id
	Techniques []analyze.Report    `json:"techniques"` // what became of each analysis technique, by name
	Overview   Overview            `json:"overview"`
	Rules      Rules               `json:"rules"`
	Problems   []string            `json:"problems"`       // what went wrong with the evidence, one line each
	Unread     bool                `json:"unread"`         // some PATH could not be read at all
	Live       *Live               `json:"live,omitempty"` // of a live case, which has no sources to account for

	Verdicts map[string]verdict.State `json:"verdicts,omitempty"` // what people made of incidents and findings, by id
	Triage   []triage.Item            `json:"triage,omitempty"`   // findings that nobody has judged, by how likely they are real; at most MaxTriage
}

// Overview is what is to be seen of all records at once: each list has at most
// MaxOverview entries, with what each says in a sentence.
type Overview struct {
	Associations []Association `json:"associations"` // kinds of records that rise together or one after the other, surest first
	Rhythms      []Rhythm      `json:"rhythms"`      // what repeats at intervals, most regular first
	Sessions     []Session     `json:"sessions"`     // who was where, longest first
	SessionCount int           `json:"session_count"`
	Remarks      []string      `json:"remarks"`           // what could not be had, one sentence each
	Missing      []Missing     `json:"missing,omitempty"` // of which part of the report it is missing, and why

	Kinds     []Count  `json:"kinds,omitempty"` // kinds of messages, most frequent first
	KindCount int      `json:"kind_count,omitempty"`
	KindsOnce int      `json:"kinds_once,omitempty"` // of which one record only is
	Bursts    []string `json:"bursts,omitempty"`     // when a log wrote much more than usual, heaviest first
	Silences  []string `json:"silences,omitempty"`   // when one wrote nothing for much longer than usual
	Changes   []string `json:"changes,omitempty"`    // what is otherwise in the later half of the time, surest first
	Flows     []Path   `json:"flows,omitempty"`      // records by address, account and outcome
	Links     []Path   `json:"links,omitempty"`      // records by address and account, "from", then by account and host, "to"
	Sizes     []Sizes  `json:"sizes,omitempty"`      // how numbers are distributed, by log
}

// Missing says why a part of the report lacks something.
type Missing struct {
	Part string `json:"part"` // timeline, patterns, anomalies, correlation, learning, statistics or flows
	Text string `json:"text"`
}

// Live is what a report of a live case rests on.
type Live struct {
	At      string   `json:"at"`    // when it was made, RFC 3339 UTC
	Since   string   `json:"since"` // how far back it looks
	Senders []Sender `json:"senders"`
}

// Sender is one that logs came from while the server ran.
type Sender struct {
	Name      string `json:"name"`
	Records   int64  `json:"records"`
	Undecoded int64  `json:"undecoded"` // of them, kept as text
	Last      string `json:"last"`      // RFC 3339 UTC
}

// Path is a combination of values and how many records have it.
type Path struct {
	Kind   string   `json:"kind,omitempty"`
	Values []string `json:"values"`
	Count  int64    `json:"count"`
}

// Sizes is how the numbers of a field are distributed in each log (Tukey's boxes).
type Sizes struct {
	Field string `json:"field"`
	Unit  string `json:"unit"`
	Boxes []Box  `json:"boxes"`
}

// Box is chart.Box.
type Box struct {
	Label    string    `json:"label"`
	N        int       `json:"n"`
	Q1       float64   `json:"q1"`
	Median   float64   `json:"median"`
	Q3       float64   `json:"q3"`
	Low      float64   `json:"low"`
	High     float64   `json:"high"`
	Outliers []float64 `json:"outliers,omitempty"`
	Minimum  float64   `json:"minimum"`
	Maximum  float64   `json:"maximum"`
}

// Bounds of the document.
const (
	MaxOverview = 20
	MaxTriage   = 50
)

// Association is two kinds of records of which one rises with the other or after it.
type Association struct {
	Leader     string  `json:"leader"`
	Follower   string  `json:"follower"`
	LagSeconds float64 `json:"lag_seconds"`
	R          float64 `json:"r"`
	Episodes   int     `json:"episodes"`
	Text       string  `json:"text"`
}

// Rhythm is something that repeats at intervals.
type Rhythm struct {
	What          string  `json:"what"`
	PeriodSeconds float64 `json:"period_seconds"`
	Times         int     `json:"times"`
	Missed        int     `json:"missed"`
	First         string  `json:"first"`
	Last          string  `json:"last"`
	Text          string  `json:"text"`
}

// Session is the stays of a user at a place.
type Session struct {
	Kind    string  `json:"kind"`
	User    string  `json:"user"`
	Host    string  `json:"host"`
	Source  string  `json:"source_ip"`
	Count   int     `json:"count"`
	First   string  `json:"first"`
	Seconds float64 `json:"seconds"` // in all, of those whose end is recorded
	Text    string  `json:"text"`
}

// Judge gives the investigation what was said of the case in dir.
func (inv *Investigation) Judge(dir string) error {
	states, bad, err := verdict.Read(dir)
	if err != nil {
		return err
	}
	if bad > 0 {
		inv.Problems = append(inv.Problems, fmt.Sprintf("%s: %d lines are no verdicts", verdict.File, bad))
	}
	incidents := map[string][]string{}
	for i := range inv.Incidents {
		incidents[inv.Incidents[i].ID] = inv.Signs(&inv.Incidents[i])
	}
	inv.Verdicts = verdict.Carry(states, incidents)
	inv.rank()
	return nil
}

// rank puts the findings that nobody has judged in the order in which they are worth a look.
func (inv *Investigation) rank() {
	c := &triage.Case{States: inv.Verdicts}
	for _, f := range inv.Findings {
		c.Findings = append(c.Findings, triage.Finding{Finding: f.Finding, First: f.First})
	}
	for _, in := range inv.Incidents {
		c.Incidents = append(c.Incidents, triage.Incident{ID: in.ID, Title: in.Title, Severity: in.Severity, Score: in.Score, Findings: in.Findings})
	}
	inv.Triage = nil
	for _, it := range c.Ready().Rank(triage.Train(c)) {
		if it.Verdict == "" && len(inv.Triage) < MaxTriage {
			inv.Triage = append(inv.Triage, it)
		}
	}
}

// Signs are what an incident may be known by again when more evidence has
// given it, its findings and their records other ids: the rules that found it,
// when, and on which hosts.
func (inv *Investigation) Signs(in *incident.Incident) []string {
	var signs []string
	for _, f := range inv.Findings {
		if slices.Contains(in.Findings, f.ID) {
			signs = append(signs, strings.Join(append([]string{f.Rule.ID, f.First}, f.Entities.Hosts...), " "))
		}
	}
	slices.Sort(signs)
	return slices.Compact(signs)
}

// Only keeps the incidents with the ids, and of the cited records theirs.
func (inv *Investigation) Only(ids []string) {
	inv.Incidents = slices.DeleteFunc(inv.Incidents, func(in incident.Incident) bool { return !slices.Contains(ids, in.ID) })
	cited := map[string]bool{}
	for _, in := range inv.Incidents {
		for _, id := range in.Evidence {
			cited[id] = true
		}
	}
	inv.Evidence = slices.DeleteFunc(inv.Evidence, func(e analyze.Evidence) bool { return !cited[e.ID] })
}

// Case describes the investigation itself.
type Case struct {
	Name     string   `json:"name"` // base name of the case directory
	Version  string   `json:"sextant_version"`
	Paths    []string `json:"paths"` // what was investigated, as given
	First    string   `json:"first"` // time of the first and last record, RFC 3339 UTC, "" if none
	Last     string   `json:"last"`
	TimeZone string   `json:"time_zone"` // assumed for stamps without one
}

// Source is one log that was read.
type Source struct {
	ID          string     `json:"id"`     // 24 hex digits of the content's SHA-256
	Path        string     `json:"path"`   // members of archives after '!'
	Format      string     `json:"format"` // "" if refused
	SHA256      string     `json:"sha256"` // of the content as read (decompressed)
	Bytes       int64      `json:"bytes"`
	Encoding    string     `json:"encoding,omitempty"`
	First       string     `json:"first,omitempty"`
	Last        string     `json:"last,omitempty"`
	TimeQuality string     `json:"time_quality"` // "exact", "zone assumed", "year inferred", "none", joined by ", "
	Accounting  Accounting `json:"accounting"`
	DuplicateOf string     `json:"duplicate_of,omitempty"` // path of the source with the same content
	Unread      bool       `json:"unread,omitempty"`       // could not be read to its end
	Problems    []string   `json:"problems,omitempty"`
}

// Accounting is the invariant that nothing is lost: BytesIn = BytesEvents +
// BytesSeparators + BytesRefused, and Records = Decoded + Undecoded + Duplicate.
type Accounting struct {
	BytesIn         int64 `json:"bytes_in"`
	BytesEvents     int64 `json:"bytes_events"`
	BytesSeparators int64 `json:"bytes_separators"`
	BytesRefused    int64 `json:"bytes_refused"`
	Records         int64 `json:"records"`
	Decoded         int64 `json:"decoded"`
	Undecoded       int64 `json:"undecoded"`
	Duplicate       int64 `json:"duplicate"`
	Balanced        bool  `json:"balanced"`
}

// Add adds the sums of b; the result is balanced if both are.
func (a *Accounting) Add(b Accounting) {
	a.BytesIn += b.BytesIn
	a.BytesEvents += b.BytesEvents
	a.BytesSeparators += b.BytesSeparators
	a.BytesRefused += b.BytesRefused
	a.Records += b.Records
	a.Decoded += b.Decoded
	a.Undecoded += b.Undecoded
	a.Duplicate += b.Duplicate
	a.Balanced = a.Balanced && b.Balanced
}

// Finding is a finding with its times spelt out.
type Finding struct {
	analyze.Finding
	First string `json:"first"`
	Last  string `json:"last"`
}

// Statistics are the counts behind the charts; lists are sorted by count, then name.
type Statistics struct {
	Events    int64        `json:"events"`
	Datasets  []Count      `json:"datasets"`
	Hosts     []Count      `json:"hosts"`
	Users     []Count      `json:"users"`
	SourceIPs []Count      `json:"source_ips"`
	Actions   []Count      `json:"actions"`
	Outcomes  []Count      `json:"outcomes"`
	Timeline  Timeline     `json:"timeline"`
	Days      []Count      `json:"days"`       // events by day with any, UTC, "2026-03-02", in order
	WeekHours [7][24]int64 `json:"week_hours"` // events by weekday (Monday first) and hour, UTC
}

// Count is a value and how many events have it.
type Count struct {
	Value string `json:"value"`
	Count int64  `json:"count"`
}

// Timeline counts events over time in equal steps, by dataset.
type Timeline struct {
	Start  string           `json:"start"` // RFC 3339 UTC
	Step   int64            `json:"step_seconds"`
	Series []TimelineSeries `json:"series"`
}

// TimelineSeries is one dataset's counts, one per step.
type TimelineSeries struct {
	Dataset string  `json:"dataset"`
	Counts  []int64 `json:"counts"`
}

// Rules says what became of every rule: Loaded are those Applied and NotApplicable together; Failed are others.
type Rules struct {
	Loaded        int           `json:"loaded"`         // can be used
	Applied       int           `json:"applied"`        // had logs to be tried on
	Matched       int           `json:"matched"`        // of these
	NotApplicable int           `json:"not_applicable"` // no such log source here
	Failed        []RuleProblem `json:"failed"`         // could not be loaded
	Matches       []RuleCount   `json:"matches"`        // rules that matched, most first
	Missing       []Count       `json:"missing"`        // log sources that rules wanted and nothing here is, with the number of rules
	Limits        []string      `json:"limits"`         // bounds that were reached, one sentence each
}

// RuleProblem is a rule file that could not be used.
type RuleProblem struct {
	File  string `json:"file"`
	Error string `json:"error"`
}

// RuleCount is how many events matched a rule.
type RuleCount struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Level string `json:"level"`
	Count int64  `json:"count"`
}

// SortCounts sorts by count, most first, then by value.
func SortCounts(c []Count) {
	slices.SortFunc(c, func(a, b Count) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Value, b.Value))
	})
}
