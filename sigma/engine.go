package sigma

// Options tune Compile.
type Options struct {
	// Mapping says what the caller's logs and fields are. Nil takes the rules' log sources and field
	// names as they stand.
	Mapping *Mapping
	// Placeholders are the values of %name% in items with the modifier expand. A rule with a placeholder that has
	// no values fails, as the specification demands.
	Placeholders map[string][]string
}

// Engine is a set of rules compiled for matching. It is immutable and safe for concurrent use; each goroutine
// matches with a Matcher of its own.
type Engine struct{}

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
func Compile(rules []*Rule, opt Options) *Engine { panic("not built yet") }

// Report says which rules are active, unmapped and failed.
func (e *Engine) Report() *Report { panic("not built yet") }

// Slot returns the slot of one of the caller's fields, or NoSlot when no rule reads it. Look slots up once.
func (e *Engine) Slot(field string) Slot { panic("not built yet") }

// SlotField is the inverse of Slot.
func (e *Engine) SlotField(s Slot) string { panic("not built yet") }

// Slots is the number of slots: valid slots are 0 to Slots()-1.
func (e *Engine) Slots() int { panic("not built yet") }

// RouteFields names the caller's fields, in order, whose values Matcher.Route wants.
func (e *Engine) RouteFields() []string { panic("not built yet") }

// SourcesOf returns the logs that are of log source ls, for callers that know it without routing.
func (e *Engine) SourcesOf(ls LogSource) []SourceID { panic("not built yet") }

// RulesFor counts the rules that are tried on events of a source.
func (e *Engine) RulesFor(s SourceID) int { panic("not built yet") }

// NewMatcher returns a matcher for one goroutine.
func (e *Engine) NewMatcher() *Matcher { panic("not built yet") }

// Match is one rule that matched the event.
type Match struct {
	Rule   *Rule
	Source SourceID // the first of the event's sources on which it matched
	// Silent is set when the rule only serves correlations that do not ask to generate its own matches.
	Silent bool
}

// Matcher matches one event at a time. Per event: Reset, Set for each field, Match.
type Matcher struct{}

// Route returns the sources that an event is of, given the values of Engine.RouteFields in that order
// ("" for an absent one). Results are cached: the usual cost is one map lookup. The returned slice is the
// matcher's; it stays valid and must not be changed.
func (m *Matcher) Route(values ...string) []SourceID { panic("not built yet") }

// Reset starts an event that is of the given sources.
func (m *Matcher) Reset(sources []SourceID) { panic("not built yet") }

// Set gives a field's value; again with the same slot for a further value. NoSlot is ignored. The string is read
// until the next Reset, not after.
func (m *Matcher) Set(s Slot, value string) { panic("not built yet") }

// SetNull says that a field is present without a value (JSON null).
func (m *Matcher) SetNull(s Slot) { panic("not built yet") }

// WantsText reports whether a rule for this event searches for keywords: only then do AddText and SetMessage matter.
func (m *Matcher) WantsText() bool { panic("not built yet") }

// SetMessage gives the raw message, which keywords are searched in.
func (m *Matcher) SetMessage(raw string) { panic("not built yet") }

// AddText gives the value of a field that has no slot, for keywords.
func (m *Matcher) AddText(value string) { panic("not built yet") }

// Match appends the rules that match the event to dst, in the order the rules were given to Compile, each once.
func (m *Matcher) Match(dst []Match) []Match { panic("not built yet") }

// MatchMap matches one event held in a map: nested maps become dotted names, slices several values, nil null. For
// tests and importers; the other methods are the fast way.
func (m *Matcher) MatchMap(sources []SourceID, event map[string]any, message string) []Match {
	panic("not built yet")
}
