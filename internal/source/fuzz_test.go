package source

import (
	"archive/zip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzGather opens anything as evidence and checks what must hold of all:
// nothing panics or hangs, bounds are kept, the passes agree, and names shown
// are safe to show.
func FuzzGather(f *testing.F) {
	files, _ := nestings(f)
	for _, content := range files {
		f.Add([]byte(content))
		f.Add([]byte(content[:len(content)*2/3]))
	}
	for _, kind := range []string{"gzip", "xz", "zstd", "lz4"} {
		f.Add([]byte(packed(f, kind, text(20))))
	}
	f.Add([]byte(bzip2Line))
	f.Add([]byte(gz(strings.Repeat("\x00", 1<<20))))
	f.Add([]byte(zipOf(f, zip.Deflate, member{"a", strings.Repeat("\x00", 1<<20)})))
	f.Add([]byte("\xff\xfea\x00\n\x00"))
	f.Fuzz(func(t *testing.T, content []byte) {
		path := filepath.Join(t.TempDir(), "f")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		const free = 1 << 20
		e := gather(t, Options{FreeSize: free, MaxRatio: 50, MaxMembers: 100, MaxTotal: 4 << 20, MaxSpool: 1 << 20, MemberCache: 10 << 10}, path)
		if len(e.Sources)+len(e.Problems) == 0 {
			t.Fatal("neither a source nor a problem")
		}
		if len(e.Sources) > 102 {
			t.Fatalf("%d sources", len(e.Sources))
		}
		for i := range e.Sources {
			s := e.Sources[len(e.Sources)-1-i]
			in := inspect(t, s)
			if in.Size > free+50*int64(len(content))+1<<20 && in.Problem == nil {
				t.Fatalf("%s: %d bytes from %d", s.Display, in.Size, len(content))
			}
			if in.OuterSHA256 != hexSum(string(content)) {
				t.Fatalf("%s: custody hash %q, %v", s.Display, in.OuterSHA256, in.Problem)
			}
			if s.Display != Printable(s.Display) {
				t.Fatalf("%q is shown", s.Display)
			}
			got, err := read(t, s)
			if in.Problem == nil && err != nil || int64(len(got)) != in.TextSize {
				t.Fatalf("%s: inspected %d bytes, %v; read %d, %v", s.Display, in.TextSize, in.Problem, len(got), err)
			}
		}
		for _, p := range e.Problems {
			if line := p.String(); line != Printable(line) {
				t.Fatalf("problem %q", line)
			}
		}
	})
}
