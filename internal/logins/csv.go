package logins

import (
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"
	"unsafe"

	"github.com/sextant-logs/sextant/internal/prose"
	"github.com/sextant-logs/sextant/internal/timestamp"
)

// Source is the account of one file: every byte belongs to the header, to a
// record or to a blank line, every record is counted or refused.
type Source struct {
	Name     string    `json:"name"`
	Bytes    int64     `json:"bytes"`
	Records  int64     `json:"records"` // well-formed, of any action
	Attempts int64     `json:"login_attempts"`
	Refused  int64     `json:"refused"`
	Refusals []Refusal `json:"refusals,omitempty"` // the first few
	NoTime   int64     `json:"records_without_time,omitempty"`
	Notes    []string  `json:"notes,omitempty"` // what the file lacks
}

// Refusal says why a record was not read.
type Refusal struct {
	Line   int64  `json:"line"` // of the file, from 1, where the record begins
	Reason string `json:"reason"`
}

const (
	maxRecord   = 1 << 20 // bytes; a longer record is refused
	maxRefusals = 5       // listed, by file
)

// A column may be called by any of these, without regard to case and to what
// is neither letter nor digit; the first that the header has is taken.
var columnNames = [...]struct {
	role  string
	names []string
}{
	colUser: {"user", []string{"user_id", "user", "username", "user.name", "userid", "uid", "account", "account_name",
		"login_name", "target_user_name", "subject_user_name", "principal", "actor"}},
	colSource: {"source", []string{"source_ip", "src_ip", "source.ip", "source", "src", "source_address", "src_addr", "source_host",
		"client_ip", "remote_ip", "ip_address", "ip", "remote_address", "remote_addr", "client", "remote_host"}},
	colAction: {"action", []string{"action", "event.action", "event", "event_type", "event_name", "activity", "operation", "type"}},
	colSuccess: {"success", []string{"success", "successful", "succeeded", "is_success", "login_success", "event.outcome", "outcome",
		"result", "status"}},
	colTime: {"time", []string{"timestamp", "@timestamp", "time", "datetime", "date_time", "event_time", "time_generated",
		"time_created", "created_at", "ts", "date"}},
}

const (
	colUser = iota
	colSource
	colAction
	colSuccess
	colTime
	columnRoles
)

// layout is where the columns of a file are.
type layout struct {
	comma byte
	width int // fields of a record
	at    [columnRoles]int
	last  int // the last column that is needed
}

// ReadCSV reads a file as RFC 4180 has it: a header line, then records of as
// many fields, separated by commas (or, when the header has none, by semicolons
// or tabs), fields quoted where they need it. Records that break these rules
// are refused and counted, the rest is read. The file must have columns for user,
// action and success; without one for time or source the Source carries a note.
//
// An error says that the file is unusable, or that reading stopped early; what
// was read before it stays counted.
func (c *Counter) ReadCSV(r io.Reader, name string) (Source, error) {
	in := &blockReader{r: r, size: c.maxRecord}
	header, line, err := in.header()
	src := Source{Name: name}
	if err != nil {
		return src, fmt.Errorf("read %s: %w", name, err)
	}
	lay, err := newLayout(header)
	if err != nil {
		return src, fmt.Errorf("read %s: %w", name, err)
	}
	for _, role := range []int{colTime, colSource} {
		if lay.at[role] < 0 {
			src.Notes = append(src.Notes, fmt.Sprintf("no column for %s (looked for %s)", columnNames[role].role, strings.Join(columnNames[role].names, ", ")))
		}
	}
	in.comma = lay.comma

	threads := c.opts.Threads
	if threads <= 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	workers := make([]*worker, threads)
	blocks := make(chan block, threads)
	results := make(chan blockResult, threads)
	var done sync.WaitGroup
	for i := range workers {
		w := &worker{lay: lay, size: in.size, tally: newTally(c.opts.Actions)}
		workers[i] = w
		done.Go(func() {
			for b := range blocks {
				results <- w.read(b)
				in.pool.Put(b.data)
			}
		})
	}
	var readErr error
	go func() {
		readErr = in.blocks(blocks)
		close(blocks)
		done.Wait()
		close(results)
	}()

	var all []blockResult
	for res := range results {
		src.Records += res.records
		src.Attempts += res.attempts
		src.Refused += res.refused
		src.NoTime += res.noTime
		all = append(all, res)
	}
	// The first refusals of the file are among the first of the blocks; their
	// line numbers need the lines of the blocks before.
	slices.SortFunc(all, func(a, b blockResult) int { return a.seq - b.seq })
	for _, res := range all {
		for _, f := range res.refusals {
			if len(src.Refusals) < maxRefusals {
				src.Refusals = append(src.Refusals, Refusal{line + f.Line, f.Reason})
			}
		}
		line += res.lines
	}
	for _, w := range workers {
		c.tally.merge(&w.tally)
	}
	src.Bytes = in.bytes
	c.records += src.Records
	c.sources = append(c.sources, src)
	if readErr != nil {
		return src, fmt.Errorf("read %s after %d records: %w", name, src.Records, readErr)
	}
	return src, nil
}

