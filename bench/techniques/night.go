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
	"github.com/sextant-logs/sextant/internal/learn"
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
	var rank [4][]float64
	var truth []bool
	for _, seed := range m.seeds {
		err := m.within(seed, func(w *world, st *store.Embedded) error {
			planted := w.first.AddDate(0, 0, m.days-2)
			for planted.Weekday() == time.Saturday || planted.Weekday() == time.Sunday {
				planted = planted.AddDate(0, 0, -1)
			}
			at := planted.Add(nightHour*time.Hour + 30*time.Minute)
			own := ownHours{}
			var life event.Batch
			err := recordsOf(st, `user.name:*`, func(e *event.Event) {
				if w.labels[e.ID].Label == "malicious" {
					return
				}
				life.Events = append(life.Events, *e)
				if user := e.Get("user.name"); e.Get("event.outcome") != "failure" && !strings.HasSuffix(user, "$") {
					own.add(user, e.Time)
				}
			})
			if err != nil {
				return err
			}
			look := func(batches ...*event.Batch) ([]analyze.Finding, []analyze.Score, error) {
				t := technique("hours")
				for _, b := range batches {
					if d := t.Digest("", b); d != nil {
						t.Merge(d)
					}
				}
				f, err := t.Findings(context.Background(), st)
				return f, analyze.HourScores(t), err
			}
			whole, _, err := look(&life)
			if err != nil {
				return err
			}
			mistaken += len(whole)
			if m.verbose {
				for _, f := range whole {
					fmt.Printf("seed %d, whole, %s: %s\n", seed, f.Level, f.Explanation)
				}
			}
			// All get their record at once: when one is judged, that day of the others is left out.
			var added event.Batch
			for _, user := range slices.Sorted(maps.Keys(own)) {
				e := event.Event{Time: at.UnixNano(), Fields: []event.Field{{Name: "user.name", Value: user}, {Name: "event.outcome", Value: "success"}}}
				added.Events = append(added.Events, e)
			}
			found, scores, err := look(&life, &added)
			if err != nil {
				return err
			}
			for _, user := range slices.Sorted(maps.Keys(own)) {
				days, n := own.about(user, at.UnixNano())
				if days < 10 {
					continue // nobody can know its hours
				}
				accounts++
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
				// As a ranking: the day of the record among the account's others.
				most := map[int64]float64{}
				for _, s := range scores {
					if s.Entity == user {
						most[s.Hour/24] = max(most[s.Hour/24], s.Score)
					}
				}
				today := at.UnixNano() / int64(24*time.Hour)
				own.add(user, at.UnixNano())
				for _, day := range slices.Sorted(maps.Keys(own[user])) {
					if day == today && n*10 > days {
						continue
					}
					var sum [24]float64
					for _, hours := range own[user] {
						for h := range sum {
							sum[h] += float64(hours >> h & 1)
						}
					}
					late, never, far := simply(own[user][day], sum)
					for i, v := range []float64{most[day], late, never, far} {
						rank[i] = append(rank[i], v)
					}
					truth = append(truth, day == today)
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
	header(fmt.Sprintf("  %d days of accounts, the record in %d, of who was so on a tenth of days at most", len(truth), trues(truth)))
	for i, name := range []string{"surprise", "simply: hours of the day between 20 and 6", "simply: hours to the next that it ever worked", "simply: deviations from the mean hour (circular)"} {
		show("  "+name, learn.Measure(rank[i], truth))
	}
	if len(missed) > 0 {
		fmt.Printf("  missed (of who was so on one other day at most): %s\n", strings.Join(missed, ", "))
	}
	return nil
}
