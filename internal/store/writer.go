package store

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/VictoriaMetrics/VictoriaLogs/lib/logstorage"

	"github.com/sextant-logs/sextant/internal/event"
)

// The engine drops rows beyond its limits with a line in its log. So a writer
// keeps them: lib/logstorage/consts.go has 2,000 columns, 128 bytes for a
// name, and 2 MiB for a row as it estimates it.
const (
	maxColumns = 1900
	maxName    = 128
	maxRow     = 2<<20 - 4<<10
	minCut     = 512 // values are not cut below this many bytes
	maxHead    = 256 // bytes of a record before its message that are worth a column of their own
)

// The engine packs the rows of a stream into blocks of 2 MiB and, whenever it merges
// its files, copies full blocks and packs the others anew. So rows are handed over when
// they fill blocks to the brim: two, since what is less waits in the engine for more.
const (
	blockBytes = 2 << 20
	fullBlocks = 2
)

// writer implements Writer for Embedded.
type writer struct {
	s      *Embedded
	rows   *logstorage.LogRows
	days   map[int64]struct{} // of the rows not handed over yet
	last   int64              // the day added to days last
	block  int                // bytes of rows that do not fill a block of the engine yet, as it counts them
	blocks int                // blocks that the rows not handed over yet fill
	report Report

	row    []logstorage.Field
	seen   [16]uint64 // Bloom filter over the names in row, to find fields with several values
	source string
	path   string
	spare  []logstorage.Field // for the sorted row
	orders [64]order          // of kinds of rows, by a hash of their columns
	num    [2][20]byte
	buf    []byte

	// Of the row being built:
	more    []value        // second and further values of columns
	index   map[string]int // columns from the manyColumns-th on
	renamed []event.Field  // column name and the field's own name
	rest    []event.Field  // fields beyond maxColumns
}

type value struct {
	col  int
	text string
}

// A stream is what the engine sorts and packs rows by, and what stream_context
// looks around in: here a log. Datasets and hosts would make no difference to
// speed or size, and a hostile log can name any number of them.
const streamFields = 1 // sextant.source, the first column of a row

func (s *Embedded) NewWriter() Writer {
	return &writer{s: s, rows: logstorage.GetLogRows(nil, nil, nil, nil, ""), days: map[int64]struct{}{}, index: map[string]int{}, last: math.MinInt64}
}

func (w *writer) Report() Report { return w.report }

