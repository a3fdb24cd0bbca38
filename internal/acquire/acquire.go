// Package acquire collects the logs of a machine into an archive, as evidence: each
// file as it is, with its times and owner, and a manifest that says what was taken,
// when, by whom, with which hash, and what could not be taken and why.
//
//	m, err := acquire.Collect(ctx, w, paths, acquire.Options{…})
//
// The archive is a tar (PAX), compressed as its name says. Its last member,
// [ManifestName], holds a JSON document a line in ECS names: what is said of the
// acquisition as a whole, then one for each file. [Verify] holds an archive against it.
package acquire

import (
	"archive/tar"
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// ManifestName is the archive's last member.
const ManifestName = "sextant-acquisition.jsonl"

const maxManifest = 512 << 20 // bytes that Verify reads

const dataset = "sextant.acquisition"

// Options are about an acquisition.
type Options struct {
	Version  string
	Root     string            // what paths are shown without; "" for the machine itself
	MaxFile  int64             // larger files are left out and said to be, 16 GiB
	Skip     func(string) bool // files that are not taken
	Progress func(files int, bytes int64)
}

// Acquisition is the manifest's first line.
type Acquisition struct {
	Time     time.Time `json:"@timestamp"`
	Dataset  string    `json:"event.dataset"`
	Action   string    `json:"event.action"` // acquisition-finished
	Start    time.Time `json:"event.start"`
	End      time.Time `json:"event.end"`
	Host     string    `json:"host.name"`
	OS       string    `json:"host.os.type"`
	Kernel   string    `json:"host.os.kernel,omitempty"`
	Arch     string    `json:"host.architecture"`
	Zone     string    `json:"event.timezone"` // of the machine, as an offset
	Boot     string    `json:"host.boot.id,omitempty"`
	User     string    `json:"user.name"`
	UID      string    `json:"user.id,omitempty"`
	Version  string    `json:"agent.version"`
	Command  []string  `json:"process.args"`
	Root     string    `json:"sextant.root,omitempty"`
	Files    int       `json:"sextant.files"`
	Bytes    int64     `json:"sextant.bytes"`
	Problems int       `json:"sextant.problems"`
}

// File is a line of the manifest for a file.
type File struct {
	Time     time.Time  `json:"@timestamp"` // when it was read
	Dataset  string     `json:"event.dataset"`
	Action   string     `json:"event.action"` // file-acquired or file-not-acquired
	Path     string     `json:"file.path"`
	Member   string     `json:"sextant.member,omitempty"`
	Size     int64      `json:"file.size"`
	SHA256   string     `json:"file.hash.sha256,omitempty"` // of what is in the archive
	Modified *time.Time `json:"file.mtime,omitempty"`
	Accessed *time.Time `json:"file.accessed,omitempty"` // before it was read
	Changed  *time.Time `json:"file.ctime,omitempty"`
	Mode     string     `json:"file.mode,omitempty"` // octal
	UID      string     `json:"file.uid,omitempty"`
	GID      string     `json:"file.gid,omitempty"`
	Inode    string     `json:"file.inode,omitempty"`
	Target   string     `json:"file.target_path,omitempty"` // of a symbolic link, which is not followed
	Problem  string     `json:"error.message,omitempty"`
}

// Collect writes an archive with the files at paths, of which directories are walked,
// to w. What cannot be read is in the manifest; an error means that there is no
// archive.
func Collect(ctx context.Context, w io.Writer, name string, paths []string, o Options) (*Acquisition, []File, error) {
	if o.MaxFile <= 0 {
		o.MaxFile = 16 << 30
	}
	packed, err := compressor(w, name)
	if err != nil {
		return nil, nil, err
	}
	c := &collection{ctx: ctx, tar: tar.NewWriter(packed), o: o, seen: map[string]bool{}, a: describe(o)}
	for _, p := range paths {
		if err := c.walk(p); err != nil {
			return nil, nil, err
		}
	}
	if err := c.finish(); err != nil {
		return nil, nil, err
	}
	return &c.a, c.files, errors.Join(c.tar.Close(), packed.Close())
}

func compressor(w io.Writer, name string) (io.WriteCloser, error) {
	switch {
	case strings.HasSuffix(name, ".tar"):
		return plain{w}, nil
	case strings.HasSuffix(name, ".zst"):
		return zstd.NewWriter(w)
	}
	return gzip.NewWriterLevel(w, 3)
}

type plain struct{ io.Writer }

func (plain) Close() error { return nil }

type collection struct {
	ctx   context.Context
	tar   *tar.Writer
	o     Options
	a     Acquisition
	files []File
	seen  map[string]bool
}

func (c *collection) walk(root string) error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if c.ctx.Err() != nil {
			return c.ctx.Err()
		}
		abs, absErr := filepath.Abs(path)
		if absErr == nil {
			path = abs
		}
		if c.seen[path] {
			if d != nil && d.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		c.seen[path] = true
		if err != nil {
			c.problem(File{Path: c.shown(path)}, err)
			return nil
		}
		if d.IsDir() || c.o.Skip != nil && c.o.Skip(path) {
			return nil
		}
		return c.take(path, d)
	})
}

