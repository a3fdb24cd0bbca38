package store

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sextant-logs/sextant/internal/event"
)

// testStore is the conformance suite: what every Store must do. open gives a
// new, empty store, which the suite closes. Tests named in except are left out.
func testStore(t *testing.T, open func(t *testing.T) Store, except ...string) {
	tests := []struct {
		name string
		run  func(*testing.T, Store)
	}{
		{"every event comes back with its columns", testColumns},
		{"rows the engine would drop are kept and counted", testLimits},
		{"any time comes back", testTimes},
		{"rows come in order whatever order they went in", testOrder},
		{"more rows than a window come in order", testWindows},
		{"limit, offset and options agree", testLimitOptions},
		{"stats, sort and top give one answer", testTies},
		{"wrong queries are explained", testQueryErrors},
		{"a query can be stopped", testStop},
		{"queries may nest and run beside writers", testConcurrent},
		{"deleted sources are gone and others stay", testDelete},
		{"subqueries see all days", testSubqueries},
		{"nothing works after Close", testClosed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if slices.Contains(except, tt.name) {
				t.Skip("takes too long")
			}
			s := open(t)
			t.Cleanup(func() {
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			})
			tt.run(t, s)
		})
	}
}

const testID = "00112233445566778899aabb"

var testTime = time.Date(2024, 3, 4, 5, 6, 7, 123456789, time.UTC).UnixNano()

// add adds events of one source and makes them visible.
func add(t *testing.T, s Store, source *Source, events []event.Event) Report {
	t.Helper()
	w := s.NewWriter()
	if err := errors.Join(w.Add(source, events), w.Flush(), s.Flush(t.Context())); err != nil {
		t.Fatal(err)
	}
	if n := w.Report().Rows; n != int64(len(events)) {
		t.Fatalf("report has %d rows of %d events", n, len(events))
	}
	return w.Report()
}

// query returns the rows as "name=value name=value" lines.
func query(t *testing.T, s Store, logsql string, options ...QueryOptions) []string {
	t.Helper()
	var rows []string
	var o QueryOptions
	if len(options) > 0 {
		o = options[0]
	}
	err := s.QueryWith(t.Context(), logsql, o, func(row []event.Field) error {
		var b []string
		for _, f := range row {
			b = append(b, f.Name+"="+f.Value)
		}
		rows = append(rows, strings.Join(b, " "))
		return nil
	})
	if err != nil {
		t.Fatalf("%s: %v", logsql, err)
	}
	return rows
}

func expect(t *testing.T, s Store, logsql string, want ...string) {
	t.Helper()
	if got := query(t, s, logsql); !slices.Equal(got, want) {
		t.Errorf("%s\n got %q\nwant %q", logsql, got, want)
	}
}

func testColumns(t *testing.T, s Store) {
	var b event.Batch
	e := b.Begin(4711, "Mar  4 05:06:07 web1 sshd[1]: Failed password")
	e.Time, e.ID, e.Sequence = testTime, "id1", 9
	b.Add("event.dataset", "system.auth")
	b.Add("message", "Failed password")
	b.Add("event.category", "authentication")
	b.Add("related.ip", "192.0.2.1")
	b.AddInt("source.port", 22)
	b.Add("related.ip", "192.0.2.2")
	b.Add("related.ip", `a"b`)
	b.AddKind("empty", "", event.String)
	b.AddKind("_time", "yesterday", event.String)
	b.Add("log.offset", "12")
	e = b.Begin(4800, "junk \x1b[31m \xff")
	e.Time, e.Err = testTime+1, "no decoder knows it"
	r := add(t, s, &Source{ID: testID, Path: "/var/log/auth.log"}, b.Events)
	if r.Renamed != 1 || r.NoTime+r.OutOfRange+r.Cut+r.Overflowed != 0 {
		t.Errorf("report %+v", r)
	}
	expect(t, s, "* | delete _stream, _stream_id",
		`_time=2024-03-04T05:06:07.123456789Z _msg=Failed password event.category=authentication event.dataset=system.auth `+
			`event.id=id1 event.original=Mar  4 05:06:07 web1 sshd[1]: Failed password event.sequence=9 log.file.path=/var/log/auth.log log.offset=4711 `+
			`original._time=yesterday original.log.offset=12 related.ip=["192.0.2.1","192.0.2.2","a\"b"] `+
			`sextant.renamed={"original._time":"_time","original.log.offset":"log.offset"} sextant.source=`+testID+` source.port=22`,
		"_time=2024-03-04T05:06:07.12345679Z _msg=junk \x1b[31m \xff error.message=no decoder knows it "+
			"log.file.path=/var/log/auth.log log.offset=4800 sextant.source="+testID)
	original := "event.original=Mar  4 05:06:07 web1 sshd[1]: Failed password"
	expect(t, s, `event.original:~"^Mar.*password$" | fields event.original`, original)
	expect(t, s, `* | fields event.original | filter event.original:*`, original)
	expect(t, s, `* | replace ("Failed", "No") at _msg | sort by (_msg desc) | filter event.id:* | delete _time | fields _msg, event.original`, "_msg=No password "+original)
	expect(t, s, `* | stats by (event.original) count() n | filter event.original:*`, original+" n=1")
	expect(t, s, `related.ip:json_array_contains_any("192.0.2.2") | fields event.id`, "event.id=id1")
	expect(t, s, `event.category:=authentication source.port:<1024 | fields source.port, event.id`, "source.port=22 event.id=id1")
	expect(t, s, `{sextant.source="`+testID+`"} | stats count() n`, "n=2")
}

