package format

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strconv"

	"github.com/sextant-logs/sextant/internal/event"
)

// Login records of glibc (utmp(5), /usr/include/bits/utmp.h): utmp has who is logged
// in, wtmp all logins and logouts, btmp the failed ones. Records are of one size, which
// is 384 bytes but for 64-bit machines that never ran 32-bit programs, where it is 400. Numbers
// are in the byte order of the machine.
var _ = register(Format{
	Name:      "utmp",
	Title:     "Login records: utmp, wtmp, btmp",
	Group:     "auth",
	Recognise: func(s *Sample) int { _, n := utmpLayout(s.Head); return n },
	Frame:     frameUtmp,
	Decode:    func(p *Params) Decoder { return &utmpChunks{p} },
})

// utmpFields are where the fields of a record are; the ones before the exit status
// are the same everywhere.
type utmpFields struct {
	size, session, seconds, micros, address int
	wide                                    bool // session and times of 64 bits
	order                                   binary.ByteOrder
}

var utmpLayouts = [...]utmpFields{
	{384, 336, 340, 344, 348, false, binary.LittleEndian},
	{400, 336, 344, 352, 360, true, binary.LittleEndian},
	{384, 336, 340, 344, 348, false, binary.BigEndian},
	{400, 336, 344, 352, 360, true, binary.BigEndian},
}

// utmpLayout tells the layout of a file as an index of utmpLayouts, and how sure that is.
func utmpLayout(head []byte) (layout, sure int) {
	for i := range utmpLayouts {
		l := &utmpLayouts[i]
		if len(head) < l.size {
			continue
		}
		n, good, empty := 0, 0, 0
		for at := 0; at+l.size <= len(head) && n < 64; at += l.size {
			n++
			switch rec := head[at : at+l.size]; {
			case isZero(rec), l.order.Uint16(rec) == 0 && l.valid(rec): // type EMPTY: what was there once
				empty++
			case l.valid(rec):
				good++
			}
		}
		first := head[:l.size]
		if good > 0 && (good+empty)*10 >= n*4 && (isZero(first) || l.valid(first)) {
			if s := 60 + 35*(good+empty)/n; s > sure {
				layout, sure = i, s
			}
		}
	}
	return layout, sure
}

func isZero(p []byte) bool {
	return len(bytes.TrimLeft(p, "\x00")) == 0
}

// valid reports whether a record could be one.
func (l *utmpFields) valid(rec []byte) bool {
	kind := l.order.Uint16(rec)
	sec, usec := l.time(rec)
	return kind <= 9 && rec[2] == 0 && rec[3] == 0 && sec >= 0 && sec < 1<<33 && (sec > 3e8 || kind == 0 || kind == 8) && usec >= 0 && usec < 1e6 &&
		isCString(rec[8:40]) && isCString(rec[44:76]) && isCString(rec[76:332])
}

func (l *utmpFields) time(rec []byte) (sec, usec int64) {
	if l.wide {
		return int64(l.order.Uint64(rec[l.seconds:])), int64(l.order.Uint64(rec[l.micros:]))
	}
	return int64(l.order.Uint32(rec[l.seconds:])), int64(int32(l.order.Uint32(rec[l.micros:])))
}

// isCString reports whether p is text up to its first NUL. What is behind it may be left over.
func isCString(p []byte) bool {
	for _, c := range p {
		if c == 0 {
			return true
		}
		if c < ' ' || c == 0x7f {
			return false
		}
	}
	return true
}

func cString(p []byte) string {
	if i := bytes.IndexByte(p, 0); i >= 0 {
		p = p[:i]
	}
	return event.View(p)
}

// frameUtmp finds out the size of a record first.
func frameUtmp(r io.Reader) Framer {
	return &layoutFramer{r: r, look: 16 << 10, find: func(head []byte) (layout, size int) {
		layout, _ = utmpLayout(head) // 0 if it is none
		return layout, utmpLayouts[layout].size
	}}
}

// layoutFramer frames records of one size that differs between machines: find tells it from
// the beginning of the file. The layout's number comes with each chunk.
type layoutFramer struct {
	r      io.Reader
	look   int // bytes of the beginning that find wants
	find   func(head []byte) (layout, size int)
	blocks *BlockFramer
	header []string
}

// Next implements Framer.
func (f *layoutFramer) Next() (*Chunk, error) {
	if f.blocks == nil {
		head := make([]byte, f.look)
		n, err := io.ReadFull(f.r, head)
		rest := f.r
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			rest = bytes.NewReader(nil)
		} else if err != nil {
			rest = failed{err}
		}
		layout, size := f.find(head[:n])
		f.header = []string{strconv.Itoa(layout)}
		f.blocks = &BlockFramer{R: io.MultiReader(bytes.NewReader(head[:n]), rest), Block: size}
	}
	c, err := f.blocks.Next()
	if c != nil {
		c.Header = f.header
	}
	return c, err
}

// layoutOf is the number that a layoutFramer gave the chunk, of n layouts.
func layoutOf(c *Chunk, n int) int {
	if len(c.Header) > 0 {
		if i, err := strconv.Atoi(c.Header[0]); err == nil && 0 <= i && i < n {
			return i
		}
	}
	return 0
}

type utmpChunks struct{ p *Params }

