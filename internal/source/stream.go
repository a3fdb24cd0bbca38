package source

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"context"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

const (
	bufferSize = 32 << 10
	// maxWindow bounds the memory that a compressed stream may ask for to
	// look back in: enough for xz -9 (64 MiB) and zstd --long=27 (128 MiB).
	maxWindow = 256 << 20
)

// stream is one open layer: the bytes of a file, of a member, or what a
// decompressor makes of the stream under it. It is buffered, so that a layer
// can be recognised by peeking. Its Read returns, after all bytes that can be
// had, io.EOF, the *Problem that ended it early, or ctx's error.
type stream struct {
	*bufio.Reader
	*layer
}

// layer is what a stream's buffer fills from. It counts, holds the bounds and
// turns errors into problems. An error of the layer under it is the cause of
// its own, whatever the decompressor calls it.
type layer struct {
	ctx   context.Context
	node  *node
	in    io.Reader
	under *stream // nil for bytes that lie in a file
	out   int64
	bound bool  // whether MaxRatio is judged
	end   error // sticky: how it ended
	close func()
}

var buffers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, bufferSize) }}

// newStream makes node's bytes out of in. closing, if not nil, is called when
// the stream is closed; the caller closes under in it where it is the owner.
func newStream(ctx context.Context, n *node, in io.Reader, under *stream, closing func()) *stream {
	l := &layer{ctx: ctx, node: n, in: in, under: under, close: closing}
	b := buffers.Get().(*bufio.Reader)
	b.Reset(l)
	return &stream{b, l}
}

func (s *stream) Read(p []byte) (int, error) { return s.Reader.Read(p) }

// Close frees the stream and whatever it owns. Reading a closed stream ends
// with an error.
func (s *stream) Close() error {
	if s.Reader == nil {
		return nil
	}
	s.Reader.Reset(nil)
	buffers.Put(s.Reader)
	s.Reader = nil
	if s.layer.close != nil {
		s.layer.close()
	}
	return nil
}

// fault is the problem that ended the stream, once it has been read that far.
func (s *stream) fault() *Problem {
	p, _ := s.end.(*Problem)
	return p
}

func (l *layer) Read(p []byte) (int, error) {
	if l.end != nil {
		return 0, l.end
	}
	n, err := l.read(p)
	l.out += int64(n)
	if err != nil {
		l.end = l.explain(err)
		return n, l.end
	}
	if l.bound && l.under != nil {
		o := &l.node.outer.evidence.options
		if used := max(l.under.out, 1); l.out > o.FreeSize && l.out/used > o.MaxRatio {
			l.end = l.node.problem(Limit,
				fmt.Sprintf("expands to more than %d times its size (%d bytes from %d so far): taken for a decompression bomb", o.MaxRatio, l.out, used),
				"raise the ratio limit if the file is trusted", nil)
			return n, l.end
		}
	}
	return n, nil
}

// read keeps a defect that hostile bytes find in a decompressor from ending
// more than this one stream.
func (l *layer) read(p []byte) (n int, err error) {
	defer func() {
		if r := recover(); r != nil {
			n, err = 0, fmt.Errorf("its decoder failed: %v", r)
		}
	}()
	return l.in.Read(p)
}

// explain turns the error that ended the layer into what its reader gets.
func (l *layer) explain(err error) error {
	if err == io.EOF {
		return err
	}
	for u := l.under; u != nil; u = u.under {
		if u.end != nil && u.end != io.EOF {
			return u.end
		}
	}
	if l.ctx.Err() != nil {
		return l.ctx.Err()
	}
	if p, ok := err.(*Problem); ok {
		return p
	}
	return l.node.explain(err, l.out)
}

// explain says in words for people what a decompressor or archive reader
// means by err.
func (n *node) explain(err error, out int64) *Problem {
	what, kept := n.layer+" data", "what comes before was read"
	if n.layer == "tar" || n.layer == "zip" {
		what = "this member"
	}
	var tooBig *windowError
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		switch n.layer {
		case "tar", "zip":
			return n.problem(Truncated, "the archive ends in the middle of this member", kept+"; members after it are lost, get a complete copy", err)
		}
		return n.problem(Truncated, what+" ends early", kept+"; get a complete copy of the file", err)
	case errors.Is(err, gzip.ErrChecksum), errors.Is(err, errChecksum):
		return n.problem(Corrupt, what+" does not match its checksum", "its content was read, and may be damaged or altered", err)
	case errors.Is(err, zstd.ErrWindowSizeExceeded), errors.Is(err, zstd.ErrDecoderSizeExceeded), errors.As(err, &tooBig):
		return n.problem(Limit, fmt.Sprintf("%s asks for more than %d MiB of memory", what, maxWindow>>20), "decompress it first", err)
	}
	reason := strings.TrimPrefix(err.Error(), n.layer+": ")
	return n.problem(Corrupt, fmt.Sprintf("%s is damaged after %d bytes of content (%s)", what, out, reason), kept, err)
}

