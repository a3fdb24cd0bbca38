// Package source turns the PATHs a person names into evidence: an ordered,
// deterministic list of byte streams, each with its place, times, hashes and
// problems. It knows nothing of log formats.
//
//	evidence, err := source.Gather(ctx, []string{"/var/log", "case.tar.gz"}, source.Options{})
//	if err != nil { … }                       // ctx ended; trouble with evidence is in evidence.Problems
//	defer evidence.Close()
//	err = evidence.Inspect(ctx)               // pass 1: hashes, size, encoding, head sample
//	for _, set := range source.Group(evidence.Sources) {
//		for _, s := range set.Sources {   // oldest first
//			r, err := s.Open(ctx)     // pass 2: decompressed UTF-8, as often as wanted
//			…
//		}
//	}
//
// Archives and compressed files are recognised by content and opened in
// place, nested in any way: a member of case.tar.gz that is itself gzip shows
// as "case.tar.gz!var/log/auth.log.2.gz" and reads as the text within. Nothing
// is extracted to disk, with two exceptions that need a second look at bytes
// that come only once: standard input, and a zip archive inside a compressed
// stream (its directory is at its end). Both go to one temporary file that is
// bounded, unlinked at once where the system allows it, and gone after Close.
//
// A file is read up to the size it had when gathered, so both passes over a
// log that is being written see the same bytes.
//
// Reading a member of a compressed tar means decompressing all before it.
// Members are inspected while Gather passes them; later Opens in archive order
// continue one stream, and small members passed over are kept in memory
// (Options.MemberCache), so rotation order does not start over each time.
package source

import (
	"context"
	"errors"
	"io"
	"time"
)

// Options are the bounds and hooks of a gathering. The zero value of each
// means the default given with it.
type Options struct {
	// Bounds against bombs. Reaching one ends the stream or the listing with
	// one Problem of kind Limit.
	MaxRatio   int64 // decompressed bytes per compressed byte, 400; judged once FreeSize bytes have come out
	FreeSize   int64 // decompressed bytes of one layer that no ratio is asked for, 64 MiB
	MaxDepth   int   // layers of compression and archive in one another, 8
	MaxMembers int   // members of one outer file, all nesting together, 200,000
	MaxTotal   int64 // bytes listed or passed over in one outer file, 1 TiB
	MaxSpool   int64 // bytes of the temporary file, 16 GiB

	MemberCache int64  // memory for members of compressed tars, 64 MiB; negative for none
	TempDir     string // where the temporary file goes, os.TempDir()
	Threads     int    // outer files read at the same time, GOMAXPROCS

	Stdin     io.Reader // what "-" reads, os.Stdin
	StdinFile string    // keep standard input as this file instead of a temporary one

	// Hook, when set, is called once before a source is inspected and returns
	// a function that gets its transcoded bytes in order, chunk after chunk
	// (valid during the call only), or nil. Sources are inspected at the same
	// time, the chunks of one source never.
	Hook func(*Source) func(chunk []byte)

	// Progress, when set, is told of every n bytes of outer files consumed, in
	// every pass, from any goroutine.
	Progress func(n int64)
}

// Evidence is what was found under the PATHs.
type Evidence struct {
	Sources  []*Source  // in order of the PATHs, then bytewise by path, then archive order
	Problems []*Problem // in the same order; those of single sources come with their Inspection
}

// Source is one logical byte stream of evidence: a file, what a compressed
// file holds, or a member of an archive. Its fields are set by Gather and
// never change after.
type Source struct {
	Display string   // path shown and kept as log.file.path: "dir/e.tar.gz!var/log/auth.log.2.gz", escaped by Printable
	Path    string   // the outer file as walked; "-" is standard input
	Members []string // the member chain as the archives spell it, outermost first; empty outside archives
	Name    string   // innermost base name without the suffix of a compression found: "auth.log.2"
	Folder  string   // directory or archive folder it is in, as shown: the rotation sets of one folder belong together
	Layers  []string // what was peeled off, outermost first: "gzip", "tar", "gzip"
	Aliases []string // other paths under the PATHs that are the same file (hard or symbolic links), sorted

	ModTime     time.Time // last change, best known: the innermost layer that tells
	ModTimeFrom string    // "file", "tar", "zip" or "gzip"; "" when unknown
	StoredSize  int64     // bytes on disk or in the archive; -1 when unknown
	Size        int64     // logical bytes, decompressed, if known without reading; else -1
}

// Gather walks paths and lists the sources under them. Trouble with evidence
// never stops it: each is one Problem. Its error is ctx's, or that of writing
// Options.StdinFile or the temporary file.
func Gather(ctx context.Context, paths []string, options Options) (*Evidence, error) {
	return nil, errors.ErrUnsupported
}

// Close ends all reading and deletes the temporary file.
func (e *Evidence) Close() error { return nil }

// Inspect inspects all sources, Options.Threads at a time. Its error is ctx's.
func (e *Evidence) Inspect(ctx context.Context) error { return errors.ErrUnsupported }

// Open returns the source's bytes: decompressed, transcoded to UTF-8, without
// byte order mark. It can be called often and from several goroutines. When
// the stream cannot be read to its end, Read returns a *Problem instead of
// io.EOF, after all bytes that could be had; Inspect has told it before.
func (s *Source) Open(ctx context.Context) (io.ReadCloser, error) { return nil, errors.ErrUnsupported }

// OpenRaw is Open without transcoding: the logical bytes as they were hashed.
func (s *Source) OpenRaw(ctx context.Context) (io.ReadCloser, error) {
	return nil, errors.ErrUnsupported
}

// Inspect reads the source once and tells what it is. The first call does the
// work (Gather has done it for members of compressed tars), later ones return
// the same. Its error is ctx's; trouble with the evidence is Inspection.Problem.
func (s *Source) Inspect(ctx context.Context) (*Inspection, error) {
	return nil, errors.ErrUnsupported
}

// Encoding is how the text of a source is written.
type Encoding string

const (
	UTF8       Encoding = "utf-8" // or anything else that is not transcoded: ASCII, Latin-1, binary
	UTF8BOM    Encoding = "utf-8-bom"
	UTF16LE    Encoding = "utf-16le" // without byte order mark
	UTF16BE    Encoding = "utf-16be"
	UTF16LEBOM Encoding = "utf-16le-bom"
	UTF16BEBOM Encoding = "utf-16be-bom"
)

// Inspection is what one pass over a source found.
type Inspection struct {
	SHA256      string   // of the logical content: decompressed, before transcoding; lower-case hex
	Size        int64    // bytes of that content
	OuterSHA256 string   // of the outer file's bytes as they lie on disk, for custody
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

// Set is one log: its current file and what was rotated away, oldest first.
type Set struct {
	Key     string // Folder and the name without rotation suffix; stable and unique among the sets of a gathering
	Sources []*Source
}

// Group sorts sources into rotation sets by folder and name alone; whether
// their contents belong together is for the caller to see. Every source is in
// exactly one set, alone where its name says nothing; sets come in the order
// of their first source.
func Group(sources []*Source) []Set { return nil }