func testLimits(t *testing.T, s Store) {
	long := strings.Repeat("é", 100) // 200 bytes
	tests := []struct {
		name  string
		build func(*event.Batch)
		want  func(Report) int64
		query string
		row   string
	}{
		{"5,000 fields", func(b *event.Batch) {
			b.Begin(0, "x")
			for i := range 5000 {
				b.AddInt("f"+strconv.Itoa(i), int64(i))
			}
		}, func(r Report) int64 { return r.Overflowed }, `f1:=1 sextant.overflow:~"\"f4999\":\"4999\"" | fields f17`, "f17=17"},
		{"a name of 200 bytes", func(b *event.Batch) {
			b.Begin(0, "x")
			b.Add(long, "v1")
			b.Add(long+"2", "v2")
		}, func(r Report) int64 { return r.Renamed }, `* | unpack_json from sextant.renamed | stats count() n`, "n=1"},
		{"a message of 5 MB", func(b *event.Batch) { b.Begin(0, strings.Repeat("é", 2_500_000)) },
			func(r Report) int64 { return r.Cut }, `sextant.cut:="[\"_msg\"]" | len(_msg) as n | filter n:>1000000 | fields sextant.cut`, `sextant.cut=["_msg"]`},
		{"1,900 values of 5 kB", func(b *event.Batch) {
			b.Begin(0, "x")
			for i := range 1900 {
				b.Add("f"+strconv.Itoa(i), strings.Repeat("y", 5000))
			}
		}, func(r Report) int64 { return r.Cut }, `sextant.cut:~"f1000" | len(f1000) as n | filter n:>=512 | stats count() n`, "n=1"},
		{"an array of 100,000 values", func(b *event.Batch) {
			b.Begin(0, "x")
			for i := range 100_000 {
				b.AddInt("f", int64(i))
			}
		}, func(r Report) int64 { return r.Rows }, `f:json_array_contains_any("99999") | fields _msg`, "_msg=x"},
		{"names of the engine", func(b *event.Batch) {
			b.Begin(0, "x")
			for _, n := range []string{"", "_msg", "_time", "_stream", "_stream_id", "sextant.source", "event.id", "*", "a*", `a"b`, "a b", "é", "\xff"} {
				b.AddKind(n, "v", event.String)
			}
		}, func(r Report) int64 { return r.Renamed }, `unnamed:=v original._msg:=v original._time:=v original._stream:=v original._stream_id:=v original.sextant.source:=v "a b":=v | fields _msg`, "_msg=x"},
		{"no message at all", func(b *event.Batch) { b.Begin(0, "") },
			func(r Report) int64 { return r.Rows }, `* | fields log.offset`, "log.offset=0"},
	}
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var b event.Batch
			tt.build(&b)
			b.Events[0].Time = testTime
			id := fmt.Sprintf("%024x", i)
			r := add(t, s, &Source{ID: id, Path: "p"}, b.Events)
			if tt.want(r) != 1 {
				t.Errorf("report %+v", r)
			}
			if n := query(t, s, "sextant.source:="+id+" | stats count() n"); n[0] != "n=1" {
				t.Fatalf("the row is lost: %s", n)
			}
			if got := query(t, s, "sextant.source:="+id+" | filter "+tt.query); !slices.Equal(got, []string{tt.row}) {
				t.Errorf("got %.300q want %q", got, tt.row)
			}
		})
	}
}

