package sigma

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Explanation says why a rule did or did not match an event.
type Explanation struct {
	Rule       *Rule
	Applies    bool   // the event is of a log source that the rule is for
	Source     string // that log's name
	Matched    bool
	Conditions []string
	Searches   []SearchResult
	// Changes is a smallest set of changes to the event that would make the rule match; empty when it does.
	Changes []string
}

// SearchResult is one search identifier's outcome.
type SearchResult struct {
	Name    string
	Matched bool
	Tests   []TestResult
}

// TestResult is one field test's outcome: what was looked for and what was there.
type TestResult struct {
	Field     string   // the rule's name of the field; "" for keywords
	EventName []string // the caller's names of it
	Wanted    string   // e.g. `contains "-enc"`
	Got       []string // the values there
	Present   bool
	Matched   bool
}

// Wanted puts neighbours of what tests want together: contains "a", "b" is both.
func Wanted(wanted []string) (out []string) {
	verb := func(s string) string {
		before, _, ok := strings.Cut(s, `"`)
		if !ok || !strings.HasSuffix(s, `"`) {
			return ""
		}
		return before
	}
	for i, w := range wanted {
		if v := verb(w); i > 0 && v != "" && v == verb(wanted[i-1]) {
			out[len(out)-1] += ", " + w[len(v):]
			continue
		}
		out = append(out, w)
	}
	return out
}

// Explain evaluates one detection rule on one event, slowly and without the compiled matcher, and says what it saw. The
// event is as for Matcher.MatchMap.
func (e *Engine) Explain(r *Rule, sources []SourceID, event map[string]any, message string) (*Explanation, error) {
	i := slices.Index(e.rules, r)
	switch {
	case i < 0:
		return nil, errors.New("the rule is not among those compiled")
	case r.Detection == nil:
		return nil, errors.New("only detection rules can be explained on one event")
	}
	if e.logics[i] == nil {
		for _, f := range e.report.Failed {
			if f.File == r.File && f.Rule == r.Ref() {
				return nil, f
			}
		}
		return nil, errors.New("the rule could not be used")
	}
	x := &Explanation{Rule: r, Conditions: r.Detection.Conditions}
	v := &view{}
	for _, s := range sources {
		if s >= 0 && int(s) < len(e.mapping.Logs) && e.covers(s, r) {
			// Of several logs, the one on which it matches says most.
			w := newView(&e.mapping.Logs[s], event, message)
			if !x.Applies || !x.Matched {
				v, x.Applies, x.Source = w, true, e.mapping.Logs[s].Label()
				x.Matched = w.eval(e.logics[i])
			}
		}
	}
	if !x.Applies {
		var logs []string
		for l := range e.mapping.Logs {
			if e.covers(SourceID(l), r) {
				if len(logs) == 0 {
					v = newView(&e.mapping.Logs[l], event, message)
				}
				logs = append(logs, e.mapping.Logs[l].Label())
			}
		}
		if len(logs) == 0 {
			v = newView(&Log{}, event, message)
			x.Changes = append(x.Changes, fmt.Sprintf("the rule is for %s, which no known log is", r.LogSource))
		} else {
			x.Changes = append(x.Changes, fmt.Sprintf("the event would have to be of %s (%s)", r.LogSource, strings.Join(logs[:min(len(logs), 5)], ", ")))
		}
	}
	seen := map[*expr]bool{}
	var walk func(n *expr)
	walk = func(n *expr) {
		if n.kind == exprSearch {
			if !seen[n] {
				seen[n] = true
				s := SearchResult{Name: n.name, Matched: v.eval(n)}
				v.results(n.kids[0], &s.Tests)
				x.Searches = append(x.Searches, s)
			}
			return
		}
		for _, k := range n.kids {
			walk(k)
		}
	}
	walk(e.logics[i])
	if !x.Matched {
		_, changes := v.change(e.logics[i], true)
		x.Changes = append(x.Changes, changes...)
	}
	return x, nil
}

