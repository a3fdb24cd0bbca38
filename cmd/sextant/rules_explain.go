package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/sextant-logs/sextant/internal/detect"
	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/export"
	"github.com/sextant-logs/sextant/internal/patterns"
	"github.com/sextant-logs/sextant/internal/rulepack"
	"github.com/sextant-logs/sextant/internal/store"
	"github.com/sextant-logs/sextant/sigma"
)

func newRulesExplain() *cobra.Command {
	var caseDir, id, idFile, placeholders string
	var server serverFlags
	var dirs []string
	c := &cobra.Command{
		Use:   "explain RULE [--event ID]",
		Short: "Say why a rule matches a record of a case, or what keeps it from it",
		Long: `Say of each selection of a rule what was looked for in a record and what was there,
and the smallest change that would make the rule match. RULE is an id, a name, or a part of
the title; ID is an event.id as reports and queries give it.

Of a correlation, say how often the rules that it refers to match in the case, and how near
the records came to what it asks for: those that share the record's group-by values, or
without --event those that came nearest.`,
		Example: `  sextant rules explain --case case --event 9f86d081884c7d659a2feaa0-0000000431 'ssh login failed'
  sextant rules explain --case case 'ssh brute force'
  sextant rules explain --case case --rules sigma/rules --event ID 5e0f7a51-6a0f-4e2e-9f5c-0c7a1f2b3d01`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if idFile != "" {
				data, err := os.ReadFile(idFile)
				if err != nil {
					return usageError{err}
				}
				words := strings.Fields(string(data))
				if len(words) > 0 {
					id = strings.Trim(words[len(words)-1], `"`)
				}
			}
			values, err := readPlaceholders(placeholders)
			if err != nil {
				return err
			}
			d, err := detect.Load(detect.Options{Embedded: rulepack.Rules, Paths: dirs, Placeholders: values})
			if err != nil {
				return err
			}
			rule, err := findRule(d, args[0])
			if err != nil {
				return err
			}
			if id == "" && rule.Correlation == nil {
				return usagef("name the record with --event")
			}
			st, err := server.open(c.Context(), caseDir)
			if err != nil {
				return err
			}
			defer st.Close()
			if rule.Correlation != nil {
				x, err := d.ExplainCorrelation(c.Context(), st, rule, id)
				if err != nil {
					return err
				}
				w := buffered(c)
				writeCorrelation(w, x, id)
				return w.Flush()
			}
			var found []event.Event
			err = st.Query(c.Context(), `"event.id":=`+strconv.Quote(id), func(row []event.Field) error {
				found = append(found, detect.Stored(row))
				return nil
			})
			if err != nil {
				return err
			}
			if len(found) == 0 {
				return fmt.Errorf("the case %s has no record %s", caseDir, id)
			}
			x, err := d.Explain(rule, &found[0])
			if err != nil {
				return err
			}
			w := buffered(c)
			writeExplanation(w, rule, x)
			return w.Flush()
		},
	}
	c.Flags().StringVarP(&caseDir, "case", "c", "case", "case directory")
	server.register(c)
	c.Flags().StringVar(&id, "event", "", "event.id of the record")
	c.Flags().StringVar(&idFile, "event-file", "", "file whose last word is the event.id")
	c.Flags().StringSliceVar(&dirs, "rules", nil, "Sigma rule files or directories, besides the rules built in")
	registerPlaceholders(c, &placeholders)
	return c
}

// findRule returns the one rule that the word names.
func findRule(d *detect.Detector, word string) (*sigma.Rule, error) {
	var found []*sigma.Rule
	for _, r := range d.Rules() {
		if r.ID == word || r.Name == word || strings.EqualFold(r.Title, word) {
			return r, nil
		}
		if strings.Contains(strings.ToLower(r.Title), strings.ToLower(word)) {
			found = append(found, r)
		}
	}
	switch len(found) {
	case 0:
		return nil, usagef("no rule is named %q; `sextant rules list` lists them", word)
	case 1:
		return found[0], nil
	}
	var titles []string
	for _, r := range found[:min(5, len(found))] {
		titles = append(titles, r.Title)
	}
	return nil, usagef("%d rules have %q in their title: %s …; give an id", len(found), word, strings.Join(titles, "; "))
}

