package report

import (
	"fmt"
	"github.com/sextant-logs/sextant/internal/analyze"
	"github.com/sextant-logs/sextant/internal/prose"
	"strings"

	"github.com/sextant-logs/sextant/internal/incident"
	"github.com/sextant-logs/sextant/internal/verdict"
)

// Headline says in a sentence or two what came of the investigation.
func Headline(inv *Investigation) string {
	if len(inv.Incidents) == 0 {
		s := "No incident was found."
		if n := len(inv.Findings); n > 0 {
			s += fmt.Sprintf(" %s; see below.", prose.Count(n, "finding stands by itself", "findings stand by themselves"))
		}
		return s
	}
	succeeded, unknown := 0, 0
	for _, in := range inv.Incidents {
		switch in.Outcome.Result {
		case incident.Succeeded, incident.Mixed:
			succeeded++
		case incident.Unknown:
			unknown++
		}
	}
	s := prose.Count(len(inv.Incidents), "incident") + " found"
	switch {
	case succeeded > 0:
		s += fmt.Sprintf(", of which %d succeeded at least in part", succeeded)
	case unknown == 0:
		s += "; none succeeded, as far as the logs tell"
	}
	if unknown > 0 {
		s += fmt.Sprintf("; of %d the logs here do not tell whether they succeeded", unknown)
	}
	return s + ". The gravest: " + inv.Incidents[0].Title + "."
}

// Mark says what people made of an incident or a finding.
func Mark(s verdict.State) string {
	text := map[string]string{verdict.TruePositive: "confirmed", verdict.FalsePositive: "false positive", verdict.Benign: "benign"}[s.Verdict]
	if text == "" {
		text = "not decided"
	}
	if s.By != "" && s.Verdict != "" {
		text += ", by " + s.By
	}
	if len(s.Tags) > 0 {
		text += "; " + strings.Join(s.Tags, ", ")
	}
	return text
}

func noteLine(n verdict.Note) string {
	if n.By != "" {
		return n.Time + " " + n.By + ": " + n.Text
	}
	return n.Time + ": " + n.Text
}

// Scope says what the investigation rests on.
func Scope(inv *Investigation) string {
	if l := inv.Live; l != nil {
		s := fmt.Sprintf("Live, as it was at %s: %s since %s", shortTime(l.At), prose.Count(inv.Statistics.Events, "record"), shortTime(l.Since))
		if inv.Case.First != "" {
			s += fmt.Sprintf(", the first of %s, the last of %s", shortTime(inv.Case.First), shortTime(inv.Case.Last))
		}
		return s + fmt.Sprintf("; %s. Times are UTC; where a log names no zone, %s was assumed.", prose.Count(inv.Rules.Loaded, "rule"), inv.Case.TimeZone)
	}
	s := fmt.Sprintf("%s from %s", prose.Count(int(inv.Accounting.Records), "record"), prose.Count(len(inv.Sources), "source"))
	if inv.Case.First != "" {
		s += fmt.Sprintf(", %s to %s", inv.Case.First, inv.Case.Last)
	}
	return s + fmt.Sprintf("; %s, %d of them with logs to work on. Times are UTC; where a log names no zone, %s was assumed.",
		prose.Count(inv.Rules.Loaded, "rule"), inv.Rules.Applied, inv.Case.TimeZone)
}

// Books says how the bytes and records add up.
func Books(a Accounting) string {
	s := fmt.Sprintf("%d bytes read = %d in records + %d between them + %d refused. %d records = %d decoded + %d kept as plain text + %d there already.",
		a.BytesIn, a.BytesEvents, a.BytesSeparators, a.BytesRefused, a.Records, a.Decoded, a.Undecoded, a.Duplicate)
	if !a.Balanced {
		return "The books do not balance, which is a defect of Sextant: " + s
	}
	return s
}

// When is the time span of an incident.
func When(w incident.When) string {
	if w.First == "" {
		return "unknown: no record has a time"
	}
	s := w.First
	if w.Last != w.First {
		s += " to " + w.Last
	}
	if w.Certainty != "" && w.Certainty != "exact" {
		s += " (" + w.Certainty + ")"
	}
	return s
}

// Where is the place of an incident.
func Where(w incident.Where) string {
	var parts []string
	if len(w.Hosts) > 0 {
		parts = append(parts, "on "+strings.Join(w.Hosts, ", "))
	}
	if len(w.Sources) > 0 {
		parts = append(parts, "from "+strings.Join(w.Sources, ", "))
	}
	if len(w.Destinations) > 0 {
		parts = append(parts, "to "+strings.Join(w.Destinations, ", "))
	}
	if len(w.Logs) > 0 {
		parts = append(parts, "as told by "+strings.Join(w.Logs, ", "))
	}
	return strings.Join(parts, " ")
}

// Entities lists who and what a finding is about, shortly.
func Entities(f Finding) string {
	var parts []string
	for _, l := range [][]string{f.Entities.Hosts, f.Entities.Sources, f.Entities.Users, f.Entities.Processes} {
		if len(l) > 4 {
			parts = append(parts, strings.Join(l[:4], ", ")+fmt.Sprintf(" and %d more", len(l)-4))
		} else if len(l) > 0 {
			parts = append(parts, strings.Join(l, ", "))
		}
	}
	return strings.Join(parts, "; ")
}

func sourceFormat(s Source) string {
	switch {
	case s.DuplicateOf != "":
		return "same as " + s.DuplicateOf
	case s.Format == "":
		return "not read"
	}
	return s.Format
}

// Techniques says what became of the analysis techniques: what was left out of
// the noise budget, which reached a bound, and which had nothing to work on.
func Techniques(all []analyze.Report) []string {
	var out, idle []string
	found, kept := 0, 0
	for _, r := range all {
		found += r.Found
		kept += r.Kept
		if !r.Worked {
			idle = append(idle, r.Name+" ("+strings.Join(r.Needs, ", ")+")")
		}
	}
	s := fmt.Sprintf("Techniques found %s", prose.Count(found, "thing"))
	if found > kept {
		s += fmt.Sprintf("; %d are told, the others are beyond what the noise budget allows a day (--max-findings-per-day) or cite nothing that is stored", kept)
	}
	out = append(out, s+".")
	for _, r := range all {
		for _, remark := range r.Remarks {
			out = append(out, r.Name+": "+remark+".")
		}
	}
	if len(idle) > 0 {
		out = append(out, "These had nothing to work on; they take records that are of their kind and have one of these fields: "+strings.Join(idle, "; ")+".")
	}
	return out
}
