package simulate

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/sextant-logs/sextant/evtx"
)

// evidence is one log of one host as it comes to lie on disk.
type evidence interface {
	// finish completes the files and returns them, oldest first.
	finish() ([]logFile, error)
}

// logFile is one file of a log.
type logFile struct {
	path    string // within the output directory, slashes
	sha256  [32]byte
	records int64
	bytes   int64 // of the content, uncompressed
	last    int64 // time of the last record, by the host's clock
	marks   []marked
}

// marked is a record that is not plain benign life.
type marked struct {
	mark   mark
	at     int64 // by the world's clock
	offset int64 // of the record's first byte
	record int64 // its number, in binary logs
}

// textLog is a log of lines that is rotated at midnight, host's time, as
// logrotate's daily, delaycompress, notifempty do it: NAME, NAME.1, NAME.2.gz …
type textLog struct {
	w      *world
	host   *host
	path   string // on disk, "…/evidence/web1/var/log/auth.log"
	source string // as in Sources
	name   string // the same within the output directory

	head func() string         // what a file begins with, nil for nothing
	tail func(at int64) string // what it ends with when it is closed at a time

	line    []byte // being built
	buf     *bufio.Writer
	file    *os.File
	sum     hash.Hash
	cur     logFile
	done    []logFile
	rotates int64
	err     error
}

func (w *world) newTextLog(h *host, path string) *textLog {
	name := "evidence/" + h.name + "/" + path
	l := &textLog{w: w, host: h, path: filepath.Join(w.dir, filepath.FromSlash(name)), name: name, sum: sha256.New()}
	l.rotates = h.midnightAfter()
	l.source = sourceOf(path)
	w.logs = append(w.logs, l)
	return l
}

// sourceOf is the kind of log that a path is of.
func sourceOf(path string) string {
	for _, s := range []struct{ part, source string }{
		{"/auth.log", "auth"}, {"/syslog", "syslog"}, {"/kern.log", "kern"}, {"/apache2/", "apache"}, {"/nginx/", "nginx"}, {"/suricata/", "suricata"},
		{"/zeek/", "zeek"}, {"/named/", "dns"}, {"/dhcpd.log", "dhcp"}, {"cloudtrail/", "cloudtrail"}, {"/audit/", "auditd"}, {"/postgresql/", "postgresql"},
		{"/kubernetes/", "kubernetes"}, {"/LogFiles/", "iis"},
	} {
		if strings.Contains(path, s.part) {
			return s.source
		}
	}
	return ""
}

// end completes the line that was built and writes it.
func (l *textLog) end(m mark) {
	now := l.w.now
	if l.w.o.Stream != nil && l.err == nil {
		l.err = l.w.o.Stream(Line{Host: l.host.name, Path: l.name, At: l.host.local(), Text: l.line})
	}
	if now >= l.rotates {
		l.rotate()
		l.rotates = l.host.midnightAfter()
	}
	l.line = append(l.line, '\n')
	if l.file == nil && l.err == nil {
		l.open()
	}
	if m != (mark{}) {
		l.cur.marks = append(l.cur.marks, marked{mark: m, at: now, offset: l.cur.bytes})
		l.w.noteMark(m, now)
	}
	l.cur.bytes += int64(len(l.line))
	l.cur.records++
	l.cur.last = l.host.time()
	if l.err == nil {
		l.sum.Write(l.line)
		_, l.err = l.buf.Write(l.line)
	}
	l.line = l.line[:0]
}

func (l *textLog) open() {
	if l.err = os.MkdirAll(filepath.Dir(l.path), 0o755); l.err != nil {
		return
	}
	l.file, l.err = os.Create(l.segment(len(l.done)))
	if l.buf == nil {
		l.buf = bufio.NewWriterSize(l.file, 256<<10)
	} else {
		l.buf.Reset(l.file)
	}
	if l.head != nil && l.err == nil {
		l.frame(l.head())
	}
}

// frame writes what belongs to no record.
func (l *textLog) frame(text string) {
	l.cur.bytes += int64(len(text))
	l.sum.Write([]byte(text))
	_, l.err = l.buf.WriteString(text)
}

// segment is the file's name until the number of rotations is known.
func (l *textLog) segment(i int) string { return l.path + ".part" + strconv.Itoa(i) }

