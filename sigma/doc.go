// Package sigma reads Sigma 2.x rules and runs all of them over log events in one pass.
//
// It knows the Sigma specification and nothing of any particular log store. A program that wants
// detections does five things:
//
//	rules, errs := sigma.Load("rules/", "my-rules.yml") // 1. read; a broken rule costs only itself
//	eng := sigma.Compile(rules, sigma.Options{Mapping: mapping})
//	m := eng.NewMatcher()                               // 2. one per goroutine
//	for each event {
//		m.Reset(m.Route(dataset, channel, eventID))     // 3. which logs is this event from?
//		for each field { m.Set(eng.Slot(name), value) } //    (slots are looked up once, outside the loop)
//		matches = m.Match(matches[:0])                  // 4. no allocation
//	}
//	c := sigma.NewCorrelator(eng, sigma.CorrelatorOptions{}) // 5. feed it the matches in time order
//
// # Rules
//
// A [Rule] mirrors the specification field by field. One file may hold several YAML documents:
// detection rules, correlation rules, filters, and the collection actions global, reset and repeat.
// [Load] and [Parse] return every rule that could be read and one [RuleError], naming file and line,
// for every document that could not.
//
// # Log sources and field names
//
// Rules are written for a Sigma log source (category, product, service) in Sigma's field names. A
// [Mapping] says which of the caller's events those are and what the caller calls the fields. Rules are
// compiled per log of the mapping, straight to the caller's field names, so nothing is translated
// per event. Without a mapping, log sources and names are taken as they stand in the rules.
//
// # What matches
//
//   - Strings compare without regard to case (Unicode simple folding) unless cased; * and ? are
//     wildcards; the backslash escapes only *, ? and itself. Regular expressions are case-sensitive
//     and unanchored.
//   - A number in a rule equals the field when the field reads as the same number (4625, "4625",
//     "0x1211"); a quoted number is a string.
//   - A field with several values matches when any value does.
//   - A field may be missing, null, empty or filled: "field: null" is true when it is missing or null,
//     "field: ”" only when it is present and empty, "field|exists: true" whenever it is present, even
//     null or empty. Every other test is false on a missing or null field; neq is the plain negation of its
//     test and so is true there.
//   - Keywords (values without a field) are searched inside every field value and the raw message.
//
// Sigma specification: https://github.com/SigmaHQ/sigma-specification
package sigma
