// Package patterns keeps the templates of a case's messages: the miner's state
// in a file of the case, the ids in the column log.pattern.id of its store.
package patterns

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/store"
	"github.com/sextant-logs/sextant/logpattern"
)

// Field is the column that holds the id of an event's template.
const Field = "log.pattern.id"

// file is where in a case the miner's state is.
const file = "patterns"

// Load returns the miner of a case: one that knows nothing if the case has none.
func Load(dir string) (*logpattern.Miner, error) {
	f, err := os.Open(filepath.Join(dir, file))
	if errors.Is(err, fs.ErrNotExist) {
		return logpattern.New(), nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	m, err := logpattern.Read(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Name(), err)
	}
	return m, nil
}

// Save writes the miner's state into the case, whole or not at all.
func Save(dir string, m *logpattern.Miner) error {
	path := filepath.Join(dir, file)
	f, err := os.Create(path + ".tmp")
	if err != nil {
		return err
	}
	_, err = m.WriteTo(f)
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	return os.Rename(path+".tmp", path)
}

// Synonyms returns for each id of the case's patterns the other ids of the
// same pattern, for [store.Options]. The state is read when it is first asked for.
func Synonyms(dir string) store.Synonyms {
	others := sync.OnceValue(func() map[string][]string {
		m, err := Load(dir)
		if err != nil {
			return nil // each id stands for itself
		}
		return Aliases(m)
	})
	return store.Synonyms{Field: func(id string) []string { return others()[id] }}
}

// Aliases returns for each id of a pattern that has several the others.
func Aliases(m *logpattern.Miner) map[string][]string {
	all := map[string][]string{}
	for _, t := range m.Templates() {
		ids := append([]string{t.ID}, t.Aliases...)
		for i, id := range ids {
			if len(ids) > 1 {
				all[id] = slices.Concat(ids[:i], ids[i+1:])
			}
		}
	}
	return all
}

// Querier answers LogsQL, as analyze.Querier does.
type Querier interface {
	Query(ctx context.Context, logsql string, fn func(row []event.Field) error) error
}

// Pattern is a kind of message and how often it occurs.
type Pattern struct {
	ID      string
	Text    string
	Aliases []string // ids that rows of the pattern have besides ID
	Count   int64
	First   int64 // ns since the epoch; event.NoTime if no record of it has a time
	Last    int64
}

// Filter is the LogsQL filter for the pattern's rows.
func (p *Pattern) Filter() string {
	ids := append([]string{p.ID}, p.Aliases...)
	for i, id := range ids {
		ids[i] = strconv.Quote(id)
	}
	return strconv.Quote(Field) + ":in(" + strings.Join(ids, ",") + ")"
}

// Count returns the patterns of the rows that match a LogsQL filter, "*" for
// all, most frequent first.
func Count(ctx context.Context, q Querier, m *logpattern.Miner, filter string) ([]Pattern, error) {
	now := m.Resolve()
	texts := map[string]string{}
	for _, t := range m.Templates() {
		texts[t.ID] = t.Text
	}
	found := map[string]*Pattern{}
	query := fmt.Sprintf("(%s) %q:* | stats by (%q) count() n, min(_time) if (!\"sextant.time\":*) first, max(_time) if (!\"sextant.time\":*) last", filter, Field, Field)
	err := q.Query(ctx, query, func(row []event.Field) error {
		var id string
		var n int64
		first, last := int64(event.NoTime), int64(event.NoTime)
		for _, f := range row {
			switch f.Name {
			case Field:
				id = strings.Clone(f.Value)
			case "n":
				n, _ = strconv.ParseInt(f.Value, 10, 64)
			case "first":
				first = parseTime(f.Value)
			case "last":
				last = parseTime(f.Value)
			}
		}
		to := cmp.Or(now[id], id)
		p := found[to]
		if p == nil {
			p = &Pattern{ID: to, Text: cmp.Or(texts[to], "(not known any more)"), First: first, Last: last}
			found[to] = p
		}
		if id != to {
			p.Aliases = append(p.Aliases, id)
		}
		p.Count += n
		if first != event.NoTime && (p.First == event.NoTime || first < p.First) {
			p.First = first
		}
		p.Last = max(p.Last, last) // NoTime is before all
		return nil
	})
	if err != nil {
		return nil, err
	}
	var out []Pattern
	for _, p := range found {
		slices.Sort(p.Aliases)
		out = append(out, *p)
	}
	slices.SortFunc(out, func(a, b Pattern) int { return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.ID, b.ID)) })
	return out, nil
}

func parseTime(s string) int64 {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return event.NoTime
	}
	return t.UnixNano()
}
