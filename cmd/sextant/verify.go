package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/sextant-logs/sextant/internal/export"
	"github.com/sextant-logs/sextant/internal/pipeline"
	"github.com/sextant-logs/sextant/internal/prose"
)

var _ = command(newVerify)

func newVerify() *cobra.Command {
	var read readFlags
	var rules ruleFlags
	var caseDir, output string
	var answers bool
	var deep int
	var perDay int
	c := &cobra.Command{
		Use:   "verify [PATH…]",
		Short: "Hold a case against the evidence it was made of",
		Long: `Hold a case against the evidence that it was made of, which is under the PATHs, or
where it was when it was investigated.

Without flags: that each source has the SHA-256 that the ledger has, that the case
holds each of its records, and that the books balance.

With --answers: that each record that an answer cites is in the evidence, at the place
that its event.id tells and as the case and the report have it. The sentences that
rest on one that is not are listed.

With --deep N as well: that the answers, made anew from the evidence, are those of the
report; and then, up to N times, that without a record which a sentence cites the
sentence reads otherwise, is gone, or stands on fewer records. That takes about as long as investigating once
for each sentence of the incident that has most.

Flags that say how to read or which rules to run are those of the investigation unless
they are given. The exit code is 1 when anything is not as it should be.`,
		Example: `  sextant verify --case break-in
  sextant verify --case break-in --answers /mnt/evidence
  sextant verify --case break-in --deep 50 -o json`,
		RunE: func(c *cobra.Command, args []string) error {
			if err := oneOf("-o", output, "text", "json"); err != nil {
				return err
			}
			if deep < 0 {
				return usagef("--deep %d: want a number from 1", deep)
			}
			if err := recallSettings(c, caseDir); err != nil {
				return err
			}
			ruleOptions, err := rules.options()
			if err != nil {
				return err
			}
			opt, err := read.options(args)
			if err != nil {
				return err
			}
			bar := newProgress(c.ErrOrStderr())
			opt.Progress = bar.report
			v, err := pipeline.Verify(c.Context(), pipeline.VerifyOptions{
				Investigation: pipeline.Investigation{Options: opt, MaxFindingsPerDay: perDay, Case: caseDir, Rules: ruleOptions, Version: version}, Answers: answers, Deep: deep})
			bar.clear()
			if err != nil {
				return err
			}
			for _, p := range v.Problems {
				fmt.Fprintln(c.ErrOrStderr(), export.Terminal(p))
			}
			out := buffered(c)
			if output == "json" {
				e := json.NewEncoder(out)
				e.SetEscapeHTML(false)
				e.SetIndent("", "  ")
				err = e.Encode(v)
			} else {
				writeVerification(out, v)
			}
			if err != nil {
				return err
			}
			if err := out.Flush(); err != nil {
				return err
			}
			if !v.OK {
				return errSources // said already
			}
			return nil
		},
	}
	read.register(c)
	rules.register(c)
	budgetFlag(c, &perDay)
	c.Flags().StringVarP(&caseDir, "case", "c", "case", "case directory")
	c.Flags().BoolVar(&answers, "answers", false, "read each record that an answer cites from the evidence again")
	c.Flags().IntVar(&deep, "deep", 0, "make the answers anew, and again without one of the records they cite, for up to so many records")
	c.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return c
}

// maxListed bounds each list of what is wrong that is printed.
const maxListed = 50

