package store

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/VictoriaMetrics/VictoriaLogs/lib/logstorage"

	"github.com/sextant-logs/sextant/internal/event"
)

// A Figure is what is told of the events that have the same values: Of is count(),
// min(_time) or max(_time) in LogsQL, with a condition or without (count() if (…)).
// Figures of parts of the events can be put together, in any order.
type Figure struct{ Name, Of string }

// Group counts the events that a query finds (conditions and pipes that work row by
// row) by the values of some fields, of which there may be any number: rows have those
// fields, named as they are, and the figures, as the engine prints them. Rows come in no
// order and are valid during the call. Where there are more groups than the engine can hold
// in memory, it counts them in stretches of time, and what these give is put together in
// temporary files, which hold each group once for each stretch. It calls begin before each of
// the two attempts.
func Group(ctx context.Context, st Store, query string, by []string, figures []Figure, begin func(), fn func(row []event.Field) error) error {
	stats := statsBy(by, figures)
	begin()
	err := st.QueryWith(ctx, query+" | "+stats, QueryOptions{Unsorted: true}, fn)
	if !errors.Is(err, ErrMemory) {
		return err
	}
	begin()
	g := grouper{by: by, figures: figures, seed: maphash.MakeSeed(), most: maxGroupBytes}
	defer g.close()
	if err := (&stretcher{st, query, stats, by, g.add}).all(ctx); err != nil {
		return err
	}
	return g.each(fn)
}

func statsBy(by []string, figures []Figure) string {
	quoted, of := make([]string, len(by)), make([]string, len(figures))
	for i, f := range by {
		quoted[i] = strconv.Quote(f)
	}
	for i, f := range figures {
		of[i] = f.Of + " " + f.Name
	}
	return "stats by (" + strings.Join(quoted, ", ") + ") " + strings.Join(of, ", ")
}

// A stretcher runs a stats pipe on one stretch of time after the other, each so short
// that the engine can hold its groups.
type stretcher struct {
	st           Store
	query, stats string
	by           []string
	fn           func([]event.Field) error
}

// all runs it over all times, which the engine was not able to do.
func (s *stretcher) all(ctx context.Context) error {
	from, until := int64(0), int64(-1)
	err := s.st.QueryWith(ctx, s.query+" | stats min(_time) first, max(_time) last", QueryOptions{Unsorted: true}, func(row []event.Field) error {
		for _, f := range row {
			at, _ := logstorage.TryParseTimestampRFC3339Nano(f.Value)
			switch f.Name {
			case "first":
				from = at
			case "last":
				until = at
			}
		}
		return nil
	})
	if err != nil || until < from {
		return err
	}
	return s.split(ctx, from, until)
}

// one runs it from one time to another, both included.
func (s *stretcher) one(ctx context.Context, from, until int64) error {
	query, err := s.within(from, until)
	if err != nil {
		return err
	}
	err = count(ctx, s.st, query+" | "+s.stats, s.fn)
	if errors.Is(err, ErrMemory) {
		return s.split(ctx, from, until)
	}
	return err
}

func (s *stretcher) within(from, until int64) (string, error) {
	return Narrowed(s.query, timeFilter(from, until))
}

// split runs it on parts of a stretch that is too long.
func (s *stretcher) split(ctx context.Context, from, until int64) error {
	query, err := s.within(from, until)
	if err != nil {
		return err
	}
	if from == until {
		return inParts(ctx, s.st, query, s.by, s.stats, s.fn)
	}
	// How many events there are when, so that the parts have about as many.
	const (
		steps = 512
		easy  = 200_000 // events: as many groups are no trouble
	)
	step := max((until-from)/steps, 1)
	counts := map[int64]int64{}
	var total int64
	err = s.st.QueryWith(ctx, fmt.Sprintf("%s | stats by (_time:%dns) count() n", query, step), QueryOptions{Unsorted: true}, func(row []event.Field) error {
		var at, n int64
		for _, f := range row {
			switch f.Name {
			case "_time":
				at, _ = logstorage.TryParseTimestampRFC3339Nano(f.Value)
			case "n":
				n, _ = strconv.ParseInt(f.Value, 10, 64)
			}
		}
		counts[at] += n
		total += n
		return nil
	})
	if err != nil {
		return err
	}
	most := min(total/4, easy)
	begin, sum := from, int64(0)
	for _, at := range slices.Sorted(maps.Keys(counts)) {
		n := counts[at]
		if sum > 0 && sum+n > most {
			if err := s.one(ctx, begin, at-1); err != nil {
				return err
			}
			begin, sum = at, 0
		}
		sum += n
	}
	if begin == from { // one step has them all
		middle := from + (until-from)/2
		if err := s.one(ctx, from, middle); err != nil {
			return err
		}
		begin = middle + 1
	}
	return s.one(ctx, begin, until)
}

