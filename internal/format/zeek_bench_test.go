package format

import (
	"bytes"
	"os"
	"testing"

	"github.com/sextant-logs/sextant/internal/event"
)

func BenchmarkZeek(b *testing.B) {
	for _, bench := range [...]struct{ name, format, file string }{
		{"table", "zeek", "testdata/zeek/conn_dns.log"},
		{"json", "zeek.json", "testdata/zeek.json/mixed.log"},
	} {
		b.Run(bench.name, func(b *testing.B) {
			data, err := os.ReadFile(bench.file)
			if err != nil {
				b.Fatal(err)
			}
			// The header stands once, before the records of the first log.
			var header, records []byte
			for line := range bytes.Lines(data) {
				if line[0] != '#' {
					records = append(records, line...)
				} else if len(records) == 0 {
					header = append(header, line...)
				} else {
					break
				}
			}
			c := &Chunk{Data: append(header, bytes.Repeat(records, 1+chunkBytes/len(records))...)}
			f := Lookup(bench.format)
			var batch event.Batch
			clock := newTestClock()
			b.SetBytes(int64(len(c.Data)))
			b.ReportAllocs()
			for b.Loop() {
				batch.Reset()
				f.NewDecoder(&Params{Clock: clock}).Decode(c, &batch)
			}
			b.ReportMetric(float64(len(batch.Events)), "events/op")
		})
	}
}
