package source

import "errors"

// lzmaDecoder decodes the symbols of LZMA as they lie in LZMA2 chunks, after
// the LZMA specification (Igor Pavlov, 2015). Against a general library it
// gives what was decoded before data ends or breaks, and its memory is known
// before it is asked for.
type lzmaDecoder struct {
	// The window: everything decoded, of which the last dictionary bytes can
	// be referred to. Older bytes are dropped when it is full.
	window     []byte
	dictionary int
	history    int    // bytes at the window's end that may be referred to
	total      uint32 // bytes since the dictionary was reset

	// The range coder reads one chunk.
	in   []byte
	pos  int
	rng  uint32
	code uint32

	lc, lp, pb uint
	state      uint32
	rep        [4]uint32
	probs      lzmaProbs
}

type lzmaProbs struct {
	match     [12 << 4]uint16
	rep       [12]uint16
	repG0     [12]uint16
	repG1     [12]uint16
	repG2     [12]uint16
	rep0Long  [12 << 4]uint16
	slot      [4][64]uint16
	special   [128]uint16
	align     [16]uint16
	length    lengthProbs
	repLength lengthProbs
	literal   [16 * 0x300]uint16 // lc+lp is at most 4 in LZMA2
}

type lengthProbs struct {
	choice [2]uint16
	low    [16][8]uint16
	mid    [16][8]uint16
	high   [256]uint16
}

var errLZMA = errors.New("no valid LZMA symbol")

// setProperties takes the byte that holds lc, lp and pb.
func (d *lzmaDecoder) setProperties(b byte) error {
	if b >= 9*5*5 {
		return errLZMA
	}
	d.lc, d.lp, d.pb = uint(b%9), uint(b/9%5), uint(b/45)
	if d.lc+d.lp > 4 {
		return errLZMA
	}
	return nil
}

func (d *lzmaDecoder) resetState() {
	p := &d.probs
	for _, probs := range [][]uint16{p.match[:], p.rep[:], p.repG0[:], p.repG1[:], p.repG2[:], p.rep0Long[:],
		p.slot[0][:], p.slot[1][:], p.slot[2][:], p.slot[3][:], p.special[:], p.align[:], p.literal[:0x300<<(d.lc+d.lp)]} {
		fill(probs)
	}
	for _, l := range []*lengthProbs{&p.length, &p.repLength} {
		fill(l.choice[:])
		for i := range l.low {
			fill(l.low[i][:])
			fill(l.mid[i][:])
		}
		fill(l.high[:])
	}
	d.state, d.rep = 0, [4]uint32{}
}

func fill(probs []uint16) {
	for i := range probs {
		probs[i] = 1 << 10
	}
}

// begin starts the range coder on a chunk's bytes. A read behind them gives
// zeros; symbols sees to it that nothing made of those is kept.
func (d *lzmaDecoder) begin(chunk []byte) {
	d.in, d.pos, d.rng, d.code = chunk, 0, 0xffffffff, 0
	for range 5 {
		d.code = d.code<<8 | uint32(d.next())
	}
}

func (d *lzmaDecoder) next() byte {
	i := d.pos
	d.pos++
	if i < len(d.in) {
		return d.in[i]
	}
	return 0
}

func (d *lzmaDecoder) bit(p *uint16) uint32 {
	v := uint32(*p)
	bound := d.rng >> 11 * v
	var b uint32
	if d.code < bound {
		d.rng = bound
		*p = uint16(v + (1<<11-v)>>5)
	} else {
		d.rng -= bound
		d.code -= bound
		*p = uint16(v - v>>5)
		b = 1
	}
	if d.rng < 1<<24 {
		d.rng <<= 8
		d.code = d.code<<8 | uint32(d.next())
	}
	return b
}

// tree decodes bits of a tree of probabilities, most significant first.
func (d *lzmaDecoder) tree(probs []uint16, bits int) uint32 {
	m := uint32(1)
	for range bits {
		m = m<<1 | d.bit(&probs[m])
	}
	return m - 1<<bits
}

// reverseTree decodes them least significant first.
func (d *lzmaDecoder) reverseTree(probs []uint16, bits int) uint32 {
	m, v := uint32(1), uint32(0)
	for i := range bits {
		b := d.bit(&probs[m])
		m = m<<1 | b
		v |= b << i
	}
	return v
}

func (d *lzmaDecoder) direct(bits int) uint32 {
	var v uint32
	for range bits {
		d.rng >>= 1
		b := uint32(0)
		if d.code >= d.rng {
			d.code -= d.rng
			b = 1
		}
		if d.rng < 1<<24 {
			d.rng <<= 8
			d.code = d.code<<8 | uint32(d.next())
		}
		v = v<<1 | b
	}
	return v
}

func (d *lzmaDecoder) length(l *lengthProbs, posState uint32) int {
	if d.bit(&l.choice[0]) == 0 {
		return int(d.tree(l.low[posState][:], 3)) + 2
	}
	if d.bit(&l.choice[1]) == 0 {
		return int(d.tree(l.mid[posState][:], 3)) + 10
	}
	return int(d.tree(l.high[:], 8)) + 18
}