// Grouped runs a stats pipe that groups by a field, which may have more values
// than the engine can count at once: then it counts them in parts, by the
// values' hash, each value in one of them, which takes a run over the events for each part:
// Group does without. It calls begin before each of the two attempts. Rows come in no order.
func Grouped(ctx context.Context, st Store, query, field, stats string, begin func(), fn func(row []event.Field) error) error {
	begin()
	err := st.QueryWith(ctx, query+" | "+stats, QueryOptions{Unsorted: true}, fn)
	if errors.Is(err, ErrMemory) {
		begin()
		err = inParts(ctx, st, query, []string{field}, stats, fn)
	}
	return err
}

// inParts runs a stats pipe on the events of some hashes of values after those of others. A part
// that the engine cannot hold gives no rows, and is halved.
func inParts(ctx context.Context, st Store, query string, by []string, stats string, fn func(row []event.Field) error) error {
	key := by[0]
	if len(by) > 1 {
		key = "sextant_key"
		query += " | format " + strconv.Quote("<"+strings.Join(by, ">\x1f<")+">") + " as " + key
	}
	const (
		all   = 1 << 53 // the engine's hashes have 53 bits
		parts = 8
	)
	var part func(from, to uint64) error
	part = func(from, to uint64) error {
		err := count(ctx, st, fmt.Sprintf("%s | hash(%s) sextant_part | filter sextant_part:>=%d sextant_part:<%d | %s", query, strconv.Quote(key), from, to, stats), fn)
		if middle := from + (to-from)/2; errors.Is(err, ErrMemory) && to-from > all/4096 {
			if err = part(from, middle); err == nil {
				err = part(middle, to)
			}
		}
		return err
	}
	for i := range uint64(parts) {
		if err := part(i*(all/parts), (i+1)*(all/parts)); err != nil {
			return err
		}
	}
	return nil
}

// count runs a query that ends in a stats pipe: if the engine has no memory for all groups, it gives none, so that they can
// be asked for in smaller parts. Were it otherwise, some would be counted twice.
func count(ctx context.Context, st Store, query string, fn func(row []event.Field) error) error {
	given := false
	err := st.QueryWith(ctx, query, QueryOptions{Unsorted: true}, func(row []event.Field) error {
		given = true
		return fn(row)
	})
	if given && errors.Is(err, ErrMemory) {
		return fmt.Errorf("the store gave some groups and then had no memory for the others: %v", err)
	}
	return err
}

// grouper puts rows of groups together: they go to files by a hash of their values, and each
// file's groups are then held in memory, or go to files in turn.
type grouper struct {
	by      []string
	figures []Figure
	seed    maphash.Seed // so that nobody can choose values that go to one file
	level   int
	most    int64 // bytes of a file whose groups are held in memory
	parts   [groupParts]groupPart
	record  []byte
	key     []byte
	values  []int64
}

type groupPart struct {
	f    *os.File
	w    *bufio.Writer
	size int64
}

const (
	groupParts    = 64
	maxGroupBytes = 16 << 20
	maxGroupLevel = 4 // 64^4 files of groups that differ, and then they are held whatever there are
)

const noFigure = -1 << 63 // there was no event to take the time of

// add takes a row of the engine.
func (g *grouper) add(row []event.Field) error {
	value := func(name string) string {
		for i := range row {
			if row[i].Name == name {
				return row[i].Value
			}
		}
		return ""
	}
	g.key, g.values = g.key[:0], g.values[:0]
	for _, f := range g.by {
		v := value(f)
		g.key = append(binary.AppendUvarint(g.key, uint64(len(v))), v...)
	}
	for _, f := range g.figures {
		v, ok := int64(noFigure), false
		s := value(f.Name)
		if strings.HasPrefix(f.Of, "count()") {
			n, err := strconv.ParseInt(s, 10, 64)
			if err != nil {
				return fmt.Errorf("%s: the engine counts %q", f.Of, s)
			}
			v = n
		} else if v, ok = logstorage.TryParseTimestampRFC3339Nano(s); !ok {
			v = noFigure
		}
		g.values = append(g.values, v)
	}
	return g.write(g.key, g.values)
}

