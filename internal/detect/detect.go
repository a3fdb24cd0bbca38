// Package detect ties the Sigma engine to Sextant's events: it loads rules,
// knows which of them are for which logs (logsources.yaml), matches events in
// parallel, and gathers what matched into findings.
//
//	d := detect.Load(detect.Options{Paths: dirs})
//	m := d.NewMatcher()            // one per goroutine
//	hits = m.MatchBatch(batch, hits)
//	g.Add(batch, path, hits)       // g := d.NewGatherer(), in source order
//	findings, err := g.Findings(ctx, store)
package detect

import (
	_ "embed"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/sextant-logs/sextant/sigma"
)

//go:embed logsources.yaml
var logSources []byte

// Options say which rules to use.
type Options struct {
	Embedded fs.FS       // rules built in; nil for none
	Paths    []string    // rule files and directories
	MinLevel sigma.Level // rules below it are left out; LevelNone for all
	Include  []string    // if any, only rules that one of these words names; see Names
	Exclude  []string    // rules that one of these words names are left out
	Tags     []string    // if any, only rules with one of these tags; see HasTag
	Status   []string    // if any, only rules of one of these statuses
	Tuning   *Tuning     // per host, user and address; nil for none
	Since    int64       // ns since the epoch: earlier events are not matched; 0 for all
	Until    int64       // later events are not matched; 0 for all

	Placeholders map[string][]string // values of %name% in rules with the modifier expand; see sigma.ParsePlaceholders
}

// Names reports whether a person's word names the rule: its id, its name, its
// status, one of its tags (with or without "attack."), or a part of its title or file,
// in any case.
func Names(word string, r *sigma.Rule) bool {
	word = strings.ToLower(word)
	if word == strings.ToLower(r.ID) || word == strings.ToLower(r.Name) || word == strings.ToLower(r.Status) {
		return true
	}
	return HasTag(word, r) || strings.Contains(strings.ToLower(r.Title), word) || strings.Contains(strings.ToLower(r.File), word)
}

// HasTag reports whether a rule has a tag, in any case, with or without "attack."; a technique is also that of its sub-techniques.
func HasTag(tag string, r *sigma.Rule) bool {
	tag = strings.TrimPrefix(strings.ToLower(tag), "attack.")
	technique := len(tag) == 5 && tag[0] == 't' && strings.Trim(tag[1:], "0123456789") == ""
	return slices.ContainsFunc(r.Tags, func(t string) bool {
		t = strings.TrimPrefix(strings.ToLower(t), "attack.")
		return t == tag || technique && strings.HasPrefix(t, tag+".")
	})
}

// wanted reports whether the options keep a rule.
func (o *Options) wanted(r *sigma.Rule) bool {
	named := func(words []string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return Names(w, r) })
	}
	return !named(o.Exclude) && r.Level >= o.MinLevel && (len(o.Include) == 0 || named(o.Include)) &&
		(len(o.Tags) == 0 || slices.ContainsFunc(o.Tags, func(t string) bool { return HasTag(t, r) })) &&
		(len(o.Status) == 0 || slices.ContainsFunc(o.Status, func(s string) bool { return strings.EqualFold(s, r.Status) }))
}

// Detector is a compiled set of rules. It is immutable but for the matchers
// and gatherers made from it.
type Detector struct {
	engine *sigma.Engine
	rules  []*sigma.Rule
	failed []*sigma.RuleError
	order  map[*sigma.Rule]int

	fields   map[string]fieldUse // every event field that a rule or the routing reads
	routes   int                 // number of route fields
	category int                 // of them, event.category
	bare     []bool              // by log: its rules read nothing but records' own fields

	since, until int64
	tuning       *Tuning
	idle         []string             // entries of the tuning that do nothing, and why
	quiet        map[*sigma.Rule]bool // below MinLevel or not included, but a correlation needs them
}

// fieldUse says what a field of ours is wanted for.
type fieldUse struct {
	slot  sigma.Slot
	route int // index among the route fields, -1 for none
	ours  bool

	held *holders // nil for what no field holds, as is usual
}

// holders are the fields that hold another.
type holders struct {
	slots  []sigma.Slot
	prefix []int // bytes of the other's name that are theirs
}

// useOf completes what a field is wanted for.
func (d *Detector) useOf(name string, use fieldUse) fieldUse {
	if slots, prefix := d.engine.Holders(name); len(slots) > 0 {
		use.held = &holders{slots, prefix}
	}
	use.ours = isOurs(name)
	return use
}

