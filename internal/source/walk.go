package source

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

const pathSeparator = os.PathSeparator

// found is one thing the walk came upon: a file, or why not.
type found struct {
	argument int // which PATH led to it
	path     string
	name     string
	outer    *outer
	problem  *Problem
}

// walker goes through the PATHs. Real directories come first and links after,
// so that a file reached both ways has its real path.
type walker struct {
	ctx      context.Context
	evidence *Evidence
	found    []found
	files    map[fileID]*outer
	dirs     map[fileID]string // where it was first walked
	links    []found
	argument int
}

// walk lists the files under paths in their order, then bytewise.
func (e *Evidence) walk(ctx context.Context, paths []string) ([]found, error) {
	w := &walker{ctx: ctx, evidence: e, files: make(map[fileID]*outer), dirs: make(map[fileID]string)}
	stdin := false
	for i, path := range paths {
		w.argument = i
		if path == "-" || isDescriptor(path) {
			if path == "-" && stdin {
				continue
			}
			stdin = stdin || path == "-"
			if err := w.spool(path); err != nil {
				return nil, err
			}
			continue
		}
		if err := w.follow(filepath.Clean(path), true); err != nil {
			return nil, err
		}
	}
	for len(w.links) > 0 {
		batch := w.links
		w.links = nil
		slices.SortFunc(batch, byPath)
		for _, l := range batch {
			w.argument = l.argument
			if err := w.follow(l.path, false); err != nil {
				return nil, err
			}
		}
	}
	slices.SortStableFunc(w.found, byPath)
	for _, f := range w.found {
		if f.outer != nil {
			slices.Sort(f.outer.aliases)
			f.outer.aliases = slices.Compact(f.outer.aliases)
		}
	}
	return w.found, nil
}

func byPath(a, b found) int {
	return cmp.Or(cmp.Compare(a.argument, b.argument), strings.Compare(a.path, b.path))
}

// follow takes up a PATH or a link: what it leads to counts.
func (w *walker) follow(path string, named bool) error {
	info, err := os.Stat(path)
	if err != nil {
		p := pathProblem(path, err)
		if errors.Is(err, syscall.ELOOP) {
			p.Kind, p.What, p.Remedy = Loop, "a link that leads back to itself", ""
		} else if p.Kind == Missing && !named {
			p.What, p.Remedy = "a link to nothing", ""
		}
		w.problem(path, p)
		return nil
	}
	if !info.IsDir() {
		w.file(path, info)
		return nil
	}
	id := identify(path, info)
	first, walked := w.dirs[id]
	switch {
	case !named && w.above(path, info):
		w.problem(path, &Problem{Kind: Loop, Path: path, Offset: -1, What: "a link back to a directory that it is in: not followed"})
	case walked && first != path:
		w.problem(path, &Problem{Kind: Linked, Path: path, Offset: -1, What: fmt.Sprintf("the same directory as %s, where it is read", first)})
	case !walked:
		return w.directory(path, info)
	}
	return nil
}

// above reports whether the directory info is one that path lies in.
func (w *walker) above(path string, info fs.FileInfo) bool {
	whole, err := filepath.Abs(path)
	if err != nil {
		return false
	}
	for dir := filepath.Dir(whole); ; dir = filepath.Dir(dir) {
		if up, err := os.Stat(dir); err == nil && os.SameFile(up, info) {
			return true
		}
		if dir == filepath.Dir(dir) {
			return false
		}
	}
}

