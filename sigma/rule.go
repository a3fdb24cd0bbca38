package sigma

import (
	"fmt"
	"time"

	"go.yaml.in/yaml/v3"
)

// Rule is one Sigma document. Exactly one of Detection, Correlation and Filter is set.
//
// Specification: sigma-rules-specification.md, sigma-correlation-rules-specification.md,
// sigma-filters-specification.md (versions 2.0 and 2.1).
type Rule struct {
	Title          string
	ID             string // usually a UUID; compared as written
	Name           string // unique, human-readable; how correlations and filters may refer to the rule
	Related        []Related
	Taxonomy       string // "" means the default, "sigma"
	Status         string // stable, test, experimental, deprecated, unsupported
	Description    string
	License        string
	Author         string
	References     []string
	Date           string // YYYY-MM-DD as written
	Modified       string
	LogSource      LogSource
	Fields         []string
	FalsePositives []string
	Level          Level
	Tags           []string // e.g. attack.t1059.001
	Scope          []string

	Detection   *Detection
	Correlation *Correlation
	Filter      *Filter

	// Custom holds the document's other attributes, which the specification allows.
	Custom map[string]*yaml.Node

	File string // as given to Parse or found by Load
	Line int    // line of the document's first key
}

// Ref is how a person would name the rule: its id, else its name, else its title.
func (r *Rule) Ref() string {
	switch {
	case r.ID != "":
		return r.ID
	case r.Name != "":
		return r.Name
	}
	return r.Title
}

// Related is a reference to another rule.
type Related struct {
	ID   string
	Type string // derived, obsolete, merged, renamed, similar
}

// Level is a rule's criticality, ordered so that levels can be compared.
type Level uint8

const (
	LevelNone Level = iota // the rule names no level
	LevelInformational
	LevelLow
	LevelMedium
	LevelHigh
	LevelCritical
)

var levelNames = [...]string{"", "informational", "low", "medium", "high", "critical"}

func (l Level) String() string {
	if int(l) < len(levelNames) {
		return levelNames[l]
	}
	return ""
}

// ParseLevel reads a level's name as rules write it; "" is LevelNone.
func ParseLevel(s string) (Level, error) {
	for i, n := range levelNames {
		if s == n {
			return Level(i), nil
		}
	}
	return LevelNone, fmt.Errorf("unknown level %q (want informational, low, medium, high or critical)", s)
}

// LogSource says which logs a rule is for. An empty attribute means any.
type LogSource struct {
	Category   string
	Product    string
	Service    string
	Definition string // for people; never evaluated
}

// Covers reports whether a rule for log source l applies to a log that is of log source log: every
// attribute that l names must be the log's.
func (l LogSource) Covers(log LogSource) bool {
	return (l.Category == "" || l.Category == log.Category) &&
		(l.Product == "" || l.Product == log.Product) &&
		(l.Service == "" || l.Service == log.Service)
}

func (l LogSource) String() string {
	s := ""
	for _, p := range [...][2]string{{"category", l.Category}, {"product", l.Product}, {"service", l.Service}} {
		if p[1] == "" {
			continue
		}
		if s != "" {
			s += " "
		}
		s += p[0] + "=" + p[1]
	}
	if s == "" {
		return "any log"
	}
	return s
}

// Detection is a rule's detection section: named searches and the condition that combines them. Several
// conditions are linked by OR.
type Detection struct {
	Searches   []Search // in the order written
	Conditions []string

	conditionLine int
}

// Search is one search identifier: alternatives linked by OR. A map gives one alternative, a list of maps one each.
type Search struct {
	Name         string
	Alternatives []Alternative
	Line         int
}

// Alternative is one map: items linked by AND.
type Alternative struct {
	Items []Item
}

// Item is one "field|modifier|…: values" line. Field "" means keywords. Values are linked by OR, or by AND with
// the modifier all.
type Item struct {
	Field     string
	Modifiers []string
	Values    []Value
	Line      int
}

// Value is a scalar of a rule, keeping apart what YAML keeps apart.
type Value struct {
	Kind ValueKind
	Text string  // as written, after YAML's own unquoting
	Num  float64 // Kind Number
	Bool bool    // Kind Bool
	Line int
}

// ValueKind is the YAML type of a Value.
type ValueKind uint8

const (
	StringValue ValueKind = iota
	NumberValue
	BoolValue
	NullValue
)

// Correlation is the correlation section of a correlation rule.
type Correlation struct {
	Type     string   // event_count, value_count, temporal, temporal_ordered, value_sum, value_avg, value_percentile, value_median, value_min, value_max
	Rules    []string // ids or names, in order
	GroupBy  []string // Sigma field names or aliases
	Timespan time.Duration
	Aliases  map[string]map[string]string // alias, rule id or name, field
	Generate bool                         // also report the referred rules' own matches

	Condition CorrelationCondition
	// Expression is an extended condition of temporal correlations ("a and not b" over rule names);
	// Condition is unused then.
	Expression string
}

// CorrelationCondition is a comparison, or a range when it has two bounds.
type CorrelationCondition struct {
	Bounds     []Bound  // linked by AND
	Fields     []string // of value_* correlations; several make a tuple
	Percentile *float64 // of value_percentile: compare this percentile of the numbers
}

// Bound is one comparison of a correlation condition.
type Bound struct {
	Op    string // gt, gte, lt, lte, eq, neq
	Value float64
}

// Holds reports whether n satisfies every bound.
func (c *CorrelationCondition) Holds(n float64) bool {
	for _, b := range c.Bounds {
		ok := false
		switch b.Op {
		case "gt":
			ok = n > b.Value
		case "gte":
			ok = n >= b.Value
		case "lt":
			ok = n < b.Value
		case "lte":
			ok = n <= b.Value
		case "eq":
			ok = n == b.Value
		case "neq":
			ok = n != b.Value
		}
		if !ok {
			return false
		}
	}
	return true
}

// Filter is the filter section of a Sigma filter: a detection whose condition is joined by AND to the
// conditions of the rules it names ("not selection" suppresses).
type Filter struct {
	Rules     []string // ids, names or titles; empty means every rule that the filter's log source covers
	Detection Detection
}

// RuleError says why a rule, or one document of a file, cannot be used.
type RuleError struct {
	File string
	Line int    // 0 when unknown
	Rule string // id, name or title, where known
	Err  error
}

func (e *RuleError) Error() string {
	s := e.File
	if e.Line > 0 {
		s = fmt.Sprintf("%s:%d", s, e.Line)
	}
	if s != "" {
		s += ": "
	}
	if e.Rule != "" {
		s += "rule " + e.Rule + ": "
	}
	return s + e.Err.Error()
}

func (e *RuleError) Unwrap() error { return e.Err }
