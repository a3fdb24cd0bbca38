package collect

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sextant-logs/sextant/internal/format"
	"github.com/sextant-logs/sextant/internal/spool"
)

// Files are followed as they grow, through rotation by renaming and by copying
// and truncating. Where reading is in each file is kept with what was read, so
// that a restart goes on exactly there, also in a file that was renamed in the
// meantime. Files are looked at, not watched: that works on every file system.
var _ = register("tail", "files as they grow: tail:/var/log/*.log (a glob; ?from=end skips what is there at first)", newTail)

const (
	tailPoll     = 400 * time.Millisecond
	tailSearch   = time.Second // between searches for new files
	tailRead     = 1 << 20     // bytes read of a file at a time
	tailPatience = time.Second // how long a record may wait for lines that continue it
	tailLinger   = 10 * time.Second
	tailSlack    = 5 * time.Second // by how much the clocks of files and of marks may differ
	fingerprint  = 1024            // bytes at a file's beginning by which it is known again
	maxTailed    = 20_000
	maxHeader    = 64
)

type tail struct {
	globs   []string
	fromEnd bool
	o       Options
	files   map[string]*tailed // by identity
	refused map[string]string  // path to identity, of files that cannot be followed
	first   bool
	queue   []*packedFile         // compressed siblings to be read, the oldest first
	looked  map[string]packedLook // by identity, what siblings were found to be
}

func newTail(u *url.URL, o Options) (Collector, error) {
	glob := u.Opaque
	if glob == "" {
		glob = u.Path
	}
	if glob == "" {
		return nil, errors.New("tail: which files? want tail:/var/log/*.log")
	}
	if g, err := url.PathUnescape(glob); err == nil {
		glob = g
	}
	return NewTail([]string{glob}, u.Query().Get("from") == "end", o)
}

// NewTail follows the files that match one of the globs.
func NewTail(globs []string, fromEnd bool, o Options) (Collector, error) {
	for _, g := range globs {
		if _, err := filepath.Match(g, ""); err != nil {
			return nil, fmt.Errorf("--tail %q: %w", g, err)
		}
	}
	return &tail{globs: globs, fromEnd: fromEnd, o: o, files: map[string]*tailed{}, looked: map[string]packedLook{}, refused: map[string]string{}, first: true}, nil
}

// Name implements Collector.
func (c *tail) Name() string { return "tail:" + strings.Join(c.globs, ",") }

// Listen implements Collector.
func (c *tail) Listen(context.Context) error { return nil }

