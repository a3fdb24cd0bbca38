package evtx

import (
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
// wrapped round is not the order of their ids.
type Reader struct {
	// Recover also delivers records carved from unused and damaged space.
	Recover bool
	// Diagnose, if not nil, is told what is wrong with the file.
	Diagnose func(Diagnostic)

	dec  ChunkDecoder
	next func(buf []byte) (n int, err error)
	size int64 // -1 if not known
	head Header
	diag []Diagnostic // found before Diagnose could be set
	err  error
}

// NewReader reads the file header. It fails only if reading fails or the input
// is surely no event log; see IsEventLog. Lesser faults are diagnostics.
func NewReader(r io.ReaderAt, size int64) (*Reader, error) { panic("todo") }

// NewStreamReader is NewReader for what can only be read once, from its start.
func NewStreamReader(r io.Reader) (*Reader, error) { panic("todo") }

// Header returns the file header as it was found; none of it is trusted.
func (r *Reader) Header() Header { return r.head }

// Records iterates over all records. The error is that of the underlying reader and ends it.
func (r *Reader) Records() iter.Seq2[*Record, error] { panic("todo") }

// IsEventLog reports whether data, the first 8 bytes or more of a file, starts an EVTX file.
func IsEventLog(data []byte) bool {
	return len(data) >= 8 && string(data[:8]) == "ElfFile\x00"
}

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
func ParseHeader(data []byte, size int64, diagnose func(Diagnostic)) Header { panic("todo") }
