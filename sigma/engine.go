package sigma

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Options tune Compile.
type Options struct {
	// Mapping says what the caller's logs and fields are. Nil takes the rules' log sources and field
	// names as they stand.
	Mapping *Mapping
	// Placeholders are the values of %name% in items with the modifier expand. A rule with a placeholder that has
	// no values fails, as the specification demands.
	Placeholders map[string][]string
}

// Engine is a set of rules compiled for matching. It does not change and is safe for concurrent use; each goroutine
// matches with a Matcher of its own.
type Engine struct {
	rules   []*Rule
	silent  []bool  // by rule: only serves correlations
	logics  []*expr // by rule: its condition over tests, for Explain; nil when not a usable detection
	mapping *Mapping
	mapped  bool // the mapping is the caller's
	router  *router
	report  Report

	slots    []slotInfo // 0 keywords, then inputs-1 fields of the caller, then fields made of several
	inputs   int
	slotOf   map[string]Slot
	names    []string
	preds    []predicate
	triggers outputs // by predicate: variants that become candidates with it
	variants []variant
	logs     []logInfo
	joins    []string // what stands between the values of each pair of fields that are joined

	keywords [][]needle // sets that logs share; what is looked for in all of an event

	making sync.Mutex // guards what is made as events come:
	unmade []*needles // by slot: what its automata are to be made of, nil when they are made
	unions unions

	correlations []*correlation
}

const keywordSlot = 0

// slotInfo is what is looked for in one field.
type slotInfo struct {
	absent    *string // what is looked for the needles if there is no value
	aliases   []alias
	ifPresent []int32 // predicates that hold when the field is there
	ifAny     []int32 // … and is not null
	numbers   map[float64][]int32
	start     *trie
	end       *trie
	inside    finder
	naive     []naiveNeedle
}

// finder finds needles anywhere in a value.
type finder struct {
	skip   *skipper // in place of plain when needles are few and long
	plain  *dfa
	wide   *dfa          // needles that are not ASCII, for values that are not
	naive  []naiveNeedle // of keywords: those that did not fit
	number uint64        // of keywords: which they are, never 0
}

// unions are the finders for the keywords of events that are of several logs.
type unions struct {
	made  map[string]*finder
	count uint64
}

func (f *finder) none() bool { return f.skip == nil && f.plain == nil && f.wide == nil }

// alias passes a field's values on to a field that is made of several or is rewritten.
type alias struct {
	to       int32
	join     int32 // number of the pair that the value is half of, -1 for none
	second   bool  // … the second half
	values   map[string]string
	prefixes []([2]string) // longest first
}

func newAlias(to int32, t Target) alias {
	a := alias{to: to, values: t.Values}
	for from, to := range t.Prefixes {
		a.prefixes = append(a.prefixes, [2]string{from, to})
	}
	slices.SortFunc(a.prefixes, func(x, y [2]string) int {
		if d := len(y[0]) - len(x[0]); d != 0 {
			return d
		}
		return strings.Compare(x[0], y[0])
	})
	return a
}

func (a *alias) rewrite(v string) string {
	if w, ok := a.values[v]; ok {
		return w
	}
	for _, p := range a.prefixes {
		if len(v) >= len(p[0]) && strings.EqualFold(v[:len(p[0])], p[0]) {
			return p[1] + v[len(p[0]):]
		}
	}
	return v
}

type naiveNeedle struct {
	test  *test
	preds []int32
}

// predicate is one test of one slot, shared by all rules that ask it.
type predicate struct {
	test   *test
	slot   int32
	ref    int32     // the other slot of opFieldRef
	marked bool      // found by the automata when the field is set; otherwise computed when asked
	folds  bool      // needs the folded value
	guards [][]int32 // computed only when one of each of these holds
}

// node is a rule's logic over predicates.
type node struct {
	kind   exprKind
	marked bool // of a leaf: the automata find its predicate
	pred   int32
	n      int32
	kids   []node
}

// variant is a rule compiled for the logs that call its fields alike.
type variant struct {
	rule    int32
	sources []uint64 // bit set of logs
	logic   node
}

type logInfo struct {
	need   []uint64 // bit set of slots
	always []int32  // variants that can match without any predicate holding
	rules  int

	text     bool // some rule has keywords:
	keywords int  // index into Engine.keywords
	kept     bool // some of them are no needles
}

