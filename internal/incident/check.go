package incident

import (
	"errors"
	"fmt"
	"slices"
	"unicode"
	"unicode/utf8"
)

// Check verifies what must hold of every incident: no sentence stands without
// evidence, all that is cited is listed in Evidence, lists are sorted, levels
// and results are those that exist, and text holds no control characters.
// known, unless nil, says whether the case has the record of an event.id; it
// is what `sextant verify --answers` asks. All that is wrong is returned, joined.
func Check(incidents []Incident, known func(id string) bool) error {
	var errs []error
	seen := map[string]bool{}
	for i := range incidents {
		inc := &incidents[i]
		fail := func(format string, args ...any) {
			errs = append(errs, fmt.Errorf("incident %s: %w", inc.ID, fmt.Errorf(format, args...)))
		}
		if inc.ID == "" || seen[inc.ID] {
			fail("its id is empty or not its own")
		}
		seen[inc.ID] = true
		if inc.Score < 0 || inc.Score > 100 || inc.Severity != severityOf(inc.Score) {
			fail("severity %q does not follow from score %d", inc.Severity, inc.Score)
		}
		if !slices.Contains([]string{Succeeded, Failed, Mixed, Unknown}, inc.Outcome.Result) {
			fail("outcome %q", inc.Outcome.Result)
		}
		if inc.Outcome.Result != Unknown && len(inc.Outcome.Why) == 0 {
			fail("outcome %q without a reason", inc.Outcome.Result)
		}
		if inc.Impact.Level != "unknown" && !slices.Contains(impactLevels, inc.Impact.Level) {
			fail("impact level %q", inc.Impact.Level)
		}
		if inc.Impact.Level != "unknown" && len(inc.Impact.Facts) == 0 {
			fail("impact %q without facts", inc.Impact.Level)
		}
		for name, list := range map[string][]string{
			"where.hosts": inc.Where.Hosts, "where.sources": inc.Where.Sources, "where.destinations": inc.Where.Destinations,
			"who.users": inc.Who.Users, "who.processes": inc.Who.Processes, "techniques": inc.Techniques, "findings": inc.Findings,
		} {
			if !slices.IsSorted(list) || len(slices.Compact(slices.Clone(list))) != len(list) {
				fail("%s is not sorted, or says a thing twice", name)
			}
		}
		if len(inc.Findings) == 0 {
			fail("no findings")
		}
		listed := map[string]bool{}
		for _, id := range inc.Evidence {
			if listed[id] {
				fail("evidence %s is listed twice", id)
			}
			listed[id] = true
			if known != nil && !known(id) {
				fail("evidence %s is not in the case", id)
			}
		}
		proved := func(where, text string, evidence []string) {
			if len(evidence) == 0 {
				fail("%s: without evidence: %s", where, text)
			}
			for _, id := range evidence {
				if !listed[id] {
					fail("%s: evidence %q is not listed", where, id)
				}
			}
			if err := readable(text); err != nil {
				fail("%s: %w", where, err)
			}
		}
		for _, s := range inc.What {
			proved("what", s.Text, s.Evidence)
		}
		for _, s := range inc.Outcome.Why {
			proved("outcome", s.Text, s.Evidence)
		}
		for _, s := range inc.Impact.Facts {
			proved("impact", s.Text, s.Evidence)
		}
		for _, s := range inc.Timeline {
			proved("timeline", s.Text, s.Evidence)
		}
		if len(inc.What) == 0 {
			fail("nothing says what happened")
		}
		if err := readable(inc.Title); err != nil {
			fail("title: %w", err)
		}
	}
	return errors.Join(errs...)
}

func readable(text string) error {
	if text == "" || !utf8.ValidString(text) {
		return fmt.Errorf("text is empty or not UTF-8: %q", text)
	}
	for _, r := range text {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return fmt.Errorf("text has control character %U: %q", r, text)
		}
	}
	return nil
}