// shown is the path as the machine has it.
func (c *collection) shown(path string) string {
	if c.o.Root != "" {
		if rel, err := filepath.Rel(c.o.Root, path); err == nil {
			return "/" + filepath.ToSlash(rel)
		}
	}
	return path
}

// member is the path as the archive has it: without what stands before a root.
func member(shown string) string {
	m := filepath.ToSlash(shown)
	if volume := filepath.VolumeName(shown); volume != "" {
		m = strings.TrimSuffix(volume, ":") + m[len(volume):]
	}
	return strings.TrimLeft(m, "/")
}

func (c *collection) problem(f File, err error) {
	f.Dataset, f.Action, f.Time = dataset, "file-not-acquired", time.Now().UTC()
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	f.Problem = err.Error()
	c.a.Problems++
	c.files = append(c.files, f)
}

// take adds one file. Only an error of the archive is returned.
func (c *collection) take(path string, d fs.DirEntry) error {
	f := File{Path: c.shown(path), Dataset: dataset, Action: "file-acquired"}
	info, err := d.Info()
	if err != nil {
		c.problem(f, err)
		return nil
	}
	f.Size = info.Size()
	modified := info.ModTime().UTC()
	f.Modified, f.Mode = &modified, fmt.Sprintf("%04o", info.Mode().Perm())
	facts(info, &f)
	if info.Mode()&fs.ModeSymlink != 0 {
		if f.Target, err = os.Readlink(path); err == nil {
			f.Action, f.Time = "link-noted", time.Now().UTC()
			c.files = append(c.files, f)
			return nil
		}
	}
	switch {
	case err != nil:
	case !info.Mode().IsRegular():
		err = errors.New("no regular file")
	case f.Size > c.o.MaxFile:
		err = fmt.Errorf("larger than %d bytes", c.o.MaxFile)
	case f.Size > 1<<30 && sparse(info):
		err = errors.New("mostly a hole: a sparse file of more than 1 GiB")
	}
	if err != nil {
		c.problem(f, err)
		return nil
	}
	in, err := open(path)
	if err != nil {
		c.problem(f, err)
		return nil
	}
	defer in.Close()
	f.Member, f.Time = member(f.Path), time.Now().UTC()
	head := &tar.Header{Typeflag: tar.TypeReg, Name: f.Member, Size: f.Size, Mode: int64(info.Mode().Perm()), ModTime: info.ModTime(), Format: tar.FormatPAX}
	if f.Accessed != nil {
		head.AccessTime = *f.Accessed
	}
	if err := c.tar.WriteHeader(head); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	// A file that grows is taken up to the size it had; what one that shrinks lacks is zeros.
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(c.tar, sum), &reading{ctx: c.ctx, r: io.LimitReader(in, f.Size)})
	if c.ctx.Err() != nil {
		return c.ctx.Err()
	}
	if n < f.Size {
		why := "it became shorter while it was read"
		if err != nil {
			why = err.Error()
		}
		f.Problem = fmt.Sprintf("%s: zeros from byte %d on", why, n)
		c.a.Problems++
		if _, err = io.CopyN(io.MultiWriter(c.tar, sum), zeros{}, f.Size-n); err != nil {
			return err
		}
	} else if err != nil {
		return err
	}
	f.SHA256 = hex.EncodeToString(sum.Sum(nil))
	c.files = append(c.files, f)
	c.a.Files++
	c.a.Bytes += f.Size
	if c.o.Progress != nil {
		c.o.Progress(c.a.Files, c.a.Bytes)
	}
	return nil
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