func testTimes(t *testing.T, s Store) {
	var b event.Batch
	fallback := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano()
	want := map[int64]string{}
	for i, at := range []int64{
		event.NoTime, math.MinInt64 + 1, minTime - 1, minTime, -1, 0, 1, -dayNanos, -dayNanos - 1, -3 * dayNanos / 2,
		fallback, testTime, time.Now().Add(80 * 365 * 24 * time.Hour).UnixNano(), maxTime - 1, maxTime, math.MaxInt64,
	} {
		e := b.Begin(int64(i), "x")
		e.Time, e.ID = at, strconv.Itoa(i)
		if minTime <= at && at < maxTime {
			want[at] = e.ID
		}
	}
	r := add(t, s, &Source{ID: testID, Path: "p", Fallback: fallback}, b.Events)
	if r.NoTime != 1 || r.OutOfRange != 4 {
		t.Errorf("report %+v", r)
	}
	for at, id := range want {
		text := time.Unix(0, at).UTC().Format("2006-01-02T15:04:05.000000000Z")
		if got := query(t, s, "_time:["+text+","+text+"] event.id:="+id+" | fields event.id, _time"); len(got) != 1 {
			t.Errorf("%s: %q", text, got)
		} else if found, _ := time.Parse(time.RFC3339Nano, strings.Split(got[0], "_time=")[1]); found.UnixNano() != at {
			t.Errorf("%s: %q", text, got)
		}
	}
	expect(t, s, `sextant.time:* | stats by (sextant.time, _time) count() n`,
		"sextant.time=none _time=2024-01-01T00:00:00Z n=1", "sextant.time=out of range _time=2024-01-01T00:00:00Z n=4")
	expect(t, s, `sextant.time.original:* | sort by (event.id) | fields sextant.time.original | limit 1`, "sextant.time.original=1677-09-21T00:12:43.145224193Z")
	rows := query(t, s, "* | fields _time")
	if len(rows) != len(b.Events) || !slices.IsSortedFunc(rows, func(a, b string) int {
		at, _ := time.Parse("_time="+time.RFC3339Nano, a)
		bt, _ := time.Parse("_time="+time.RFC3339Nano, b)
		return at.Compare(bt)
	}) {
		t.Errorf("not in order of time: %q", rows)
	}
}

// scattered gives n events of a source in a mixed order, some at the same time.
func scattered(n int) []event.Event {
	var b event.Batch
	for i := range n {
		k := (i * 7919) % n
		e := b.Begin(int64(k), "line "+strconv.Itoa(k))
		e.Time, e.ID = testTime+int64(k/10)*600_000_000_070, fmt.Sprintf("%08d", k)
		b.Add("event.dataset", "d"+strconv.Itoa(k%3))
		b.Add("user.name", "user"+strconv.Itoa(k%7))
		b.AddInt("k", int64(k))
	}
	return b.Events
}

func inOrder(t *testing.T, rows []string, first, n int) {
	t.Helper()
	if len(rows) != n {
		t.Fatalf("%d rows, want %d", len(rows), n)
	}
	for i, row := range rows {
		if want := "k=" + strconv.Itoa(first+i); row != want {
			t.Fatalf("row %d is %s, want %s", i, row, want)
		}
	}
}

func testOrder(t *testing.T, s Store) {
	const n = 3000
	add(t, s, &Source{ID: testID, Path: "p"}, scattered(n))
	inOrder(t, query(t, s, "* | fields k"), 0, n)
	inOrder(t, query(t, s, "* | fields k | limit 17"), 0, 17)
	inOrder(t, query(t, s, "* | offset 100 | limit 17 | fields k"), 100, 17)
	inOrder(t, query(t, s, "* | filter k:>1000 | fields k"), 1001, n-1001)
	inOrder(t, query(t, s, "k:>10 | fields k | offset 5"), 16, n-16)
	inOrder(t, query(t, s, "* | limit 50 | filter k:>9 | fields k"), 10, 40)
	inOrder(t, query(t, s, `_msg:"line" user.name:in(* | fields user.name) | fields k`), 0, n)
	if got := query(t, s, "*"); len(got) != n || !strings.HasPrefix(got[0], "_time=2024-03-04T05:06:07.123456789Z _msg=line 0 _stream=") {
		t.Errorf("%d rows, first %q", len(got), got[0])
	}
	if got := query(t, s, "* | fields k", QueryOptions{Unsorted: true}); len(got) != n {
		t.Errorf("unsorted: %d rows", len(got))
	}
}

