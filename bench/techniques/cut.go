package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sextant-logs/sextant/internal/analyze"
	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/store"
)

// The stretch that is cut out, on the last working day but one or two.
const (
	cutFrom = 10 * time.Hour
	cutLong = 4 * time.Hour
)

// cut takes four hours out of one log of each host after the other, all other logs being whole, and
// asks whether silence or gaps tell of it. The first turn cuts nothing: what is told then is mistaken.
func (m *measurement) cut() error {
	type outcome struct{ cut, told int }
	results := map[string]*outcome{}
	mistaken := map[string]int{}
	var missed []string
	for _, seed := range m.seeds {
		err := m.within(seed, func(w *world, st *store.Embedded) error {
			day := w.first.AddDate(0, 0, m.days-2)
			for day.Weekday() == time.Saturday || day.Weekday() == time.Sunday {
				day = day.AddDate(0, 0, -1) // two weekends are not enough to know them
			}
			from := day.Add(cutFrom).UnixNano()
			to := from + int64(cutLong)
			type log struct {
				path, host, dataset string
				minutes             map[int64]bool // of the stretch that have records
			}
			logs := map[string]*log{}
			err := records(st, func(e *event.Event) {
				if e.Time < from || e.Time >= to {
					return
				}
				path := e.Get("log.file.path")
				l := logs[path]
				if l == nil {
					l = &log{path: path, host: e.Get("host.name"), dataset: e.Get("event.dataset"), minutes: map[int64]bool{}}
					logs[path] = l
				}
				l.minutes[e.Time/int64(time.Minute)] = true
			})
			if err != nil {
				return err
			}
			turns := [][]*log{nil}
			of := map[string]int{}
			for _, path := range slices.Sorted(maps.Keys(logs)) {
				l := logs[path]
				of[l.host]++
				if of[l.host] == len(turns) {
					turns = append(turns, nil)
				}
				turns[of[l.host]] = append(turns[of[l.host]], l)
			}
			found, err := silences(st, len(turns), func(turn int, path string, at int64) bool {
				return from <= at && at < to && slices.ContainsFunc(turns[turn], func(l *log) bool { return l.path == path })
			})
			if err != nil {
				return err
			}
			for _, f := range found[0] {
				mistaken[f.Rule.ID]++
				if m.verbose {
					fmt.Printf("seed %d, whole, %s: %s\n", seed, f.Level, f.Explanation)
				}
			}
			for turn := 1; turn < len(turns); turn++ {
				for _, l := range turns[turn] {
					told := slices.ContainsFunc(found[turn], func(f analyze.Finding) bool {
						return f.First < to && f.Last > from && slices.Contains(f.Datasets, l.dataset) && (l.host == "" || slices.Contains(f.Entities.Hosts, l.host))
					})
					group := "records in fewer than 120 of its minutes"
					if len(l.minutes) >= 120 {
						group = "records in 120 of its 240 minutes and more"
					}
					if results[group] == nil {
						results[group] = &outcome{}
					}
					results[group].cut++
					if told {
						results[group].told++
						continue
					}
					short, _ := filepath.Rel(filepath.Join(w.dir, "world", "evidence"), l.path)
					missed = append(missed, fmt.Sprintf("%s of %d (%d minutes)", short, seed, len(l.minutes)))
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("seed %d: %w", seed, err)
		}
	}
	fmt.Printf("Four hours of a working day cut out of each log: seeds %v, %d days, %d people\n", m.seeds, m.days, m.users)
	for _, g := range slices.Sorted(maps.Keys(results)) {
		o := results[g]
		fmt.Printf("  %s: %d cut, %d told: recall %s\n", g, o.cut, o.told, share(o.told, o.cut))
	}
	fmt.Printf("  told where nothing was cut, in %d days: %v\n", m.days*len(m.seeds), mistaken)
	if len(missed) > 0 {
		fmt.Printf("  missed: %s\n", strings.Join(missed[:min(len(missed), 40)], ", "))
	}
	return nil
}

// silences lets the techniques that tell of what is not there look at the records of a store, less
// those that are cut out in each turn.
func silences(st *store.Embedded, turns int, cut func(turn int, path string, at int64) bool) ([][]analyze.Finding, error) {
	ctx := context.Background()
	names := []string{"silence", "gaps"}
	techniques := make([][]analyze.Technique, turns)
	for i := range techniques {
		for _, n := range names {
			techniques[i] = append(techniques[i], technique(n))
		}
	}
	paths := map[string]bool{}
	if err := st.Query(ctx, "* | uniq by (log.file.path)", func(row []event.Field) error {
		paths[strings.Clone(row[0].Value)] = true
		return nil
	}); err != nil {
		return nil, err
	}
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		var all []event.Event
		if err := recordsOf(st, fmt.Sprintf("log.file.path:=%q", path), func(e *event.Event) { all = append(all, *e) }); err != nil {
			return nil, err
		}
		slices.SortFunc(all, func(a, b event.Event) int {
			return cmp.Or(cmp.Compare(a.Offset, b.Offset), cmp.Compare(a.Sequence, b.Sequence))
		})
		for i, ts := range techniques {
			batch := event.Batch{Events: slices.DeleteFunc(slices.Clone(all), func(e event.Event) bool { return cut(i, path, e.Time) })}
			for _, t := range ts {
				if d := t.Digest(path, &batch); d != nil {
					t.Merge(d)
				}
			}
		}
	}
	out := make([][]analyze.Finding, turns)
	for i, ts := range techniques {
		for _, t := range ts {
			found, err := t.Findings(ctx, st)
			if err != nil {
				return nil, err
			}
			out[i] = append(out[i], found...)
		}
	}
	return out, nil
}