// room sees to it that n bytes can be appended to the window.
func (d *lzmaDecoder) room(n int) {
	if len(d.window)+n <= cap(d.window) {
		return
	}
	if full := d.dictionary + d.dictionary/2 + maxChunk; cap(d.window) < full {
		grown := make([]byte, len(d.window), min(max(2*cap(d.window), len(d.window)+n, 1<<20), full))
		copy(grown, d.window)
		if d.window = grown; len(d.window)+n <= cap(d.window) {
			return
		}
	}
	keep := min(len(d.window), d.dictionary)
	copy(d.window, d.window[len(d.window)-keep:])
	d.window = d.window[:keep]
}

// maxChunk is the most that one LZMA2 chunk decodes to.
const maxChunk = 2 << 20

// decode appends want bytes of the chunk to the window. When the chunk's bytes
// run out first, what was decoded of them is kept, without the symbol that was
// half read, and it is not complete.
func (d *lzmaDecoder) decode(want int) (made int, complete bool, err error) {
	d.room(want)
	start := len(d.window)
	d.window, err = d.symbols(d.window, start+want)
	made = len(d.window) - start
	d.advance(made)
	return made, made == want && d.pos <= len(d.in), err
}

// store appends a chunk that is not compressed.
func (d *lzmaDecoder) store(chunk []byte) {
	d.room(len(chunk))
	d.window = append(d.window, chunk...)
	d.advance(len(chunk))
}

func (d *lzmaDecoder) advance(n int) {
	d.history = min(d.history+n, d.dictionary)
	d.total += uint32(n)
}

// symbols decodes onto w, which has the capacity, until end.
func (d *lzmaDecoder) symbols(w []byte, end int) ([]byte, error) {
	p := &d.probs
	posMask, litMask := uint32(1)<<d.pb-1, uint32(1)<<d.lp-1
	state, rep0 := d.state, d.rep[0]
	start := len(w)
	for len(w) < end {
		made := len(w) - start
		position := d.total + uint32(made)
		posState := position & posMask
		if d.bit(&p.match[state<<4|posState]) == 0 {
			var previous, match uint32
			if d.history+made > 0 {
				previous = uint32(w[len(w)-1])
			}
			at := ((position&litMask)<<d.lc | previous>>(8-d.lc)) * 0x300
			if probs := p.literal[at : at+0x300]; state < 7 {
				match = d.literal(probs)
			} else {
				match = d.matchedLiteral(probs, uint32(w[len(w)-1-int(rep0)]))
			}
			if d.pos > len(d.in) {
				return w, nil
			}
			w = append(w, byte(match))
			switch {
			case state < 4:
				state = 0
			case state < 10:
				state -= 3
			default:
				state -= 6
			}
			continue
		}
		n := 1
		if d.bit(&p.rep[state]) == 0 {
			d.rep[3], d.rep[2], d.rep[1] = d.rep[2], d.rep[1], rep0
			n = d.length(&p.length, posState)
			rep0 = d.distance(n)
			state = after(state, 7, 10)
		} else if d.bit(&p.repG0[state]) == 0 {
			if d.bit(&p.rep0Long[state<<4|posState]) == 0 {
				state = after(state, 9, 11)
			} else {
				n = d.length(&p.repLength, posState)
				state = after(state, 8, 11)
			}
		} else {
			distance := d.rep[1]
			if d.bit(&p.repG1[state]) != 0 {
				distance = d.rep[2]
				if d.bit(&p.repG2[state]) != 0 {
					distance = d.rep[3]
					d.rep[3] = d.rep[2]
				}
				d.rep[2] = d.rep[1]
			}
			d.rep[1] = rep0
			rep0 = distance
			n = d.length(&p.repLength, posState)
			state = after(state, 8, 11)
		}
		if d.pos > len(d.in) {
			return w, nil
		}
		// This refuses the end mark too, which LZMA2 does not have.
		if uint64(rep0) >= uint64(min(d.history+made, d.dictionary)) || len(w)+n > end {
			return w, errLZMA
		}
		from, back := len(w)-int(rep0)-1, int(rep0)+1
		for n > back { // the match runs into what it makes
			w = append(w, w[from:]...)
			n -= back
			back *= 2
		}
		w = append(w, w[from:from+n]...)
	}
	d.state, d.rep[0] = state, rep0
	return w, nil
}

func after(state, literal, match uint32) uint32 {
	if state < 7 {
		return literal
	}
	return match
}

func (d *lzmaDecoder) literal(probs []uint16) uint32 {
	symbol := uint32(1)
	for symbol < 0x100 {
		symbol = symbol<<1 | d.bit(&probs[symbol])
	}
	return symbol
}

// matchedLiteral follows a match: the byte there, match, is what this one is
// most likely not.
func (d *lzmaDecoder) matchedLiteral(probs []uint16, match uint32) uint32 {
	symbol := uint32(1)
	for symbol < 0x100 {
		expected := match >> 7 & 1
		match <<= 1
		b := d.bit(&probs[(1+expected)<<8|symbol])
		symbol = symbol<<1 | b
		if b != expected {
			break
		}
	}
	for symbol < 0x100 {
		symbol = symbol<<1 | d.bit(&probs[symbol])
	}
	return symbol
}

func (d *lzmaDecoder) distance(n int) uint32 {
	slot := d.tree(d.probs.slot[min(n-2, 3)][:], 6)
	if slot < 4 {
		return slot
	}
	bits := int(slot>>1 - 1)
	distance := (2 | slot&1) << bits
	if slot < 14 {
		return distance + d.reverseTree(d.probs.special[distance-slot:], bits)
	}
	distance += d.direct(bits-4) << 4
	return distance + d.reverseTree(d.probs.align[:], 4)
}