func (l *textLog) rotate() {
	if l.cur.records == 0 || l.err != nil {
		return
	}
	if l.tail != nil {
		if l.frame(l.tail(l.cur.last)); l.err != nil {
			return
		}
	}
	if l.err = l.buf.Flush(); l.err == nil {
		l.err = l.file.Close()
	}
	l.file = nil
	l.sum.Sum(l.cur.sha256[:0])
	l.sum.Reset()
	l.done = append(l.done, l.cur)
	l.cur = logFile{}
}

func (l *textLog) finish() ([]logFile, error) {
	l.truncate()
	l.rotate()
	if l.err != nil {
		return nil, fmt.Errorf("write %s: %w", l.name, l.err)
	}
	for i := range l.done {
		f := &l.done[i]
		suffix := ""
		switch age := len(l.done) - 1 - i; {
		case age == 1:
			suffix = ".1"
		case age > 1:
			suffix = "." + strconv.Itoa(age) + ".gz"
		}
		f.path = l.name + suffix
		if err := place(l.segment(i), l.path+suffix, len(l.done)-1-i > 1); err != nil {
			return nil, err
		}
		last := time.UnixMicro(f.last)
		if err := os.Chtimes(l.path+suffix, last, last); err != nil {
			return nil, err
		}
	}
	return l.done, nil
}

// truncate cuts the newest file off, amid a record, where the options say so:
// somebody, or a full disk, took its end.
func (l *textLog) truncate() {
	keep, cut := l.w.o.truncated(l.host.name, l.source)
	if !cut || l.cur.records == 0 || l.err != nil {
		return
	}
	if l.err = l.buf.Flush(); l.err != nil {
		return
	}
	size := max(int64(float64(l.cur.bytes)*keep), 1)
	if l.err = l.file.Truncate(size); l.err != nil {
		return
	}
	data, err := os.ReadFile(l.file.Name())
	if err != nil {
		l.err = err
		return
	}
	if _, l.err = l.file.Seek(0, io.SeekEnd); l.err != nil {
		return
	}
	l.sum.Reset()
	l.sum.Write(data)
	l.tail = nil
	whole := int64(bytes.LastIndexByte(data, '\n') + 1)
	l.cur.bytes = size
	l.cur.records = int64(bytes.Count(data, []byte("\n")))
	if l.head != nil {
		l.cur.records -= int64(strings.Count(l.head(), "\n"))
	}
	if whole < size {
		l.cur.records++ // the record that was cut through
	}
	for i, m := range l.cur.marks {
		if m.offset >= size {
			l.cur.marks = l.cur.marks[:i]
			break
		}
	}
}

// place gives a finished segment its name, compressed or not. The gzip header
// has neither name nor time, as when gzip reads a pipe.
func place(from, to string, compress bool) error {
	if !compress {
		return os.Rename(from, to)
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	z := gzip.NewWriter(out)
	_, err = io.Copy(z, in)
	if e := z.Close(); err == nil {
		err = e
	}
	if e := out.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Remove(from)
	}
	return err
}

// eventLog is a Windows event log.
type eventLog struct {
	w       *world
	host    *host
	path    string
	name    string
	channel string
	writer  *evtx.Writer
	file    *os.File
	cur     logFile
	id      uint64 // of the last record; clearing the log does not start it again
	err     error
}

func (w *world) newEventLog(h *host, file, channel string) *eventLog {
	name := "evidence/" + h.name + "/Windows/System32/winevt/Logs/" + file
	l := &eventLog{w: w, host: h, path: filepath.Join(w.dir, filepath.FromSlash(name)), name: name, channel: channel}
	w.logs = append(w.logs, l)
	return l
}

// write appends a record now; it fills in time, channel and computer.
func (l *eventLog) write(rec *evtx.Record, m mark) {
	if l.err != nil {
		return
	}
	if l.writer == nil {
		if l.err = os.MkdirAll(filepath.Dir(l.path), 0o755); l.err != nil {
			return
		}
		if l.file, l.err = os.Create(l.path); l.err != nil {
			return
		}
		if l.writer, l.err = evtx.NewWriter(l.file); l.err != nil {
			return
		}
	}
	at := l.host.time()
	rec.System.Channel, rec.System.Computer = l.channel, l.host.computer()
	rec.System.TimeCreated = evtx.FiletimeOf(time.UnixMicro(at)) + evtx.Filetime(nidsMix(uint64(at))%10)
	l.cur.records++
	l.id++
	rec.ID = l.id
	l.cur.last = at
	if m != (mark{}) {
		l.cur.marks = append(l.cur.marks, marked{mark: m, at: l.w.now, record: int64(l.id)})
		l.w.noteMark(m, l.w.now)
	}
	l.err = l.writer.Write(rec)
}

