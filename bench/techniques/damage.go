package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sextant-logs/sextant/internal/analyze"
	"github.com/sextant-logs/sextant/internal/detect"
	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/pipeline"
	"github.com/sextant-logs/sextant/internal/source"
	"github.com/sextant-logs/sextant/internal/store"
)

// file is one log file of a world, in the order in which it was written.
type file struct {
	path, log string // log is the path of the current file of those that it is one of
	host      string
	events    []event.Event
	whole     map[string]any // digests of the events as they are, by technique
}

func (f *file) numbered() bool { return len(f.events) > 0 && f.events[0].Sequence > 0 }

// ledger counts what was done to logs, and what was told of it.
type ledger struct {
	rows  []string
	done  map[string]int
	told  map[string]int
	wrong map[string]int // told where nothing was done
	miss  map[string][]string
}

func (l *ledger) note(row string, told bool, what string) {
	if l.done[row] == 0 {
		l.rows = append(l.rows, row)
	}
	l.done[row]++
	if told {
		l.told[row]++
	} else {
		l.miss[row] = append(l.miss[row], what)
	}
}

// damage does to one log of each host after the other, all other logs being whole, what somebody does who does
// not want it read, and asks whether the techniques that tell of what is not there tell of it. Whole worlds
// come first: what is told of them is mistaken.
func (m *measurement) damage() error {
	l := &ledger{done: map[string]int{}, told: map[string]int{}, wrong: map[string]int{}, miss: map[string][]string{}}
	for _, seed := range m.seeds {
		err := m.within(seed, func(w *world, st *store.Embedded) error {
			files, err := filesOf(st)
			if err != nil {
				return err
			}
			for _, name := range []string{"silence", "gaps", "clock"} {
				found, err := lookAt(st, name, files, nil)
				if err != nil {
					return err
				}
				for _, f := range found {
					l.wrong[f.Rule.ID]++
					if m.verbose {
						fmt.Printf("seed %d, whole, %s: %s\n", seed, f.Level, f.Explanation)
					}
				}
			}
			if err := numberedLogs(l, seed); err != nil {
				return err
			}
			if err := m.silenced(l, w, st, files); err != nil {
				return err
			}
			if err := stepped(l, w, st, files); err != nil {
				return err
			}
			if err := numbers(l, w, st, files); err != nil {
				return err
			}
			return truncated(l, w, files)
		})
		if err != nil {
			return fmt.Errorf("seed %d: %w", seed, err)
		}
	}
	fmt.Printf("Logs damaged one by one: seeds %v, %d days, %d people\n", m.seeds, m.days, m.users)
	fmt.Printf("  %-75s %7s %6s %7s\n", "", "damaged", "told", "recall")
	slices.Sort(l.rows)
	for _, r := range l.rows {
		fmt.Printf("  %-75s %7d %6d %7s\n", r, l.done[r], l.told[r], share(l.told[r], l.done[r]))
		if len(l.miss[r]) > 0 && m.verbose {
			fmt.Printf("    missed: %s\n", strings.Join(l.miss[r][:min(len(l.miss[r]), 40)], ", "))
		}
	}
	fmt.Printf("  told where nothing was damaged, in %d days: %v\n", m.days*len(m.seeds), l.wrong)
	for _, of := range []struct {
		row   string
		least float64
	}{{busyRow(4), 0.95}, {sparseRow(4), 0.7}, {"time set back by 5h0m0s: text", 0.9}, {"10 records taken out of a numbered log", 0.99}} {
		if l.done[of.row] > 0 {
			m.floor("damage: "+of.row, float64(l.told[of.row])/float64(l.done[of.row]), of.least)
		}
	}
	for _, r := range l.rows {
		if strings.HasPrefix(r, "10 records taken out: ") {
			m.floor("damage: "+r, float64(l.told[r])/float64(l.done[r]), 0.95)
		}
	}
	wrong := 0
	for _, n := range l.wrong {
		wrong += n
	}
	m.floor("damage: told of whole worlds, less than none", -float64(wrong), -1)
	return nil
}

// filesOf reads back all files, of each record what the techniques look at.
func filesOf(st store.Store) ([]*file, error) {
	byPath := map[string]*file{}
	shared := map[string][]event.Field{} // most records of a file have the same
	err := st.Query(context.Background(), `* | fields _time,sextant.time,event.id,event.dataset,event.sequence,error.message,log.flags,host.name,event.duration,winlog.channel,journald.seqnum_id,postgresql.log.session_id,log.syslog.structured_data.meta.sequenceId,log.file.path,log.offset`, func(row []event.Field) error {
		e := detect.Stored(slices.DeleteFunc(slices.Clone(row), func(f event.Field) bool { return f.Value == "" }))
		path := e.Get("log.file.path")
		f := byPath[path]
		if f == nil {
			log, _ := source.Log(path)
			f = &file{path: path, log: log, host: e.Get("host.name"), whole: map[string]any{}}
			byPath[path] = f
		}
		key := ""
		for _, f := range e.Fields {
			key += f.Name + "=" + f.Value + "\n"
		}
		if shared[key] == nil {
			shared[key] = e.Fields
		}
		e.Fields = shared[key]
		f.events = append(f.events, e)
		return nil
	})
	if err != nil {
		return nil, err
	}
	var files []*file
	for _, path := range slices.Sorted(maps.Keys(byPath)) {
		f := byPath[path]
		slices.SortFunc(f.events, func(a, b event.Event) int {
			return cmp.Or(cmp.Compare(a.Offset, b.Offset), cmp.Compare(a.Sequence, b.Sequence))
		})
		files = append(files, f)
	}
	return files, nil
}

