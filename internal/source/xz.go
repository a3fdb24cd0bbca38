package source

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"io"
)

// xzReader reads the .xz file format 1.2.0: any number of streams, each of any
// number of blocks of LZMA2. Data that ends or breaks off gives what could be
// decoded of it first. Filters other than LZMA2 are for programs and images,
// and are refused.
type xzReader struct {
	in    *bufio.Reader
	lzma  *lzmaDecoder
	state xzState
	end   error

	check     byte // of the stream
	sum       hash.Hash
	sumSize   int
	compacted int64 // bytes of the block's compressed data
	ready     []byte
	fresh     bool // no chunk of the block yet: the dictionary must be reset
	unset     bool // no properties yet
	chunk     []byte
}

type xzState int

const (
	xzStreamHeader xzState = iota
	xzBlockHeader
	xzChunk
)

// Read returns decoded bytes; those before an error come first.
func (x *xzReader) Read(p []byte) (int, error) {
	for len(x.ready) == 0 {
		if x.end != nil {
			return 0, x.end
		}
		x.end = x.step()
	}
	n := copy(p, x.ready)
	x.ready = x.ready[n:]
	return n, nil
}

func (x *xzReader) step() error {
	switch x.state {
	case xzStreamHeader:
		return x.streamHeader()
	case xzBlockHeader:
		return x.blockHeader()
	}
	return x.lzma2()
}

var xzMagic = []byte("\xfd7zXZ\x00")

// checkSizes by the id of a check; most are reserved (2.1.1.2).
var checkSizes = [16]int{0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64}

func (x *xzReader) streamHeader() error {
	var h [12]byte
	if err := x.full(h[:]); err != nil {
		return err
	}
	if !bytes.Equal(h[:6], xzMagic) || h[6] != 0 || h[7] > 15 || crc32.ChecksumIEEE(h[6:8]) != binary.LittleEndian.Uint32(h[8:]) {
		return errors.New("stream header is not valid")
	}
	x.check, x.sumSize = h[7], checkSizes[h[7]]
	x.state = xzBlockHeader
	return nil
}

// blockHeader reads the header of a block, or the index and what follows it
// (3.1).
func (x *xzReader) blockHeader() error {
	first, err := x.in.ReadByte()
	if err != nil {
		return cutShort(err)
	}
	if first == 0 {
		return x.indexAndFooter()
	}
	h := make([]byte, (int(first)+1)*4)
	h[0] = first
	if err := x.full(h[1:]); err != nil {
		return err
	}
	body, sum := h[:len(h)-4], binary.LittleEndian.Uint32(h[len(h)-4:])
	if crc32.ChecksumIEEE(body) != sum {
		return errors.New("block header does not match its checksum")
	}
	flags, rest := body[1], body[2:]
	broken := errors.New("block header is not valid")
	varint := func() uint64 {
		v, n := binary.Uvarint(rest)
		if n <= 0 {
			rest = nil
			return 0
		}
		rest = rest[n:]
		return v
	}
	if flags&0x40 != 0 {
		varint() // compressed size: the chunks tell
	}
	if flags&0x80 != 0 {
		varint()
	}
	if id := varint(); flags&0x3f != 0 || id != 0x21 {
		return fmt.Errorf("filter %#x is not supported", id)
	}
	if varint() != 1 || len(rest) < 1 || rest[0] > 40 {
		return broken
	}
	bits := uint(rest[0]) // 5.3.1
	dictionary := uint64(2|bits&1) << (bits/2 + 11)
	if dictionary > maxWindow {
		return &windowError{dictionary}
	}
	if x.lzma == nil {
		x.lzma = &lzmaDecoder{}
		x.chunk = make([]byte, 1<<16)
	}
	x.lzma.dictionary = int(dictionary)
	x.fresh, x.unset, x.compacted = true, true, 0
	switch x.check {
	case 1:
		x.sum = crc32.NewIEEE()
	case 4:
		x.sum = crc64.New(crc64.MakeTable(crc64.ECMA))
	case 10:
		x.sum = sha256.New()
	default:
		x.sum = nil
	}
	x.state = xzChunk
	return nil
}

