package timeline

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sextant-logs/sextant/internal/analyze"
	"github.com/sextant-logs/sextant/internal/event"
)

// SessionGroup is sessions of the same user at the same place: many short ones are one line.
type SessionGroup struct {
	analyze.Session // the first; To is the end of the last
	Count           int
	Total           time.Duration // of those whose end is recorded
}

// GroupSessions gathers sessions, in the order of the first of each group.
func GroupSessions(all []analyze.Session) []*SessionGroup {
	var groups []*SessionGroup
	index := map[string]*SessionGroup{}
	for _, s := range all {
		key := strings.Join([]string{s.Kind, s.Host, s.User, s.Source, s.Detail}, "\x00")
		g := index[key]
		if g == nil {
			g = &SessionGroup{Session: s}
			index[key] = g
			groups = append(groups, g)
		}
		g.Count++
		if s.To != event.NoTime {
			g.Total += time.Duration(s.To - s.From)
			g.To = max(g.To, s.To)
		}
	}
	slices.SortStableFunc(groups, func(a, b *SessionGroup) int { return cmp.Compare(a.From, b.From) })
	return groups
}

// Sentence says who was where and for how long.
func (g *SessionGroup) Sentence() string {
	text := g.Kind
	if g.Detail != "" {
		text += " (" + g.Detail + ")"
	}
	text = strings.TrimSpace(fmt.Sprintf("%s %s", g.User, text))
	if g.Host != "" {
		text += " on " + g.Host
	}
	if g.Source != "" {
		text += " from " + g.Source
	}
	if g.Address != "" {
		text += ", given " + g.Address
	}
	stamp := func(ns int64) string { return time.Unix(0, ns).UTC().Format(time.DateTime) }
	switch {
	case g.Count > 1:
		return fmt.Sprintf("%s: %d sessions, the first from %s, %s in all", text, g.Count, stamp(g.From), Length(g.Total))
	case g.To == event.NoTime:
		return fmt.Sprintf("%s: %s, its end is not recorded", text, stamp(g.From))
	}
	return fmt.Sprintf("%s: %s (%s)", text, Span(g.From, g.To), Length(time.Duration(g.To-g.From)))
}

// Span is a stretch of time, UTC, for people.
func Span(from, to int64) string {
	a, b := time.Unix(0, from).UTC(), time.Unix(0, to).UTC()
	if a.Year() == b.Year() && a.YearDay() == b.YearDay() {
		return a.Format(time.DateTime) + "–" + b.Format(time.TimeOnly)
	}
	return a.Format(time.DateTime) + " – " + b.Format(time.DateTime)
}