// Load reads and compiles rules. It never fails as a whole: Summary tells
// which rules could not be used.
func Load(opt Options) (*Detector, error) {
	mapping, err := sigma.ParseMapping("logsources.yaml", logSources)
	if err != nil {
		return nil, fmt.Errorf("log source table: %w", err)
	}
	d := &Detector{order: map[*sigma.Rule]int{}, fields: map[string]fieldUse{}}
	if opt.Embedded != nil {
		d.rules, d.failed = sigma.LoadFS(opt.Embedded, "builtin/", func(path string) bool { return !strings.HasSuffix(path, ".test.yml") })
	}
	rules, failed := sigma.Load(opt.Paths...)
	d.rules = append(d.rules, rules...)
	for _, f := range failed {
		// Samples beside rules are no rules (see package rulepack).
		if !strings.HasSuffix(f.File, ".test.yml") && !strings.HasSuffix(f.File, ".test.yaml") {
			d.failed = append(d.failed, f)
		}
	}
	d.dropTwins()
	d.since, d.until = opt.Since, opt.Until
	if opt.Tuning != nil { // a copy, as it takes up these rules
		d.tuning = &Tuning{file: opt.Tuning.file, entries: slices.Clone(opt.Tuning.entries), expired: opt.Tuning.expired}
	}
	d.idle = d.tuning.levels(d.rules)
	d.keep(&opt)
	for i, r := range d.rules {
		d.order[r] = i
	}
	if d.tuning != nil {
		for _, n := range d.tuning.entries {
			for r, other := range n.told {
				d.order[other] = d.order[r]
			}
		}
	}
	d.engine = sigma.Compile(d.rules, sigma.Options{Mapping: mapping, Placeholders: opt.Placeholders})
	for s := range d.engine.Slots() {
		d.fields[d.engine.SlotField(sigma.Slot(s))] = fieldUse{slot: sigma.Slot(s), route: -1}
	}
	for i, name := range d.engine.RouteFields() {
		use, ok := d.fields[name]
		if !ok {
			use.slot = sigma.NoSlot
		}
		use.route = i
		d.fields[name] = use
		d.routes = i + 1
	}
	for name, use := range d.fields {
		d.fields[name] = d.useOf(name, use)
	}
	d.category = slices.Index(d.engine.RouteFields(), "event.category")
	for s := range mapping.Logs {
		read := d.engine.FieldsFor(sigma.SourceID(s))
		d.bare = append(d.bare, !slices.ContainsFunc(read, func(name string) bool { return !ofRecord(name) }))
	}
	return d, nil
}

// dropTwins keeps the first of rules that share an id: a directory given twice
// must not report everything twice.
func (d *Detector) dropTwins() {
	seen := map[string]bool{}
	d.rules = slices.DeleteFunc(d.rules, func(r *sigma.Rule) bool {
		if r.ID == "" {
			return false
		}
		twin := seen[r.ID]
		seen[r.ID] = true
		return twin
	})
}

// keep drops the rules that are not wanted. What a wanted correlation refers to
// stays, but is not reported by itself.
func (d *Detector) keep(opt *Options) {
	byRef := map[string][]*sigma.Rule{}
	for _, r := range d.rules {
		byRef[r.ID] = append(byRef[r.ID], r)
		if r.Name != "" && r.Name != r.ID {
			byRef[r.Name] = append(byRef[r.Name], r)
		}
	}
	d.quiet = map[*sigma.Rule]bool{}
	needed := map[*sigma.Rule]bool{}
	var need func(r *sigma.Rule)
	need = func(r *sigma.Rule) {
		if r.Correlation == nil || needed[r] {
			return
		}
		needed[r] = true
		for _, ref := range r.Correlation.Rules {
			for _, b := range byRef[ref] {
				if b.Correlation == nil {
					needed[b] = true
				}
				need(b)
			}
		}
	}
	for _, r := range d.rules {
		if r.Correlation != nil && opt.wanted(r) {
			need(r)
		}
	}
	d.rules = slices.DeleteFunc(d.rules, func(r *sigma.Rule) bool {
		switch {
		case r.Filter != nil:
			return false
		case r.Correlation != nil:
			return !needed[r]
		case opt.wanted(r):
			return false
		}
		d.quiet[r] = true
		return !needed[r]
	})
}

// Rules returns every rule that was loaded, embedded ones first.
func (d *Detector) Rules() []*sigma.Rule { return d.rules }

// Failed says which files, documents and rules cannot be used, and why.
func (d *Detector) Failed() []*sigma.RuleError {
	return append(slices.Clone(d.failed), d.engine.Report().Failed...)
}

// Engine is the compiled engine, for explaining rules.
func (d *Detector) Engine() *sigma.Engine { return d.engine }
