package source

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"sync"
)

// Inspection is what one pass over a source found.
type Inspection struct {
	SHA256      string   // of the logical content: decompressed, before transcoding; lower-case hex
	Size        int64    // bytes of that content
	OuterSHA256 string   // of the outer file's bytes as they lie on disk, for custody; "" if they could not all be read
	OuterSize   int64    // bytes of the outer file
	Encoding    Encoding // found from the first bytes
	BOM         int64    // bytes of byte order mark taken off
	TextSize    int64    // bytes after transcoding, without the mark: what Open gives
	Head        []byte   // the first 64 KiB of that; do not change
	Binary      bool     // Head does not look like text
	Lines       int64    // newlines in the text, and one for a last line without
	MaxLine     int64    // bytes of the longest line, without its newline
	Problem     *Problem // why the stream ended early, or nil
}

// ContentID identifies the content wherever it lies: the first 24 hex
// characters of its SHA-256.
func (i *Inspection) ContentID() string { return i.SHA256[:24] }

// BytesIn is what Account.BytesIn counts for the source: the text and the byte
// order mark.
func (i *Inspection) BytesIn() int64 { return i.TextSize + i.BOM }

const (
	chunkSize = 256 << 10 // fits the second-level cache: each chunk is gone over several times
	headSize  = 64 << 10
)

var chunks = sync.Pool{New: func() any { return new([chunkSize]byte) }}

// Inspect reads the source once and tells what it is. The first call does the
// work (Gather has done it for members of tar archives), later ones return
// the same. Its error is ctx's; trouble with the evidence is Inspection.Problem.
func (s *Source) Inspect(ctx context.Context) (*Inspection, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.inspected != nil {
		return s.inspected, nil
	}
	in, err := s.inspectFile(ctx)
	if err == nil {
		s.inspected = in
	}
	return in, err
}

func (s *Source) inspectFile(ctx context.Context) (*Inspection, error) {
	var in *Inspection
	live, finish, err := s.node.openSummed(ctx)
	if err == nil {
		in, err = s.inspect(live)
		if err == nil {
			err = finish()
		}
		live.Close()
	}
	o := s.node.outer
	if err == nil {
		in.OuterSize = o.size
		in.OuterSHA256, err = o.digest(ctx)
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		if in == nil {
			in, _ = s.inspect(newStream(ctx, s.node, bytes.NewReader(nil), nil, nil))
		}
		if in.Problem == nil && !errors.As(err, &in.Problem) {
			in.Problem = pathProblem(s.Path, err)
		}
	}
	return in, nil
}

// inspect goes over live, the source's logical bytes from the start. Its error
// is the context's.
func (s *Source) inspect(live *stream) (*Inspection, error) {
	var hook func([]byte)
	if h := s.evidence.options.Hook; h != nil {
		hook = h(s)
	}
	buf := chunks.Get().(*[chunkSize]byte)
	defer chunks.Put(buf)

	head, _ := live.Peek(sniffSize)
	in := &Inspection{Encoding: detectEncoding(head)}
	in.BOM = in.Encoding.bom()
	decoder, mark := in.Encoding.decoder(), int(in.BOM)
	sum := sha256.New()
	var lines lineCounter
	var decoded []byte
	var end error
	for end == nil {
		var n int
		n, end = live.Read(buf[:])
		text := buf[:n]
		sum.Write(text)
		in.Size += int64(n)
		cut := min(mark, n)
		text, mark = text[cut:], mark-cut
		if decoder != nil {
			decoded = decoder.append(decoded[:0], text, end != nil)
			text = decoded
		}
		if len(text) == 0 {
			continue
		}
		in.TextSize += int64(len(text))
		if room := headSize - len(in.Head); room > 0 {
			in.Head = append(in.Head, text[:min(room, len(text))]...)
		}
		lines.add(text)
		if hook != nil {
			hook(text)
		}
	}
	if end != io.EOF && !errors.As(end, &in.Problem) {
		return nil, end
	}
	in.SHA256 = hex.EncodeToString(sum.Sum(nil))
	in.Lines, in.MaxLine = lines.result()
	in.Binary = looksBinary(in.Head)
	if in.Problem == nil && s.node.foreign != "" {
		in.Problem = s.node.problem(Unsupported, fmt.Sprintf("is a %s, which is not opened", s.node.foreign), "unpack it first", nil)
	}
	return in, nil
}

// lineCounter counts lines and the longest of them over chunks.
type lineCounter struct {
	lines, longest, open int64
}

func (c *lineCounter) add(text []byte) {
	for {
		i := bytes.IndexByte(text, '\n')
		if i < 0 {
			c.open += int64(len(text))
			return
		}
		c.longest = max(c.longest, c.open+int64(i))
		c.open = 0
		c.lines++
		text = text[i+1:]
	}
}

func (c *lineCounter) result() (lines, longest int64) {
	if c.open > 0 {
		return c.lines + 1, max(c.longest, c.open)
	}
	return c.lines, c.longest
}

// hole is the shortest run of NULs taken for what a crash leaves of a block
// that was never written, rather than for a part of binary records.
const hole = 4096

// looksBinary reports whether more than one byte in twenty of head is a
// control character that no text log has. Random and compressed bytes have one
// in nine. Text in any 8-bit or multi-byte encoding stays text.
func looksBinary(head []byte) bool {
	odd, seen := 0, 0
	for i := 0; i < len(head); i++ {
		c := head[i]
		if c == 0 {
			run := len(head[i:]) - len(bytes.TrimLeft(head[i:], "\x00"))
			if run < hole || run == len(head) {
				odd += run
				seen += run
			}
			i += run - 1
			continue
		}
		seen++
		if c < ' ' && c != '\n' && c != '\r' && c != '\t' && c != '\f' && c != '\b' && c != 0x1b || c == 0x7f {
			odd++
		}
	}
	return odd*20 > seen
}
