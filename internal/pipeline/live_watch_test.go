package pipeline

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sextant-logs/sextant/internal/analyze"
	"github.com/sextant-logs/sextant/internal/incident"
	"github.com/sextant-logs/sextant/internal/report"
	"github.com/sextant-logs/sextant/internal/rulepack"
	"github.com/sextant-logs/sextant/internal/spool"
)

// heard is what a live case told of.
type heard struct {
	mu        sync.Mutex
	findings  []analyze.Finding
	incidents []incident.Incident
}

func openHeard(t *testing.T, dir string) (*Live, *heard, func()) {
	t.Helper()
	h := &heard{}
	o := LiveOptions{Case: dir, Log: slog.New(slog.DiscardHandler), Threads: 2,
		Found: func(fs []analyze.Finding) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.findings = append(h.findings, fs...)
		},
		Incident: func(is []incident.Incident) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.incidents = append(h.incidents, is...)
		}}
	o.Rules.Embedded = rulepack.Rules
	l, err := OpenLive(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- l.Run(context.Background()) }()
	return l, h, func() {
		t.Helper()
		if err := l.Stop(); err != nil {
			t.Error(err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
}

func (h *heard) wait(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for range 4000 {
		h.mu.Lock()
		found := ok()
		h.mu.Unlock()
		if found {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("not heard: %s", what)
}

func send(t *testing.T, l *Live, lines ...string) {
	t.Helper()
	d := &spool.Delivery{Collector: "test:", Format: "syslog", Received: time.Now().UnixNano()}
	for _, line := range lines {
		d.Records = append(d.Records, spool.Record{Data: []byte(line)})
	}
	if err := l.Accept(context.Background(), d); err != nil {
		t.Fatal(err)
	}
}

func TestALiveCaseTellsOfWhatRulesAndTechniquesFindAndOfIncidentsOnce(t *testing.T) {
	if testing.Short() {
		t.Skip("some seconds")
	}
	dir := t.TempDir()
	l, h, end := openHeard(t, dir)
	now := time.Now().UTC().Truncate(time.Second)
	guess := func(i int) string {
		return fmt.Sprintf("<86>1 %s web1 sshd 7 - - Failed password for root from 203.0.113.9 port %d ssh2", now.Add(time.Duration(i-600)*time.Second).Format(time.RFC3339), 50000+i)
	}
	var lines []string
	for i := range 40 {
		lines = append(lines, guess(i))
	}
	// A beacon: the same name asked for every minute, for hours, as dnsmasq logs it.
	for i := range 300 {
		lines = append(lines, fmt.Sprintf("<30>1 %s gate dnsmasq 9 - - query[A] update.invalid from 192.0.2.7", now.Add(time.Duration(i-310)*time.Minute).Format(time.RFC3339)))
	}
	send(t, l, lines...)
	// A clock that is set back: said of a file, not of what many may send.
	for _, d := range []*spool.Delivery{{Collector: "tail:/var/log/*.log", Path: "/var/log/app.log"}, {Collector: "syslog+tcp://127.0.0.1:1"}} {
		for part := range 3 { // in parts, of which the last is set back
			d := *d
			d.Format, d.Received = "syslog", time.Now().UnixNano()
			for i := range 20 {
				at := now.Add(time.Duration(part*20+i-70) * time.Second)
				if part == 2 {
					at = at.Add(-20 * time.Minute)
				}
				d.Records = append(d.Records, spool.Record{Data: fmt.Appendf(nil, "<14>1 %s app1 app 9 - - working on item %d", at.Format(time.RFC3339), i)})
			}
			if err := l.Accept(context.Background(), &d); err != nil {
				t.Fatal(err)
			}
		}
	}
	h.wait(t, "a clock set back", func() bool {
		return slices.ContainsFunc(h.findings, func(f analyze.Finding) bool { return f.Rule.ID == "clock.back" })
	})
	h.wait(t, "a finding of a rule", func() bool { return len(h.findings) > 0 })
	h.wait(t, "an incident", func() bool { return len(h.incidents) > 0 && h.incidents[0].Outcome.Result != incident.Succeeded })
	h.wait(t, "a finding of a technique", func() bool {
		for _, f := range h.findings {
			if f.Kind == "beacon" {
				return true
			}
		}
		return false
	})
	// The same goes on: no news. Then it succeeds: that is.
	h.mu.Lock()
	for _, f := range h.findings {
		if f.Rule.ID == "clock.back" && !strings.HasPrefix(f.Explanation, "/var/log/app.log") {
			t.Errorf("a clock set back by network: %s", f.Explanation)
		}
	}
	was, told := len(h.findings), len(h.incidents)
	h.mu.Unlock()
	lines = lines[:0]
	for i := range 40 {
		lines = append(lines, guess(100+i))
	}
	send(t, l, lines...)
	send(t, l, fmt.Sprintf("<86>1 %s web1 sshd 7 - - Accepted password for root from 203.0.113.9 port 51000 ssh2", now.Add(-450*time.Second).Format(time.RFC3339)))
	h.wait(t, "that it succeeded", func() bool {
		return len(h.incidents) > told && h.incidents[len(h.incidents)-1].Outcome.Result == incident.Succeeded
	})
	h.mu.Lock()
	for _, f := range h.findings[was:] {
		for _, old := range h.findings[:was] {
			if f.Rule.ID == old.Rule.ID && keyOf(&f) == keyOf(&old) {
				t.Errorf("told twice: %s", f.Title)
			}
		}
	}
	if n := len(h.incidents); n > told+2 {
		t.Errorf("%d incidents are told of", n)
	}
	h.mu.Unlock()
	end()

	// After a restart nothing is told again when rules and techniques have looked at
	// all there is: of an incident only that it is worse than was told.
	before := h
	l, h, end = openHeard(t, dir)
	h.wait(t, "the incident and what a technique finds, after a restart", func() bool {
		inv := l.Latest()
		return inv != nil && len(inv.Incidents) > 0 && slices.ContainsFunc(inv.Findings, func(f report.Finding) bool { return f.Kind == "beacon" })
	})
	end()
	for _, f := range h.findings {
		if slices.ContainsFunc(before.findings, func(old analyze.Finding) bool { return keyOf(&old) == keyOf(&f) }) {
			t.Errorf("told again: %s", f.Title)
		}
	}
	for _, in := range h.incidents {
		for _, old := range before.incidents {
			if slices.ContainsFunc(in.Findings, func(id string) bool { return slices.Contains(old.Findings, id) }) &&
				analyze.LevelRank(in.Severity) <= analyze.LevelRank(old.Severity) && in.Outcome.Result == old.Outcome.Result {
				t.Errorf("told again: %s", in.Title)
			}
		}
	}
}