// newLayout finds the columns of a header line.
func newLayout(header string) (layout, error) {
	lay := layout{comma: ','}
	if !strings.Contains(header, ",") {
		for _, other := range []byte{';', '\t'} {
			if strings.IndexByte(header, other) >= 0 {
				lay.comma = other
				break
			}
		}
	}
	fields, _, reason := splitRecord(header, lay.comma, nil, nil)
	if reason != "" {
		return lay, fmt.Errorf("header line: %s", reason)
	}
	lay.width = len(fields)
	bare := make([]string, len(fields))
	for i, f := range fields {
		bare[i] = bareName(f)
	}
	var missing []string
	for role, col := range columnNames {
		lay.at[role] = -1
		for _, n := range col.names {
			if i := slices.Index(bare, bareName(n)); i >= 0 {
				lay.at[role] = i
				lay.last = max(lay.last, i)
				break
			}
		}
		if lay.at[role] < 0 && role != colTime && role != colSource {
			missing = append(missing, fmt.Sprintf("no column for %s (looked for %s)", col.role, strings.Join(col.names, ", ")))
		}
	}
	if missing != nil {
		shown := fields[:min(len(fields), 30)]
		return lay, fmt.Errorf("%s; the header line has: %.300q", strings.Join(missing, "; "), strings.Join(shown, ", "))
	}
	return lay, nil
}

// bareName keeps the letters and digits of a column's name, in lower case.
func bareName(s string) string {
	var b []byte
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
			b = append(b, c)
		case 'A' <= c && c <= 'Z':
			b = append(b, c+'a'-'A')
		}
	}
	return string(b)
}

// blockResult is the account of one block.
type blockResult struct {
	seq                                int
	lines                              int64
	records, attempts, refused, noTime int64
	refusals                           []Refusal // Line counts from the block's start
}

// worker reads blocks into a tally of its own.
type worker struct {
	lay    layout
	size   int
	tally  tally
	fields []string
	clock  timestamp.Clock
}

func (w *worker) read(b block) blockResult {
	res := blockResult{seq: b.seq}
	if b.refusal != "" {
		res.lines, res.refused = b.lines, 1
		res.refusals = []Refusal{{1, b.refusal}}
		return res
	}
	s := unsafe.String(unsafe.SliceData(b.data), len(b.data))
	if strings.IndexByte(s, '"') < 0 {
		w.readPlain(s, &res)
	} else {
		w.readQuoted(s, &res)
	}
	return res
}

func (r *blockResult) refuse(reason string) {
	r.refused++
	if len(r.refusals) < maxRefusals {
		r.refusals = append(r.refusals, Refusal{r.lines + 1, reason})
	}
}

// refuseCount refuses a record of n fields; the words are made only where they
// are kept.
func (r *blockResult) refuseCount(n, want int) {
	reason := ""
	if len(r.refusals) < maxRefusals {
		reason = fmt.Sprintf("%s where the header has %d", prose.Count(int64(n), "field"), want)
	}
	r.refuse(reason)
}

// readPlain reads a block without a single quote, in which every line is a
// record.
func (w *worker) readPlain(s string, res *blockResult) {
	fields := slices.Grow(w.fields[:0], w.lay.width)[:w.lay.width]
	comma := w.lay.comma
	for len(s) > 0 {
		line := s
		if i := strings.IndexByte(s, '\n'); i >= 0 {
			line, s = s[:i], s[i+1:]
		} else {
			s = ""
		}
		line = strings.TrimSuffix(line, "\r")
		if line == "" {
			res.lines++
			continue
		}
		n := 0
		for n < len(fields)-1 {
			i := strings.IndexByte(line, comma)
			if i < 0 {
				break
			}
			fields[n], line = line[:i], line[i+1:]
			n++
		}
		fields[n] = line
		n++
		if n < len(fields) || strings.IndexByte(line, comma) >= 0 {
			n += strings.Count(line, string(comma))
			res.refuseCount(n, len(fields))
		} else {
			w.record(fields, res)
		}
		res.lines++
	}
	w.fields = fields
}

func (w *worker) readQuoted(s string, res *blockResult) {
	var scratch []byte
	for len(s) > 0 {
		end, whole := recordEnd(s, w.lay.comma, w.size, true)
		if !whole {
			end = len(s) // not reached: the reader cuts at whole records
		}
		record := s[:end]
		s = s[end:]
		text := strings.TrimSuffix(strings.TrimSuffix(record, "\n"), "\r")
		if text != "" {
			var reason string
			w.fields, scratch, reason = splitRecord(text, w.lay.comma, w.fields[:0], scratch[:0])
			switch {
			case reason != "":
				res.refuse(reason)
			case len(w.fields) != w.lay.width:
				res.refuseCount(len(w.fields), w.lay.width)
			default:
				w.record(w.fields, res)
			}
		}
		res.lines += int64(strings.Count(record, "\n"))
	}
}

// record counts one record.
func (w *worker) record(fields []string, res *blockResult) {
	res.records++
	action := fields[w.lay.at[colAction]]
	if !w.tally.login(action) {
		return
	}
	res.attempts++
	row := Row{User: fields[w.lay.at[colUser]], Action: action, Time: NoTime,
		Outcome: ParseOutcome(fields[w.lay.at[colSuccess]])}
	if i := w.lay.at[colSource]; i >= 0 {
		row.Source = fields[i]
	}
	if i := w.lay.at[colTime]; i >= 0 {
		row.Time = w.time(fields[i])
		if row.Time == NoTime {
			res.noTime++
		}
	}
	w.tally.add(&row)
}

// time reads a time that is complete in itself; one without a year would
// depend on its neighbours, which another goroutine may be reading.
func (w *worker) time(s string) int64 {
	if ns, n, ok := w.clock.ISO(s); ok && n == len(s) {
		return ns
	}
	if ns, ok := w.clock.Epoch(s); ok {
		return ns
	}
	for _, p := range [...]func(string) (int64, int, bool){w.clock.CLF, w.clock.CTime} {
		if ns, n, ok := p(s); ok && n == len(s) {
			return ns
		}
	}
	return NoTime
}
