package format

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/timestamp"
)

var update = flag.Bool("update", false, "rewrite the golden files from what is decoded now")

// anchor is when the test files were last written, for stamps without a year.
var anchor = time.Date(2025, 1, 15, 12, 0, 0, 0, time.UTC)

var batches = sync.Pool{New: func() any { return new(event.Batch) }}

// decodeAll runs a source through a format as the pipeline does and checks that
// every byte is accounted for.
func decodeAll(t testing.TB, f *Format, data []byte, r io.Reader) []byte {
	t.Helper()
	var years timestamp.Years
	if scan := f.DateScanner(&years); scan != nil {
		scan(data)
	}
	ref := years.Reference(years.FirstYear(anchor))
	framer := f.NewFramer(r)
	var out []byte
	b := batches.Get().(*event.Batch)
	defer batches.Put(b)
	var total int64
	for {
		c, err := framer.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		b.Reset()
		n := f.NewDecoder(&Params{Clock: timestamp.NewClock(nil, ref(c.Offset))}).Decode(c, b)
		size := int64(len(c.Data))
		for _, r := range c.Refused {
			size += r.Length
		}
		if n.Events+n.Structure+n.Refused != size {
			t.Fatalf("chunk at %d of %d bytes is accounted as %+v", c.Offset, size, n)
		}
		total += size
		for i := range b.Events {
			out = append(event.AppendJSON(out, &b.Events[i]), '\n')
		}
	}
	if total != int64(len(data)) {
		t.Fatalf("chunks cover %d of %d bytes", total, len(data))
	}
	return out
}

// Every file testdata/FORMAT/*.log is recognised as FORMAT from its content and
// decodes to the documents of its .golden.jsonl, one per line and in order.
func TestGoldenFilesDecodeAsRecorded(t *testing.T) {
	files, err := filepath.Glob("testdata/*/*.log")
	if err != nil || len(files) == 0 {
		t.Fatal("no golden files:", err)
	}
	for _, file := range files {
		t.Run(strings.TrimPrefix(file, "testdata/"), func(t *testing.T) {
			f := Lookup(filepath.Base(filepath.Dir(file)))
			if f == nil {
				t.Fatalf("no format is named %s", filepath.Base(filepath.Dir(file)))
			}
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if got, score := Recognise(NewSample("unnamed", data, true)); got != f {
				name := "nothing"
				if got != nil {
					name = got.Name
				}
				t.Errorf("recognised as %s (%d)", name, score)
			}
			got := decodeAll(t, f, data, bytes.NewReader(data))
			golden := strings.TrimSuffix(file, ".log") + ".golden.jsonl"
			if *update {
				if err := os.WriteFile(golden, got, 0o666); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Error(firstDifference(got, want))
			}
			if again := decodeAll(t, f, data, iotest.OneByteReader(bytes.NewReader(data))); !bytes.Equal(again, got) {
				t.Error("read byte by byte it decodes differently")
			}
		})
	}
}

func firstDifference(got, want []byte) string {
	g, w := strings.Split(string(got), "\n"), strings.Split(string(want), "\n")
	for i := range max(len(g), len(w)) {
		var a, b string
		if i < len(g) {
			a = g[i]
		}
		if i < len(w) {
			b = w[i]
		}
		if a != b {
			return fmt.Sprintf("event %d:\n got  %s\n want %s", i+1, a, b)
		}
	}
	return ""
}
