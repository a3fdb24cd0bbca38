// Package capture turns packets into events: one for each flow, with its bytes,
// packets, duration and state, and one for each DNS exchange, HTTP exchange and TLS
// handshake in it. It is a sensor's view of traffic, in ECS fields.
//
// An [Engine] is fed packets in the order of their capture, from a file or from a
// network card, and adds events to a batch as they are complete: an HTTP exchange when
// its answer has ended, a flow when it has closed or has been idle for long.
// What is said about the packets before one event depends on these alone, so the
// same packets give the same events.
//
// Memory is bounded: flows in the table, bytes kept of streams that are put together,
// requests that wait for their answer. At a bound the flow seen longest ago is
// ended early, and its event says so.
package capture

import (
	"container/list"
	"net/netip"
	"time"

	"github.com/sextant-logs/sextant/internal/event"
)

// Options bound an engine. The zero value of each has a default.
type Options struct {
	MaxFlows  int // in the table at a time: 64 Ki
	MaxBuffer int // bytes kept of all streams: 32 MiB
}

// Engine follows the flows of one capture. It is used by one goroutine.
type Engine struct {
	opt      Options
	flows    map[key]*flow
	idle     [3]list.List // flows by how long they may be idle, the one seen longest ago first
	fragment map[fragmentKey]key
	order    []fragmentKey // of fragment, oldest first
	buffered int           // bytes kept of streams
	now      int64         // of the capture
	frame    frame
	dns      dnsDecoder
	b        *event.Batch
	scratch  []byte
}

// How long a flow is kept after its last packet; those of Zeek.
var idleLimit = [...]int64{idleTCP: int64(5 * time.Minute), idleOther: int64(time.Minute), idleClosed: int64(5 * time.Second)}

const (
	idleTCP = iota
	idleOther
	idleClosed
)

const (
	maxFragments = 4096             // packets in pieces that are remembered
	clockBack    = int64(time.Hour) // so much earlier than what came before is another time, not disorder
)

// key is a flow's two ends, the lesser first.
type key struct {
	src, dst         netip.Addr
	srcPort, dstPort uint16
	proto            uint8
	oneWay           bool
	ether            uint16
	mac              [12]byte // where there are no addresses
}

type fragmentKey struct {
	src, dst netip.Addr
	id       uint32
	proto    uint8
}

// NewEngine returns an engine that has seen nothing.
func NewEngine(opt Options) *Engine {
	if opt.MaxFlows <= 0 {
		opt.MaxFlows = 64 << 10
	}
	if opt.MaxBuffer <= 0 {
		opt.MaxBuffer = 32 << 20
	}
	return &Engine{opt: opt, flows: map[key]*flow{}, fragment: map[fragmentKey]key{}}
}

// Packet takes the next packet and adds the events that it completes to b. An error says
// why the packet belongs to no flow.
func (e *Engine) Packet(b *event.Batch, p *Packet) error {
	e.b = b
	f := &e.frame
	if err := f.decode(p); err != nil {
		return err
	}
	if d := p.Time - e.now; d > 0 || d < -clockBack {
		e.now = p.Time
	}
	e.expire()
	fl, dir := e.flow(f, p)
	fl.count(f, p, dir)
	switch {
	case f.proto == protoTCP && !f.later:
		e.tcp(fl, dir, f, p)
	case f.proto == protoUDP && !f.later:
		e.udp(fl, dir, f, p)
	}
	return nil
}

// Advance says that so late it is, in ns since the epoch, though no packet came: it
// adds the events of flows that have been idle too long. Captures that are read
// from a file need no such thing.
func (e *Engine) Advance(b *event.Batch, now int64) {
	e.b = b
	e.now = max(e.now, now)
	e.expire()
}

// Flush adds the events of flows that are still open, at most n of them, and reports
// whether there are more.
func (e *Engine) Flush(b *event.Batch, n int) bool {
	e.b = b
	for ; n > 0; n-- {
		fl := e.oldest()
		if fl == nil {
			return false
		}
		e.end(fl, "end of capture")
	}
	return len(e.flows) > 0
}

