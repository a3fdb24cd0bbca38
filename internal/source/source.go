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
	"os"
	"runtime"
	"sync"
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

	options Options
	spool   *spool
	kept    *kept
	stdin   *os.File // Options.StdinFile
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

	evidence  *Evidence
	node      *node
	mu        sync.Mutex
	inspected *Inspection
}

// Gather walks paths and lists the sources under them. Trouble with evidence
// never stops it: each is one Problem. Its error is ctx's, or that of writing
// Options.StdinFile or the temporary file.
func Gather(ctx context.Context, paths []string, options Options) (*Evidence, error) {
	e := &Evidence{options: options.withDefaults(), spool: &spool{}}
	e.kept = &kept{limit: e.options.MemberCache}
	found, err := e.walk(ctx, paths)
	if err != nil {
		e.Close()
		return nil, err
	}
	expansions := make([]*expansion, len(found))
	err = parallel(ctx, e.options.Threads, len(found), func(ctx context.Context, i int) (err error) {
		if f := found[i]; f.outer != nil {
			expansions[i], err = e.expandOuter(ctx, f.outer, f.name)
		}
		return err
	})
	if err != nil {
		e.Close()
		return nil, err
	}
	for i, f := range found {
		if f.problem != nil {
			e.Problems = append(e.Problems, f.problem)
			continue
		}
		e.Sources = append(e.Sources, expansions[i].sources...)
		e.Problems = append(e.Problems, expansions[i].problems...)
	}
	return e, nil
}

// Close ends all reading and deletes the temporary file.
func (e *Evidence) Close() error {
	e.kept.close()
	err := e.spool.close()
	if e.stdin != nil {
		err = errors.Join(err, e.stdin.Close())
		e.stdin = nil
	}
	return err
}

// Inspect inspects all sources, Options.Threads at a time. Its error is ctx's.
func (e *Evidence) Inspect(ctx context.Context) error {
	return parallel(ctx, e.options.Threads, len(e.Sources), func(ctx context.Context, i int) error {
		_, err := e.Sources[i].Inspect(ctx)
		return err
	})
}

// Open returns the source's bytes: decompressed, transcoded to UTF-8, without
// byte order mark. It can be called often and from several goroutines. When
// the stream cannot be read to its end, Read returns a *Problem instead of
// io.EOF, after all bytes that could be had; Inspect has told it before.
func (s *Source) Open(ctx context.Context) (io.ReadCloser, error) {
	r, err := s.node.open(ctx)
	if err != nil {
		return nil, err
	}
	return newTextReader(r), nil
}

// OpenRaw is Open without transcoding: the logical bytes as they were hashed.
func (s *Source) OpenRaw(ctx context.Context) (io.ReadCloser, error) {
	r, err := s.node.open(ctx)
	if err != nil {
		return nil, err
	}
	return r, nil
}

func (o Options) withDefaults() Options {
	or := func(v *int64, d int64) {
		if *v == 0 {
			*v = d
		}
	}
	or(&o.MaxRatio, 400)
	or(&o.FreeSize, 64<<20)
	or(&o.MaxTotal, 1<<40)
	or(&o.MaxSpool, 16<<30)
	or(&o.MemberCache, 64<<20)
	if o.MaxDepth == 0 {
		o.MaxDepth = 8
	}
	if o.MaxMembers == 0 {
		o.MaxMembers = 200_000
	}
	if o.Threads <= 0 {
		o.Threads = runtime.GOMAXPROCS(0)
	}
	if o.Stdin == nil {
		o.Stdin = os.Stdin
	}
	return o
}

// parallel runs do for each of n, at most threads at a time, in order of
// start, and returns the first error after all have ended.
func parallel(ctx context.Context, threads, n int, do func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan int)
	var workers sync.WaitGroup
	for range min(threads, n) {
		workers.Go(func() {
			for i := range next {
				if err := do(ctx, i); err != nil {
					cancel(err)
				}
			}
		})
	}
	for i := 0; i < n && ctx.Err() == nil; i++ {
		select {
		case next <- i:
		case <-ctx.Done():
		}
	}
	close(next)
	workers.Wait()
	return context.Cause(ctx)
}
