package capture

import (
	"strings"
	"time"

	"github.com/sextant-logs/sextant/internal/event"
)

// stream puts the bytes of one half of a TCP connection in order, as far as
// somebody reads them.
type stream struct {
	next    uint32 // sequence number of the next byte
	begun   bool
	buf     []byte // in order, not yet taken by the parser
	marks   []mark // where its pieces are in the source
	waiting []segment
}

// mark: the bytes of buf from pos on begin at a place in the source.
type mark struct {
	pos int
	at  int64
}

// segment came before what precedes it.
type segment struct {
	seq  uint32
	data []byte
	at   int64
}

const (
	maxStream  = 68 << 10 // bytes of one half that wait for the end of a message
	maxWaiting = 16       // segments of one half that came too early
	maxMarks   = 256
)

// parser reads the two halves of a protocol.
type parser interface {
	// data gives the bytes of one half that are in order and not yet taken, and returns how
	// many it takes; it is called again with the rest and more. It may set fl.dead.
	data(e *Engine, fl *flow, dir int, p []byte) int
	// gap says that n bytes of one half were not captured.
	gap(e *Engine, fl *flow, dir int, n int64)
	// end says that nothing more will come.
	end(e *Engine, fl *flow)
}

// tcp takes a segment.
func (e *Engine) tcp(fl *flow, dir int, f *frame, p *Packet) {
	fl.flags(dir, f)
	s := &fl.half[dir].stream
	seq := f.seq
	if f.flags&flagSYN != 0 {
		seq++
		if !s.begun {
			s.begun, s.next = true, seq
		}
	}
	if len(f.payload) > 0 && !fl.dead && fl.half[dir].state != reset {
		if !s.begun {
			s.begun, s.next = true, seq
		}
		e.segment(fl, dir, seq, f.payload, p.At+int64(f.at))
	}
	if missing := f.length - len(f.payload); missing > 0 && !fl.dead && f.length > 0 {
		// The capture kept only the beginning of it.
		if d := int32(seq + uint32(f.length) - s.next); d > 0 && s.begun && len(s.waiting) == 0 {
			e.skip(fl, dir, int64(d))
		}
	}
	if fl.over() && fl.list != idleClosed {
		e.idle[fl.list].Remove(fl.element)
		fl.list = idleClosed
		fl.element = e.idle[idleClosed].PushBack(fl)
	}
}

// segment gives a segment to its stream.
func (e *Engine) segment(fl *flow, dir int, seq uint32, data []byte, at int64) {
	s := &fl.half[dir].stream
	d := int32(seq - s.next)
	switch {
	case d > 0:
		if len(s.waiting) < maxWaiting && e.room(len(data)) {
			s.waiting = append(s.waiting, segment{seq, append([]byte(nil), data...), at})
			e.buffered += len(data)
			return
		}
		// What is missing will not come.
		s.waiting = append(s.waiting, segment{seq, append([]byte(nil), data...), at})
		e.buffered += len(data)
		e.drain(fl, dir, true)
		return
	case d < 0:
		if int64(-int64(d)) >= int64(len(data)) {
			return // sent again
		}
		data, at = data[-d:], at-int64(d)
	}
	e.deliver(fl, dir, data, at)
	e.drain(fl, dir, false)
}

func (e *Engine) room(n int) bool { return e.buffered+n <= e.opt.MaxBuffer }

// drain delivers the segments that wait, as far as they follow, or all with what is
// missing between them skipped.
func (e *Engine) drain(fl *flow, dir int, force bool) {
	s := &fl.half[dir].stream
	for len(s.waiting) > 0 && !fl.dead {
		best := 0
		for i := range s.waiting {
			if int32(s.waiting[i].seq-s.waiting[best].seq) < 0 {
				best = i
			}
		}
		g := s.waiting[best]
		d := int32(g.seq - s.next)
		if d > 0 && !force {
			return
		}
		s.waiting = append(s.waiting[:best], s.waiting[best+1:]...)
		e.buffered -= len(g.data)
		if d > 0 {
			e.skip(fl, dir, int64(d))
		}
		if n := int64(-int64(d)); n > 0 {
			if n >= int64(len(g.data)) {
				continue
			}
			g.data, g.at = g.data[n:], g.at+n
		}
		if !fl.dead {
			e.deliver(fl, dir, g.data, g.at)
		}
	}
}

// skip passes over bytes that were not captured.
func (e *Engine) skip(fl *flow, dir int, n int64) {
	s := &fl.half[dir].stream
	s.next += uint32(n)
	e.buffered -= len(s.buf)
	s.buf, s.marks = nil, nil
	if fl.app != nil {
		fl.app.gap(e, fl, dir, n)
	} else {
		fl.tried[dir] = true
		e.undecided(fl)
	}
	if fl.dead {
		e.kill(fl)
	}
}