// Run implements Collector.
func (c *tail) Run(ctx context.Context, sink Sink) error {
	defer func() {
		for _, f := range c.files {
			f.file.Close()
		}
	}()
	tick := time.NewTicker(tailPoll)
	defer tick.Stop()
	var searched time.Time
	for {
		if time.Since(searched) > tailSearch {
			searched = time.Now()
			c.search(sink)
		}
		err := c.readPacked(ctx, sink)
		busy := false
		if err == nil {
			busy, err = c.round(ctx, sink)
		}
		if errors.Is(err, spool.ErrClosed) {
			return nil
		}
		if err != nil && ctx.Err() == nil {
			c.o.Stats.Errors.Add(1)
			c.o.Log.Warn("cannot follow files now; it is tried again", "error", err)
		}
		c.o.Stats.Connections.Store(int64(len(c.files)))
		var behind int64
		for _, f := range c.files {
			behind += max(0, f.size-f.at.Offset)
		}
		c.o.Stats.Behind.Store(behind)
		if busy && ctx.Err() == nil {
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// round reads each file on, those of one log in the order in which they were
// written: while there is more of an older one, the newer ones wait. more says that
// there is more of some.
func (c *tail) round(ctx context.Context, sink Sink) (more bool, err error) {
	files := slices.Collect(maps.Values(c.files))
	for _, f := range files {
		if info, err := f.file.Stat(); err == nil {
			f.written = info.ModTime()
		}
		f.current = f.gone.IsZero()
		if id, err := identity(f.path); err == nil {
			f.current = id == f.id
		}
	}
	slices.SortFunc(files, func(a, b *tailed) int {
		if a.path == b.path && a.current != b.current { // what the path leads to is the newest, whatever the clock says
			if a.current {
				return 1
			}
			return -1
		}
		return cmp.Or(strings.Compare(a.path, b.path), a.written.Compare(b.written), strings.Compare(a.id, b.id))
	})
	waiting := "" // log of which an older file has more
	for i, f := range files {
		f.past = i+1 < len(files) && files[i+1].path == f.path
		if f.path == waiting {
			continue
		}
		rest, e := c.follow(ctx, f, sink)
		if errors.Is(e, spool.ErrClosed) {
			return false, e
		}
		if e != nil {
			err = cmp.Or(err, fmt.Errorf("%s: %w", f.path, e))
		}
		if rest || e != nil {
			waiting = f.path
		}
		more = more || rest
		if f.over {
			f.file.Close()
			delete(c.files, f.id)
		}
	}
	return more, err
}

// tailed is one file being followed.
type tailed struct {
	path   string // as it was found
	id     string
	file   *os.File
	format *format.Format
	at     tailMark

	held    time.Time // since when a record waits for its end
	heldLen int
	gone    time.Time // since when the path leads to another file
	checked time.Time // fingerprint
	over    bool
	size    int64 // when it was looked at last
	written time.Time
	current bool // the path leads to it
	past    bool // another one is written by now
}

// tailMark is where reading is in a file.
type tailMark struct {
	Path   string   `json:"path"`
	At     int64    `json:"at"` // ns since the epoch: when
	Offset int64    `json:"offset"`
	Length int64    `json:"n"` // bytes that Print is the hash of
	Print  string   `json:"print"`
	Format string   `json:"format"`
	Header []string `json:"header,omitempty"`

	// Of what is compressed, Offset counts inflated bytes, and Done says that those were all.
	Packed bool `json:"packed,omitempty"`
	Done   bool `json:"done,omitempty"`
}

// search finds files that are new.
func (c *tail) search(sink Sink) {
	var paths []string
	for _, g := range c.globs {
		found, _ := filepath.Glob(g)
		paths = append(paths, found...)
	}
	slices.Sort(paths)
	paths = slices.Compact(paths)
	for _, path := range paths {
		c.found(path, path, sink, c.first && c.fromEnd)
	}
	c.renamed(paths, sink)
	c.first = false
}

// renamed finds files beside those that are followed which were rotated away
// before they were read to their end: the one that was being read when the process
// ended, and those that came and went while nobody looked.
func (c *tail) renamed(paths []string, sink Sink) {
	for _, path := range paths {
		siblings, _ := filepath.Glob(globEscape(path) + ".*")
		dated, _ := filepath.Glob(globEscape(path) + "-*")
		siblings = append(siblings, dated...)
		if len(siblings) == 0 {
			continue
		}
		read := map[string]tailMark{} // by path of the file as it is now
		var last int64                // when something of this log was read last
		// When the oldest file read was written last. What is newer came after it,
		// however late the rest of that one, or a newer one, was read.
		var oldest int64
		for _, p := range append(siblings, path) {
			info, err := os.Stat(p)
			if err != nil {
				continue
			}
			id := identityOf(p, info)
			var m tailMark
			if json.Unmarshal([]byte(sink.Mark("tail:"+id)), &m) != nil || m.Path != path {
				m, _ = c.known(p, id, info, sink)
			}
			if m.Path == path {
				read[p] = m
				last = max(last, m.At)
				if at := info.ModTime().UnixNano(); oldest == 0 || at < oldest {
					oldest = at
				}
			}
		}
		for _, p := range siblings {
			info, err := os.Stat(p)
			if err != nil || !info.Mode().IsRegular() || slices.Contains(paths, p) {
				continue
			}
			m, known := read[p]
			fresh := last > 0 && info.ModTime().UnixNano() > min(oldest, last-int64(tailSlack))
			if _, packed := c.known(p, identityOf(p, info), info, sink); packed {
				c.packed(p, path, info, fresh, sink)
				continue
			}
			if known && m.Offset < info.Size() || !known && fresh {
				c.found(p, path, sink, false)
			}
		}
	}
}

// globEscape is the pattern that matches the path alone.
func globEscape(path string) string {
	if filepath.Separator == '\\' {
		return path // there is no escaping there, nor names with such characters
	}
	return strings.NewReplacer("\\", "\\\\", "*", "\\*", "?", "\\?", "[", "\\[").Replace(path)
}

// found begins to follow the file at path, unless it is followed already. log
// is the path under which it was, or is, written.
func (c *tail) found(path, log string, sink Sink, fromEnd bool) {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() == 0 {
		return
	}
	id, err := identity(path)
	if err != nil || c.files[id] != nil || len(c.files) >= maxTailed || c.refused[path] == id {
		return
	}
	f, err := os.Open(path)
	if err != nil {
		c.refuse(path, id, err.Error())
		return
	}
	t := &tailed{path: log, id: id, file: f}
	var m tailMark
	if json.Unmarshal([]byte(sink.Mark("tail:"+id)), &m) == nil && m.Print != "" && m.Offset <= info.Size() && m.Print == printOf(f, m.Length) {
		t.at = m
		t.format = format.Lookup(m.Format)
	} else {
		t.at = tailMark{Path: log}
		if fromEnd {
			t.at.Offset = lastLine(f, info.Size())
		}
	}
	if t.format == nil {
		head := make([]byte, 64<<10)
		n, _ := f.ReadAt(head, 0)
		head = head[:n]
		sample := format.NewSample(filepath.Base(path), head, int64(n) == info.Size())
		t.format, _ = format.Recognise(sample)
		if t.format == nil || !t.format.Streams() || !sample.Text() {
			what := "binary data"
			if t.format != nil {
				what = t.format.Title
			}
			c.refuse(path, id, "not lines of text ("+what+"): give it to sextant investigate")
			f.Close()
			return
		}
		t.at.Format = t.format.Name
		if skipped := head[:min(int64(len(head)), t.at.Offset)]; len(skipped) > 0 && t.format.Header != nil {
			blocks := t.split(skipped, nil)
			t.at.Header = blocks[len(blocks)-1].header
		}
	}
	c.files[id] = t
}

func (c *tail) refuse(path, id, why string) {
	if len(c.refused) < maxTailed {
		c.refused[path] = id
	}
	c.o.Log.Info("not followed", "path", path, "reason", why)
}

// follow hands over what the file has grown by; more says that there is more.
func (c *tail) follow(ctx context.Context, t *tailed, sink Sink) (more bool, err error) {
	info, err := t.file.Stat()
	if err != nil {
		return false, err
	}
	size := info.Size()
	t.size = size
	if size < t.at.Offset || time.Since(t.checked) > tailSearch && t.at.Length > 0 && printOf(t.file, t.at.Length) != t.at.Print {
		// Truncated, be it that it has grown beyond the old place again.
		t.at = tailMark{Path: t.path, Format: t.at.Format}
		t.heldLen = 0
	}
	if time.Since(t.checked) > tailSearch {
		t.checked = time.Now()
		if id, err := identity(t.path); err != nil || id != t.id {
			if t.gone.IsZero() {
				t.gone = time.Now()
			}
		} else {
			t.gone = time.Time{}
		}
	}
	left := !t.gone.IsZero() && time.Since(t.gone) > tailLinger
	if size == t.at.Offset {
		t.over = left
		return false, nil
	}
	buf := make([]byte, min(size-t.at.Offset, tailRead))
	n, err := t.file.ReadAt(buf, t.at.Offset)
	if err != nil && err != io.EOF {
		return false, err
	}
	buf = buf[:n]
	end := bytes.LastIndexByte(buf, '\n') + 1
	last := int64(n)+t.at.Offset >= size
	if end == 0 && (n >= maxMessage || left && last) {
		end = n // a line beyond all bounds, or the last of a file that is no longer written
	}
	whole := end
	if t.format.JoinsLines() && last && end > 0 {
		whole = t.format.Settled(buf[:end])
		if whole < end {
			if t.heldLen != end {
				t.held, t.heldLen = time.Now(), end
			}
			if time.Since(t.held) > tailPatience || left || t.past || ctx.Err() != nil {
				whole = end
			}
		}
	} else if t.format.JoinsLines() && end > 0 {
		if whole = t.format.Settled(buf[:end]); whole == 0 {
			whole = end
		}
	}
	if whole == 0 {
		t.over = left && last
		return false, nil
	}
	d := spool.Delivery{Collector: c.Name(), Path: t.path, Format: t.format.Name, Received: time.Now().UnixNano()}
	mark := t.at
	mark.At = d.Received
	var ds []*spool.Delivery
	for _, b := range t.split(buf[:whole], mark.Header) {
		d := d
		d.Records, d.Header = b.records, b.header
		// Each delivery says where it ends, for the death of the process between them.
		mark.Offset, mark.Header = t.at.Offset+int64(b.end), b.header
		mark.Length = min(mark.Offset, fingerprint)
		mark.Print = printOf(t.file, mark.Length)
		value, err := json.Marshal(mark)
		if err != nil {
			return false, err
		}
		d.Mark = spool.Mark{Name: "tail:" + t.id, Value: string(value)}
		ds = append(ds, &d)
	}
	ds = append(ds, c.prints(t, mark)...)
	if err := deliver(context.WithoutCancel(ctx), sink, c.o.Stats, ds...); err != nil {
		return false, err
	}
	t.at, t.heldLen = mark, 0
	return !last, nil
}

// block is a stretch of records under the same header lines.
type block struct {
	header  []string
	records []spool.Record
	end     int // in the buffer
}

// split cuts whole lines into records, as reading a file does, and these into blocks where header
// lines change. The blocks end with the buffer.
func (t *tailed) split(buf []byte, header []string) []block {
	var blocks []block
	b := block{header: header}
	inHeader := false
	for at := 0; at < len(buf); {
		n := bytes.IndexByte(buf[at:], '\n') + 1
		if n == 0 {
			n = len(buf) - at
		}
		line := bytes.TrimRight(buf[at:at+n], "\r\n")
		switch {
		case len(bytes.TrimSpace(line)) == 0:
		case t.format.Header != nil && t.format.Header(line):
			if !inHeader {
				inHeader = true
				b.end = at
				blocks = append(blocks, b)
				b = block{}
			}
			if len(b.header) < maxHeader {
				b.header = append(b.header, string(line))
			}
		default:
			inHeader = false
			var end int
			n, end = t.format.Record(buf[at:])
			b.records = append(b.records, spool.Record{Data: buf[at : at+end : at+end]})
		}
		at += n
	}
	b.end = len(buf)
	return append(blocks, b)
}

// identity names a file however it is called: by device and inode, or where
// there are none by its path.
func identity(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	return identityOf(path, info), nil
}

// printOf is a hash of the file's first n bytes.
func printOf(f *os.File, n int64) string {
	buf := make([]byte, min(n, fingerprint))
	if m, err := f.ReadAt(buf, 0); m < len(buf) || err != nil && err != io.EOF {
		return ""
	}
	return hashOf(buf)
}

// lastLine is where the last, unfinished line of the file begins.
func lastLine(f *os.File, size int64) int64 {
	buf := make([]byte, min(size, 64<<10))
	n, _ := f.ReadAt(buf, size-int64(len(buf)))
	if i := bytes.LastIndexByte(buf[:n], '\n'); i >= 0 {
		return size - int64(len(buf)) + int64(i) + 1
	}
	return size
}
