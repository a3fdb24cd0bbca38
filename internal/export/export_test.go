package export

import (
	"bytes"
	stdcsv "encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"

	"github.com/sextant-logs/sextant/internal/event"
)

// row makes a row of "name=value" words.
func row(pairs ...string) (out []event.Field) {
	for _, p := range pairs {
		name, value, _ := strings.Cut(p, "=")
		out = append(out, event.Field{Name: name, Value: value})
	}
	return out
}

func write(t testing.TB, format string, options Options, rows ...[]event.Field) string {
	t.Helper()
	var out bytes.Buffer
	w, err := New(&out, format, options)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if err := w.Write(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestUnknownFormatIsAnError(t *testing.T) {
	if _, err := New(nil, "xml", Options{}); err == nil || !strings.Contains(err.Error(), "table, jsonl, csv, parquet") {
		t.Error(err)
	}
}

func TestTerminalShowsWhatWouldDriveATerminal(t *testing.T) {
	for in, want := range map[string]string{
		"plain é 世 C:\\x":        "plain é 世 C:\\x",
		"a\x1b[31m\x07\x00\x7fb": `a\x1b[31m\x07\x00\x7fb`,
		"a\nb\r\tc":              `a\nb\r\tc`,
		"\u009b31m\u202e\u200b":  `\x9b31m\u{202e}\u{200b}`,
		"\xff\xc3":               `\xff\xc3`,
		"\u2028":                 `\u{2028}`,
		"\U000e0041":             `\u{e0041}`,
	} {
		if got := Terminal(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestTableAlignsAndCutsToTheLine(t *testing.T) {
	rows := [][]event.Field{row("user=root", "n=7"), row("user=世界", "n=1234"), row("user=a\x1b[0m", "n=")}
	want := "user         n\nroot         7\n世界      1234\na\\x1b[0m\n"
	if got := write(t, "table", Options{}, rows...); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for width := 1; width < 100; width++ {
		for _, rows := range [][][]event.Field{rows, {row("_time=2024-03-04T05:06:07Z", "_msg="+strings.Repeat("long 世 ", 50), "event.action=login", "user.name=root", "x=1", "y=2"), row("z=3")}} {
			got := write(t, "table", Options{Width: width}, rows...)
			for _, line := range strings.Split(got, "\n") {
				if cells(line) > max(width, minWidth) && !strings.HasPrefix(line, "(") {
					t.Fatalf("width %d: %q has %d cells", width, line, cells(line))
				}
			}
		}
	}
}

func TestTableOfWholeRecordsShowsWhatTellsMostAndSaysWhatIsHidden(t *testing.T) {
	r := row("_time=2024-03-04T05:06:07Z", "_msg="+strings.Repeat("word ", 30), "a=1", "event.action=login", "user.name=root", "zz=1")
	got := write(t, "table", Options{Width: 80}, r)
	lines := strings.Split(got, "\n")
	if !strings.HasPrefix(lines[0], "_time") || !strings.Contains(lines[0], "event.action  user.name  _msg") || strings.Contains(lines[0], "zz") {
		t.Errorf("header %q", lines[0])
	}
	if !strings.HasSuffix(lines[1], "…") || lines[2] != "(2 more columns are not shown: name them with | fields …, or use -o jsonl)" {
		t.Errorf("%q", lines)
	}
}

func TestTableStreamsAfterItsFirstRows(t *testing.T) {
	var out bytes.Buffer
	w, _ := New(&out, "table", Options{})
	for i := range 3 * tableRows {
		if err := w.Write(row("n="+strconv.Itoa(i), "late="+strings.Repeat("x", i/tableRows*50))); err != nil {
			t.Fatal(err)
		}
	}
	if out.Len() == 0 {
		t.Error("nothing written before Close")
	}
	w.Write(row("n=1", "new=2"))
	w.Close()
	if n := strings.Count(out.String(), "\n"); n != 3*tableRows+3 || !strings.Contains(out.String(), "(1 more column is not shown") {
		t.Errorf("%d lines", n)
	}
}

func TestJSONLIsFlatTextOrNestedECS(t *testing.T) {
	r := row("_time=2024-03-04T05:06:07Z", "_msg=a\x1b\"\xff", `event.category=["authentication","session"]`, "event.type=start",
		"source.port=22", "source.ip=192.0.2.1", "user.id=0", `x=["no`, "_stream={}", "empty=", "process.pid=007")
	if got, want := write(t, "jsonl", Options{}, r), `{"_time":"2024-03-04T05:06:07Z","_msg":"a\u001b\"ÿ`+
		`","event.category":"[\"authentication\",\"session\"]","event.type":"start","source.port":"22","source.ip":"192.0.2.1","user.id":"0","x":"[\"no","_stream":"{}","process.pid":"007"}`+"\n"; got != want {
		t.Errorf("got  %swant %s", got, want)
	}
	if got, want := write(t, "jsonl", Options{Nested: true}, r), `{"@timestamp":"2024-03-04T05:06:07Z","event":{"category":["authentication","session"],"type":["start"]},"message":"a\u001b\"ÿ`+
		`","process":{"pid":"007"},"source":{"ip":"192.0.2.1","port":22},"user":{"id":"0"},"x":"[\"no"}`+"\n"; got != want {
		t.Errorf("got  %swant %s", got, want)
	}
	if got, want := write(t, "jsonl", Options{Columns: []string{"b", "a"}}, row("a=1", "b=2", "c=3")), `{"b":"2","a":"1"}`+"\n"; got != want {
		t.Errorf("got %s", got)
	}
}

func TestCSVHasAllColumnsAndEscapesFormulas(t *testing.T) {
	got := write(t, "csv", Options{}, row("_time=1", "a=x"), row("_time=2", "_msg=m", "b=y"))
	if want := "_time,_msg,a,b\n1,,x,\n2,m,,y\n"; got != want {
		t.Errorf("got %q want %q", got, want)
	}
	got = write(t, "csv", Options{Columns: []string{"b", "a"}}, row("a=1", "b=2"), row("c=3"))
	if want := "b,a\n2,1\n,\n"; got != want {
		t.Errorf("got %q want %q", got, want)
	}
	if got := write(t, "csv", Options{}, row("z=1", "a=2"), row("a=3")); got != "z,a\n1,2\n,3\n" {
		t.Errorf("the query's own order is lost: %q", got)
	}
	for in, want := range map[string]string{
		"=1+1": "'=1+1", "+49": "'+49", "-1": "-1", "-1.5": "-1.5", "-a": "'-a", "@x": "'@x", "\tx": "'\tx", "\r=1": "'\r=1", "'x": "'x",
		"a\"b,c\nd": "a\"b,c\nd", "\x1b[31m\x00": `\x1b[31m\x00`, "\xff": "\uFFFD", "": "", " x": " x", "-": "'-", "\u0085": `\x85`,
	} {
		out := write(t, "csv", Options{}, row("v="+in, "w=x"))
		records, err := stdcsv.NewReader(strings.NewReader(out)).ReadAll()
		if err != nil || len(records) != 2 || records[1][0] != want && records[1][0] != strings.ReplaceAll(want, "\r\n", "\n") {
			t.Errorf("%q: %q, %v; want %q", in, records, err, want)
		}
	}
	if got := write(t, "csv", Options{}); got != "" {
		t.Errorf("no rows: %q", got)
	}
}

func TestRowsBeyondMemoryWaitInAFileThatIsGoneAfterwards(t *testing.T) {
	for _, format := range []string{"csv", "parquet"} {
		dir := t.TempDir()
		var out bytes.Buffer
		w, _ := New(&out, format, Options{TempDir: dir})
		const n = 3000
		for i := range n {
			if err := w.Write(row("k="+strconv.Itoa(i), "v"+strconv.Itoa(i%7)+"="+strings.Repeat("x", 9000))); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if left, _ := os.ReadDir(dir); len(left) > 0 {
			t.Errorf("%s: %s is left", format, left[0].Name())
		}
		if format == "csv" {
			if records, err := stdcsv.NewReader(&out).ReadAll(); err != nil || len(records) != n+1 || len(records[0]) != 8 || records[n][0] != strconv.Itoa(n-1) {
				t.Errorf("%d records, %v", len(records), err)
			}
		} else if f, err := parquet.OpenFile(bytes.NewReader(out.Bytes()), int64(out.Len())); err != nil || f.NumRows() != n {
			t.Error(err)
		}
	}
}

func TestParquetTypesColumnsByTheirValues(t *testing.T) {
	out := write(t, "parquet", Options{},
		row("_time=2024-03-04T05:06:07.123456789Z", "_msg=1", "f=1", "i=-5", "l=1", "m=1", "t=007", "u=1", "user.id=7", "z=123456789012345678"),
		row("_time=1969-12-31T23:59:59Z", "_msg=2\xff", "f=2.5", "i=", "l=1234567890123456789", "m=x", "t=1", "user.id=8", "z=0.5"))
	f, err := parquet.OpenFile(strings.NewReader(out), int64(len(out)))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, field := range f.Schema().Fields() {
		got = append(got, field.Name()+" "+field.Type().String())
	}
	want := "_time TIMESTAMP(isAdjustedToUTC=true,unit=NANOS), _msg STRING, f DOUBLE, i INT(64,true), l INT(64,true), m STRING, t STRING, u INT(64,true), user.id STRING, z STRING"
	if s := strings.Join(got, ", "); s != want {
		t.Errorf("got  %s\nwant %s", s, want)
	}
	rows := make([]parquet.Row, 3)
	r := f.RowGroups()[0].Rows()
	defer r.Close()
	n, _ := r.ReadRows(rows)
	if n != 2 {
		t.Fatal(n)
	}
	if s := fmt.Sprint(rows[0][0].Int64(), rows[0][2], rows[0][3], rows[1][0].Int64(), rows[1][1], rows[1][2], rows[1][3].IsNull(), rows[1][4].Int64(), rows[1][7].IsNull()); s !=
		"1709528767123456789 1 -5 -1000000000 2\uFFFD 2.5 true 1234567890123456789 true" {
		t.Error(s)
	}
	out = write(t, "parquet", Options{Columns: []string{"none", "a"}}, row("b=1", "a=2"))
	if f, err = parquet.OpenFile(strings.NewReader(out), int64(len(out))); err != nil || len(f.Schema().Fields()) != 2 || f.Schema().Fields()[0].Name() != "none" {
		t.Error(err)
	}
	out = write(t, "parquet", Options{})
	if f, err = parquet.OpenFile(strings.NewReader(out), int64(len(out))); err != nil || f.NumRows() != 0 {
		t.Error(err)
	}
}

func TestTheRarestOfTooManyColumnsBecomeOne(t *testing.T) {
	var rows [][]event.Field
	for i := range 3000 {
		rows = append(rows, row("always=1", fmt.Sprintf("c%04d=%d", i/2, i)))
	}
	rows = append(rows, row("always=1", "c1999=x\""))
	records, err := stdcsv.NewReader(strings.NewReader(write(t, "csv", Options{}, rows...))).ReadAll()
	if err != nil || len(records[0]) != maxColumns || records[0][0] != "always" || records[0][maxColumns-1] != restColumn {
		t.Fatal(len(records[0]), err)
	}
	if got := records[len(records)-1][maxColumns-1]; got != `{"c1999":"x\""}` {
		t.Error(got)
	}
	if got := records[1][maxColumns-1]; got != "" {
		t.Error(got)
	}
	out := write(t, "parquet", Options{}, rows...)
	if f, err := parquet.OpenFile(strings.NewReader(out), int64(len(out))); err != nil || len(f.Schema().Fields()) != maxColumns {
		t.Error(err)
	}
}

func TestDiscardRemovesWhatWasKeptAndWritesNothing(t *testing.T) {
	for _, format := range Formats {
		dir := t.TempDir()
		var out bytes.Buffer
		w, _ := New(&out, format, Options{TempDir: dir})
		for range 2000 {
			w.Write(row("a=" + strings.Repeat("x", 9000)))
		}
		before := out.Len()
		if err := w.Discard(); err != nil {
			t.Error(err)
		}
		if left, _ := os.ReadDir(dir); len(left) > 0 || (format == "csv" || format == "parquet") && (before > 0 || out.Len() > 0) {
			t.Errorf("%s: %d files left, %d bytes written", format, len(left), out.Len())
		}
	}
}

func FuzzEveryFormatTakesAnyRow(f *testing.F) {
	f.Add("_time", "2024-03-04T05:06:07Z", "a", "-1", "", "=x")
	f.Add("\xff", "\x1b[0m", "\xfe", "1.5", "a,b", "\"")
	f.Fuzz(func(t *testing.T, n1, v1, n2, v2, n3, v3 string) {
		if n1 == n2 || n2 == n3 || n1 == n3 {
			t.Skip() // the store gives each column once
		}
		a := []event.Field{{Name: n1, Value: v1}, {Name: n2, Value: v2}}
		b := []event.Field{{Name: n3, Value: v3}, {Name: n1, Value: v2}}
		for _, line := range strings.Split(strings.TrimSuffix(write(t, "jsonl", Options{}, a, b), "\n"), "\n") {
			if !json.Valid([]byte(line)) {
				t.Errorf("flat: %q", line)
			}
		}
		for _, line := range strings.Split(strings.TrimSuffix(write(t, "jsonl", Options{Nested: true}, a, b), "\n"), "\n") {
			if !json.Valid([]byte(line)) {
				t.Errorf("nested: %q", line)
			}
		}
		out := write(t, "csv", Options{}, a, b)
		records, err := stdcsv.NewReader(strings.NewReader(out)).ReadAll()
		if err != nil || len(records) != 3 || !utf8.ValidString(out) {
			t.Errorf("csv: %q %v", out, err)
		}
		out = write(t, "table", Options{Width: 40}, a, b)
		for _, r := range out {
			if r != '\n' && (r < ' ' || 0x7f <= r && r < 0xa0) {
				t.Errorf("table: %q", out)
			}
		}
		out = write(t, "parquet", Options{}, a, b)
		if f, err := parquet.OpenFile(strings.NewReader(out), int64(len(out))); err != nil || f.NumRows() != 2 {
			t.Errorf("parquet: %v", err)
		}
	})
}

func BenchmarkWrite(b *testing.B) {
	var rows [][]event.Field
	for i := range 1000 {
		rows = append(rows, row("_time=2024-03-04T05:06:07.123456789Z", "_msg=Failed password for root from 192.0.2.1 port "+strconv.Itoa(i), "event.action=ssh_login",
			"event.dataset=system.auth", "event.outcome=failure", "host.name=web1", "process.pid="+strconv.Itoa(i), "source.ip=192.0.2.1", "source.port="+strconv.Itoa(i), "user.name=root"))
	}
	for _, format := range Formats {
		b.Run(format, func(b *testing.B) {
			var out bytes.Buffer
			w, _ := New(&out, format, Options{TempDir: b.TempDir()})
			i := 0
			for b.Loop() {
				if err := w.Write(rows[i%len(rows)]); err != nil {
					b.Fatal(err)
				}
				i++
			}
			if err := w.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}
