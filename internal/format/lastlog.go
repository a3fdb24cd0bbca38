package format

import (
	"encoding/binary"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// lastlog(8): the last login of each account, at the place of its user id, which
// no record says (shadow, struct lastlog of glibc: a time, 32 bytes of terminal and 256 of
// host). The time has 32 bits but for 64-bit machines that never ran 32-bit programs, where it has
// 64. Numbers are in the byte order of the machine.
var _ = register(Format{
	Name:      "lastlog",
	Title:     "Last login of each user (lastlog)",
	Group:     "auth",
	Recognise: recogniseLastlog,
	Frame: func(r io.Reader) Framer {
		// People's user ids begin at 1000, and many a root has never logged in.
		return &layoutFramer{r: r, look: 1100 * 296, find: func(head []byte) (layout, size int) {
			layout, _, _ = lastlogLayout(head)
			return layout, lastlogLayouts[layout].size()
		}}
	},
	Decode: func(p *Params) Decoder { return &lastlogChunks{p} },
})

// lastlogFields is how a machine writes the time, which the texts follow.
type lastlogFields struct {
	time  int // bytes
	order binary.ByteOrder
}

var lastlogLayouts = [...]lastlogFields{{4, binary.LittleEndian}, {8, binary.LittleEndian}, {4, binary.BigEndian}, {8, binary.BigEndian}}

func (l *lastlogFields) size() int { return l.time + 32 + 256 }

// read takes a record apart.
func (l *lastlogFields) read(rec []byte) (sec uint64, line, host []byte) {
	if l.time == 8 {
		sec = l.order.Uint64(rec)
	} else {
		sec = uint64(l.order.Uint32(rec))
	}
	return sec, rec[l.time : l.time+32], rec[l.time+32:]
}

// lastlogLayout tells the layout of a file, and how many of the records seen are good. Of
// two that fit it is the one whose times lie closer together: turned round they are anywhere.
func lastlogLayout(head []byte) (layout, good, seen int) {
	spread := uint64(0)
	for i := range lastlogLayouts {
		l := &lastlogLayouts[i]
		g, n := 0, 0
		first, last := uint64(1<<63), uint64(0)
		for at := 0; at+l.size() <= len(head); at += l.size() {
			rec := head[at : at+l.size()]
			if isZero(rec) {
				continue
			}
			if n++; l.valid(rec) {
				g++
				sec, _, _ := l.read(rec)
				first, last = min(first, sec), max(last, sec)
			}
		}
		if n > 0 && g*10 >= n*9 && (g > good || g == good && last-first < spread) {
			layout, good, seen, spread = i, g, n, last-first
		}
	}
	return layout, good, seen
}

func recogniseLastlog(s *Sample) int {
	layout, good, _ := lastlogLayout(s.Head)
	size := lastlogLayouts[layout].size()
	named := strings.HasPrefix(s.Name, "lastlog")
	switch {
	case s.Whole && len(s.Head)%size != 0:
		return 0
	case good > 0 && named:
		return 95
	case good > 0:
		return 70
	case named && len(s.Head) >= size && isZero(s.Head): // nobody of the first users ever logged in
		return 50
	}
	return 0
}

// valid: a time between 1979 and 2106, and two texts that are padded with NULs.
func (l *lastlogFields) valid(rec []byte) bool {
	sec, line, host := l.read(rec)
	return sec > 3e8 && sec < 1<<32 && line[0] != 0 && isPadded(line) && isPadded(host)
}

func isPadded(p []byte) bool {
	return p[len(p)-1] == 0 && isCString(p) && isZero(p[len(cString(p)):])
}

type lastlogChunks struct{ p *Params }

// Decode implements Decoder.
func (d *lastlogChunks) Decode(c *Chunk, b *event.Batch) Bytes {
	l := &lastlogLayouts[layoutOf(c, len(lastlogLayouts))]
	return decodeBlocks(c, l.size(), "record", func(rec []byte, offset int64) bool {
		if isZero(rec) {
			return false
		}
		sec, tty, from := l.read(rec)
		line, host := cString(tty), cString(from)
		uid := offset / int64(l.size())
		e := b.Begin(offset, fmt.Sprintf("[%d] [%s] [%s] [%d]", uid, line, host, sec))
		e.Length = int64(l.size())
		b.Add("event.kind", "event")
		b.Add("event.dataset", "lastlog")
		if !isCString(tty) || !isCString(from) {
			e.Err = "not a lastlog record: its text cannot be"
			d.p.Clock.NoTime()
		} else {
			if ns, ok := d.p.Clock.Epoch(strconv.FormatUint(sec, 10)); ok {
				e.Time = ns
			} else {
				d.p.Clock.NoTime()
			}
			b.Add("event.category", "authentication")
			classify(b, "session", "start", "last-login", "success")
			b.Add("user.id", strconv.FormatInt(uid, 10))
			b.Add("process.tty.name", line)
			if host != "" && host[0] != ':' {
				addSource(b, withoutDisplay(host), "")
			}
		}
		if d.p.Done != nil {
			d.p.Done(b)
		}
		return true
	})
}