// clear empties the log, as wevtutil cl does; what was in it is gone, but the
// record numbers go on.
func (l *eventLog) clear() {
	if l.writer == nil || l.err != nil {
		return
	}
	if l.err = l.file.Truncate(0); l.err != nil {
		return
	}
	if _, l.err = l.file.Seek(0, io.SeekStart); l.err != nil {
		return
	}
	l.writer, l.err = evtx.NewWriter(l.file)
	l.cur = logFile{}
}

func (l *eventLog) finish() ([]logFile, error) {
	if l.writer == nil || l.err != nil {
		if l.err != nil {
			return nil, fmt.Errorf("write %s: %w", l.name, l.err)
		}
		return nil, nil
	}
	f := &l.cur
	f.path = l.name
	if err := l.writer.Close(); err != nil {
		return nil, err
	}
	if err := l.locate(); err != nil {
		return nil, fmt.Errorf("read back %s: %w", l.name, err)
	}
	switch {
	case l.w.o.WindowsXML:
		err := l.export(".xml", func(dst []byte, rec *evtx.Record) []byte { return append(rec.AppendXML(dst), '\n') })
		if err != nil {
			return nil, fmt.Errorf("write %s as XML: %w", l.name, err)
		}
	case l.w.o.WindowsJSON:
		if err := l.export(".jsonl", appendEventJSON); err != nil {
			return nil, fmt.Errorf("write %s as JSON: %w", l.name, err)
		}
	}
	f.path = l.name
	if err := l.file.Close(); err != nil {
		return nil, err
	}
	last := time.UnixMicro(f.last)
	return []logFile{*f}, os.Chtimes(l.path, last, last)
}

// export puts in the place of the file what another program prints of it, a line
// for each event: wevtutil qe /f:xml an Event element, evtx_dump a JSON object.
func (l *eventLog) export(extension string, appendEvent func(dst []byte, r *evtx.Record) []byte) error {
	r, err := evtx.NewReader(l.file, l.cur.bytes)
	if err != nil {
		return err
	}
	path := strings.TrimSuffix(l.path, ".evtx") + extension
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	b, sum := bufio.NewWriterSize(out, 256<<10), sha256.New()
	marks, at := l.cur.marks, int64(0)
	var line []byte
	for rec, err := range r.Records() {
		if err != nil {
			out.Close()
			return err
		}
		line = appendEvent(line[:0], rec)
		if len(marks) > 0 && rec.ID == uint64(marks[0].record) {
			marks[0].offset = at
			marks = marks[1:]
		}
		at += int64(len(line))
		sum.Write(line)
		b.Write(line)
	}
	if err := errors.Join(b.Flush(), l.file.Close(), os.Remove(l.path)); err != nil {
		out.Close()
		return err
	}
	l.file, l.path, l.name, l.cur.bytes = out, path, strings.TrimSuffix(l.name, ".evtx")+extension, at
	sum.Sum(l.cur.sha256[:0])
	return nil
}

// locate hashes the file and finds the offsets of the marked records.
func (l *eventLog) locate() error {
	if _, err := l.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	sum := sha256.New()
	size, err := io.Copy(sum, l.file)
	if err != nil {
		return err
	}
	l.cur.bytes = size
	sum.Sum(l.cur.sha256[:0])
	r, err := evtx.NewReader(l.file, size)
	if err != nil {
		return err
	}
	marks := l.cur.marks
	for rec, err := range r.Records() {
		if len(marks) == 0 {
			break
		}
		if err != nil {
			return err
		}
		if rec.ID == uint64(marks[0].record) {
			marks[0].offset = rec.Offset
			marks = marks[1:]
		}
	}
	if len(marks) > 0 {
		return fmt.Errorf("record %d is not there", marks[0].record)
	}
	return nil
}