type reading struct {
	ctx context.Context
	r   io.Reader
}

func (r *reading) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

// finish adds the manifest.
func (c *collection) finish() error {
	c.a.End = time.Now().UTC()
	c.a.Time = c.a.End
	var text strings.Builder
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(c.a); err != nil {
		return err
	}
	for _, f := range c.files {
		if err := enc.Encode(f); err != nil {
			return err
		}
	}
	head := &tar.Header{Typeflag: tar.TypeReg, Name: ManifestName, Size: int64(text.Len()), Mode: 0o600, ModTime: c.a.End, Format: tar.FormatPAX}
	if err := c.tar.WriteHeader(head); err != nil {
		return err
	}
	_, err := io.WriteString(c.tar, text.String())
	return err
}

// Verify reads an archive and says, a line each, where it is not what its manifest
// says.
func Verify(ctx context.Context, r io.Reader) (a *Acquisition, files []File, wrong []string, err error) {
	buffered := bufio.NewReaderSize(r, 1<<20)
	var in io.Reader = buffered
	switch magic, _ := buffered.Peek(4); {
	case len(magic) > 1 && magic[0] == 0x1f && magic[1] == 0x8b:
		if in, err = gzip.NewReader(buffered); err != nil {
			return nil, nil, nil, err
		}
	case string(magic) == "\x28\xb5\x2f\xfd":
		z, err := zstd.NewReader(buffered)
		if err != nil {
			return nil, nil, nil, err
		}
		defer z.Close()
		in = z
	}
	type content struct {
		sum  string
		size int64
	}
	have := map[string]content{}
	t := tar.NewReader(in)
	var manifest []byte
	for {
		head, err := t.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, nil, nil, fmt.Errorf("the archive is damaged behind %d files: %w", len(have), err)
		}
		var sum hash.Hash = sha256.New()
		var to io.Writer = sum
		var text strings.Builder
		if head.Name == ManifestName {
			to = &text
		}
		if head.Name == ManifestName && head.Size > maxManifest {
			return nil, nil, nil, fmt.Errorf("its manifest is larger than %d bytes", maxManifest)
		}
		n, err := io.Copy(to, &reading{ctx: ctx, r: t})
		if err != nil {
			return nil, nil, nil, fmt.Errorf("%s: %w", head.Name, err)
		}
		if head.Name == ManifestName {
			manifest = []byte(text.String())
			continue
		}
		have[head.Name] = content{hex.EncodeToString(sum.Sum(nil)), n}
	}
	if manifest == nil {
		return nil, nil, nil, errors.New("there is no manifest in it: it is incomplete, or not of `sextant acquire`")
	}
	dec := json.NewDecoder(strings.NewReader(string(manifest)))
	a = &Acquisition{}
	if err := dec.Decode(a); err != nil {
		return nil, nil, nil, fmt.Errorf("the manifest: %w", err)
	}
	for dec.More() {
		var f File
		if err := dec.Decode(&f); err != nil {
			return nil, nil, nil, fmt.Errorf("the manifest: %w", err)
		}
		files = append(files, f)
		if f.Member == "" {
			continue
		}
		got, ok := have[f.Member]
		delete(have, f.Member)
		switch {
		case !ok:
			wrong = append(wrong, f.Path+": is not in the archive")
		case got.size != f.Size || got.sum != f.SHA256:
			wrong = append(wrong, fmt.Sprintf("%s: has SHA-256 %s, %d bytes; the manifest says %s, %d bytes", f.Path, got.sum, got.size, f.SHA256, f.Size))
		}
	}
	var more []string
	for name := range have {
		more = append(more, name+": is not in the manifest")
	}
	slices.Sort(more)
	return a, files, append(wrong, more...), nil
}