// covers reports whether the rule is tried on the log.
func (e *Engine) covers(s SourceID, r *Rule) bool {
	l := &e.mapping.Logs[s]
	return l.Covered(r.LogSource) && (e.mapped || sameSource(l, r.LogSource))
}

// view is an event as one log's rules see it, evaluated value by value. It is what the compiled matcher is tested against.
type view struct {
	log    *Log
	values map[string][]string // by the caller's field
	within map[string][]string // by what holds fields: what they say
	null   map[string]bool
	texts  []string
}

func newView(l *Log, event map[string]any, message string) *view {
	v := &view{log: l, values: map[string][]string{}, within: map[string][]string{}, null: map[string]bool{}}
	for _, f := range flatten(event) {
		if f.null {
			v.null[f.name] = true
			continue
		}
		v.values[f.name] = append(v.values[f.name], f.value)
		if !f.made {
			v.texts = append(v.texts, f.value)
		}
		for _, name := range holders(l.objects, f.name) {
			v.within[name] = append(v.within[name], Member(f.name[len(name)+1:], f.value, true))
		}
	}
	if message != "" {
		v.texts = append(v.texts, message)
	}
	return v
}

// get returns a Sigma field's values and whether it is present at all.
func (v *view) get(field string) (values []string, present bool) {
	if field == "" {
		return v.texts, true
	}
	t := v.log.Resolve(field)
	a := newAlias(0, t)
	for _, from := range t.From {
		if first, second, between := splitJoin(from); between != "" {
			if x, y := v.values[first], v.values[second]; len(x) > 0 && len(y) > 0 {
				values = append(values, a.rewrite(x[0]+between+y[0]))
			}
			continue
		}
		for _, s := range v.values[from] {
			values = append(values, a.rewrite(s))
		}
		values = append(values, v.within[from]...)
		present = present || v.null[from]
	}
	return values, present || len(values) > 0
}

func (v *view) test(t *test) bool {
	values, present := v.get(t.field)
	var target Target
	if t.field != "" {
		target = v.log.Resolve(t.field)
	}
	if target.Itself != nil && (t.op == opNull || t.op == opExists) {
		values, present = nil, false
		for _, f := range target.Itself {
			values, present = append(values, v.values[f]...), present || v.null[f] || len(v.values[f]) > 0
		}
	}
	if target.Absent != nil && len(values) == 0 && t.op <= opContains && !t.cased {
		values = []string{*target.Absent}
	}
	switch t.op {
	case opExists:
		return present
	case opNull:
		return len(values) == 0
	case opFieldRef:
		others, _ := v.get(t.text)
		return slices.ContainsFunc(values, func(a string) bool {
			return slices.ContainsFunc(others, func(b string) bool { return t.refers(a, b) })
		})
	}
	return slices.ContainsFunc(values, func(s string) bool { return t.matches(s, fold(s)) })
}

func (v *view) eval(x *expr) bool {
	switch x.kind {
	case exprLeaf:
		return v.test(x.test)
	case exprNot:
		return !v.eval(x.kids[0])
	case exprSearch:
		return v.eval(x.kids[0])
	}
	n := 0
	for _, k := range x.kids {
		if v.eval(k) {
			n++
		}
	}
	switch x.kind {
	case exprAnd:
		return n == len(x.kids)
	case exprOr:
		return n > 0
	}
	return n >= x.n
}

func (v *view) results(x *expr, out *[]TestResult) {
	if x.kind == exprLeaf {
		values, present := v.get(x.test.field)
		r := TestResult{Field: x.test.field, Wanted: x.test.want, Present: present, Matched: v.test(x.test)}
		if x.test.field != "" {
			r.EventName = v.log.Resolve(x.test.field).From
			r.Got = values
		} else if r.Present = r.Matched; r.Matched {
			at := slices.IndexFunc(v.texts, func(s string) bool { return x.test.matches(s, fold(s)) })
			r.Got = []string{x.test.excerpt(v.texts[at])}
		}
		*out = append(*out, r)
		return
	}
	for _, k := range x.kids {
		v.results(k, out)
	}
}

