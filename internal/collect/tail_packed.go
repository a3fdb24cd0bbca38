package collect

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/bzip2"
	"compress/gzip"
	"context"
	"encoding/hex"
	"encoding/json"
	"hash/fnv"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/sextant-logs/sextant/internal/format"
	"github.com/sextant-logs/sextant/internal/spool"
)

// What was rotated away and compressed while nobody followed is read once, behind
// what was read of it when it was not compressed. It is known again by its first
// bytes: a mark tail-print:HASH says which file began so, and that file's mark how
// far it was read.

// packedFile is a compressed sibling that is to be read.
type packedFile struct {
	path, log, id string
	from          int64 // in the inflated text
	written       time.Time
	format        *format.Format
	header        []string
}

// inflate opens what is compressed in a way that log rotation knows, by its first
// bytes; nil when it is something else.
func inflate(f *os.File) io.ReadCloser {
	var magic [6]byte
	_, _ = f.ReadAt(magic[:], 0)
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil
	}
	switch {
	case bytes.HasPrefix(magic[:], []byte{0x1f, 0x8b}):
		if z, err := gzip.NewReader(bufio.NewReader(f)); err == nil {
			return z
		}
	case bytes.HasPrefix(magic[:], []byte("BZh")):
		return io.NopCloser(bzip2.NewReader(bufio.NewReader(f)))
	case bytes.HasPrefix(magic[:], []byte{0x28, 0xb5, 0x2f, 0xfd}):
		if z, err := zstd.NewReader(f, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(128<<20)); err == nil {
			return z.IOReadCloser()
		}
	}
	return nil
}

// packedLook is what a sibling was found to be.
type packedLook struct {
	size    int64
	written time.Time
	packed  bool
	mark    tailMark // of the file that it was
	of      string   // the identity of that; "" when nobody has read it, "-" when it has gone
}

// known says whether a sibling is compressed, and how far what it was before had been
// read. A file is opened again only when it has changed.
func (c *tail) known(path, id string, info os.FileInfo, sink Sink) (m tailMark, packed bool) {
	if l, ok := c.looked[id]; ok && l.size == info.Size() && l.written.Equal(info.ModTime()) {
		return l.mark, l.packed
	}
	if len(c.looked) >= maxTailed {
		clear(c.looked)
	}
	l := packedLook{size: info.Size(), written: info.ModTime()}
	if f, err := os.Open(path); err == nil {
		defer f.Close()
		if z := inflate(f); z != nil {
			defer z.Close()
			head := make([]byte, fingerprint)
			n, err := io.ReadFull(z, head)
			if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF || n == 0 {
				return m, true // being written, or damaged: looked at again
			}
			l.packed = true
			l.mark, l.of = c.began(head[:n], sink)
		}
	}
	c.looked[id] = l
	return l.mark, l.packed
}

// packed notes the file to be read, if it is compressed and not all of it was read.
// fresh says that it is newer than what was read of its log.
func (c *tail) packed(path, log string, info os.FileInfo, fresh bool, sink Sink) {
	id := identityOf(path, info)
	if c.refused[path] == id || slices.ContainsFunc(c.queue, func(p *packedFile) bool { return p.id == id }) {
		return
	}
	f, err := os.Open(path)
	if err != nil {
		return
	}
	defer f.Close()
	z := inflate(f)
	if z == nil {
		if fresh {
			c.refuse(path, id, "it is not text, nor compressed with gzip, bzip2 or zstd")
		}
		return
	}
	defer z.Close()
	head, err := io.ReadAll(io.LimitReader(z, 64<<10))
	if err != nil || len(head) == 0 {
		return // being written, or damaged: looked at again
	}
	p := &packedFile{path: path, log: log, id: id, written: info.ModTime()}
	var own tailMark
	if json.Unmarshal([]byte(sink.Mark("tail:"+id)), &own) == nil && own.Packed && own.Print == printOf(f, own.Length) {
		if own.Done {
			c.finished(path, id)
			return
		}
		p.from, p.header = own.Offset, own.Header
		p.format = format.Lookup(own.Format)
	} else if l := c.looked[id]; l.of != "" {
		if c.files[l.of] != nil {
			return // it is still being followed under its old name
		}
		m, of := c.began(head, sink) // by now it may have been read further
		if of == "" {
			return
		}
		p.from, p.header = m.Offset, m.Header
	} else if !fresh {
		c.finished(path, id)
		return
	}
	if p.format == nil {
		sample := format.NewSample(filepath.Base(path), head, len(head) < 64<<10)
		if p.format, _ = format.Recognise(sample); p.format == nil || !p.format.Streams() || !sample.Text() {
			c.refuse(path, id, "compressed, and not lines of text: give it to sextant investigate")
			return
		}
	}
	c.queue = append(c.queue, p)
	slices.SortStableFunc(c.queue, func(a, b *packedFile) int { return a.written.Compare(b.written) })
}