// lookAt has a technique look at the files, those of which change returns something other than nil as that is.
func lookAt(st store.Store, name string, files []*file, change func(f *file) []event.Event) ([]analyze.Finding, error) {
	t := technique(name)
	for _, f := range files {
		var events []event.Event
		if change != nil {
			events = change(f)
		}
		var d any
		if events != nil {
			d = t.Digest(f.path, &event.Batch{Events: events})
		} else {
			known := false
			if d, known = f.whole[name]; !known {
				d = t.Digest(f.path, &event.Batch{Events: f.events})
				f.whole[name] = d
			}
		}
		if d != nil {
			t.Merge(d)
		}
	}
	return t.Findings(context.Background(), st)
}

// turns puts the logs into turns with one of each host, so that others of a host are whole.
func turns(files []*file, of func(f *file) bool) (turns []map[string]bool) {
	n := map[string]int{}
	seen := map[string]bool{}
	for _, f := range files {
		if seen[f.log] || !of(f) {
			continue
		}
		seen[f.log] = true
		if n[f.host] == len(turns) {
			turns = append(turns, map[string]bool{})
		}
		turns[n[f.host]][f.log] = true
		n[f.host]++
	}
	return turns
}

const (
	endRow     = "no more records in the last days"
	alone      = ", by silence alone"
	emptiedRow = "emptied at 18:00, rotated at midnight"
)

func busyRow(hours int) string {
	return fmt.Sprintf("%d h cut out, records in half of the minutes and more", hours)
}
func sparseRow(hours int) string {
	return fmt.Sprintf("%d h cut out, records in 10 minutes and more", hours)
}

// silenced cuts stretches out of logs, ends them, and empties them.
func (m *measurement) silenced(l *ledger, w *world, st *store.Embedded, files []*file) error {
	day := w.first.AddDate(0, 0, m.days-2)
	for day.Weekday() == time.Saturday || day.Weekday() == time.Sunday {
		day = day.AddDate(0, 0, -1)
	}
	type stretch struct {
		name     string
		from, to int64
		hours    int
	}
	at := func(h int) int64 { return day.Add(time.Duration(h) * time.Hour).UnixNano() }
	var stretches []stretch
	for _, h := range []int{1, 4, 12} {
		from := at(10 - h/6)
		stretches = append(stretches, stretch{"", from, from + int64(time.Duration(h)*time.Hour), h})
	}
	stretches = append(stretches, stretch{endRow, at(10), 1 << 62, 0}, stretch{emptiedRow, at(0), at(18), -1})
	for _, s := range stretches {
		minutes := map[string]map[int64]bool{} // of each log, of the stretch
		last := map[string]int64{}
		host := map[string]string{}
		for _, f := range files {
			for i := range f.events {
				e := &f.events[i]
				if e.Time == event.NoTime {
					continue
				}
				last[f.log] = max(last[f.log], e.Time)
				if s.from <= e.Time && e.Time < s.to {
					if minutes[f.log] == nil {
						minutes[f.log] = map[int64]bool{}
					}
					minutes[f.log][e.Time/int64(time.Minute)] = true
				}
			}
			host[f.log] = f.host
		}
		for _, turn := range turns(files, func(f *file) bool { return len(minutes[f.log]) > 0 && last[f.log] >= s.from }) {
			damaged := func(f *file) []event.Event {
				if !turn[f.log] {
					return nil
				}
				return slices.DeleteFunc(slices.Clone(f.events), func(e event.Event) bool { return s.from <= e.Time && e.Time < s.to && e.Time != event.NoTime })
			}
			found, err := lookAt(st, "silence", files, damaged)
			if err != nil {
				return err
			}
			missing := map[string]bool{} // logs of which gaps tells
			if s.hours > 0 {
				found, err := lookAt(st, "gaps", files, damaged)
				if err != nil {
					return err
				}
				for _, f := range found {
					for _, e := range f.Evidence {
						log, _ := source.Log(e.Path)
						missing[log] = true
					}
				}
			}
			for log := range turn {
				told := slices.ContainsFunc(found, func(f analyze.Finding) bool {
					return f.First < s.to && f.Last > s.from && strings.HasPrefix(f.Explanation, filepath.Base(log)+" ") && (host[log] == "" || slices.Contains(f.Entities.Hosts, host[log]))
				})
				n := len(minutes[log])
				both := told || missing[log]
				what := fmt.Sprintf("%s (%d minutes)", w.short(log), n)
				switch {
				case s.hours <= 0 && n >= 10:
					l.note(s.name+", records in 10 minutes and more", told, what)
				case s.hours <= 0:
					l.note(s.name+", records in fewer", told, what)
				case n >= 30*s.hours:
					l.note(busyRow(s.hours), both, what)
					l.note(busyRow(s.hours)+alone, told, what)
				case n >= 10:
					l.note(sparseRow(s.hours), both, what)
					l.note(sparseRow(s.hours)+alone, told, what)
				default:
					l.note(fmt.Sprintf("%d h cut out, records in fewer", s.hours), both, what)
				}
			}
		}
	}
	return nil
}

