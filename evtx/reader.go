package evtx

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"iter"
)

const (
	// HeaderSize is the size of the file header block; the first chunk follows it.
	HeaderSize = 4096
	// ChunkSize is the size of every chunk.
	ChunkSize = 65536
)

// Reader reads the records of a file in file order, which for a log that has
// wrapped round is not the order of their ids. Records may be called once.
type Reader struct {
	// Recover also delivers records carved from unused and damaged space.
	Recover bool
	// Diagnose, if not nil, is told what is wrong with the file.
	Diagnose func(Diagnostic)

	in      io.Reader
	pending []byte // read ahead: what follows the header
	offset  int64  // in the file, of pending
	header  []byte // nil if the file starts with a chunk
	head    Header
	size    int64 // -1 if not known
}

// ErrFormat is returned for input that is surely no event log.
var ErrFormat = errors.New("not an event log: neither a file header nor a chunk at its start")

// NewReader reads the file header. It fails only if reading fails or the input
// is surely no event log (ErrFormat). Lesser faults are diagnostics of Records.
func NewReader(r io.ReaderAt, size int64) (*Reader, error) {
	rd, err := NewStreamReader(io.NewSectionReader(r, 0, size))
	if rd != nil {
		rd.size = size
	}
	return rd, err
}

// NewStreamReader is NewReader for what can only be read once, from its start.
func NewStreamReader(r io.Reader) (*Reader, error) {
	rd := &Reader{in: r, size: -1}
	// As far as the first chunk's signature, by which a file with a damaged header is known.
	buf := make([]byte, HeaderSize+len(chunkSignature))
	n, err := io.ReadFull(r, buf)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return nil, fmt.Errorf("read file header: %w", err)
	}
	buf = buf[:n]
	switch {
	case bytes.HasPrefix(buf, chunkSignature):
		rd.pending = buf
	case IsEventLog(buf), n > HeaderSize && bytes.HasPrefix(buf[HeaderSize:], chunkSignature):
		cut := min(n, HeaderSize)
		rd.header, rd.pending, rd.offset = buf[:cut], buf[cut:], int64(cut)
		rd.head = ParseHeader(rd.header, -1, nil)
	default:
		return nil, ErrFormat
	}
	return rd, nil
}

// Header returns the file header as it was found; none of it is trusted.
func (r *Reader) Header() Header { return r.head }

// Records iterates over all records. The error is that of the underlying reader and ends it.
func (r *Reader) Records() iter.Seq2[*Record, error] {
	return func(yield func(*Record, error) bool) {
		if err := r.Each(func(rec *Record) error {
			if !yield(rec, nil) {
				return errStop
			}
			return nil
		}); err != nil && err != errStop {
			yield(nil, err)
		}
	}
}

var errStop = errors.New("stop")

// Each is Records with a callback: it calls fn for every record until fn returns an
// error, and returns that, or the error of the underlying reader.
func (r *Reader) Each(fn func(*Record) error) error {
	if r.header == nil {
		r.report(Diagnostic{Code: FileHeader, Detail: "the file has no header and starts with a chunk"})
	} else {
		ParseHeader(r.header, r.size, r.Diagnose)
	}
	dec := ChunkDecoder{Recover: r.Recover, Diagnose: r.Diagnose}
	zeros := int64(0) // bytes of chunks of zeros since the last other
	chunks := 0
	buf := make([]byte, 0, ChunkSize)
	for {
		n := copy(buf[:ChunkSize], r.pending)
		r.pending = r.pending[n:]
		m, err := io.ReadFull(r.in, buf[n:ChunkSize])
		if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
			return fmt.Errorf("read chunk at byte %d: %w", r.offset, err)
		}
		buf = buf[:n+m]
		if len(buf) == 0 {
			break
		}
		last := len(buf) < ChunkSize
		if r.Recover {
			// Where bytes were lost or added the chunks are out of step.
			if i := misplaced(buf); i > 0 {
				r.pending = append(bytes.Clone(buf[i:]), r.pending...)
				buf, last = buf[:i], false
			}
		}
		if IsErased(buf) {
			zeros += int64(len(buf))
		} else {
			if zeros > 0 { // Windows allocates chunks at the end
				r.report(Diagnostic{Code: ChunkErased, Offset: r.offset - zeros, Lost: zeros, Detail: "nothing but zeros before a chunk"})
			}
			zeros = 0
		}
		if err := dec.Decode(buf, r.offset, fn); err != nil {
			return err
		}
		r.offset += int64(len(buf))
		chunks++
		if last {
			if len(bytes.TrimLeft(buf, "\x00")) > 0 {
				r.report(Diagnostic{Code: FileSize, Offset: r.offset, Detail: fmt.Sprintf("file ends %d bytes into a chunk of %d", len(buf), ChunkSize)})
			}
			break
		}
	}
	if r.header != nil && chunks < int(r.head.ChunkCount) {
		r.report(Diagnostic{Code: FileSize, Offset: r.offset, Detail: fmt.Sprintf("file header counts %d chunks, the file holds %d", r.head.ChunkCount, chunks)})
	}
	return nil
}