// SourceID is a log of the mapping: an index into Mapping.Logs, or one of those that SourcesOf returns.
type SourceID int32

// Slot is where a field's value goes in a Matcher. NoSlot is the slot of a field that no rule reads.
type Slot int32

// NoSlot is what Engine.Slot returns for a field that no rule reads.
const NoSlot Slot = -1

// Report says what became of the rules handed to Compile, so that none is silently unused.
type Report struct {
	Rules    int          // rules handed in: detections, correlations and filters
	Active   int          // will be tried on events, or run as correlation, or joined to rules as filter
	Unmapped []*Rule      // for a log source that the mapping does not have
	Failed   []*RuleError // cannot be used, and why
}

// Compile builds the matcher of all rules. It never fails as a whole: Report names the rules that cannot
// be used and why.
func Compile(rules []*Rule, opt Options) *Engine {
	e := &Engine{
		rules: rules, silent: make([]bool, len(rules)), logics: make([]*expr, len(rules)),
		mapping: opt.Mapping, mapped: opt.Mapping != nil, slotOf: map[string]Slot{},
	}
	e.report.Rules = len(rules)
	if e.mapping == nil {
		e.mapping = identity(rules)
	}
	e.router = newRouter(e.mapping)
	type lowered struct {
		logic *expr
		line  int
		err   error
	}
	done := make([]lowered, len(rules))
	sideBySide(len(rules), func(i int) {
		if d := rules[i].Detection; d != nil {
			done[i].logic, done[i].line, done[i].err = lowerDetection(d, opt.Placeholders)
		}
	})
	for i, r := range rules {
		if done[i].err != nil {
			e.fail(r, done[i].line, done[i].err)
			continue
		}
		e.logics[i] = done[i].logic
	}
	e.joinFilters(opt.Placeholders)
	e.build()
	e.linkCorrelations()
	slices.SortStableFunc(e.report.Failed, func(a, b *RuleError) int {
		if c := strings.Compare(a.File, b.File); c != 0 {
			return c
		}
		return a.Line - b.Line
	})
	return e
}

// sideBySide calls do with each of 0 to n-1, on all processors.
func sideBySide(n int, do func(i int)) {
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), n) {
		workers.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(i)
			}
		})
	}
	workers.Wait()
}

func (e *Engine) fail(r *Rule, line int, err error) {
	if line == 0 {
		line = r.Line
	}
	e.report.Failed = append(e.report.Failed, &RuleError{File: r.File, Line: line, Rule: r.Ref(), Err: err})
}

// Report says which rules are active, unmapped and failed.
func (e *Engine) Report() *Report { return &e.report }

// Rules returns the rules as they were handed to Compile.
func (e *Engine) Rules() []*Rule { return e.rules }

// Slot returns the slot of one of the caller's fields, or NoSlot when no rule reads it. Look slots up once.
func (e *Engine) Slot(field string) Slot {
	if s, ok := e.slotOf[field]; ok {
		return s
	}
	return NoSlot
}

// SlotField is the inverse of Slot.
func (e *Engine) SlotField(s Slot) string {
	if s < 0 || int(s) >= len(e.names) {
		return ""
	}
	return e.names[s]
}

// Holders returns the slots of the fields that hold the named one and are read as a whole (see Mapping.Objects), and how many bytes of
// the name are theirs.
func (e *Engine) Holders(field string) (slots []Slot, prefix []int) {
	for _, name := range holders(e.mapping.Objects, field) {
		if s, ok := e.slotOf[name]; ok {
			slots, prefix = append(slots, s), append(prefix, len(name)+1)
		}
	}
	return slots, prefix
}

// Slots is the number of slots: valid slots are 0 to Slots()-1.
func (e *Engine) Slots() int { return len(e.names) }

// RouteFields names the caller's fields, in order, whose values Matcher.Route wants.
func (e *Engine) RouteFields() []string { return e.router.fields }

// SourcesOf returns the logs that are of log source ls, for callers that know it without routing.
func (e *Engine) SourcesOf(ls LogSource) []SourceID {
	var out []SourceID
	one := func(s []string) string { return strings.Join(s, ",") }
	for i := range e.mapping.Logs {
		l := &e.mapping.Logs[i]
		covers := l.Covered(ls)
		if !e.mapped { // logs are the rules' own log sources: a rule for less is for all of it
			covers = LogSource{one(l.Category), one(l.Product), one(l.Service), ""}.Covers(ls)
		}
		if covers {
			out = append(out, SourceID(i))
		}
	}
	return out
}