// openCase opens the store of an existing case.
func openCase(dir string) (*store.Embedded, error) {
	if err := isCase(dir); err != nil {
		return nil, err
	}
	st, err := store.Open(dir, store.Options{Synonyms: patterns.Synonyms(dir)})
	return st, served(dir, err)
}

func isCase(dir string) error {
	_, err := os.Stat(dir + "/ledger.jsonl")
	if errors.Is(err, os.ErrNotExist) {
		return usagef("%s is no case; make one with `sextant investigate --case %s PATH…`", dir, shellWord(dir))
	}
	return err
}

// sayer returns what writes a line; on a terminal a longer one goes on below, indented a little more.
func sayer(w io.Writer) func(format string, args ...any) {
	columns := 0
	if termIsTerminal(os.Stdout) {
		columns = width(os.Stdout)
	}
	return func(format string, args ...any) {
		line := export.Terminal(fmt.Sprintf(format, args...))
		indent := line[:len(line)-len(strings.TrimLeft(line, " "))] + "    "
		for columns > 2*len(indent) && utf8.RuneCountInString(line) > columns {
			cut := 0 // bytes of what fits
			for n := 0; n < columns; n++ {
				_, size := utf8.DecodeRuneInString(line[cut:])
				cut += size
			}
			if space := strings.LastIndexByte(line[:cut+1], ' '); space > len(indent) {
				cut = space
			}
			fmt.Fprintln(w, line[:cut])
			line = indent + strings.TrimLeft(line[cut:], " ")
		}
		fmt.Fprintln(w, line)
	}
}

// writeTests says what the tests of one field looked for and what was there.
func writeTests(say func(format string, args ...any), tests []sigma.TestResult) {
	field, first := tests[0].Field, tests[0]
	if field == "" {
		field = "any text"
	}
	names := first.EventName
	if n := len(names) - 4; n > 1 {
		names = append(slices.Clone(names[:4]), fmt.Sprintf("%d more", n))
	}
	if of := strings.Join(names, " or "); of != "" && of != field {
		field += " (" + of + ")"
	}
	switch {
	case first.Field == "":
		say("   %s:", field)
	case len(first.Got) > 0:
		say("   %s: it is %s", field, quoteAll(first.Got))
	case first.Present:
		say("   %s: it is null", field)
	default:
		say("   %s: it is not there", field)
	}
	for i := 0; i < len(tests); {
		var wanted []string
		n := i
		for ; n < len(tests) && tests[n].Matched == tests[i].Matched && (n == i || first.Field != "" || !tests[n].Matched); n++ {
			wanted = append(wanted, tests[n].Wanted)
		}
		what := strings.Join(sigma.Wanted(wanted), "; ")
		if first.Field == "" && tests[i].Matched {
			what += ", in " + quoteAll(tests[i].Got)
		}
		say("      %s %s", map[bool]string{true: "yes", false: "no "}[tests[i].Matched], what)
		i = n
	}
}

func writeExplanation(w io.Writer, r *sigma.Rule, x *sigma.Explanation) {
	say := sayer(w)
	verdict := "does not match"
	if x.Matched {
		verdict = "matches"
	}
	say("%s (%s) %s", r.Title, r.Ref(), verdict)
	if !x.Applies {
		say("The rule is for %s; the record is of another log.", r.LogSource)
	} else {
		say("The record is of the log %s.", x.Source)
	}
	for _, s := range x.Searches {
		say("%s: %s", s.Name, map[bool]string{true: "holds", false: "does not hold"}[s.Matched])
		for i := 0; i < len(s.Tests); {
			n := i + 1
			for n < len(s.Tests) && s.Tests[n].Field == s.Tests[i].Field {
				n++
			}
			writeTests(say, s.Tests[i:n])
			i = n
		}
	}
	for _, c := range x.Conditions {
		say("condition: %s", c)
	}
	for i, c := range x.Changes {
		if i == 0 {
			say("It would match if:")
		}
		say("   %s", c)
	}
}

