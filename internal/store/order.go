package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/VictoriaMetrics/VictoriaLogs/lib/logstorage"
)

// The engine answers in parallel: without a sort pipe its rows come in any
// order, and a sort pipe leaves equal rows in any order. This file rewrites a
// query, pipe by pipe, so that its answer is one and the same each time:
//
//   - rows that no pipe has ordered are sorted by rowKeys, and what stats, uniq
//     and their like give by its columns, before a limit sees them or they end
//     the query
//   - a sort pipe gets the same keys after its own
//
// The queries within a query, as in in(…), are left as they are. What remains
// the engine's is the order of equal values of text: it compares digits in them
// as numbers.
//
// Where that means sorting more rows than memory should hold, the query runs
// once for each of many windows of time; see windows.

// rowKeys put the rows of the store in one order: by time, and as they stood
// in their log.
const rowKeys = "_time, sextant.source, log.offset, event.sequence, event.id"

// kind is what a pipe does to the order of rows.
type kind uint8

const (
	ordered  kind = iota // defines an order itself, or is unknown here: left alone
	oneToOne             // gives one row for each row, in order
	rowwise              // gives none or many rows for each row, in order
	joins                // likewise, at the price of a query of its own
	limits               // takes rows by their place
	sorts                // sorts; the canonical text begins with NAME … by (…)
	scatters             // gives other rows, in no order
)

var pipeKinds = map[string]kind{
	"coalesce": oneToOne, "collapse_nums": oneToOne, "copy": oneToOne, "decolorize": oneToOne, "delete": oneToOne,
	"drop_empty_fields": rowwise, "extract": oneToOne, "extract_regexp": oneToOne, "fields": oneToOne,
	"filter": rowwise, "format": oneToOne, "hash": oneToOne, "json_array_concat": oneToOne, "json_array_len": oneToOne,
	"len": oneToOne, "math": oneToOne, "pack_json": oneToOne, "pack_logfmt": oneToOne, "rename": oneToOne,
	"replace": oneToOne, "replace_regexp": oneToOne, "set_stream_fields": oneToOne, "split": oneToOne,
	"time_add": oneToOne, "unpack_json": oneToOne, "unpack_logfmt": oneToOne, "unpack_syslog": oneToOne,
	"unpack_words": oneToOne, "unroll": rowwise, "sample": rowwise, "join": joins,
	"limit": limits, "offset": limits,
	"sort": sorts, "first": sorts, "last": sorts,
	"stats": scatters, "uniq": scatters, "field_values": scatters, "field_names": scatters, "union": scatters,
}

// pipes cuts what the engine printed into the filter and the pipes.
func pipes(q *logstorage.Query) (filter string, list []string) {
	all := q.String()
	head := q.Clone(q.GetTimestamp())
	head.DropAllPipes()
	filter = head.String()
	rest := strings.TrimPrefix(all, filter)
	for rest != "" {
		rest = strings.TrimPrefix(rest, " | ")
		end := len(rest)
		depth := 0
		for i := 0; i < len(rest); i++ {
			switch rest[i] {
			case '"', '\'', '`':
				i = skipQuoted(rest, i) - 1
			case '(', '[', '{':
				depth++
			case ')', ']', '}':
				depth--
			case '|':
				if depth == 0 {
					end = i - 1
				}
			}
			if end < len(rest) {
				break
			}
		}
		list = append(list, rest[:end])
		rest = rest[end:]
	}
	return filter, list
}

// skipQuoted returns the index after the quoted text that begins at i.
func skipQuoted(s string, i int) int {
	quote := s[i]
	for i++; i < len(s) && s[i] != quote; i++ {
		if s[i] == '\\' && quote != '`' {
			i++
		}
	}
	return min(i+1, len(s))
}

func pipeKind(pipe string) kind {
	name, _, _ := strings.Cut(pipe, " ")
	return pipeKinds[name]
}

// restore gives event.original back to rows of which the writer kept only
// what stands before the message.
var restore = []string{`format if (sextant.head:*) "<sextant.head><_msg>" as event.original`, `delete sextant.head`}

// restored returns the filter and pipes of q with restore where it is needed:
// before all else where the query asks for event.original by name, after the
// pipes that change no field where whole rows come out.
func restored(q *logstorage.Query) (filter string, list []string) {
	filter, list = pipes(q)
	all := q.String()
	switch {
	case strings.Contains(all, "sextant.head") || strings.HasPrefix(all, "options("):
		return filter, list
	case strings.Contains(all, "event.original"):
		return "*", append(append(append([]string{}, restore...), "filter "+filter), list...)
	}
	at := len(list)
	for i, pipe := range list {
		switch k := pipeKind(pipe); {
		case k == ordered || k == scatters:
			return filter, list
		case at == len(list) && k != limits && k != sorts && !strings.HasPrefix(pipe, "filter "):
			at = i
		}
	}
	return filter, append(append(append([]string{}, list[:at]...), restore...), list[at:]...)
}