// IsErased reports whether a chunk is all zeros: allocated and not yet written if it is behind all others, and else erased.
func IsErased(chunk []byte) bool {
	return len(chunk) > 0 && chunk[0] == 0 && len(bytes.TrimLeft(chunk, "\x00")) == 0
}

// misplaced returns where in a block that is no chunk another chunk starts, or,
// in one that is, where the next chunk starts too early; 0 if nowhere.
func misplaced(buf []byte) int {
	from := 1
	if bytes.HasPrefix(buf, chunkSignature) {
		from = chunkHead
	}
	for from < len(buf) {
		i := bytes.Index(buf[from:], chunkSignature)
		if i < 0 {
			return 0
		}
		i += from
		// A header, not just the word: first record numbers, then its size, 128.
		if len(buf)-i < 44 || le.Uint32(buf[i+40:]) == 128 {
			return i
		}
		from = i + 1
	}
	return 0
}

func (r *Reader) report(d Diagnostic) {
	if r.Diagnose != nil {
		r.Diagnose(d)
	}
}

// IsEventLog reports whether data, the first 8 bytes or more of a file, starts an EVTX file.
func IsEventLog(data []byte) bool { return bytes.HasPrefix(data, []byte("ElfFile\x00")) }

// Header is the file header. It is what the file says, which may be wrong.
type Header struct {
	FirstChunk   uint64
	LastChunk    uint64
	NextRecordID uint64
	MinorVersion uint16
	MajorVersion uint16
	ChunkCount   uint16
	Dirty        bool // not closed properly, or copied while in use
	Full         bool
	Checksum     uint32
}

// ParseHeader reads a file header from data (HeaderSize bytes, at least 128) of
// a file of this size (-1: not known), and tells diagnose (may be nil) what is wrong with it.
func ParseHeader(data []byte, size int64, diagnose func(Diagnostic)) Header {
	report := func(c Code, format string, args ...any) {
		if diagnose != nil {
			diagnose(Diagnostic{Code: c, Detail: fmt.Sprintf(format, args...)})
		}
	}
	if len(data) < 128 {
		report(FileHeader, "file ends inside its header, after %d bytes", len(data))
		return Header{}
	}
	flags := le.Uint32(data[120:])
	h := Header{
		FirstChunk:   le.Uint64(data[8:]),
		LastChunk:    le.Uint64(data[16:]),
		NextRecordID: le.Uint64(data[24:]),
		MinorVersion: le.Uint16(data[36:]),
		MajorVersion: le.Uint16(data[38:]),
		ChunkCount:   le.Uint16(data[42:]),
		Dirty:        flags&1 != 0,
		Full:         flags&2 != 0,
		Checksum:     le.Uint32(data[124:]),
	}
	if !IsEventLog(data) {
		report(FileHeader, "signature is %q; the rest of the header is not checked", data[:8])
		return h
	}
	if n := le.Uint32(data[32:]); n != 128 {
		report(FileHeader, "header size is %d, not 128", n)
	}
	if n := le.Uint16(data[40:]); n != HeaderSize {
		report(FileHeader, "chunks start at byte %d by the header, not at %d", n, HeaderSize)
	}
	if h.MajorVersion != 3 {
		report(FileHeader, "version %d.%d is not known", h.MajorVersion, h.MinorVersion)
	}
	if sum := crc32.ChecksumIEEE(data[:120]); sum != h.Checksum {
		report(FileHeaderChecksum, "file header has checksum %08x, says %08x", sum, h.Checksum)
	}
	if h.Dirty {
		report(FileDirty, "the log was not closed properly, or was copied while in use; its newest records may be missing from here")
	}
	if chunks := (size - HeaderSize) / ChunkSize; size >= 0 && chunks > 0xffff && h.ChunkCount == 0xffff {
		report(FileSize, "file holds %d chunks, more than its header can count", chunks)
	}
	return h
}
