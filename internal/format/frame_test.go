package format

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/timestamp"
)

// bracketed is a made-up format: lines that begin with a blank join the one
// above, lines that begin with '#' are headers.
var bracketed = Format{
	Name: "bracketed",
	Lines: func(p *Params) LineDecoder {
		header := strings.Join(p.Header(), "|")
		return func(line string, b *event.Batch) error {
			b.Add("header", header)
			b.Add("message", line)
			return nil
		}
	},
	Header: func(l []byte) bool { return len(l) > 0 && l[0] == '#' },
	Joins:  func(l []byte) bool { return l[0] == ' ' },
}

func TestRecordsAreNeverCutBetweenChunksAndHeadersFollow(t *testing.T) {
	var in strings.Builder
	var want []string
	header := ""
	for i := range 60_000 {
		if i%9_000 == 0 {
			header = fmt.Sprintf("#%d", i)
			in.WriteString(header + "\r\n")
		}
		rec := fmt.Sprintf("record %d\n  at one\n  at two %d", i, i)
		in.WriteString(rec + "\n")
		want = append(want, header+" "+rec)
	}
	framer := bracketed.NewFramer(strings.NewReader(in.String()))
	var got []string
	chunks := 0
	for {
		c, err := framer.Next()
		if err == io.EOF {
			break
		}
		chunks++
		var b event.Batch
		bracketed.NewDecoder(&Params{Clock: timestamp.NewClock(nil, 0)}).Decode(c, &b)
		for _, e := range b.Events {
			if in.String()[e.Offset:e.Offset+e.Length] != e.Raw {
				t.Fatalf("offset %d does not point at the record", e.Offset)
			}
			got = append(got, e.Get("header")+" "+e.Raw)
		}
	}
	if chunks < 3 {
		t.Fatalf("%d chunks prove nothing", chunks)
	}
	if len(got) != len(want) {
		t.Fatalf("%d records, want %d", len(got), len(want))
	}
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("record %d = %q, want %q", i, got[i], want[i])
		}
	}
}

func TestAHugeLineIsCutAccountedForAndTheNextIsWhole(t *testing.T) {
	data := append(bytes.Repeat([]byte("x"), 3<<20), "\nnext\n"...)
	framer := (&Format{Name: "t", Lines: bracketed.Lines}).NewFramer(bytes.NewReader(data))
	var raws []string
	var events, structure, refused int64
	for {
		c, err := framer.Next()
		if err == io.EOF {
			break
		}
		if cap(c.Data) > MaxRecord+2*chunkBytes {
			t.Fatalf("chunk of %d bytes", cap(c.Data))
		}
		var b event.Batch
		n := (&Format{Name: "t", Lines: bracketed.Lines}).NewDecoder(&Params{Clock: timestamp.NewClock(nil, 0)}).Decode(c, &b)
		events, structure, refused = events+n.Events, structure+n.Structure, refused+n.Refused
		for _, e := range b.Events {
			raws = append(raws, e.Raw)
		}
	}
	if events+structure+refused != int64(len(data)) || refused != 3<<20-MaxRecord {
		t.Errorf("%d + %d + %d bytes of %d", events, structure, refused, len(data))
	}
	if len(raws) != 2 || len(raws[0]) != MaxRecord || raws[1] != "next" {
		t.Errorf("%d records", len(raws))
	}
}
