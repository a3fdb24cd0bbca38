package source

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/ulikunitz/xz"
)

// tree writes files into a new directory and returns it.
func tree(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func gather(t testing.TB, o Options, paths ...string) *Evidence {
	t.Helper()
	e, err := Gather(t.Context(), paths, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// one gathers a single file named name.
func one(t testing.TB, o Options, name, content string) *Evidence {
	t.Helper()
	return gather(t, o, filepath.Join(tree(t, map[string]string{name: content}), name))
}

// read returns what Open gives and how it ended.
func read(t testing.TB, s *Source) (string, error) {
	t.Helper()
	r, err := s.Open(t.Context())
	if err != nil {
		return "", err
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	return string(b), err
}

// contents maps the display paths under dir to what is read.
func contents(t testing.TB, e *Evidence, dir string) map[string]string {
	t.Helper()
	m := make(map[string]string)
	for _, s := range e.Sources {
		b, err := read(t, s)
		if err != nil {
			t.Errorf("%s: %v", s.Display, err)
		}
		name := strings.TrimPrefix(strings.TrimPrefix(s.Display, dir), string(filepath.Separator))
		if _, twice := m[name]; twice {
			t.Errorf("%s is listed twice", name)
		}
		m[name] = b
	}
	return m
}

func inspect(t testing.TB, s *Source) *Inspection {
	t.Helper()
	in, err := s.Inspect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func noProblems(t testing.TB, e *Evidence) {
	t.Helper()
	for _, p := range e.Problems {
		t.Errorf("unexpected problem: %v", p)
	}
}

func onlyProblem(t testing.TB, e *Evidence, kind ProblemKind, words ...string) {
	t.Helper()
	if len(e.Problems) != 1 {
		t.Fatalf("%d problems, want one of kind %s: %v", len(e.Problems), kind, e.Problems)
	}
	wantProblem(t, e.Problems[0], kind, words...)
}

func wantProblem(t testing.TB, p *Problem, kind ProblemKind, words ...string) {
	t.Helper()
	if p == nil {
		t.Fatalf("no problem, want one of kind %s", kind)
	}
	line := p.String()
	if p.Kind != kind || strings.ContainsAny(line, "\n\x1b") {
		t.Errorf("problem of kind %s, want %s: %q", p.Kind, kind, line)
	}
	for _, w := range words {
		if !strings.Contains(line, w) {
			t.Errorf("problem %q does not say %q", line, w)
		}
	}
}

func hexSum(b string) string {
	sum := sha256.Sum256([]byte(b))
	return hex.EncodeToString(sum[:])
}

type member struct {
	name, content string
}

var memberTime = time.Date(2023, 5, 4, 3, 2, 1, 0, time.UTC)

func tarOf(t testing.TB, members ...member) string {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, m := range members {
		h := &tar.Header{Name: m.name, Mode: 0o600, Size: int64(len(m.content)), ModTime: memberTime, Typeflag: tar.TypeReg}
		if strings.HasSuffix(m.name, "/") {
			h.Typeflag = tar.TypeDir
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, m.content)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func zipOf(t testing.TB, method uint16, members ...member) string {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, m := range members {
		f, err := w.CreateHeader(&zip.FileHeader{Name: m.name, Method: method, Modified: memberTime})
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(f, m.content)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func gz(content string) string {
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestCompression)
	io.WriteString(w, content)
	w.Close()
	return b.String()
}

func packed(t testing.TB, kind, content string) string {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	var err error
	switch kind {
	case "gzip":
		return gz(content)
	case "xz":
		w, err = xz.NewWriter(&b)
	case "zstd":
		w, err = zstd.NewWriter(&b)
	case "lz4":
		l := lz4.NewWriter(&b)
		l.Apply(lz4.BlockSizeOption(lz4.Block64Kb)) // what is cut off is lost by the block
		w = l
	}
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(w, content)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// bzip2Line is "one line in bzip2\n": the library writes no bzip2.
const bzip2Line = "\x42\x5a\x68\x39\x31\x41\x59\x26\x53\x59\xe7\x19\x33\xfd\x00\x00\x07\xd9\x80\x00\x10\x40\x00\x10\x00\x12\x25\xc0\x10\x20\x00\x31\x00\xd3\x4d\x03\x53\x6a\x60\xc8\x72\x82\xaf\x88\xd6\x50\x68\xbe\x17\x72\x45\x38\x50\x90\xe7\x19\x33\xfd"

func text(lines int) string {
	var b strings.Builder
	for i := range lines {
		b.WriteString("Jan  2 03:04:05 web01 sshd[")
		b.WriteString(strings.Repeat(string(rune('0'+i%10)), 1+i%5))
		b.WriteString("]: Failed password for invalid user admin from 192.0.2.")
		b.WriteByte(byte('0' + i*7%10))
		b.WriteString(" port 50022 ssh2\n")
	}
	return b.String()
}

func TestWalkIsInBytewiseOrderAndListsEveryFileOnce(t *testing.T) {
	dir := tree(t, map[string]string{
		"b.log": "b\n", "B.log": "B\n", "a/z.log": "z\n", "a.log": "a\n", "a/.hidden": "h\n", "empty.log": "", "é.log": "e\n",
	})
	e := gather(t, Options{}, dir)
	noProblems(t, e)
	var got []string
	for _, s := range e.Sources {
		rel, _ := filepath.Rel(dir, s.Display)
		got = append(got, filepath.ToSlash(rel))
	}
	want := []string{"B.log", "a.log", "a/.hidden", "a/z.log", "b.log", "empty.log", "é.log"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	again := gather(t, Options{Threads: 1}, dir, filepath.Join(dir, "a.log"), dir)
	if len(again.Sources) != len(want) {
		t.Errorf("naming the same paths again lists %d sources, want %d", len(again.Sources), len(want))
	}
}

func TestPathsKeepTheirOrder(t *testing.T) {
	dir := tree(t, map[string]string{"x/1": "1", "w/2": "2"})
	e := gather(t, Options{}, filepath.Join(dir, "x"), filepath.Join(dir, "w"))
	if len(e.Sources) != 2 || e.Sources[0].Name != "1" || e.Sources[1].Name != "2" {
		t.Errorf("order of PATHs is not kept: %v", e.Sources)
	}
}

func TestAMissingPathIsOneClearLine(t *testing.T) {
	e := gather(t, Options{}, filepath.Join(t.TempDir(), "nothing.log"))
	onlyProblem(t, e, Missing, "nothing.log: there is no such file", "check the path")
}

func TestEmptyFileIsASourceOfZeroBytes(t *testing.T) {
	e := one(t, Options{}, "empty.log", "")
	in := inspect(t, e.Sources[0])
	if in.Size != 0 || in.Lines != 0 || in.Problem != nil || in.SHA256 != hexSum("") || in.OuterSHA256 != in.SHA256 || in.Binary {
		t.Errorf("empty file inspected as %+v", in)
	}
}

func TestStandardInputCanBeReadTwice(t *testing.T) {
	content := text(5000)
	for _, o := range []Options{
		{Stdin: strings.NewReader(content), TempDir: t.TempDir()},
		{Stdin: strings.NewReader(content), StdinFile: filepath.Join(t.TempDir(), "stdin.log")},
		{Stdin: strings.NewReader(gz(content))},
	} {
		e := gather(t, o, "-", "-")
		noProblems(t, e)
		if len(e.Sources) != 1 || e.Sources[0].Display != "-" || e.Sources[0].Name != "-" {
			t.Fatalf("sources %v", e.Sources)
		}
		if in := inspect(t, e.Sources[0]); in.SHA256 != hexSum(content) {
			t.Errorf("standard input inspected as %+v", in)
		}
		if got, err := read(t, e.Sources[0]); got != content || err != nil {
			t.Errorf("second reading gave %d bytes, %v", len(got), err)
		}
		if o.StdinFile != "" {
			if kept, err := os.ReadFile(o.StdinFile); string(kept) != content {
				t.Errorf("standard input was not kept: %d bytes, %v", len(kept), err)
			}
		}
	}
}

func TestTheTemporaryFileIsBoundedAndGoneAfterClose(t *testing.T) {
	dir := t.TempDir()
	e, err := Gather(t.Context(), []string{"-"}, Options{Stdin: strings.NewReader(text(10)), TempDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	e = gather(t, Options{Stdin: strings.NewReader(text(1000)), MaxSpool: 1000, TempDir: dir}, "-")
	onlyProblem(t, e, Limit, "more than 1000 bytes", "save it to a file")
}

func TestBothPassesSeeTheSameBytesOfAGrowingFile(t *testing.T) {
	dir := tree(t, map[string]string{"live.log": "one\ntwo\n"})
	path := filepath.Join(dir, "live.log")
	e := gather(t, Options{}, path)
	grow := func() {
		f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		f.WriteString("three\n")
		f.Close()
	}
	grow()
	if in := inspect(t, e.Sources[0]); in.SHA256 != hexSum("one\ntwo\n") || in.OuterSHA256 != in.SHA256 {
		t.Errorf("first pass saw %+v", in)
	}
	grow()
	if got, err := read(t, e.Sources[0]); got != "one\ntwo\n" || err != nil {
		t.Errorf("second pass saw %q, %v", got, err)
	}
}

func TestAFileCutOrReplacedWhileReadIsSaid(t *testing.T) {
	dir := tree(t, map[string]string{"a.log": text(10), "b.log": text(10)})
	e := gather(t, Options{}, dir)
	if err := os.Truncate(filepath.Join(dir, "a.log"), 10); err != nil {
		t.Fatal(err)
	}
	wantProblem(t, inspect(t, e.Sources[0]).Problem, Changed, "a.log", "became shorter")
	os.WriteFile(filepath.Join(dir, "new"), []byte(text(20)), 0o600)
	if err := os.Rename(filepath.Join(dir, "new"), filepath.Join(dir, "b.log")); err != nil {
		t.Fatal(err)
	}
	wantProblem(t, inspect(t, e.Sources[1]).Problem, Changed, "b.log", "was replaced")
	if _, err := e.Sources[1].Open(t.Context()); err == nil {
		t.Error("a replaced file opened as the evidence that was listed")
	}
}

func TestCancellingEndsEveryPass(t *testing.T) {
	dir := tree(t, map[string]string{"a.log": text(100000), "b.tar.gz": gz(tarOf(t, member{"m", text(1000)}))})
	ctx, cancel := context.WithCancel(t.Context())
	e := gather(t, Options{}, dir)
	r, err := e.Sources[0].Open(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	io.ReadFull(r, make([]byte, 10))
	cancel()
	if _, err := io.Copy(io.Discard, r); !errors.Is(err, context.Canceled) {
		t.Errorf("a stream goes on after its context: %v", err)
	}
	if _, err := e.Sources[0].Inspect(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Inspect gave %v", err)
	}
	if _, err := Gather(ctx, []string{dir}, Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Gather gave %v", err)
	}
	if in := inspect(t, e.Sources[0]); in.Problem != nil {
		t.Errorf("a cancelled inspection was kept: %v", in.Problem)
	}
	if got, err := read(t, e.Sources[1]); got != text(1000) || err != nil {
		t.Errorf("after cancelling, another Open gave %d bytes, %v", len(got), err)
	}
}

func TestProgressCountsEveryOuterByteOfAPass(t *testing.T) {
	content := text(20000)
	var seen int64
	e := one(t, Options{Threads: 1, Progress: func(n int64) { seen += n }}, "a.log.gz", gz(content))
	seen = 0
	inspect(t, e.Sources[0])
	if seen != e.Sources[0].StoredSize {
		t.Errorf("progress told of %d bytes of %d", seen, e.Sources[0].StoredSize)
	}
}

func TestResultsDoNotDependOnTheNumberOfThreads(t *testing.T) {
	files := map[string]string{}
	for i := range 30 {
		name := string(rune('a'+i%26)) + strings.Repeat("x", i/26)
		files[name+".log"] = text(i)
		files[name+".tar.gz"] = gz(tarOf(t, member{"one", text(i)}, member{"two.gz", gz(text(i + 1))})[:1400+i])
	}
	dir := tree(t, files)
	dump := func(threads int) string {
		e := gather(t, Options{Threads: threads}, dir)
		if err := e.Inspect(t.Context()); err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		for _, s := range e.Sources {
			in := inspect(t, s)
			b.WriteString(s.Display + " " + in.SHA256 + " " + in.OuterSHA256)
			if in.Problem != nil {
				b.WriteString(in.Problem.String())
			}
			b.WriteByte('\n')
		}
		for _, p := range e.Problems {
			b.WriteString(p.String() + "\n")
		}
		return b.String()
	}
	if a, b := dump(1), dump(8); a != b {
		t.Errorf("one thread:\n%s\neight:\n%s", a, b)
	}
}
