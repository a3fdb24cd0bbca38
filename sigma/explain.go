package sigma

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

// Explain evaluates one rule on one event, slowly, and says what it saw. The event is as for Matcher.MatchMap.
func (e *Engine) Explain(r *Rule, sources []SourceID, event map[string]any, message string) (*Explanation, error) {
	panic("not built yet")
}