func (w *world) short(path string) string {
	short, err := filepath.Rel(filepath.Join(w.dir, "world", "evidence"), path)
	if err != nil {
		short = path
	}
	return fmt.Sprintf("%s of %d", short, w.seed)
}

func (f *file) kind() string {
	if f.numbered() {
		return "numbered records"
	}
	return "text"
}

// stepped sets the clock back for two hours in the middle of each file.
func stepped(l *ledger, w *world, st *store.Embedded, files []*file) error {
	for _, back := range []time.Duration{10 * time.Minute, time.Hour, 5 * time.Hour} {
		changed := map[string]bool{}
		found, err := lookAt(st, "clock", files, func(f *file) []event.Event {
			if len(f.events) < 100 {
				return nil
			}
			events := slices.Clone(f.events)
			at := len(events) / 2
			from := events[at].Time
			for i := at; i < len(events) && events[i].Time < from+int64(2*time.Hour); i++ {
				events[i].Time -= int64(back)
			}
			// A step shows only where records lie closer together than it is long.
			changed[f.path] = events[at-1].Time-events[at].Time >= int64(2*time.Minute)
			return events
		})
		if err != nil {
			return err
		}
		for _, f := range files {
			if changed[f.path] {
				told := slices.ContainsFunc(found, func(g analyze.Finding) bool { return strings.HasPrefix(g.Explanation, f.path+": time steps back") })
				l.note(fmt.Sprintf("time set back by %v: %s", back, f.kind()), told, w.short(f.path))
			}
		}
	}
	return nil
}

// numbers takes records out of the middle of logs that number theirs.
func numbers(l *ledger, w *world, st *store.Embedded, files []*file) error {
	for _, n := range []int{1, 10, 100} {
		found, err := lookAt(st, "gaps", files, func(f *file) []event.Event {
			if !f.numbered() || len(f.events) < 3*n {
				return nil
			}
			return slices.Delete(slices.Clone(f.events), len(f.events)/2, len(f.events)/2+n)
		})
		if err != nil {
			return err
		}
		for _, f := range files {
			if f.numbered() && len(f.events) >= 3*n {
				told := slices.ContainsFunc(found, func(g analyze.Finding) bool {
					return slices.ContainsFunc(g.Evidence, func(e analyze.Evidence) bool { return e.Path == f.path })
				})
				l.note(fmt.Sprintf("%d records taken out of a numbered log", n), told, w.short(f.path))
			}
		}
	}
	return nil
}

// truncated cuts each file that is not compressed within its last record.
func truncated(l *ledger, w *world, files []*file) error {
	const row = "cut within the last record: "
	cut := map[string]bool{}
	var paths []string
	for _, f := range files {
		b, err := os.ReadFile(f.path)
		if err != nil || len(f.events) < 20 {
			continue
		}
		last := f.events[len(f.events)-1].Offset
		if f.events[len(f.events)-1].Sequence > 0 || last <= 0 || last >= int64(len(b))-2 || filepath.Ext(f.path) == ".gz" {
			continue
		}
		if err := os.Truncate(f.path, last+(int64(len(b))-last)/2); err != nil {
			return err
		}
		cut[f.path], paths = true, append(paths, f.path)
	}
	st, _, err := pipeline.Load(context.Background(), pipeline.Options{Paths: paths}, filepath.Join(w.dir, "cut"))
	if err != nil {
		return err
	}
	defer st.Close()
	after, err := filesOf(st)
	if err != nil {
		return err
	}
	found, err := lookAt(st, "clock", after, nil)
	if err != nil {
		return err
	}
	for _, f := range after {
		if cut[f.path] {
			told := slices.ContainsFunc(found, func(g analyze.Finding) bool {
				return g.Rule.ID == "clock.cut" && strings.HasPrefix(g.Explanation, f.path+": ")
			})
			kind := "lines of text"
			if strings.HasSuffix(f.path, ".json") || strings.HasSuffix(f.path, ".jsonl") {
				kind = "JSON"
			}
			l.note(row+kind, told, w.short(f.path))
		}
	}
	return nil
}