// write puts a group into the file of its hash.
func (g *grouper) write(key []byte, values []int64) error {
	p := &g.parts[maphash.Bytes(g.seed, key)>>(6*g.level)%groupParts]
	if p.f == nil {
		var err error
		if p.f, err = os.CreateTemp("", "sextant-groups-*"); err != nil {
			return fmt.Errorf("too many different values for memory, and no temporary file for them: %w", err)
		}
		p.w = bufio.NewWriterSize(p.f, 32<<10)
	}
	g.record = append(binary.AppendUvarint(g.record[:0], uint64(len(key))), key...)
	for _, v := range values {
		g.record = binary.AppendVarint(g.record, v)
	}
	p.size += int64(len(g.record))
	_, err := p.w.Write(g.record)
	return err
}

// read gives a part's records to fn and removes its file.
func (p *groupPart) read(figures int, fn func(key []byte, values []int64) error) error {
	if p.f == nil {
		return nil
	}
	defer p.close()
	if err := p.w.Flush(); err != nil {
		return err
	}
	if _, err := p.f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	r := bufio.NewReaderSize(p.f, 128<<10)
	var key []byte
	values := make([]int64, figures)
	for {
		n, err := binary.ReadUvarint(r)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		key = append(key[:0], make([]byte, n)...)
		if _, err := io.ReadFull(r, key); err != nil {
			return err
		}
		for i := range values {
			if values[i], err = binary.ReadVarint(r); err != nil {
				return err
			}
		}
		if err := fn(key, values); err != nil {
			return err
		}
	}
}

func (p *groupPart) close() {
	if p.f != nil {
		p.f.Close()
		os.Remove(p.f.Name())
		*p = groupPart{}
	}
}

func (g *grouper) close() {
	for i := range g.parts {
		g.parts[i].close()
	}
}

// each gives the groups to fn.
func (g *grouper) each(fn func(row []event.Field) error) error {
	row := make([]event.Field, 0, len(g.by)+len(g.figures))
	for i := range g.parts {
		p := &g.parts[i]
		if p.size > g.most && g.level < maxGroupLevel {
			deeper := grouper{by: g.by, figures: g.figures, seed: g.seed, level: g.level + 1, most: g.most}
			err := p.read(len(g.figures), deeper.write)
			if err == nil {
				err = deeper.each(fn)
			}
			deeper.close()
			if err != nil {
				return err
			}
			continue
		}
		at := map[string]int{}
		var sums []int64
		err := p.read(len(g.figures), func(key []byte, values []int64) error {
			k, ok := at[string(key)]
			if !ok {
				at[string(key)] = len(sums)
				sums = append(sums, values...)
				return nil
			}
			for i, v := range values {
				sums[k+i] = g.figures[i].merge(sums[k+i], v)
			}
			return nil
		})
		if err != nil {
			return err
		}
		for key, k := range at {
			row = row[:0]
			for _, f := range g.by {
				n, w := binary.Uvarint([]byte(key[:min(len(key), binary.MaxVarintLen64)]))
				row = append(row, event.Field{Name: f, Value: key[w : w+int(n)]})
				key = key[w+int(n):]
			}
			for i, f := range g.figures {
				row = append(row, event.Field{Name: f.Name, Value: f.text(sums[k+i])})
			}
			if err := fn(row); err != nil {
				return err
			}
		}
	}
	return nil
}

// merge is the figure of two parts of a group.
func (f Figure) merge(a, b int64) int64 {
	switch {
	case strings.HasPrefix(f.Of, "count()"):
		return a + b
	case a == noFigure:
		return b
	case b == noFigure:
		return a
	case strings.HasPrefix(f.Of, "min("):
		return min(a, b)
	}
	return max(a, b)
}

// text is the figure as the engine prints it.
func (f Figure) text(v int64) string {
	switch {
	case strings.HasPrefix(f.Of, "count()"):
		return strconv.FormatInt(v, 10)
	case v == noFigure:
		return ""
	}
	return time.Unix(0, v).UTC().Format(time.RFC3339Nano)
}

// Split parses a query and returns its filter and its pipes as the engine
// prints them, so that conditions can be added to the one and pipes to the other.
func Split(logsql string) (filter string, list []string, err error) {
	q, err := parse(logsql, time.Now().UnixNano())
	if err != nil {
		return "", nil, err
	}
	defer recovered("rewrite", &err)
	filter, list = pipes(q)
	return filter, list, nil
}

// Narrowed is the query with a further condition on the rows it begins with.
func Narrowed(logsql, condition string) (string, error) {
	if strings.TrimSpace(logsql) == "" {
		return condition, nil
	}
	filter, list, err := Split(logsql)
	if err != nil {
		return "", err
	}
	if filter != "*" {
		condition += " (" + filter + ")"
	}
	return strings.Join(append([]string{condition}, list...), " | "), nil
}