// lzma2 reads one chunk: a control byte, sizes, and data (5.3.1; the layout is
// that of the xz embedded decoder, linux/lib/xz/xz_dec_lzma2.c).
func (x *xzReader) lzma2() error {
	control, err := x.in.ReadByte()
	if err != nil {
		return cutShort(err)
	}
	x.compacted++
	if control == 0 {
		return x.endBlock()
	}
	if control >= 0xe0 || control == 1 {
		x.fresh = false
		x.lzma.history, x.lzma.total = 0, 0
		if control == 1 {
			x.unset = true
		}
	} else if x.fresh {
		return errors.New("first chunk does not reset the dictionary")
	}
	if control < 0x80 {
		if control > 2 {
			return fmt.Errorf("chunk of unknown kind %#x", control)
		}
		var h [2]byte
		if err := x.full(h[:]); err != nil {
			return err
		}
		chunk, err := x.data(int(binary.BigEndian.Uint16(h[:])) + 1)
		x.lzma.store(chunk)
		x.give(len(chunk))
		x.compacted += 2
		return err
	}
	var h [4]byte
	if err := x.full(h[:]); err != nil {
		return err
	}
	want := int(control&0x1f)<<16 + int(binary.BigEndian.Uint16(h[:])) + 1
	packed := int(binary.BigEndian.Uint16(h[2:])) + 1
	x.compacted += 4
	if control >= 0xc0 {
		b, err := x.in.ReadByte()
		if err != nil {
			return cutShort(err)
		}
		if err := x.lzma.setProperties(b); err != nil {
			return err
		}
		x.unset = false
		x.compacted++
	} else if x.unset {
		return errors.New("chunk comes before its properties")
	}
	if control >= 0xa0 {
		x.lzma.resetState()
	}
	chunk, cut := x.data(packed)
	x.lzma.begin(chunk)
	made, complete, err := x.lzma.decode(want)
	x.give(made)
	switch {
	case err != nil:
		return err
	case cut != nil:
		return cut
	case !complete:
		return errLZMA
	}
	return nil
}

// give makes the last n bytes of the window ready to be read.
func (x *xzReader) give(n int) {
	w := x.lzma.window
	x.ready = w[len(w)-n:]
	if x.sum != nil {
		x.sum.Write(x.ready)
	}
}

// data reads n bytes of a chunk, or as many as are there.
func (x *xzReader) data(n int) ([]byte, error) {
	got, err := io.ReadFull(x.in, x.chunk[:n])
	x.compacted += int64(got)
	return x.chunk[:got], cutShort(err)
}

func (x *xzReader) endBlock() error {
	x.state = xzBlockHeader
	var rest [3 + 64]byte
	padding := int(-x.compacted & 3)
	if err := x.full(rest[:padding+x.sumSize]); err != nil {
		return err
	}
	if x.sum == nil {
		return nil
	}
	sum, want := x.sum.Sum(nil), rest[padding:padding+x.sumSize]
	if x.check != 10 { // the CRCs are stored little-endian
		for i, j := 0, len(sum)-1; i < j; i, j = i+1, j-1 {
			sum[i], sum[j] = sum[j], sum[i]
		}
	}
	if !bytes.Equal(sum, want) {
		return errChecksum
	}
	return nil
}

// indexAndFooter reads the end of a stream, whose index only matters to
// readers that jump, and looks for another stream (4, 2.1.2, 2.2).
func (x *xzReader) indexAndFooter() error {
	size := int64(1)
	varint := func() (uint64, error) {
		var v uint64
		for shift := 0; shift < 63; shift += 7 {
			b, err := x.in.ReadByte()
			if err != nil {
				return 0, cutShort(err)
			}
			size++
			v |= uint64(b&0x7f) << shift
			if b < 0x80 {
				return v, nil
			}
		}
		return 0, errors.New("index is not valid")
	}
	records, err := varint()
	for i := uint64(0); i < 2*min(records, 1<<62) && err == nil; i++ {
		_, err = varint()
	}
	if err != nil {
		return err
	}
	var rest [3 + 4 + 12]byte
	end := rest[:int(-size&3)+4+12]
	if err := x.full(end); err != nil {
		return err
	}
	if footer := end[len(end)-12:]; footer[10] != 'Y' || footer[11] != 'Z' || crc32.ChecksumIEEE(footer[4:10]) != binary.LittleEndian.Uint32(footer) {
		return errors.New("stream footer is not valid")
	}
	for {
		next, err := x.in.Peek(4)
		switch {
		case len(next) == 0:
			return err
		case len(next) == 4 && bytes.Equal(next, xzMagic[:4]):
			x.state = xzStreamHeader
			return nil
		case len(bytes.Trim(next, "\x00")) > 0:
			return trailing(x.in)
		}
		x.in.Discard(len(next))
	}
}

func (x *xzReader) full(p []byte) error {
	_, err := io.ReadFull(x.in, p)
	return cutShort(err)
}

// cutShort makes an end of the bytes an end before its time.
func cutShort(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