// Decode implements Decoder.
func (d *utmpChunks) Decode(c *Chunk, b *event.Batch) Bytes {
	l := &utmpLayouts[layoutOf(c, len(utmpLayouts))]
	done := func() {
		if d.p.Done != nil {
			d.p.Done(b)
		}
	}
	var zeroed []int64 // offsets of records of zeros that no other follows yet
	seen := false
	wiped := 0
	n := decodeBlocks(c, l.size, "login record", func(rec []byte, offset int64) bool {
		if isZero(rec) {
			if seen {
				zeroed = append(zeroed, offset)
			}
			return false
		}
		// Records are appended, so that one of zeros between others was something else once.
		for _, at := range zeroed {
			e := b.Begin(at, "")
			e.Length = int64(l.size)
			d.p.Clock.NoTime()
			b.Add("event.kind", "event")
			b.Add("event.dataset", "utmp")
			b.Add("log.flags", event.Zeroed)
			b.Add("message", "a login record that was overwritten with zeros")
			done()
			wiped++
		}
		zeroed, seen = zeroed[:0], true
		d.record(l, rec, offset, b)
		done()
		return true
	})
	n.Events += int64(wiped * l.size)
	n.Structure -= int64(wiped * l.size)
	return n
}

// decodeBlocks gives fn each whole block; it says whether that became an event.
func decodeBlocks(c *Chunk, size int, what string, fn func(rec []byte, offset int64) bool) Bytes {
	var n Bytes
	data, offset := c.Data, c.Offset
	for len(data) >= size {
		if fn(data[:size:size], offset) {
			n.Events += int64(size)
		} else {
			n.Structure += int64(size)
		}
		data, offset = data[size:], offset+int64(size)
	}
	if len(data) > 0 {
		n.Refused += int64(len(data))
		n.Refusals = append(n.Refusals, Refusal{Offset: offset, Length: int64(len(data)), Reason: "the last " + what + " is cut off"})
	}
	for _, r := range c.Refused {
		n.Refused += r.Length
	}
	n.Refusals = append(n.Refusals, c.Refused...)
	return n
}

var utmpTypes = [...]string{"EMPTY", "RUN_LVL", "BOOT_TIME", "NEW_TIME", "OLD_TIME", "INIT_PROCESS", "LOGIN_PROCESS", "USER_PROCESS", "DEAD_PROCESS", "ACCOUNTING"}

func (d *utmpChunks) record(l *utmpFields, rec []byte, offset int64, b *event.Batch) {
	kind := int(l.order.Uint16(rec))
	pid := int32(l.order.Uint32(rec[4:]))
	line, id, user, host := cString(rec[8:40]), cString(rec[40:44]), cString(rec[44:76]), cString(rec[76:332])
	sec, usec := l.time(rec)
	address := utmpAddress(rec[l.address : l.address+16])
	// The text is that of utmpdump(1).
	e := b.Begin(offset, fmt.Sprintf("[%d] [%05d] [%-4.4s] [%-8s] [%-12s] [%-20s] [%-15s] [%d.%06d]", kind, pid, id, user, line, host, address, sec, usec))
	e.Length = int64(l.size)
	b.Add("event.kind", "event")
	b.Add("event.dataset", "utmp")
	if !l.valid(rec) {
		e.Err = "not a login record: its type, time or text cannot be"
		d.p.Clock.NoTime()
		return
	}
	if sec > 0 {
		if ns, ok := d.p.Clock.Epoch(fmt.Sprintf("%d.%06d", sec, usec)); ok {
			e.Time = ns
		}
	} else {
		d.p.Clock.NoTime()
	}
	b.Add("utmp.type", utmpTypes[kind])
	b.Add("utmp.id", id)
	session := int64(l.order.Uint32(rec[l.session:]))
	if l.wide {
		session = int64(l.order.Uint64(rec[l.session:]))
	}
	if session != 0 {
		b.AddInt("utmp.session", session)
	}
	if termination, code := l.order.Uint16(rec[332:]), l.order.Uint16(rec[334:]); kind == 8 && (termination != 0 || code != 0) {
		b.AddInt("utmp.exit.termination", int64(termination))
		b.AddInt("process.exit_code", int64(code))
	}
	if pid > 0 {
		b.AddInt("process.pid", int64(pid))
	}
	switch kind {
	case 1:
		switch user {
		case "shutdown":
			classify(b, "host", "end", "shutdown-system", "success")
		default:
			b.Add("utmp.runlevel", string(rune(max(' ', min('~', pid&0xff)))))
			classify(b, "host", "change", "changed-to-runlevel", "success")
		}
		b.Add("utmp.kernel", host)
		return
	case 2:
		b.Add("utmp.kernel", host)
		classify(b, "host", "start", "booted-system", "success")
		return
	case 3, 4:
		classify(b, "host", "change", "changed-system-time", "")
	case 5:
		classify(b, "process", "start", "init-process", "")
	case 6:
		if user == "LOGIN" || user == "" { // getty, waiting for somebody
			classify(b, "process", "start", "login-process", "")
			user = ""
		} else {
			classify(b, "authentication", "start", "login", "failure") // as in btmp
		}
	case 7:
		b.Add("event.category", "authentication")
		classify(b, "session", "start", "login", "success")
	case 8:
		classify(b, "session", "end", "logout", "success")
	}
	b.Add("process.tty.name", line)
	b.Add("user.name", user)
	switch {
	case address != "":
		b.Add("source.address", address)
		b.Add("source.ip", address)
		if host != address && isHostName(host) {
			b.Add("source.domain", host)
		}
	case host != "" && host[0] != ':': // ":0" is a display
		addSource(b, withoutDisplay(host), "")
	}
	if address != "" && host != address {
		b.Add("utmp.host", host)
	}
}

// withoutDisplay takes the X display off "client.example.com:0".
func withoutDisplay(host string) string {
	if name, display := splitPort(host); display != "" {
		return name
	}
	return host
}

// utmpAddress is the address of 16 bytes; an IPv4 one has the first four only.
func utmpAddress(p []byte) string {
	if isZero(p) {
		return ""
	}
	if isZero(p[4:]) {
		return netip.AddrFrom4([4]byte(p[:4])).String()
	}
	return netip.AddrFrom16([16]byte(p)).Unmap().String()
}