// excerpt is the part of a text that a test for keywords found.
func (t *test) excerpt(s string) string {
	const around = 60
	at := 0
	if t.op == opContains {
		at = max(0, strings.Index(fold(s), t.text)) // folding seldom moves anything
	}
	from, to := max(0, at-around), min(len(s), at+len(t.text)+around)
	if from >= to {
		from = 0
	}
	out := strings.ToValidUTF8(s[from:to], "")
	if from > 0 {
		out = "…" + out
	}
	if to < len(s) {
		out += "…"
	}
	return out
}

// change returns the fewest changes of tests that make x come out as wanted, and how many they are.
func (v *view) change(x *expr, want bool) (int, []string) {
	if v.eval(x) == want {
		return 0, nil
	}
	switch x.kind {
	case exprLeaf:
		return 1, []string{v.describe([]*expr{x}, want)}
	case exprNot:
		return v.change(x.kids[0], !want)
	case exprSearch:
		return v.change(x.kids[0], want)
	}
	need := len(x.kids) // how many kids must come out as wanted
	switch {
	case x.kind == exprOr && want, x.kind == exprAnd && !want:
		need = 1
	case x.kind == exprAtLeast && want:
		need = x.n
	case x.kind == exprAtLeast:
		need = len(x.kids) - x.n + 1
	}
	if need == 1 { // alternatives on one field read better as one
		leaves := slices.DeleteFunc(slices.Clone(x.kids), func(k *expr) bool { return k.kind != exprLeaf })
		if len(leaves) == len(x.kids) && len(leaves) > 1 &&
			!slices.ContainsFunc(leaves, func(k *expr) bool { return k.test.field != leaves[0].test.field }) {
			return 1, []string{v.describe(leaves, want)}
		}
	}
	type option struct {
		cost    int
		changes []string
	}
	options := make([]option, len(x.kids))
	for i, k := range x.kids {
		options[i].cost, options[i].changes = v.change(k, want)
	}
	slices.SortStableFunc(options, func(a, b option) int { return cmp.Compare(a.cost, b.cost) })
	cost, changes := 0, []string(nil)
	for _, o := range options[:min(need, len(options))] {
		cost += o.cost
		changes = append(changes, o.changes...)
	}
	if len(x.kids) == 0 {
		return 1, []string{"nothing: the condition cannot hold"}
	}
	return cost, changes
}

func (v *view) describe(leaves []*expr, want bool) string {
	const most = 5
	field := leaves[0].test.field
	var wanted []string
	for _, l := range leaves[:min(len(leaves), most)] {
		wanted = append(wanted, l.test.want)
	}
	what := strings.Join(Wanted(wanted), ", or ")
	if n := len(leaves) - most; n > 0 {
		what += fmt.Sprintf(", or one of %d more", n)
	}
	if field == "" {
		if want {
			return "the event should have text that " + what
		}
		return "the event should have no text that " + what
	}
	values, present := v.get(field)
	is := "it is absent"
	switch {
	case len(values) > 0:
		var quoted []string
		for _, s := range values[:min(len(values), most)] {
			if len(s) > 200 {
				s = strings.ToValidUTF8(s[:200], "") + "…"
			}
			quoted = append(quoted, strconv.Quote(s))
		}
		is = "it is " + strings.Join(quoted, ", ")
	case present:
		is = "it is null"
	}
	name := field
	if from := v.log.Resolve(field).From; !slices.Equal(from, []string{field}) {
		if n := len(from) - 4; n > 1 {
			from = append(slices.Clone(from[:4]), fmt.Sprintf("%d more", n))
		}
		name += " (" + strings.Join(from, ", ") + ")"
	}
	verb := "should be one that "
	if !want {
		verb = "should not be one that "
	}
	return name + " " + verb + what + "; " + is
}
