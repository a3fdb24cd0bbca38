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
// no record says (shadow, struct lastlog of glibc: 292 bytes).
var _ = register(Format{
	Name:      "lastlog",
	Title:     "Last login of each user (lastlog)",
	Group:     "auth",
	Recognise: recogniseLastlog,
	Frame:     func(r io.Reader) Framer { return &BlockFramer{R: r, Block: lastlogSize} },
	Decode:    func(p *Params) Decoder { return &lastlogChunks{p} },
})

const lastlogSize = 4 + 32 + 256

func recogniseLastlog(s *Sample) int {
	n, good := 0, 0
	for at := 0; at+lastlogSize <= len(s.Head); at += lastlogSize {
		rec := s.Head[at : at+lastlogSize]
		if isZero(rec) {
			continue
		}
		if n++; lastlogValid(rec) {
			good++
		}
	}
	named := strings.HasPrefix(s.Name, "lastlog")
	switch {
	case s.Whole && len(s.Head)%lastlogSize != 0, good*10 < n*9:
		return 0
	case n > 0 && named:
		return 95
	case n > 0:
		return 70
	case named && len(s.Head) >= lastlogSize: // nobody of the first users ever logged in
		return 50
	}
	return 0
}

// lastlogValid: a time after 1979, and two texts that are padded with NULs.
func lastlogValid(rec []byte) bool {
	return binary.LittleEndian.Uint32(rec) > 3e8 && rec[4] != 0 && isPadded(rec[4:36]) && isPadded(rec[36:])
}

func isPadded(p []byte) bool {
	return p[len(p)-1] == 0 && isCString(p) && isZero(p[len(cString(p)):])
}

type lastlogChunks struct{ p *Params }

// Decode implements Decoder.
func (d *lastlogChunks) Decode(c *Chunk, b *event.Batch) Bytes {
	return decodeBlocks(c, lastlogSize, "record", func(rec []byte, offset int64) bool {
		if isZero(rec) {
			return false
		}
		sec, line, host := binary.LittleEndian.Uint32(rec), cString(rec[4:36]), cString(rec[36:])
		uid := offset / lastlogSize
		e := b.Begin(offset, fmt.Sprintf("[%d] [%s] [%s] [%d]", uid, line, host, sec))
		e.Length = lastlogSize
		b.Add("event.kind", "event")
		b.Add("event.dataset", "lastlog")
		if !isCString(rec[4:36]) || !isCString(rec[36:]) {
			e.Err = "not a lastlog record: its text cannot be"
			d.p.Clock.NoTime()
		} else {
			if ns, ok := d.p.Clock.Epoch(strconv.FormatUint(uint64(sec), 10)); ok {
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