// Flows is the number of flows in the table.
func (e *Engine) Flows() int { return len(e.flows) }

// oldest is the flow that began first of those seen longest ago.
func (e *Engine) oldest() *flow {
	var best *flow
	for i := range e.idle {
		if front := e.idle[i].Front(); front != nil {
			if fl := front.Value.(*flow); best == nil || fl.touched < best.touched || fl.touched == best.touched && fl.offset < best.offset {
				best = fl
			}
		}
	}
	return best
}

// expire ends the flows that have been idle too long.
func (e *Engine) expire() {
	for i := range e.idle {
		for front := e.idle[i].Front(); front != nil; front = e.idle[i].Front() {
			fl := front.Value.(*flow)
			if e.now-fl.touched <= idleLimit[i] {
				break
			}
			if i == idleClosed {
				e.end(fl, "closed")
			} else {
				e.end(fl, "idle")
			}
		}
	}
}

// flow finds the flow of a packet, or opens one, and says whether the packet goes the
// originator's way (0) or the responder's (1).
func (e *Engine) flow(f *frame, p *Packet) (*flow, int) {
	k, swapped := flowKey(f)
	if f.fragment {
		piece := fragmentKey{f.src, f.dst, f.id, f.proto}
		if first, known := e.fragment[piece]; f.later && known {
			k = first
			if fl := e.flows[k]; fl != nil {
				if fl.src == f.src {
					return fl, 0
				}
				return fl, 1
			}
		} else if !f.later && !known {
			if len(e.order) >= maxFragments {
				delete(e.fragment, e.order[0])
				e.order = append(e.order[:0], e.order[1:]...)
			}
			e.fragment[piece] = k
			e.order = append(e.order, piece)
		}
	}
	fl := e.flows[k]
	if fl != nil && fl.list == idleClosed && f.proto == protoTCP && f.flags&(flagSYN|flagACK) == flagSYN {
		e.end(fl, "closed") // the same ports again
		fl = nil
	}
	if fl == nil {
		if len(e.flows) >= e.opt.MaxFlows {
			e.end(e.oldest(), "evicted")
		}
		fl = newFlow(f, p, k)
		e.flows[k] = fl
		fl.list = idleOther
		if f.proto == protoTCP {
			fl.list = idleTCP
		}
		fl.element = e.idle[fl.list].PushBack(fl)
		fl.swapped = swapped != fl.flipped
	} else {
		e.idle[fl.list].MoveToBack(fl.element)
	}
	fl.touched = e.now
	if swapped == fl.swapped {
		return fl, 0
	}
	return fl, 1
}

// flowKey puts a packet's ends in order, and says whether it turned them round.
func flowKey(f *frame) (k key, swapped bool) {
	k = key{src: f.src, dst: f.dst, srcPort: f.srcPort, dstPort: f.dstPort, proto: f.proto, oneWay: f.oneWay, ether: f.ether}
	if f.later {
		k.srcPort, k.dstPort = 0, 0
	}
	if !f.src.IsValid() {
		first, second := f.srcMAC, f.dstMAC
		if swapped = string(first[:]) > string(second[:]); swapped {
			first, second = second, first
		}
		copy(k.mac[:], first[:])
		copy(k.mac[6:], second[:])
		return k, swapped
	}
	if c := k.src.Compare(k.dst); c > 0 || c == 0 && k.srcPort > k.dstPort {
		k.src, k.dst, k.srcPort, k.dstPort = k.dst, k.src, k.dstPort, k.srcPort
		swapped = true
	}
	return k, swapped
}

// end takes a flow off the table and adds its events.
func (e *Engine) end(fl *flow, why string) {
	e.idle[fl.list].Remove(fl.element)
	delete(e.flows, fl.key)
	e.endStreams(fl)
	e.endDNS(fl)
	fl.add(e, why)
}