func writeVerification(out io.Writer, v *pipeline.Verification) {
	say := func(format string, args ...any) { fmt.Fprintln(out, export.Terminal(fmt.Sprintf(format, args...))) }
	states := map[string]int{}
	var records int64
	wrong := 0
	for _, s := range v.Sources {
		states[s.State]++
		records += s.Records
		for _, p := range s.Problems {
			if wrong++; wrong <= maxListed {
				say("WRONG  %s: %s", s.Path, p)
			}
		}
		if s.State == pipeline.SourceGrown {
			say("note   %s: has grown since; what was investigated is unchanged", s.Path)
		}
	}
	if wrong > maxListed {
		say("WRONG  and %d more", wrong-maxListed)
	}
	say("sources   %s: %d unchanged, %d grown, %d changed, %d missing; %s", prose.Count(int64(len(v.Sources)), "source"),
		states[pipeline.SourceUnchanged], states[pipeline.SourceGrown], states[pipeline.SourceChanged], states[pipeline.SourceMissing], prose.Count(records, "record"))
	if a := v.Answers; a != nil {
		for _, f := range a.Failed[:min(len(a.Failed), maxListed)] {
			say("WRONG  record %s: %s", f.ID, f.What)
		}
		for _, u := range a.Unproved[:min(len(a.Unproved), maxListed)] {
			say("WRONG  not proved: %s", u.Text)
		}
		say("answers   %s of %s cite %s; %d confirmed in the evidence, %d not; %s not proved", prose.Count(int64(a.Sentences), "sentence"),
			prose.Count(int64(a.Incidents), "incident"), prose.Count(int64(a.Cited), "record"), a.Confirmed, len(a.Failed), prose.Count(int64(len(a.Unproved)), "sentence"))
	}
	if r := v.Removal; r != nil {
		if !r.Same {
			say("WRONG  made anew from the evidence, the answers are not those of the report (with the same rules and version?)")
		}
		for _, s := range r.Stood[:min(len(r.Stood), maxListed)] {
			say("WRONG  reads the same without record %s, and without all that took its place: %s", s.Record, s.Text)
		}
		say("removal   %s taken away: %s changed or gone, %d stood on fewer records, %d on another in its place, %d on nothing", prose.Count(int64(r.Removed), "record"), prose.Count(int64(r.Changed), "sentence"), r.Weaker, r.Replaced, len(r.Stood))
	}
	if v.OK {
		say("verified  nothing is wrong")
	} else {
		say("NOT VERIFIED")
	}
}

// settings are flags that decide what an investigation finds, kept in the case
// so that it can be made again the same way.
var settings = []string{"format", "tz", "year", "recover", "rules", "no-builtin", "min-level", "include", "exclude", "tag", "status", "tuning", "placeholders", "since", "until", "geoip", "max-findings-per-day"}

// chosenSettings are those flags that were given, as JSON: name to values.
func chosenSettings(c *cobra.Command) (string, error) {
	chosen := map[string][]string{}
	for _, name := range settings {
		f := c.Flags().Lookup(name)
		if f == nil || !f.Changed {
			continue
		}
		if list, ok := f.Value.(interface{ GetSlice() []string }); ok {
			chosen[name] = list.GetSlice()
		} else {
			chosen[name] = []string{f.Value.String()}
		}
	}
	data, err := json.Marshal(chosen)
	return string(data), err
}

// recallSettings gives the flags that were not given the values that they had
// when the case was made.
func recallSettings(c *cobra.Command, caseDir string) error {
	st, err := openCase(caseDir)
	if err != nil {
		return err
	}
	defer st.Close()
	text := st.Ledger().Meta(pipeline.SettingsKey)
	if text == "" {
		return nil
	}
	chosen := map[string][]string{}
	if err := json.Unmarshal([]byte(text), &chosen); err != nil {
		return fmt.Errorf("%s: the settings in the ledger cannot be read: %w", caseDir, err)
	}
	for name, values := range chosen {
		f := c.Flags().Lookup(name)
		if f == nil || f.Changed || !slices.Contains(settings, name) {
			continue
		}
		if list, ok := f.Value.(interface{ Replace([]string) error }); ok {
			err = list.Replace(values)
		} else if len(values) == 1 {
			err = f.Value.Set(values[0])
		}
		if err != nil {
			return fmt.Errorf("%s: setting --%s of the case: %w", caseDir, name, err)
		}
	}
	return nil
}
