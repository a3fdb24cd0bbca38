package source

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"
)

// outer is one file of evidence as it lies on disk, or a run of bytes in the
// temporary file. It has one descriptor, open while anything reads from it.
type outer struct {
	evidence *Evidence
	path     string
	aliases  []string
	info     fs.FileInfo // as found by the walk; nil for spooled bytes
	size     int64       // as found: nobody reads further
	modTime  time.Time
	start    int64 // where it begins in file, for spooled bytes

	mu   sync.Mutex
	file *os.File
	refs int

	sumMu sync.Mutex
	sum   string // SHA-256 of the bytes, once known
}

// acquire opens the file, or shares the open descriptor, until release.
func (o *outer) acquire() *Problem {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.file == nil {
		f, err := openEvidence(o.path)
		if err != nil {
			return pathProblem(o.path, err)
		}
		info, err := f.Stat()
		switch {
		case err != nil:
			f.Close()
			return pathProblem(o.path, err)
		case o.info != nil && !os.SameFile(info, o.info):
			f.Close()
			return o.changed("was replaced while it was being read")
		case info.Size() < o.size:
			f.Close()
			return o.changed("became shorter while it was being read")
		}
		o.file = f
	}
	o.refs++
	return nil
}

func (o *outer) release() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.refs--; o.refs == 0 && o.info != nil {
		o.file.Close()
		o.file = nil
	}
}

func (o *outer) changed(what string) *Problem {
	return &Problem{Kind: Changed, Path: o.path, Offset: -1, What: what, Remedy: "copy it first, or run again"}
}

// ReadAt reads from an acquired file.
func (o *outer) ReadAt(p []byte, off int64) (int, error) {
	if off >= o.size {
		return 0, io.EOF
	}
	short := int64(len(p)) > o.size-off
	if short {
		p = p[:o.size-off]
	}
	n, err := o.file.ReadAt(p, o.start+off)
	if progress := o.evidence.options.Progress; progress != nil && n > 0 {
		progress(int64(n))
	}
	switch {
	case n == len(p) && short:
		return n, io.EOF
	case n == len(p):
		return n, nil
	case err == io.EOF:
		return n, o.changed("became shorter while it was being read")
	}
	return n, pathProblem(o.path, err)
}

// digest is the SHA-256 of the file's bytes in hex, read for it unless a pass
// over the whole file has already made it.
func (o *outer) digest(ctx context.Context) (string, error) {
	o.sumMu.Lock()
	defer o.sumMu.Unlock()
	if o.sum != "" {
		return o.sum, nil
	}
	if p := o.acquire(); p != nil {
		return "", p
	}
	defer o.release()
	h := sha256.New()
	if _, err := io.CopyBuffer(h, struct{ io.Reader }{&sectionReader{ctx: ctx, section: section{o, 0, o.size, o.size}}}, make([]byte, chunkSize)); err != nil {
		return "", err
	}
	o.sum = hex.EncodeToString(h.Sum(nil))
	return o.sum, nil
}

func (o *outer) summed() bool {
	o.sumMu.Lock()
	defer o.sumMu.Unlock()
	return o.sum != ""
}

func (o *outer) setDigest(sum string) {
	o.sumMu.Lock()
	o.sum = sum
	o.sumMu.Unlock()
}

// section is a run of an outer file's bytes: what can be read from any place.
// Some of what it should hold may lie beyond the end of a truncated archive.
type section struct {
	*outer
	off, size int64
	want      int64 // bytes it should have
}

func (s section) ReadAt(p []byte, off int64) (int, error) {
	if off >= s.size {
		return 0, io.EOF
	}
	if int64(len(p)) > s.size-off {
		n, err := s.outer.ReadAt(p[:s.size-off], s.off+off)
		if err == nil {
			err = io.EOF
		}
		return n, err
	}
	n, err := s.outer.ReadAt(p, s.off+off)
	if err == io.EOF && n == len(p) {
		err = nil
	}
	return n, err
}

// sectionReader reads a section of an acquired outer from its start.
type sectionReader struct {
	section
	ctx context.Context
	pos int64
	tee hash.Hash // gets all bytes, if set
}

func (r *sectionReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	if len(p) == 0 {
		return 0, nil
	}
	n, err := r.ReadAt(p, r.pos)
	r.pos += int64(n)
	if r.tee != nil {
		r.tee.Write(p[:n])
	}
	if err == io.EOF && n > 0 {
		err = nil
	}
	if err == io.EOF && r.size < r.want {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// pathProblem puts into words why the system would not open or read path.
func pathProblem(path string, err error) *Problem {
	p := &Problem{Kind: Unreadable, Path: path, Offset: -1, Err: err}
	var problem *Problem
	var cause *fs.PathError
	switch {
	case errors.As(err, &problem):
		return problem
	case errors.Is(err, fs.ErrNotExist):
		p.Kind, p.What, p.Remedy = Missing, "there is no such file or directory", "check the path"
	case errors.Is(err, fs.ErrPermission):
		p.What, p.Remedy = "permission denied", "run as a user that may read it"
	case errors.As(err, &cause):
		p.What = fmt.Sprintf("cannot %s it: %v", cause.Op, cause.Err)
	default:
		p.What = fmt.Sprintf("cannot read it: %v", err)
	}
	return p
}

// spool is the temporary file of a gathering. It only grows.
type spool struct {
	mu   sync.Mutex
	file *os.File
	name string // to be removed at the end; "" when already unlinked
	size int64
}

// add copies in to the end of the temporary file, at most limit bytes, and
// returns the run as an outer of its own. A fault of in is returned with what
// came before it.
func (e *Evidence) addSpool(in io.Reader, limit int64) (o *outer, fault error, err error) {
	s := e.spool
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil {
		if s.file, err = os.CreateTemp(e.options.TempDir, "sextant-*.spool"); err != nil {
			return nil, nil, err
		}
		if s.name = s.file.Name(); os.Remove(s.name) == nil {
			s.name = "" // nothing is left behind even when the process is killed
		}
	}
	o = &outer{evidence: e, file: s.file, start: s.size, refs: 1}
	buf := make([]byte, 256<<10)
	for {
		n, fault := in.Read(buf)
		if o.size+int64(n) > limit {
			return nil, errSpoolFull, nil
		}
		if _, err := s.file.WriteAt(buf[:n], s.size); err != nil {
			return nil, nil, fmt.Errorf("temporary file: %w", err)
		}
		s.size += int64(n)
		o.size += int64(n)
		if fault == io.EOF {
			return o, nil, nil
		}
		if fault != nil {
			return o, fault, nil
		}
	}
}

var errSpoolFull = errors.New("temporary file limit")

func (s *spool) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil {
		return nil
	}
	err := s.file.Close()
	if s.name != "" {
		err = errors.Join(err, os.Remove(s.name))
	}
	s.file, s.name = nil, ""
	return err
}
