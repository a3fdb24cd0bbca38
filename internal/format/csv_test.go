package format

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/sextant-logs/sextant/internal/event"
)

func TestQuotedLineEndsAreNeverCutBetweenChunks(t *testing.T) {
	var in, want []string
	for i := range 30_000 {
		r := fmt.Sprintf("2024-05-05T06:07:08Z,u%d,\"line one\nline, \"\"two\"\"\r\nthree %d\",x", i, i)
		in, want = append(in, r), append(want, r)
	}
	text := "time,user,note,last\n" + strings.Join(in, "\n") + "\n"
	for _, r := range []io.Reader{strings.NewReader(text), iotest.HalfReader(strings.NewReader(text))} {
		if got := cutAll(t, Lookup("csv"), text, r); !slices.Equal(got, want) {
			t.Fatalf("%d records, want %d", len(got), len(want))
		}
	}
}

func TestAStrayQuoteCostsNoMoreThanItsRecord(t *testing.T) {
	var want []string
	for i := range 20_000 {
		want = append(want, fmt.Sprintf("2024-05-05T06:07:08Z,u%d,plain,x", i))
	}
	want[7] = `2024-05-05T06:07:08Z,"stray,plain,x`
	want[9] = `2024-05-05T06:07:08Z,6" disk,pl"ain,x`
	text := "time,user,note,last\n" + strings.Join(want, "\n") + "\n"
	if got := cutAll(t, Lookup("csv"), text, strings.NewReader(text)); !slices.Equal(got, want) {
		t.Fatalf("%d records, want %d", len(got), len(want))
	}
}

func FuzzCSVAgreesWithEncodingCSV(f *testing.F) {
	shortly(f)
	f.Add("a,b\n1,2\n")
	f.Add("a,b\r\n\"x\ny\",\"\"\"\"\r\n\n,\n")
	f.Add("a;b\n\"x;\";1\n2;3")
	f.Add("a,b\n\"never,1\n2,3\n")
	format := Lookup("csv")
	f.Fuzz(func(t *testing.T, text string) {
		whole := cutAll(t, format, text, strings.NewReader(text))
		if pieces := cutAll(t, format, text, iotest.OneByteReader(strings.NewReader(text))); !slices.Equal(whole, pieces) {
			t.Fatalf("read byte by byte: %q\nat once: %q", pieces, whole)
		}
		if strings.ContainsAny(text, "\r\uFEFF") {
			return // encoding/csv turns \r\n in fields to \n
		}
		r := csv.NewReader(strings.NewReader(text))
		r.FieldsPerRecord = -1
		want, err := r.ReadAll()
		if err != nil {
			return
		}
		var b event.Batch
		b.Begin(0, "")
		var got [][]string
		cutter := csvCutter{delimiter: ','}
		for p := []byte(text); len(p) > 0; {
			n := cutter.next(p, true)
			if rec := string(bytes.TrimSuffix(p[:n], []byte("\n"))); rec != "" {
				got = append(got, splitCSV(nil, rec, ',', &b))
			}
			p = p[n:]
		}
		if !slices.EqualFunc(got, want, slices.Equal) {
			t.Fatalf("%q\n got %q\nwant %q", text, got, want)
		}
	})
}

// Each stray quote may be searched for only once: where every one is searched
// to its reach, this takes longer than go test waits.
func TestManyStrayQuotesAreSearchedOnce(t *testing.T) {
	for _, unit := range []string{"\"a\n", ",\"", "\"x\",\"", "\"x\"\"\n", "\""} {
		text := "a,b,c\n" + strings.Repeat(unit, 1<<20/len(unit))
		cutAll(t, Lookup("csv"), text, strings.NewReader(text))
	}
}

func TestWhatIsNoTableIsNotTakenForOne(t *testing.T) {
	for _, text := range []string{
		"one line\n",
		"Hello, world\nThis is prose, and so on\nwith commas\n",
		"May  5 06:07:08 web1 a, b, c\nMay  5 06:07:09 web1 a, b, c\n",
		"192.0.2.1,17,x\n192.0.2.2,18,y\n",
		"a=1,b=2,c=3\na=4,b=5,c=6\n",
		"2024-05-05 06:07:08,123 INFO x, y\n2024-05-05 06:07:08,124 INFO x, z\n",
		`{"a":1,"b":2}` + "\n" + `{"a":1,"b":2}` + "\n",
	} {
		if n := recogniseCSV(NewSample("x.csv", []byte(text), true)); n > 0 {
			t.Errorf("%q scores %d", text, n)
		}
	}
}
