package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sextant-logs/sextant/internal/analyze"
	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/store"
)

const nightHour = 3

// night gives each account one record at three in the night of a working day, beside its own life
// less what intrusions did, and asks whether hours tells of it: by how many other days it was active
// about that time. What is told of the same life without that record is mistaken.
func (m *measurement) night() error {
	type outcome struct{ planted, told int }
	groups := []string{"never active from 1 to 6 on other days", "on one other day", "on two or three", "on more"}
	results := make([]outcome, len(groups))
	mistaken, accounts := 0, 0
	var missed []string
	for _, seed := range m.seeds {
		err := m.within(seed, func(w *world, st *store.Embedded) error {
			planted := w.first.AddDate(0, 0, m.days-2)
			for planted.Weekday() == time.Saturday || planted.Weekday() == time.Sunday {
				planted = planted.AddDate(0, 0, -1)
			}
			at := planted.Add(nightHour*time.Hour + 30*time.Minute)
			days := map[string]map[string]bool{}   // by account, days on which it did something
			nights := map[string]map[string]bool{} // by account, those on which it did between 1 and 6
			var life event.Batch
			err := recordsOf(st, `user.name:*`, func(e *event.Event) {
				if w.labels[e.ID].Label == "malicious" {
					return
				}
				life.Events = append(life.Events, *e)
				user, t := e.Get("user.name"), time.Unix(0, e.Time).UTC()
				day := t.Format(time.DateOnly)
				if e.Get("event.outcome") == "failure" || day == planted.Format(time.DateOnly) || strings.HasSuffix(user, "$") {
					return
				}
				if days[user] == nil {
					days[user], nights[user] = map[string]bool{}, map[string]bool{}
				}
				days[user][day] = true
				if h := t.Hour(); h >= nightHour-2 && h <= nightHour+2 {
					nights[user][day] = true
				}
			})
			if err != nil {
				return err
			}
			look := func(batches ...*event.Batch) ([]analyze.Finding, error) {
				t := technique("hours")
				for _, b := range batches {
					if d := t.Digest("", b); d != nil {
						t.Merge(d)
					}
				}
				return t.Findings(context.Background(), st)
			}
			whole, err := look(&life)
			if err != nil {
				return err
			}
			mistaken += len(whole)
			if m.verbose {
				for _, f := range whole {
					fmt.Printf("seed %d, whole, %s: %s\n", seed, f.Level, f.Explanation)
				}
			}
			// Accounts do not bear on each other: all get their record at once.
			var added event.Batch
			for _, user := range slices.Sorted(maps.Keys(days)) {
				e := event.Event{Time: at.UnixNano(), Fields: []event.Field{{Name: "user.name", Value: user}, {Name: "event.outcome", Value: "success"}}}
				added.Events = append(added.Events, e)
			}
			found, err := look(&life, &added)
			if err != nil {
				return err
			}
			for _, user := range slices.Sorted(maps.Keys(days)) {
				if len(days[user]) < 10 {
					continue // nobody can know its hours
				}
				accounts++
				n := len(nights[user])
				g := min(n, 2)
				if n > 3 {
					g = 3
				}
				results[g].planted++
				if slices.ContainsFunc(found, func(f analyze.Finding) bool {
					return slices.Contains(f.Entities.Users, user) && f.First <= at.UnixNano() && at.UnixNano() <= f.Last
				}) {
					results[g].told++
				} else if n <= 1 {
					missed = append(missed, fmt.Sprintf("%s of %d (%d)", user, seed, n))
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("seed %d: %w", seed, err)
		}
	}
	fmt.Printf("A record at %02d:30 put into the life of each account that is known for ten days: seeds %v, %d days, %d people, %d accounts\n", nightHour, m.seeds, m.days, m.users, accounts)
	for i, g := range groups {
		fmt.Printf("  %s: %d planted, %d told: recall %s\n", g, results[i].planted, results[i].told, share(results[i].told, results[i].planted))
	}
	fmt.Printf("  told where nothing was planted, in %d days: %d\n", m.days*len(m.seeds), mistaken)
	if len(missed) > 0 {
		fmt.Printf("  missed (of who was so on one other day at most): %s\n", strings.Join(missed, ", "))
	}
	return nil
}