// runPlan answers a query, filter and pipes, in a deterministic order.
func (r *runner) runPlan(ctx context.Context, filter string, list []string) error {
	if head, tail, ok := r.streamable(list); ok && !strings.Contains(filter, "time_offset=") {
		return r.windows(ctx, filter, head, tail)
	}
	var out []string
	canonical := "sort by (" + rowKeys + ")" // what orders the rows as they are here
	keys := rowKeys
	loose := true // the rows are in no order yet
	from := 0     // where in out they came to be so
	settle := func() {
		if loose {
			out = append(out[:from:from], append([]string{canonical}, out[from:]...)...)
			loose = false
		}
	}
	for i, pipe := range list {
		switch pipeKind(pipe) {
		case limits:
			settle()
		case sorts:
			pipe = addKeys(pipe, keys)
			loose = false
		case ordered:
			loose = false
		case oneToOne:
			if strings.HasPrefix(pipe, "fields ") { // the keys may be gone: what is left must do
				cols, _ := fixedFields(filter, list[:i+1], r.now)
				keys = strings.Join(cols, ", ")
			}
		case scatters:
			out = append(out, pipe)
			loose, from = true, len(out)
			if strings.HasPrefix(pipe, "union") {
				continue // rows of the same kind
			}
			canonical, keys = "sort", ""
			if cols, ok := fixedFields(filter, list[:i+1], r.now); ok && len(cols) > 0 {
				keys = strings.Join(cols, ", ")
				canonical = "sort by (" + keys + ")"
			}
			continue
		}
		out = append(out, pipe)
	}
	settle()
	return r.run(ctx, strings.Join(append([]string{filter}, out...), " | "), r.rows)
}

// fixedFields returns the columns that the pipes give, where they say so, quoted.
func fixedFields(filter string, list []string, now int64) ([]string, bool) {
	q, err := logstorage.ParseQueryAtTimestamp(strings.Join(append([]string{filter}, list...), " | "), now)
	if err != nil {
		return nil, false
	}
	cols, ok := q.GetFixedFields()
	for i := range cols {
		cols[i] = strconv.Quote(cols[i])
	}
	return cols, ok
}

// addKeys adds keys to those of a pipe that sorts.
func addKeys(pipe, keys string) string {
	at := strings.Index(pipe, " by (")
	if at < 0 || keys == "" {
		return pipe
	}
	depth := 0
	for i := at + len(" by "); i < len(pipe); i++ {
		switch pipe[i] {
		case '"', '\'', '`':
			i = skipQuoted(pipe, i) - 1
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return pipe[:i] + ", " + keys + pipe[i:]
			}
		}
	}
	return pipe
}

// streamable reports whether a query gives rows of the store one by one, so
// that it may run for one window of time after the other: all pipes look at
// single rows, but for an offset and a limit, which r then applies itself.
// head is what comes before these, tail what comes after.
func (r *runner) streamable(list []string) (head, tail []string, ok bool) {
	head = list
	for i, pipe := range list {
		switch pipeKind(pipe) {
		case oneToOne, rowwise:
			continue
		case limits:
		default:
			return nil, nil, false
		}
		head, tail = list[:i], list[i:]
		break
	}
	left, skip, limited := r.left, int64(0), false
	for len(tail) > 0 && pipeKind(tail[0]) == limits {
		name, number, _ := strings.Cut(tail[0], " ")
		n, err := strconv.ParseInt(number, 10, 64)
		if err != nil || limited || name == "offset" && skip > 0 || n == 0 {
			return nil, nil, false
		}
		if name == "offset" {
			skip = n
		} else {
			limited = true
			if left < 0 || n < left {
				left = n
			}
		}
		tail = tail[1:]
	}
	for _, pipe := range tail {
		if pipeKind(pipe) != oneToOne {
			return nil, nil, false
		}
	}
	r.left, r.skip = left, skip
	return head, tail, true
}

const (
	windowRows = 20_000 // rows sorted at once; the engine's bound for a sort is a twentieth of Options.MaxMemory
	windowCuts = 256    // pieces that a window which is too big is cut into before they are joined again
	topRows    = 10_000 // rows that the engine can keep sorted while it finds them
)

// window is a part of the rows: those of a stretch of time, all of it with
// both ends, narrowed to one source and a stretch of its offsets where one
// nanosecond has too many.
type window struct {
	rows     int64
	from, to int64
	source   string // quoted; "" for all
	lo, hi   string // log.offset; "" for all
}

