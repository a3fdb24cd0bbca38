package report

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/sextant-logs/sextant/internal/export"
	"github.com/sextant-logs/sextant/internal/incident"
	"github.com/sextant-logs/sextant/internal/prose"
)

// Markdown is the investigation as a text to hand on: answers first. Text
// from logs is escaped so that it stays text (CommonMark and GitHub's flavour).
func Markdown(inv *Investigation) ([]byte, error) {
	var b bytes.Buffer
	p := func(format string, args ...any) { fmt.Fprintf(&b, format, args...) }
	p("# Investigation %s\n\n", md(inv.Case.Name))
	p("%s\n\n", md(Headline(inv)))
	p("%s\n", md(Scope(inv)))
	for i, in := range inv.Incidents {
		p("\n## %d. %s\n\n", i+1, md(in.Title))
		p("Severity **%s**, score %d.\n\n", md(in.Severity), in.Score)
		if s, ok := inv.Verdicts[in.ID]; ok {
			p("> **%s**\n", md(Mark(s)))
			for _, n := range s.Notes {
				p(">\n> %s\n", md(noteLine(n)))
			}
			p("\n")
		}
		p("| | |\n|---|---|\n")
		row := func(name, text string) {
			if text != "" {
				p("| **%s** | %s |\n", name, text)
			}
		}
		row("What", sentencesMD(in.What))
		row("When", md(When(in.When)))
		row("Where", md(Where(in.Where)))
		row("Who", md(strings.Join(append(append([]string{}, in.Who.Users...), in.Who.Processes...), ", ")))
		row("Did it succeed?", strings.TrimSpace("**"+md(in.Outcome.Result)+"** "+sentencesMD(in.Outcome.Why)))
		row("Would be told by", md(strings.Join(in.Outcome.Needs, "; ")))
		row("Impact", strings.TrimSpace("**"+md(in.Impact.Level)+"** "+sentencesMD(in.Impact.Facts)))
		row("ATT&amp;CK", md(strings.Join(in.Techniques, ", ")))
		if len(in.Timeline) > 0 {
			p("\n| Time (UTC) | Step | Evidence |\n|---|---|---|\n")
			for _, s := range in.Timeline {
				p("| %s | %s | %s |\n", md(s.Time), md(s.Text), idsMD(s.Evidence))
			}
		}
	}
	if len(inv.Findings) > 0 {
		p("\n## Findings\n\n| Level | Finding | First | Last | Records | Who and where |\n|---|---|---|---|---:|---|\n")
		for _, f := range inv.Findings {
			p("| %s | %s | %s | %s | %d | %s |\n", md(f.Level), md(f.Title), md(f.First), md(f.Last), f.Count, md(Entities(f)))
		}
	}
	if len(inv.Triage) > 0 {
		p("\n## Where to look first\n\n")
		for _, it := range inv.Triage[:min(10, len(inv.Triage))] {
			p("- %.0f %%: %s (%s)\n", 100*it.Chance, md(it.Title), md(it.Level))
			for _, r := range it.Why {
				p("  - %s\n", md(r.String()))
			}
		}
	}
	if len(inv.Techniques) > 0 {
		p("\n## What the analysis techniques found\n\n")
		for _, s := range Techniques(inv.Techniques) {
			p("%s\n\n", md(s))
		}
		for _, s := range sections(inv) {
			p("### %s\n\n", md(strings.TrimPrefix(s.About+" — "+s.Name, " — ")))
			for _, m := range s.MayBe {
				p("%s\n\n", md(m))
			}
			for _, f := range s.Rows {
				p("- **%s** %s\n", md(f.Level), md(f.Explanation))
			}
			if s.Hidden > 0 {
				p("- %d more are in report.json\n", s.Hidden)
			}
			p("\n")
		}
	}
	overviewMD(p, &inv.Overview)
	if len(inv.Evidence) > 0 {
		p("\n## Cited records\n\n| Record | Where | Text |\n|---|---|---|\n")
		for _, e := range inv.Evidence {
			p("| `%s` | %s, byte %d | %s |\n", md(e.ID), md(e.Path), e.Offset, md(e.Message))
		}
	}
	p("\n## Sources\n\n| Path | Format | Bytes | Records | Decoded | As text | Times | SHA-256 |\n|---|---|---:|---:|---:|---:|---|---|\n")
	for _, s := range inv.Sources {
		p("| %s | %s | %d | %d | %d | %d | %s | `%s` |\n", md(s.Path), md(sourceFormat(s)), s.Bytes, s.Accounting.Records,
			s.Accounting.Decoded, s.Accounting.Undecoded, md(s.TimeQuality), md(s.SHA256))
	}
	p("\n%s\n", md(Books(inv.Accounting)))
	if len(inv.Problems) > 0 {
		p("\n## What was wrong with the evidence\n\n")
		for _, s := range inv.Problems {
			p("- %s\n", md(s))
		}
	}
	r := inv.Rules
	p("\n## Rules\n\n%d loaded: %d had logs to work on, of which %d matched; %d were for logs that are not here. %d more could not be used.\n",
		r.Loaded, r.Applied, r.Matched, r.NotApplicable, len(r.Failed))
	for _, f := range r.Failed {
		p("- %s: %s\n", md(f.File), md(f.Error))
	}
	for _, l := range r.Limits {
		p("- %s\n", md(l))
	}
	return b.Bytes(), nil
}

func overviewMD(p func(string, ...any), o *Overview) {
	list := func(title string, n int, text func(i int) string) {
		if n == 0 {
			return
		}
		p("\n### %s\n\n", title)
		for i := range n {
			p("- %s\n", md(text(i)))
		}
	}
	if len(o.Associations)+len(o.Rhythms)+len(o.Sessions)+len(o.Remarks) == 0 {
		return
	}
	p("\n## Over all records\n")
	for _, r := range o.Remarks {
		p("\n%s\n", md(r))
	}
	list("What rises together, or one after the other", len(o.Associations), func(i int) string { return o.Associations[i].Text })
	list("What repeats at intervals", len(o.Rhythms), func(i int) string { return o.Rhythms[i].Text })
	list(fmt.Sprintf("Sessions (%s in all, the longest)", prose.Number(o.SessionCount)), len(o.Sessions), func(i int) string { return o.Sessions[i].Text })
}

func sentencesMD(ss []incident.Sentence) string {
	var out []string
	for _, s := range ss {
		out = append(out, md(s.Text)+" "+idsMD(s.Evidence))
	}
	return strings.Join(out, "<br>")
}

const shownIDs = 3

func idsMD(ids []string) string {
	var out []string
	for i, id := range ids {
		if i == shownIDs {
			out = append(out, fmt.Sprintf("and %d more", len(ids)-shownIDs))
			break
		}
		out = append(out, "`"+md(id)+"`")
	}
	if len(out) == 0 {
		return ""
	}
	return "[" + strings.Join(out, ", ") + "]"
}

var mdEscaper = strings.NewReplacer(
	"\\", "\\\\", "`", "&#96;", "*", "\\*", "_", "\\_", "{", "\\{", "}", "\\}", "[", "\\[", "]", "\\]", "(", "\\(",
	"#", "\\#", "|", "&#124;", "<", "&lt;", ">", "&gt;", "&", "&amp;", "~", "\\~", "!", "\\!",
	"://", "&#58;//", "@", "&#64;", "www.", "www&#46;", "WWW.", "WWW&#46;", "$", "\\$",
)

// md escapes text for Markdown, also within a table.
func md(s string) string { return mdEscaper.Replace(export.Terminal(s)) }