// writeCorrelation says how near a correlation came.
func writeCorrelation(w io.Writer, x *detect.CorrelationExplanation, id string) {
	say := sayer(w)
	verdict := "does not match"
	if x.Matches > 0 {
		verdict = "matches"
	}
	say("%s (%s) %s", x.Rule.Title, x.Rule.Ref(), verdict)
	say("Records of the logs it is for: %d.", x.Records)
	for _, r := range x.Rules {
		name := r.Rule.Ref()
		if r.Rule.Title != "" {
			name = r.Rule.Title + " (" + name + ")"
		}
		switch {
		case r.Matches == 0 && r.NoLog:
			say("   %s matches nothing: no log here is of %s", name, r.Rule.LogSource)
		case r.Matches == 0:
			say("   %s matches nothing", name)
		default:
			say("   %s matches %d", name, r.Matches)
		}
		for _, m := range r.Missing {
			say("      %d of them have no %s and were not counted", m.Events, m.Field)
		}
	}
	if x.Untimed > 0 {
		say("   %d matches have no time and were not counted", x.Untimed)
	}
	if x.Truncated {
		say("There were too many matches: the later ones were not looked at.")
	}
	if id != "" && !x.Asked {
		say("It does not count the record %s; --event with one of the rules above says why.", id)
	}
	if x.Counted {
		say("%s: %s within %s, from %s to %s", nearest(x, id != "" && x.Asked), reached(x), sigma.Span(x.Rule.Correlation.Timespan), utc(x.First), utc(x.Last))
	}
	for i, c := range x.Changes {
		if i == 0 {
			say("It would match with:")
		}
		or := ""
		if i > 0 && x.Counted {
			or = "or "
		}
		say("   %s%s", or, c)
	}
}

// nearest names the group that an explanation tells of.
func nearest(x *detect.CorrelationExplanation, asked bool) string {
	var values []string
	for _, g := range x.Group {
		values = append(values, g.Field+" "+strconv.Quote(g.Value))
	}
	group := strings.Join(values, ", ")
	switch {
	case group == "":
		return "In all"
	case asked:
		return "The record's group, " + group
	case x.Matches > 0:
		return "For " + group
	}
	return fmt.Sprintf("The nearest of %d, %s", x.Groups, group)
}

// reached says what was reached of what was wanted.
func reached(x *detect.CorrelationExplanation) string {
	c := x.Rule.Correlation
	value := strconv.FormatFloat(x.Value, 'f', -1, 64)
	if c.Type == "temporal" || c.Type == "temporal_ordered" {
		s := fmt.Sprintf("%s of %d rules", value, len(x.Rules))
		if len(x.Seen) > 0 {
			s += " (" + strings.Join(x.Seen, ", ") + ")"
		}
		return s
	}
	what := strings.ReplaceAll(c.Type, "_", " ")
	if len(c.Condition.Fields) > 0 {
		what += " of " + strings.Join(c.Condition.Fields, ", ")
	}
	if b := c.Condition.Bounds; len(b) == 1 && b[0].Op == "gte" && x.Matches == 0 {
		return fmt.Sprintf("%s %s of the wanted %s", what, value, strconv.FormatFloat(b[0].Value, 'f', -1, 64))
	}
	var wanted []string
	for _, b := range c.Condition.Bounds {
		wanted = append(wanted, b.Op+" "+strconv.FormatFloat(b.Value, 'f', -1, 64))
	}
	return fmt.Sprintf("%s %s, wanted %s", what, value, strings.Join(wanted, " and "))
}

func utc(ns int64) string { return time.Unix(0, ns).UTC().Format(time.RFC3339) }

func quoteAll(values []string) string {
	var out []string
	for i, v := range values {
		if i == 5 {
			out = append(out, "…")
			break
		}
		if len(v) > 200 {
			v = strings.ToValidUTF8(v[:200], "") + "…"
		}
		out = append(out, strconv.Quote(v))
	}
	return strings.Join(out, ", ")
}
