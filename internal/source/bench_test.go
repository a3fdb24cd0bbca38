package source

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
)

func benchmarkInspect(b *testing.B, content string, size int) {
	path := filepath.Join(b.TempDir(), "f")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		b.Fatal(err)
	}
	e := gather(b, Options{Threads: 1}, path)
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		s := e.Sources[0]
		s.inspected = nil
		s.node.outer.setDigest("")
		if in := inspect(b, s); in.Size != int64(size) {
			b.Fatal(in)
		}
	}
}

func BenchmarkInspectText(b *testing.B) {
	content := text(700_000)
	benchmarkInspect(b, content, len(content))
}

func BenchmarkInspectCompressed(b *testing.B) {
	content := text(300_000)
	for _, kind := range []string{"gzip", "zstd", "lz4", "xz"} {
		b.Run(kind, func(b *testing.B) { benchmarkInspect(b, packed(b, kind, content), len(content)) })
	}
}

func BenchmarkInspectUTF16(b *testing.B) {
	var content []byte
	for _, c := range []byte(text(300_000)) {
		content = append(content, c, 0)
	}
	benchmarkInspect(b, string(content), len(content))
}

func BenchmarkOpenText(b *testing.B) {
	content := text(700_000)
	e := one(b, Options{}, "f", content)
	buf := make([]byte, chunkSize)
	b.SetBytes(int64(len(content)))
	b.ReportAllocs()
	for b.Loop() {
		r, err := e.Sources[0].Open(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{r}, buf)
		r.Close()
	}
}

func BenchmarkGatherManySmallFiles(b *testing.B) {
	files := make(map[string]string)
	for i := range 2000 {
		files[fmt.Sprintf("d%d/f%d.log", i%20, i)] = "a line\n"
	}
	dir := tree(b, files)
	b.ReportAllocs()
	for b.Loop() {
		e := gather(b, Options{}, dir)
		if err := e.Inspect(b.Context()); err != nil || len(e.Sources) != 2000 {
			b.Fatal(err)
		}
	}
}