// SourceName names a source for people.
func (e *Engine) SourceName(s SourceID) string {
	if s < 0 || int(s) >= len(e.mapping.Logs) {
		return ""
	}
	return e.mapping.Logs[s].Label()
}

// RulesFor counts the rules that are tried on events of a source.
func (e *Engine) RulesFor(s SourceID) int {
	if s < 0 || int(s) >= len(e.logs) {
		return 0
	}
	return e.logs[s].rules
}

// FieldsFor names the caller's fields that the rules for a source read, in no particular order.
func (e *Engine) FieldsFor(s SourceID) []string {
	if s < 0 || int(s) >= len(e.logs) {
		return nil
	}
	needs := func(slot int32) bool { return e.logs[s].need[slot/64]&(1<<(slot%64)) != 0 }
	var out []string
	for i, name := range e.names {
		slot := int32(i) + 1
		if needs(slot) || slices.ContainsFunc(e.slots[slot].aliases, func(a alias) bool { return needs(a.to) }) {
			out = append(out, name)
		}
	}
	return out
}

// lowerDetection turns a detection into logic over tests. On error the line is that of the culprit.
func lowerDetection(d *Detection, placeholders map[string][]string) (*expr, int, error) {
	names := make([]string, len(d.Searches))
	searches := map[string]*expr{}
	for i := range d.Searches {
		s := &d.Searches[i]
		names[i] = s.Name
		var alternatives []*expr
		for _, a := range s.Alternatives {
			var items []*expr
			for k := range a.Items {
				x, err := lowerItem(&a.Items[k], placeholders)
				if err != nil {
					return nil, a.Items[k].Line, fmt.Errorf("%s: %s: %w", s.Name, strings.Join(append([]string{a.Items[k].Field}, a.Items[k].Modifiers...), "|"), err)
				}
				items = append(items, x)
			}
			alternatives = append(alternatives, and(items...))
		}
		searches[s.Name] = &expr{kind: exprSearch, name: s.Name, kids: []*expr{or(alternatives...)}}
	}
	var conditions []*expr
	for _, c := range d.Conditions {
		x, err := parseCondition(c, names, func(name string) *expr { return searches[name] })
		if err != nil {
			return nil, d.conditionLine, fmt.Errorf("condition: %w", err)
		}
		conditions = append(conditions, x)
	}
	x := or(conditions...)
	if n := expanded(x, map[*expr]int{}); n > maxTests {
		return nil, d.conditionLine, fmt.Errorf("condition: refers to more than %d tests", maxTests)
	}
	return x, 0, nil
}

// maxTests bounds a rule's tests, each counted as often as the condition refers to it. The largest public rules have some thousand.
const maxTests = 200_000

// expanded counts the nodes of an expression whose searches are shared as if they were not, up to maxTests.
func expanded(x *expr, known map[*expr]int) int {
	if n, ok := known[x]; ok {
		return n
	}
	n := 1
	for _, k := range x.kids {
		if n += expanded(k, known); n > maxTests {
			break
		}
	}
	known[x] = n
	return n
}

// joinFilters adds each Sigma filter's condition to the rules it is for.
func (e *Engine) joinFilters(placeholders map[string][]string) {
	for _, f := range e.rules {
		if f.Filter == nil {
			continue
		}
		x, line, err := lowerDetection(&f.Filter.Detection, placeholders)
		if err != nil {
			e.fail(f, line, err)
			continue
		}
		joined := 0
		for i, r := range e.rules {
			if e.logics[i] == nil || !f.LogSource.Covers(r.LogSource) {
				continue
			}
			named := len(f.Filter.Rules) == 0 || slices.ContainsFunc(f.Filter.Rules, func(ref string) bool {
				return ref != "" && (ref == r.ID || ref == r.Name || ref == r.Title)
			})
			if named {
				e.logics[i] = and(e.logics[i], x)
				joined++
			}
		}
		if joined == 0 {
			e.fail(f, 0, errors.New("none of the rules it names is loaded for its log source"))
			continue
		}
		e.report.Active++
	}
}