func (w *writer) Add(source *Source, events []event.Event) error {
	w.source, w.path = source.ID, source.Path
	fallback := max(minTime, min(source.Fallback, maxTime-1))
	for i := range events {
		w.build(&events[i], fallback)
		if w.blocks == fullBlocks {
			if err := w.Flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

// Flush hands the rows to the engine, which copies them. To look up the
// streams of a day, the engine opens files, so rows of many days go some days
// at a time.
func (w *writer) Flush() error {
	n := w.rows.RowsCount()
	if n == 0 {
		return nil
	}
	if err := w.s.enter(); err != nil {
		return err
	}
	defer w.s.users.Done()
	for w.s.engine.IsReadOnly() {
		if w.s.full != nil {
			if err := w.s.full(); err != nil {
				return err
			}
			continue
		}
		return fmt.Errorf("%s: %w: free some space and run again", w.s.dir, ErrDiskFull)
	}
	days := slices.Sorted(maps.Keys(w.days))
	if len(days) <= w.s.maxAdd {
		if err := w.s.hand(w.rows, days); err != nil {
			return err
		}
	} else {
		for some := range slices.Chunk(days, w.s.maxAdd) {
			part := logstorage.GetLogRows(nil, nil, nil, nil, "")
			w.rows.ForEachRow(func(_ uint64, r *logstorage.InsertRow) {
				if day := r.Timestamp / dayNanos; some[0] <= day && day <= some[len(some)-1] {
					part.MustAddInsertRow(r)
				}
			})
			if err := w.s.hand(part, some); err != nil {
				return err
			}
			logstorage.PutLogRows(part)
		}
	}
	w.report.Rows += int64(n)
	w.rows.ResetKeepSettings()
	w.block, w.blocks = 0, 0
	clear(w.days)
	w.last = math.MinInt64
	return nil
}

// hand gives rows of the days to the engine.
func (s *Embedded) hand(rows *logstorage.LogRows, days []int64) (err error) {
	if err := s.closeFiles(s.maxFiles / 2); err != nil {
		return err
	}
	s.adding.RLock()
	defer s.adding.RUnlock()
	defer recovered("add rows", &err)
	s.days.Lock()
	for _, day := range days {
		s.dirty[day] = struct{}{}
		s.opened[day] = struct{}{}
	}
	s.days.Unlock()
	s.engine.MustAddRows(rows)
	return nil
}

// build adds the row of e to w.rows.
func (w *writer) build(e *event.Event, fallback int64) {
	w.row = append(w.row[:0],
		logstorage.Field{Name: "sextant.source", Value: w.source},
		logstorage.Field{Name: "event.dataset"},
		logstorage.Field{Name: "", Value: e.Raw},
		logstorage.Field{Name: "log.file.path", Value: w.path},
		logstorage.Field{Name: "event.id", Value: e.ID},
		logstorage.Field{Name: "log.offset", Value: number(w.num[0][:0], e.Offset)},
	)
	w.more, w.renamed, w.rest = w.more[:0], w.renamed[:0], w.rest[:0]
	clear(w.index)
	w.seen = [16]uint64{}
	if e.Sequence != 0 {
		w.row = append(w.row, logstorage.Field{Name: "event.sequence", Value: number(w.num[1][:0], e.Sequence)})
	}
	at := w.place(e, fallback)

	message := ""
	for i := range e.Fields {
		f := &e.Fields[i]
		switch f.Name {
		case "event.dataset":
			if w.row[1].Value == "" {
				w.row[1].Value = f.Value
			} else {
				w.more = append(w.more, value{1, f.Value})
			}
			continue
		case "message":
			if message == "" {
				message = f.Value
				continue
			}
		}
		w.add(f)
	}
	if e.Err != "" {
		w.add(&event.Field{Name: "error.message", Value: e.Err})
	}
	if message != "" && message != e.Raw {
		w.row[2].Value = message
		if head, ok := strings.CutSuffix(e.Raw, message); ok && len(head) <= maxHead {
			w.row = append(w.row, logstorage.Field{Name: "sextant.head", Value: head})
		} else {
			w.row = append(w.row, logstorage.Field{Name: "event.original", Value: e.Raw})
		}
	}
	if len(w.more) > 0 {
		w.join()
	}
	if len(w.renamed) > 0 {
		w.report.Renamed++
		w.row = append(w.row, logstorage.Field{Name: "sextant.renamed", Value: object(w.renamed)})
	}
	if len(w.rest) > 0 {
		w.report.Overflowed++
		w.row = append(w.row, logstorage.Field{Name: "sextant.overflow", Value: object(w.rest)})
	}
	size := logstorage.EstimatedJSONRowLen(w.row)
	if size > maxRow {
		w.report.Cut++
		w.cut()
		size = logstorage.EstimatedJSONRowLen(w.row)
	}
	if w.block += size; w.block >= blockBytes {
		w.block = 0
		w.blocks++
	}
	w.sort()
	w.rows.MustAdd(logstorage.TenantID{}, at, w.row, streamFields)
}

// order is how the columns of a kind of rows, those after the stream's, are sorted.
type order struct {
	names []string // as built
	perm  []int    // where each of them goes
}

// sort brings the columns after the stream's in the order of their names,
// which the engine needs and does slowly. There are only so many kinds of rows in
// a log, or in what many hosts send: how they are sorted is known from the last.
func (w *writer) sort() {
	cols := w.row[streamFields:]
	hash := uint(len(cols))
	for i := range cols {
		if name := cols[i].Name; len(name) > 0 {
			hash = hash*31 + uint(len(name))<<8 + uint(name[len(name)/2]) + uint(name[len(name)-1])<<3
		}
	}
	o := &w.orders[(hash^hash>>7)%uint(len(w.orders))]
	same := len(cols) == len(o.names)
	for i := 0; same && i < len(cols); i++ {
		same = cols[i].Name == o.names[i]
	}
	if !same {
		o.names, o.perm = o.names[:0], o.perm[:0]
		for i := range cols {
			o.names = append(o.names, strings.Clone(cols[i].Name))
			o.perm = append(o.perm, i)
		}
		slices.SortFunc(o.perm, func(a, b int) int { return strings.Compare(o.names[a], o.names[b]) })
	}
	w.spare = append(w.spare[:0], w.row[:streamFields]...)
	for _, i := range o.perm {
		w.spare = append(w.spare, cols[i])
	}
	w.row, w.spare = w.spare, w.row
}

// object is fields as a flat JSON object of strings.
func object(fields []event.Field) string {
	out := []byte{'{'}
	for i, f := range fields {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(event.AppendQuoted(out, f.Name), ':')
		out = event.AppendQuoted(out, f.Value)
	}
	return string(append(out, '}'))
}

// number is n in decimal, in dst's memory: the engine copies it.
func number(dst []byte, n int64) string {
	return event.View(strconv.AppendInt(dst, n, 10))
}

// place returns the row's _time and says in a column where it is not the event's.
func (w *writer) place(e *event.Event, fallback int64) int64 {
	switch {
	case e.Time == event.NoTime:
		w.report.NoTime++
		w.row = append(w.row, logstorage.Field{Name: "sextant.time", Value: "none"})
	case e.Time < minTime || e.Time >= maxTime:
		w.elsewhere(e, "out of range")
	case !w.onDay(e.Time):
		w.elsewhere(e, "too many days")
	default:
		return e.Time
	}
	if !w.onDay(fallback) {
		// A case that is full of days has at least some: rather another of them
		// than no row at all. The column above says that it is none of the row's.
		fallback = w.s.someDay()
		w.onDay(fallback)
	}
	return fallback
}

func (w *writer) elsewhere(e *event.Event, why string) {
	w.report.OutOfRange++
	w.row = append(w.row,
		logstorage.Field{Name: "sextant.time", Value: why},
		logstorage.Field{Name: "sextant.time.original", Value: e.Timestamp().Format(time.RFC3339Nano)})
}

// onDay notes that a row of that time will be added, if it may.
func (w *writer) onDay(at int64) bool {
	day := at / dayNanos // as the engine counts days
	if day == w.last {
		return true
	}
	if _, ok := w.days[day]; !ok {
		if !w.s.admit(day) {
			return false
		}
		w.days[day] = struct{}{}
	}
	w.last = day
	return true
}

// add adds a field as a column, or its value to the column that is there.
func (w *writer) add(f *event.Field) {
	if f.Value == "" {
		return
	}
	name := f.Name
	if reserved(name) || len(name) > maxName {
		name = columnName(name)
		w.renamed = append(w.renamed, event.Field{Name: name, Value: f.Name})
	}
	if col := w.column(name); col >= 0 {
		w.more = append(w.more, value{col, f.Value})
		return
	}
	if len(w.row) >= maxColumns {
		w.rest = append(w.rest, *f)
		return
	}
	if len(w.row) >= manyColumns {
		w.index[name] = len(w.row)
	}
	w.row = append(w.row, logstorage.Field{Name: name, Value: f.Value})
}

// manyColumns is the number of columns after which a map finds them.
const manyColumns = 48

// column returns where in w.row the named column is, -1 if it is not there,
// and expects to be asked about a name once before it is added.
func (w *writer) column(name string) int {
	if n := len(w.more); n > 0 && w.row[w.more[n-1].col].Name == name {
		return w.more[n-1].col // the values of an array come together
	}
	if len(w.row) >= manyColumns {
		if col, ok := w.index[name]; ok {
			return col
		}
	}
	h := uint(len(name))
	if len(name) > 2 {
		h += uint(name[len(name)-1])*37 + uint(name[len(name)-3])*149 + uint(name[len(name)/2])*13
	}
	word, bit := &w.seen[h/64%16], uint64(1)<<(h%64)
	if *word&bit != 0 {
		for i := range min(len(w.row), manyColumns) {
			if w.row[i].Name == name {
				return i
			}
		}
	}
	*word |= bit
	return -1
}

// join makes arrays of the columns that have more than one value.
func (w *writer) join() {
	slices.SortStableFunc(w.more, func(a, b value) int { return cmp.Compare(a.col, b.col) })
	for i := 0; i < len(w.more); {
		col := &w.row[w.more[i].col]
		w.buf = event.AppendQuoted(append(w.buf[:0], '['), col.Value)
		for at := w.more[i].col; i < len(w.more) && w.more[i].col == at; i++ {
			w.buf = event.AppendQuoted(append(w.buf, ','), w.more[i].text)
		}
		col.Value = string(append(w.buf, ']'))
	}
}

// reserved reports whether a column of that name is the engine's or ours.
func reserved(name string) bool {
	switch name {
	case "", "_msg", "_time", "_stream", "_stream_id",
		"event.id", "event.original", "event.sequence", "log.file.path", "log.offset":
		return true
	}
	return strings.HasPrefix(name, "sextant.")
}

// columnName is the column for a field whose name cannot be one: reserved
// names get a prefix, long ones keep their beginning and get a hash.
func columnName(name string) string {
	if len(name) <= maxName-len("original.") {
		return "original." + name
	}
	h := fnv.New64a()
	h.Write([]byte(name))
	return fmt.Sprintf("%s~%016x", cutAt(name, maxName-17), h.Sum64())
}

// cutAt returns at most n bytes of s, whole characters where it is UTF-8.
func cutAt(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for i := n; i > n-utf8.UTFMax && i > 0; i-- {
		if utf8.RuneStart(s[i]) {
			return s[:i]
		}
	}
	return s[:n]
}

// cut shortens the row's longest values until the engine takes it, and names
// them in the column sextant.cut.
func (w *writer) cut() {
	size := logstorage.EstimatedJSONRowLen(w.row) + len(`,"sextant.cut":"[]"`)
	var long []int // columns that may be cut, longest first
	for i := range w.row {
		if len(w.row[i].Value) > minCut {
			long = append(long, i)
		}
	}
	slices.SortStableFunc(long, func(a, b int) int { return cmp.Compare(len(w.row[b].Value), len(w.row[a].Value)) })
	names := []byte{'['}
	for _, i := range long {
		if size <= maxRow {
			break
		}
		c := &w.row[i]
		if len(names) > 1 {
			names = append(names, ',')
		}
		before := len(names)
		names = event.AppendQuoted(names, cmp.Or(c.Name, "_msg"))
		size += len(names) - before + 1
		keep := cutAt(c.Value, max(minCut, len(c.Value)-(size-maxRow)))
		size -= len(c.Value) - len(keep)
		c.Value = keep
	}
	w.row = append(w.row, logstorage.Field{Name: "sextant.cut", Value: string(append(names, ']'))})
}
