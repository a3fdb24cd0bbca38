package pipeline

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/sextant-logs/sextant/internal/analyze"
	"github.com/sextant-logs/sextant/internal/report"
	"github.com/sextant-logs/sextant/logpattern"
)

const (
	reportTime  = 20 * time.Second // to look at all records of the window
	reportKept  = 30 * time.Second // at least, and the longer the more work it was
	reportCited = 1000
)

// liveReport is the report made last.
type liveReport struct {
	inv   *report.Investigation
	until time.Time
}

// Report is the Investigation with what a report tells besides: the records that
// are cited, what is to be seen of all records of the window, verdicts, who sent.
// It takes seconds, so one that is not old is given again.
func (l *Live) Report(ctx context.Context) (*report.Investigation, error) {
	l.reporting.Lock()
	defer l.reporting.Unlock()
	now := time.Now()
	if now.Before(l.reported.until) {
		return l.reported.inv, nil
	}
	built, err := l.Investigation(ctx)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	since := cmp.Or(l.from, l.since.Load())
	l.mu.Unlock()
	st := windowed{l.store, since}
	inv := *built
	inv.Live = &report.Live{At: stamp(now.UnixNano()), Since: stamp(since)}
	for _, s := range l.senders.stats() {
		inv.Live.Senders = append(inv.Live.Senders, report.Sender{Name: strings.Join(slices.DeleteFunc([]string{s.Collector, s.Peer, s.Path}, func(part string) bool { return part == "" }), " "),
			Records: s.Records, Undecoded: s.Undecoded, Last: stamp(s.Last.UnixNano())})
	}
	var findings []analyze.Finding
	for _, f := range inv.Findings {
		findings = append(findings, f.Finding)
	}
	if inv.Evidence, err = cited(ctx, st, inv.Incidents, findings, reportCited); err != nil {
		return nil, err
	}
	// What was built is current as to findings; more records may have come since.
	all, err := statistics(ctx, st)
	if err != nil {
		return nil, err
	}
	inv.Statistics, inv.Case.First, inv.Case.Last = all.Statistics, all.first, all.last
	inv.Rules = l.liveRules(findings)
	state, err := l.mining.state()
	if err != nil {
		return nil, err
	}
	miner, err := logpattern.Read(bytes.NewReader(state))
	if err != nil {
		return nil, err
	}
	if inv.Overview, err = overview(ctx, st, miner, reportTime); err != nil {
		return nil, err
	}
	inv.Techniques = l.liveTechniques(findings, &inv.Overview)
	if err := inv.Judge(l.o.Case); err != nil {
		return nil, err
	}
	l.reported = liveReport{&inv, time.Now().Add(max(reportKept, 5*time.Since(now)))}
	return &inv, nil
}

// liveRules are the rules and those that have findings.
func (l *Live) liveRules(findings []analyze.Finding) report.Rules {
	r := report.Rules{Loaded: len(l.setup.Load().detector.Rules())}
	at := map[string]int{}
	for _, f := range findings {
		if f.Kind != "sigma" && f.Kind != "correlation" {
			continue
		}
		i, ok := at[f.Rule.ID]
		if !ok {
			i = len(r.Matches)
			at[f.Rule.ID] = i
			r.Matches = append(r.Matches, report.RuleCount{ID: f.Rule.ID, Name: cmp.Or(f.Rule.Name, f.Title), Level: f.Level})
		}
		r.Matches[i].Count += int64(f.Count)
	}
	r.Matched = len(r.Matches)
	slices.SortFunc(r.Matches, func(a, b report.RuleCount) int { return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.ID, b.ID)) })
	return r
}

// liveTechniques are the techniques with the number of their findings; what is not
// asked of them live is said in its part of the report.
func (l *Live) liveTechniques(findings []analyze.Finding, o *report.Overview) []analyze.Report {
	if l.o.History <= 0 {
		const off = "The analysis techniques are off on this server (--history 0)."
		o.Missing = append(o.Missing, report.Missing{Part: "anomalies", Text: off}, report.Missing{Part: "learning", Text: off})
		return nil
	}
	o.Missing = append(o.Missing, report.Missing{Part: "learning", Text: "The order of messages is not looked at live: export the records and investigate the file for it."})
	var out []analyze.Report
	for _, t := range analyze.Techniques() {
		if t.Name() == "sequences" {
			continue
		}
		r := analyze.Report{Name: t.Name(), About: t.About(), Needs: t.Needs(), Worked: true}
		for _, f := range findings {
			if f.Kind == r.Name {
				r.Found++
				r.Kept++
			}
		}
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b analyze.Report) int { return strings.Compare(a.Name, b.Name) })
	return out
}