func (w *walker) directory(path string, info fs.FileInfo) error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	id := identify(path, info)
	if first, walked := w.dirs[id]; walked { // mounted or bound twice
		w.problem(path, &Problem{Kind: Linked, Path: path, Offset: -1, What: fmt.Sprintf("the same directory as %s, where it is read", first)})
		return nil
	}
	w.dirs[id] = path
	if name := virtualFS(path); name != "" {
		w.problem(path, &Problem{Kind: NotRegular, Path: path, Offset: -1, What: fmt.Sprintf("a virtual file system (%s): holds no stored files", name)})
		return nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		w.problem(path, pathProblem(path, err)) // what was listed before the error is taken
	}
	for _, entry := range entries {
		inside := filepath.Join(path, entry.Name())
		if entry.Type()&fs.ModeSymlink != 0 {
			w.links = append(w.links, found{argument: w.argument, path: inside})
			continue
		}
		info, err := entry.Info()
		if err != nil {
			if !errors.Is(err, fs.ErrNotExist) { // rotated away since it was listed
				w.problem(inside, pathProblem(inside, err))
			}
			continue
		}
		if !entry.IsDir() {
			w.file(inside, info)
		} else if err := w.directory(inside, info); err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) file(path string, info fs.FileInfo) {
	if !info.Mode().IsRegular() {
		w.problem(path, &Problem{Kind: NotRegular, Path: path, Offset: -1, What: fileKind(info.Mode()) + ": not read"})
		return
	}
	id := identify(path, info)
	if o := w.files[id]; o != nil {
		if path != o.path {
			o.aliases = append(o.aliases, path)
		}
		return
	}
	o := &outer{evidence: w.evidence, path: path, info: info, size: info.Size(), modTime: info.ModTime().UTC()}
	w.files[id] = o
	w.found = append(w.found, found{argument: w.argument, path: path, name: filepath.Base(path), outer: o})
}

func (w *walker) problem(path string, p *Problem) {
	w.found = append(w.found, found{argument: w.argument, path: path, problem: p})
}

func fileKind(mode fs.FileMode) string {
	switch {
	case mode&fs.ModeNamedPipe != 0:
		return "a FIFO"
	case mode&fs.ModeSocket != 0:
		return "a socket"
	case mode&fs.ModeDevice != 0:
		return "a device"
	}
	return "not a regular file"
}

// isDescriptor reports whether path is an open descriptor of this process, as
// the shell hands over with <(command): read like standard input.
func isDescriptor(path string) bool {
	if path != "/dev/stdin" && !strings.HasPrefix(path, "/dev/fd/") && !strings.HasPrefix(path, "/proc/self/fd/") {
		return false
	}
	info, err := os.Stat(path)
	return err == nil && info.Mode()&fs.ModeNamedPipe != 0
}

// spool keeps what comes only once, standard input or a pipe, to be read as
// often as wanted.
func (w *walker) spool(path string) error {
	e := w.evidence
	in := e.options.Stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			w.problem(path, pathProblem(path, err))
			return nil
		}
		defer f.Close()
		in = f
	}
	in = &interruptible{w.ctx, in}
	var o *outer
	var fault, err error
	if keep := e.options.StdinFile; keep != "" && path == "-" {
		o, fault, err = e.keepStdin(in, keep)
	} else {
		o, fault, err = e.addSpool(in, e.options.MaxSpool)
	}
	switch {
	case err != nil:
		return err
	case w.ctx.Err() != nil:
		return w.ctx.Err()
	case fault == errSpoolFull:
		w.problem(path, &Problem{Kind: Limit, Path: path, Offset: -1, What: fmt.Sprintf("gives more than %d bytes", e.options.MaxSpool), Remedy: "save it to a file first"})
		return nil
	case fault != nil:
		p := pathProblem(path, fault)
		p.What += fmt.Sprintf(" (after %d bytes, which were kept)", o.size)
		w.problem(path, p)
	}
	o.path = path
	w.found = append(w.found, found{argument: w.argument, path: path, name: path, outer: o})
	return nil
}

// keepStdin writes standard input to the file the caller wants it kept in.
func (e *Evidence) keepStdin(in io.Reader, name string) (*outer, error, error) {
	f, err := os.Create(name)
	if err != nil {
		return nil, nil, err
	}
	source := &faultReader{in: in}
	n, err := io.Copy(f, source)
	if err := errors.Join(err, f.Sync()); err != nil {
		f.Close()
		return nil, nil, err
	}
	e.stdin = f
	return &outer{evidence: e, file: f, refs: 1, size: n}, source.fault, nil
}

// faultReader ends at an error of in and keeps it, so that it is not taken for
// one of writing.
type faultReader struct {
	in    io.Reader
	fault error
}

func (r *faultReader) Read(p []byte) (int, error) {
	n, err := r.in.Read(p)
	if err != nil && err != io.EOF {
		r.fault, err = err, io.EOF
	}
	return n, err
}

// interruptible ends at ctx's end, as far as in returns.
type interruptible struct {
	ctx context.Context
	in  io.Reader
}

func (r *interruptible) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.in.Read(p)
}