var errChecksum = errors.New("checksum mismatch")

// decompress opens the compression kind on top of under, which the stream
// then owns. modTime is what the compressed data says of the original's last
// change, if it does.
func (n *node) decompress(ctx context.Context, kind string, under *stream) (s *stream, modTime time.Time) {
	var in io.Reader
	var err error
	done := func() { under.Close() }
	switch kind {
	case "gzip":
		g := &gzipReader{in: under.Reader}
		if err = g.next(); err == nil {
			if m := g.z.ModTime.Unix(); m > 0 && m != goZeroTime {
				modTime = g.z.ModTime.UTC()
			}
		}
		in = g
	case "bzip2":
		in = bzip2.NewReader(under)
	case "xz":
		in = &xzReader{in: under.Reader}
	case "zstd":
		var d *zstd.Decoder
		d, err = zstd.NewReader(under, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		if err == nil {
			in, done = d, func() { d.Close(); under.Close() }
		}
	case "lz4":
		in = lz4.NewReader(under)
	case "deflate":
		in = flate.NewReader(under)
	default:
		err = fmt.Errorf("no decompressor for %s", kind)
	}
	if err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		in = failing{err}
	}
	s = newStream(ctx, n, in, under, done)
	s.bound = true
	return s, modTime
}

// goZeroTime is what some Go programs write into a gzip header for no time at
// all: time.Time{}.Unix() cut to 32 bits, a day in 2042.
const goZeroTime = -62135596800 & 0xffffffff

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// gzipReader reads the members of a gzip file one after another (RFC 1952
// §2.2). Unlike the library's multistream mode it tells padding, which tapes
// and block devices leave as zeros, from foreign bytes.
type gzipReader struct {
	in *bufio.Reader
	z  *gzip.Reader
}

func (g *gzipReader) next() error {
	var err error
	if g.z == nil {
		g.z, err = gzip.NewReader(g.in)
	} else {
		err = g.z.Reset(g.in)
	}
	if err == io.EOF { // the library passes on an EOF inside the header
		err = io.ErrUnexpectedEOF
	}
	if err == nil {
		g.z.Multistream(false)
	}
	return err
}

func (g *gzipReader) Read(p []byte) (int, error) {
	for {
		n, err := g.z.Read(p)
		if err != io.EOF {
			return n, err
		}
		if n > 0 {
			return n, nil // EOF comes again
		}
		head, err := g.in.Peek(2)
		switch {
		case len(head) == 2 && head[0] == 0x1f && head[1] == 0x8b:
			if err := g.next(); err != nil {
				return 0, err
			}
			continue
		case len(head) == 0:
			return 0, err
		}
		return 0, trailing(g.in)
	}
}

// trailing reads in to its end: io.EOF when only zeros are left.
func trailing(in io.Reader) error {
	var buf [4096]byte
	var total int64
	foreign := false
	for {
		n, err := in.Read(buf[:])
		total += int64(n)
		foreign = foreign || len(bytes.Trim(buf[:n], "\x00")) > 0
		if err == io.EOF && foreign {
			return fmt.Errorf("%d bytes that belong to no compressed data follow it", total)
		}
		if err != nil {
			return err
		}
	}
}

// windowError is a stream that would look back further than maxWindow.
type windowError struct{ bytes uint64 }

func (e *windowError) Error() string { return fmt.Sprintf("window of %d bytes", e.bytes) }

// checked verifies length and CRC-32 of a zip member as it is read
// (APPNOTE.TXT 4.4.7, 4.4.9).
type checked struct {
	in   io.Reader
	size int64
	sum  uint32
	crc  hash.Hash32
	n    int64
}

func newChecked(in io.Reader, size int64, sum uint32) *checked {
	return &checked{in: in, size: size, sum: sum, crc: crc32.NewIEEE()}
}

func (c *checked) Read(p []byte) (int, error) {
	n, err := c.in.Read(p)
	c.n += int64(n)
	if c.n > c.size {
		n -= int(c.n - c.size)
		return n, errors.New("holds more bytes than the archive says")
	}
	c.crc.Write(p[:n])
	if err == io.EOF {
		if c.n < c.size {
			err = fmt.Errorf("holds %d bytes where the archive says %d", c.n, c.size)
		} else if c.crc.Sum32() != c.sum {
			err = errChecksum
		}
	}
	return n, err
}