func testWindows(t *testing.T, s Store) {
	n := 3*windowRows + 17
	events := scattered(n)
	for i := range events { // a third of the rows has no time, so that one nanosecond has too many
		if events[i].Offset < int64(n/3) {
			events[i].Time = event.NoTime
		}
	}
	add(t, s, &Source{ID: testID, Path: "p", Fallback: testTime - 1}, events[:n/2])
	add(t, s, &Source{ID: testID, Path: "p", Fallback: testTime - 1}, events[n/2:])
	inOrder(t, query(t, s, "* | fields k"), 0, n)
	inOrder(t, query(t, s, "* | fields k", QueryOptions{Limit: int64(n/2 + 1)}), 0, n/2+1)
	inOrder(t, query(t, s, "* | filter k:*7* or k:* | offset 20 | limit 50000 | fields k"), 20, 50000)
}

func testLimitOptions(t *testing.T, s Store) {
	add(t, s, &Source{ID: testID, Path: "p"}, scattered(100))
	for _, tt := range []struct {
		query string
		limit int64
		n     int
	}{
		{"*", 7, 7}, {"* | limit 5", 7, 5}, {"* | limit 9", 7, 7}, {"* | offset 98", 7, 2}, {"* | limit 0", 7, 0},
		{"* | stats by (k) count() n", 7, 7}, {"* | limit 10 | limit 3", 0, 3}, {"* | limit 10 | offset 8", 0, 2}, {"*", 1000, 100},
		{"nothing | limit 5", 3, 0},
	} {
		if got := query(t, s, tt.query, QueryOptions{Limit: tt.limit}); len(got) != tt.n {
			t.Errorf("%s with limit %d: %d rows, want %d", tt.query, tt.limit, len(got), tt.n)
		}
	}
}

func testTies(t *testing.T, s Store) {
	add(t, s, &Source{ID: testID, Path: "p"}, scattered(7*30))
	var want []string
	for i := range 7 {
		want = append(want, "user.name=user"+strconv.Itoa(i)+" n=30")
	}
	expect(t, s, "* | stats by (user.name) count() n", want...)
	expect(t, s, "* | stats by (user.name) count() n | limit 3", want[:3]...)
	expect(t, s, "* | stats by (user.name) count() n | filter n:>5 | offset 5", want[5:]...)
	expect(t, s, "* | uniq by (user.name) with hits | rename hits as n", want...)
	expect(t, s, "* | sort by (user.name) | limit 2 | fields k", "k=0", "k=7")
	expect(t, s, "* | sort by (user.name desc) limit 2 | fields k", "k=6", "k=13")
	expect(t, s, "* | first 2 by (user.name) | fields k", "k=0", "k=7")
	expect(t, s, "* | top 2 by (user.name)", "user.name=user0 hits=30", "user.name=user1 hits=30")
	expect(t, s, "* | fields user.name, k | sort by (user.name) | limit 2", "user.name=user0 k=0", "user.name=user0 k=7")
	expect(t, s, "* | stats by (user.name) count() n | sort by (n desc) | limit 2", "n=30 user.name=user0", "n=30 user.name=user1")
	expect(t, s, "* | stats count() n, count_uniq(user.name) u", "n=210 u=7")
	expect(t, s, `k:5 | union (k:6) | fields k`, "k=5", "k=6")
}

func testQueryErrors(t *testing.T, s Store) {
	for _, tt := range []struct{ query, has string }{
		{"", "missing query"},
		{"* | stats", "stats"},
		{"user.name:=root | sortt by (x)", "\n  user.name:=root | sortt by (x)\n"},
		{"a and (b", "^"},
		{strings.Repeat("(", 100_000), "too many"},
		{strings.Repeat("!", 100_000) + "a", "too many"},
		{strings.Repeat("not ", 100_000) + "a", "too many"},
		{strings.Repeat("a ", 1<<20), "too long"},
		{"a | fields \x1b[31m\"", "query: "},
		{`a:~"("`, "regexp"},
	} {
		err := s.Query(t.Context(), tt.query, func([]event.Field) error { t.Error("a row"); return nil })
		var q *QueryError
		if !errors.As(err, &q) || !strings.Contains(err.Error(), tt.has) || strings.Contains(err.Error(), "\x1b") {
			t.Errorf("%.50q: %v", tt.query, err)
		}
	}
}