func (w *window) filter() string {
	f := "filter " + timeFilter(w.from, w.to)
	if w.source != "" {
		f += " sextant.source:=" + w.source
	}
	if w.lo != "" {
		f += fmt.Sprintf(" log.offset:range[%s, %s]", w.lo, w.hi)
	}
	return f
}

// windows answers a streamable query: sorted by rowKeys, one window after the other.
func (r *runner) windows(ctx context.Context, filter string, head, tail []string) error {
	sorted := "sort by (" + rowKeys + ")"
	rest := append(append([]string{}, head...), tail...)
	if n := r.skip + r.left; r.left > 0 && n <= topRows && len(head) == 0 && len(r.s.engine.PartitionList()) <= r.s.chunk {
		first := fmt.Sprintf("%s limit %d", sorted, n)
		return r.run(ctx, strings.Join(append([]string{filter, first}, tail...), " | "), r.rows)
	}
	all, err := r.cut(ctx, filter, "")
	if err != nil || len(all) == 0 {
		return err
	}
	return r.window(ctx, filter, all[0], windowRows, func(w *window) error {
		return r.run(ctx, strings.Join(append([]string{filter, w.filter(), sorted}, rest...), " | "), r.rows)
	})
}

// window runs the query for w, or for its pieces when it has more than target
// rows or the engine says that they are too big to sort at once.
func (r *runner) window(ctx context.Context, filter string, w window, target int64, run func(*window) error) error {
	if w.rows <= target {
		err := run(&w)
		if err == nil || w.rows <= 1 || !strings.Contains(err.Error(), "requires more than") {
			return err
		}
		target = max(1, w.rows/8)
	}
	pieces, err := r.pieces(ctx, filter+" | "+w.filter(), w)
	if err != nil {
		return err
	}
	if len(pieces) <= 1 {
		return run(&w) // cannot be cut: rows of the same time and place
	}
	for i := 0; i < len(pieces); {
		p := pieces[i]
		for i++; i < len(pieces) && p.rows+pieces[i].rows <= target && p.source == pieces[i].source; i++ {
			p.rows += pieces[i].rows
			p.to, p.hi = pieces[i].to, pieces[i].hi
		}
		if err := r.window(ctx, filter, p, target, run); err != nil {
			return err
		}
	}
	return nil
}

// pieces cuts w: by time, then by source, then by offset.
func (r *runner) pieces(ctx context.Context, filter string, w window) ([]window, error) {
	if w.from < w.to {
		step := max(1, (w.to-w.from)/windowCuts)
		return r.cut(ctx, filter, fmt.Sprintf("_time:%dns", step))
	}
	if w.source == "" {
		return r.cut(ctx, filter, "sextant.source")
	}
	lo, _ := strconv.ParseInt(w.lo, 10, 64)
	hi, _ := strconv.ParseInt(w.hi, 10, 64)
	pieces, err := r.cut(ctx, filter, fmt.Sprintf("log.offset:%d", max(1, (hi-lo)/windowCuts)))
	for i := range pieces {
		pieces[i].source = w.source
	}
	return pieces, err
}

// cut groups the rows of a filter and returns a window for each group that
// holds it exactly, in order.
func (r *runner) cut(ctx context.Context, filter, by string) (out []window, err error) {
	group := ""
	if by != "" {
		group = "by (" + by + ") "
	}
	offsets := group != "" && !strings.HasPrefix(by, "_time")
	query := filter + " | stats " + group + "count() n, min(_time) first, max(_time) last"
	if offsets {
		query += ", min(log.offset) lo, max(log.offset) hi"
	}
	err = r.run(ctx, query, func(db *logstorage.DataBlock) error {
		get := func(name string, row int) string {
			if c := db.GetColumnByName(name); c != nil {
				return c.Values[row]
			}
			return ""
		}
		for i := range db.RowsCount() {
			var w window
			if w.rows, err = strconv.ParseInt(get("n", i), 10, 64); err != nil {
				return err
			}
			if w.rows == 0 {
				continue
			}
			from, err := time.Parse(time.RFC3339Nano, get("first", i))
			if err != nil {
				return err
			}
			to, err := time.Parse(time.RFC3339Nano, get("last", i))
			if err != nil {
				return err
			}
			w.from, w.to = from.UnixNano(), to.UnixNano()
			if offsets {
				w.lo, w.hi = get("lo", i), get("hi", i)
			}
			if by == "sextant.source" {
				w.source = strconv.Quote(get(by, i))
			}
			out = append(out, w)
		}
		return nil
	})
	slices.SortFunc(out, func(a, b window) int {
		alo, _ := strconv.ParseFloat(a.lo, 64)
		blo, _ := strconv.ParseFloat(b.lo, 64)
		return cmp.Or(cmp.Compare(a.source, b.source), cmp.Compare(a.from, b.from), cmp.Compare(alo, blo))
	})
	return out, err
}