// deliver gives the next bytes of a half to the parser.
func (e *Engine) deliver(fl *flow, dir int, data []byte, at int64) {
	s := &fl.half[dir].stream
	s.next += uint32(len(data))
	if len(s.marks) < maxMarks {
		s.marks = append(s.marks, mark{len(s.buf), at})
	}
	p := data
	if len(s.buf) > 0 {
		if !e.room(len(data)) {
			e.kill(fl)
			return
		}
		s.buf = append(s.buf, data...)
		e.buffered += len(data)
		p = s.buf
	}
	taken := 0
	if fl.app == nil && !fl.tried[dir] {
		if fl.app = e.recognise(fl, dir, p); fl.app == nil && len(p) >= 8 {
			fl.tried[dir] = true
		}
	}
	switch {
	case fl.app != nil:
		taken = fl.app.data(e, fl, dir, p)
	case fl.tried[dir]:
		taken = len(p)
		e.undecided(fl)
	}
	if fl.dead {
		e.kill(fl)
		return
	}
	rest := p[taken:]
	if len(s.buf) > 0 {
		e.buffered -= taken
		if s.buf = append(s.buf[:0], rest...); len(rest) == 0 {
			s.buf = nil
		}
	} else if len(rest) > 0 {
		s.buf = append([]byte(nil), rest...)
		e.buffered += len(rest)
	}
	s.consumed(taken)
	if len(s.buf) > maxStream || !e.room(0) {
		e.kill(fl)
	}
}

// undecided gives up on a flow of which both halves are of no protocol known.
func (e *Engine) undecided(fl *flow) {
	if fl.app == nil && fl.tried[0] && fl.tried[1] {
		e.kill(fl)
	}
}

// consumed moves the marks on by n bytes.
func (s *stream) consumed(n int) {
	if len(s.buf) == 0 {
		s.marks = s.marks[:0]
		return
	}
	keep := 0
	for i := range s.marks {
		if s.marks[i].pos <= n {
			keep = i
		}
	}
	s.marks = append(s.marks[:0], s.marks[keep:]...)
	for i := range s.marks {
		if s.marks[i].pos -= n; s.marks[i].pos < 0 {
			s.marks[i].at -= int64(s.marks[i].pos)
			s.marks[i].pos = 0
		}
	}
}

// where is the place in the source of the byte at pos of what the parser was given.
func (s *stream) where(pos int) int64 {
	var at int64
	for _, m := range s.marks {
		if m.pos > pos {
			break
		}
		at = m.at + int64(pos-m.pos)
	}
	return at
}

// kill ends the reading of a flow's streams and gives their memory back. What was read
// becomes events.
func (e *Engine) kill(fl *flow) {
	if fl.app != nil {
		app := fl.app
		fl.app = nil
		app.end(e, fl)
	}
	fl.dead = true
	for i := range fl.half {
		s := &fl.half[i].stream
		e.buffered -= len(s.buf)
		for _, g := range s.waiting {
			e.buffered -= len(g.data)
		}
		s.buf, s.marks, s.waiting = nil, nil, nil
	}
}

// endStreams takes what still waits, and ends.
func (e *Engine) endStreams(fl *flow) {
	for dir := range fl.half {
		if !fl.dead {
			e.drain(fl, dir, true)
		}
	}
	if !fl.dead {
		e.kill(fl)
	}
}

// recognise tells the protocol from the first bytes of a half; nil if they are too few
// or of none that is read.
func (e *Engine) recognise(fl *flow, dir int, p []byte) parser {
	switch {
	case fl.key.srcPort == 53 || fl.key.dstPort == 53:
		return &dnsStream{}
	case len(p) >= 6 && p[0] == 22 && p[1] == 3 && p[2] <= 4 && (p[5] == 1 || p[5] == 2):
		fl.protocol = "tls"
		t := &tlsFlow{client: dir}
		if p[5] == 2 {
			t.client = 1 - dir
		}
		return t
	case isRequest(p):
		fl.protocol = "http"
		return &httpFlow{client: dir}
	case len(p) >= 8 && string(p[:7]) == "HTTP/1.":
		fl.protocol = "http"
		return &httpFlow{client: 1 - dir}
	case len(p) >= 8 && string(p[:4]) == "SSH-":
		fl.protocol = "ssh"
		return &banner{}
	}
	return nil
}

// banner takes the first line of both halves: the software of SSH (RFC 4253 §4.2).
type banner struct{ done [2]bool }

func (n *banner) data(_ *Engine, fl *flow, dir int, p []byte) int {
	if n.done[dir] {
		return len(p)
	}
	line, _, found := strings.Cut(event.View(p[:min(len(p), 256)]), "\n")
	if !found && len(p) < 256 {
		return 0
	}
	fl.software[dir] = text([]byte(strings.TrimRight(line, "\r")))
	n.done[dir] = true
	fl.dead = n.done[1-dir]
	return len(p)
}

func (n *banner) gap(_ *Engine, fl *flow, dir int, _ int64) {
	n.done[dir] = true
	fl.dead = n.done[1-dir]
}

func (n *banner) end(*Engine, *flow) {}

// text is p as valid UTF-8, a copy.
func text(p []byte) string { return strings.ToValidUTF8(string(p), "\uFFFD") }

func stamp(ns int64) string { return time.Unix(0, ns).UTC().Format(time.RFC3339Nano) }