func testStop(t *testing.T, s Store) {
	add(t, s, &Source{ID: testID, Path: "p"}, scattered(5000))
	stop := errors.New("stop")
	for _, q := range []string{"*", "* | stats by (k) count()", "* | fields k"} {
		for _, o := range []QueryOptions{{}, {Unsorted: true}} {
			n := 0
			if err := s.QueryWith(t.Context(), q, o, func([]event.Field) error {
				if n++; n == 3 {
					return stop
				}
				return nil
			}); err != stop || n != 3 {
				t.Errorf("%s: %v after %d rows", q, err, n)
			}
			ctx, cancel := context.WithCancel(t.Context())
			if err := s.QueryWith(ctx, q, o, func([]event.Field) error { cancel(); return nil }); !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v after cancel", q, err)
			}
		}
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the callback's panic is lost")
			}
		}()
		_ = s.Query(t.Context(), "*", func([]event.Field) error { panic("in callback") })
	}()
	if n := query(t, s, "* | stats count() n"); n[0] != "n=5000" {
		t.Error(n)
	}
}

func testConcurrent(t *testing.T, s Store) {
	const writers, batches, n = 4, 5, 500
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			w := s.NewWriter()
			for j := range batches {
				source := Source{ID: fmt.Sprintf("%024d", i), Path: "p"}
				events := scattered(n)
				if err := errors.Join(w.Add(&source, events), w.Flush()); err != nil {
					t.Error(err)
				}
				if j%2 == 0 {
					if err := s.Sync(t.Context()); err != nil {
						t.Error(err)
					}
				}
				err := s.Query(t.Context(), "* | stats by (sextant.source) count() n", func(row []event.Field) error {
					return s.Query(t.Context(), "* | limit 3", func([]event.Field) error { return nil })
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	expect(t, s, "* | stats count() n", "n="+strconv.Itoa(writers*batches*n))
}

func testDelete(t *testing.T, s Store) {
	ids := []string{strings.Repeat("a", 24), strings.Repeat("b", 24), strings.Repeat("c", 24)}
	for _, id := range ids {
		events := scattered(1000)
		events[0].Time = time.Now().Add(50 * 365 * 24 * time.Hour).UnixNano()
		events[1].Time = -5 * dayNanos
		add(t, s, &Source{ID: id, Path: "p"}, events)
	}
	if err := s.Delete(t.Context(), []string{ids[0], ids[2], "unknown"}); err != nil {
		t.Fatal(err)
	}
	expect(t, s, "* | stats by (sextant.source) count() n", "sextant.source="+ids[1]+" n=1000")
	add(t, s, &Source{ID: ids[0], Path: "p"}, scattered(10))
	expect(t, s, "* | stats by (sextant.source) count() n", "sextant.source="+ids[0]+" n=10", "sextant.source="+ids[1]+" n=1000")
}

func testSubqueries(t *testing.T, s Store) {
	add(t, s, &Source{ID: testID, Path: "p"}, scattered(3000))
	expect(t, s, `k:in(k:>2990 | fields k) | stats count() n`, "n=9")
	expect(t, s, `k:in(* | sort by (_time, k) | limit 3 | fields k) | fields k`, "k=0", "k=1", "k=2")
	expect(t, s, `k:<5 | join by (user.name) (* | stats by (user.name) max(k) last) | fields k, last`,
		"k=0 last=2996", "k=1 last=2997", "k=2 last=2998", "k=3 last=2999", "k=4 last=2993")
	expect(t, s, `k:1 | union (k:2999) | stats min(k) a, max(k) b, avg(k) c, count_uniq(_time) u`, "a=1 b=2999 c=1500 u=2")
	expect(t, s, `* | stats by (_time:1d) count() n | stats count() days, sum(n) n`, "days=3 n=3000")
	expect(t, s, `* | stats quantile(0.5, k) q, uniq_values(user.name) limit 2 u | fields q`, "q=1500")
	expect(t, s, `* | field_names | filter name:=k`, "name=k hits=3000")
}

func testClosed(t *testing.T, s Store) {
	w := s.NewWriter()
	if err := w.Add(&Source{ID: testID, Path: "p"}, scattered(3)); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"flush of a writer": w.Flush(), "flush": s.Flush(t.Context()), "sync": s.Sync(t.Context()),
		"query": s.Query(t.Context(), "*", nil), "delete": s.Delete(t.Context(), []string{"x"}),
	} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%s after Close: %v", name, err)
		}
	}
}
