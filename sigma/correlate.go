package sigma

// CorrelatorOptions bound a Correlator's memory. Zero values take the defaults.
type CorrelatorOptions struct {
	MaxGroups  int // group-by combinations held per correlation rule; default 100,000
	MaxEvents  int // events held per group; default 10,000 (raised to what a rule's threshold needs)
	MaxRelated int // event ids named in a match; default 1,000
}

// Correlator runs the engine's correlation rules over its matches. It is not safe for concurrent use: feed it from
// one goroutine, in event-time order; the same input gives the same output.
type Correlator struct{}
type correlation struct{}

func (e *Engine) linkCorrelations() {}

// NewCorrelator returns a correlator for the engine's correlation rules.
func NewCorrelator(e *Engine, opt CorrelatorOptions) *Correlator { panic("not built yet") }

// Wants reports whether a correlation refers to the rule: only such matches need be observed.
func (c *Correlator) Wants(r *Rule) bool { panic("not built yet") }

// Fields names the caller's fields that Observe will ask for when given a match of the rule on the source.
func (c *Correlator) Fields(r *Rule, s SourceID) []string { panic("not built yet") }

// Observation is one match of a detection rule.
type Observation struct {
	Time  int64  // nanoseconds since the epoch
	Event string // the caller's id of the event; opaque
	Match Match
	// Field returns the value of one of the caller's fields, and whether the event has it.
	Field func(name string) (string, bool)
}

// Observe takes the next match and appends the correlations that it completes to dst.
func (c *Correlator) Observe(o Observation, dst []CorrelationMatch) []CorrelationMatch {
	panic("not built yet")
}

// Advance tells the correlator that no match before t will come, and appends correlations that are decided
// by the end of their window ("fewer than", averages, percentiles, not).
func (c *Correlator) Advance(t int64, dst []CorrelationMatch) []CorrelationMatch {
	panic("not built yet")
}

// Flush ends the input: every open window is decided.
func (c *Correlator) Flush(dst []CorrelationMatch) []CorrelationMatch { panic("not built yet") }

// Limits returns the bounds that were reached, in a fixed order; empty when nothing was lost.
func (c *Correlator) Limits() []Limit { panic("not built yet") }

// Limit says that a correlation rule reached one of the correlator's bounds.
type Limit struct {
	Rule  *Rule
	What  string // "groups", "events", "late" or "without group-by field"
	Count int    // how often
}

// CorrelationMatch is one correlation rule that matched.
type CorrelationMatch struct {
	Rule      *Rule
	First     int64 // time of the first and last event counted, nanoseconds
	Last      int64
	Group     []GroupValue
	Value     float64  // what the condition was compared with: count, sum, …
	Events    []string // ids of the events counted, in time order, at most MaxRelated
	Truncated bool     // more events than Events names
	Silent    bool     // the rule only serves other correlations
}

// GroupValue is one group-by field and its value.
type GroupValue struct{ Field, Value string }