// finished has a file that is done with not be opened again.
func (c *tail) finished(path, id string) {
	if len(c.refused) < maxTailed {
		c.refused[path] = id
	}
}

// began finds the file that began with head, and how far it was read.
func (c *tail) began(head []byte, sink Sink) (m tailMark, id string) {
	n := min(len(head), fingerprint)
	for n > 0 { // while less than a fingerprint was read, it ended with a line
		print := hashOf(head[:n])
		id := sink.Mark(printName(print))
		if id != "" && json.Unmarshal([]byte(sink.Mark("tail:"+id)), &m) == nil {
			if m.Length == int64(n) && m.Print == print {
				return m, id
			}
			if n == fingerprint {
				// Another file has its place by now. It was followed to its end, for it was
				// held open until then.
				return tailMark{Offset: 1 << 62}, "-"
			}
		}
		n = bytes.LastIndexByte(head[:n-1], '\n') + 1
	}
	return m, ""
}

func printName(print string) string { return "tail-print:" + print }

func hashOf(p []byte) string {
	h := fnv.New128a()
	h.Write(p)
	return hex.EncodeToString(h.Sum(nil))
}

// prints are deliveries without records that note by what the file is known.
func (c *tail) prints(t *tailed, mark tailMark) (ds []*spool.Delivery) {
	if mark.Print == t.at.Print || mark.Print == "" {
		return nil
	}
	note := func(print, value string) {
		ds = append(ds, &spool.Delivery{Collector: c.Name(), Path: t.path, Format: t.format.Name, Received: mark.At, Mark: spool.Mark{Name: printName(print), Value: value}})
	}
	if t.at.Print != "" {
		note(t.at.Print, "")
	}
	note(mark.Print, t.id)
	return ds
}

// readPacked reads the files that wait, the oldest first.
func (c *tail) readPacked(ctx context.Context, sink Sink) error {
	for len(c.queue) > 0 && ctx.Err() == nil {
		p := c.queue[0]
		if err := c.unpack(ctx, p, sink); err != nil {
			return err // from where it is, the next time
		}
		c.finished(p.path, p.id)
		c.queue = c.queue[1:]
	}
	return nil
}

func (c *tail) unpack(ctx context.Context, p *packedFile, sink Sink) error {
	f, err := os.Open(p.path)
	if err != nil {
		return nil // gone
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	length := min(info.Size(), fingerprint)
	mark := tailMark{Path: p.log, Length: length, Print: printOf(f, length), Format: p.format.Name, Offset: p.from, Header: p.header, Packed: true}
	z := inflate(f)
	if z == nil {
		return nil
	}
	defer z.Close()
	broken := func(err error) error {
		c.o.Stats.Errors.Add(1)
		c.o.Log.Warn("a compressed log cannot be read to its end", "path", p.path, "byte", mark.Offset, "error", err)
		return nil
	}
	if _, err := io.CopyN(io.Discard, z, p.from); err != nil && err != io.EOF {
		return broken(err)
	}
	hand := func(records []spool.Record) error {
		mark.At = time.Now().UnixNano()
		value, err := json.Marshal(mark)
		if err != nil {
			return err
		}
		d := &spool.Delivery{Collector: c.Name(), Path: p.log, Format: p.format.Name, Header: mark.Header, Received: mark.At, Records: records, Mark: spool.Mark{Name: "tail:" + p.id, Value: string(value)}}
		if err := deliver(context.WithoutCancel(ctx), sink, c.o.Stats, d); err != nil {
			return err
		}
		p.from, p.header = mark.Offset, mark.Header
		return nil
	}
	t := &tailed{path: p.log, format: p.format}
	var rest []byte
	for final := false; !final && ctx.Err() == nil; {
		buf := slices.Grow(rest, tailRead)
		n, err := io.ReadFull(z, buf[len(rest):len(rest)+tailRead])
		buf = buf[:len(rest)+n]
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			final = true
		} else if err != nil {
			return broken(err)
		}
		whole := len(buf)
		if !final {
			whole = bytes.LastIndexByte(buf, '\n') + 1
			if p.format.JoinsLines() {
				whole = cmp.Or(p.format.Settled(buf[:whole]), whole)
			}
			if whole == 0 && len(buf) >= maxMessage {
				whole = len(buf)
			}
		}
		begin := mark.Offset
		for _, b := range t.split(buf[:whole], mark.Header) {
			mark.Offset, mark.Header = begin+int64(b.end), b.header
			if len(b.records) == 0 {
				continue
			}
			if err := hand(b.records); err != nil {
				return err
			}
		}
		rest = bytes.Clone(buf[whole:])
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	mark.Done = true
	return hand(nil)
}
