package logins

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/sextant-logs/sextant/internal/chart"
	"github.com/sextant-logs/sextant/internal/simulate"
)

const head = "timestamp,user_id,source_ip,destination_ip,action,success\n"

func read(t testing.TB, text string, o Options) (*Result, Source) {
	t.Helper()
	c := NewCounter(o)
	src, err := c.ReadCSV(strings.NewReader(text), "test.csv")
	if err != nil {
		t.Fatal(err)
	}
	return c.Result(), src
}

func simulated(t testing.TB, rows int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := simulate.WriteNIDS(&b, simulate.NIDSOptions{Rows: rows, Seed: 1}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestTableAgreesWithAPlainCount(t *testing.T) {
	log := simulated(t, 30000)
	rows, err := csv.NewReader(bytes.NewReader(log)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	type plain struct {
		attempts, good int64
		sources        map[string]bool
		first, last    string
	}
	want := map[string]*plain{}
	for _, r := range rows[1:] {
		if r[4] != "login_attempt" {
			continue
		}
		p := want[r[1]]
		if p == nil {
			p = &plain{sources: map[string]bool{}, first: r[0]}
			want[r[1]] = p
		}
		p.attempts++
		if r[5] == "true" {
			p.good++
		}
		p.sources[r[2]] = true
		p.last = r[0]
	}
	res, src := read(t, string(log), Options{})
	if src.Records != 30000 || src.Refused != 0 || src.Bytes != int64(len(log)) || len(res.Users) != len(want) {
		t.Fatalf("%+v, %d users, want %d", src, len(res.Users), len(want))
	}
	const stamp = "2006-01-02T15:04:05.000Z"
	for i, u := range res.Users {
		p := want[u.Name]
		if p == nil || u.Attempts != p.attempts || u.Successes != p.good || u.Failures != p.attempts-p.good ||
			*u.SuccessRate != float64(p.good)/float64(p.attempts) || u.DistinctSources != len(p.sources) ||
			u.First.Format(stamp) != p.first || u.Last.Format(stamp) != p.last {
			t.Fatalf("%+v, want %+v", u, p)
		}
		if i > 0 {
			if before := res.Users[i-1]; before.Attempts < u.Attempts || before.Attempts == u.Attempts && before.Name >= u.Name {
				t.Fatalf("%s (%d) stands before %s (%d)", before.Name, before.Attempts, u.Name, u.Attempts)
			}
		}
	}
}

func TestThreadsAndReadSizesDoNotChangeTheResult(t *testing.T) {
	log := simulated(t, 60000)
	log = append(log, "\"broken\nx,y\n2026-01-01T00:00:00Z,\"a,b\",192.0.2.1,192.0.2.2,login,true\n"...)
	var want []byte
	for _, threads := range []int{1, 2, 5} {
		for _, r := range []io.Reader{bytes.NewReader(log), iotest.HalfReader(bytes.NewReader(log)), iotest.DataErrReader(bytes.NewReader(log))} {
			c := NewCounter(Options{Threads: threads})
			if _, err := c.ReadCSV(r, "x"); err != nil {
				t.Fatal(err)
			}
			var got bytes.Buffer
			if err := c.Result().WriteJSON(&got); err != nil {
				t.Fatal(err)
			}
			if want == nil {
				want = got.Bytes()
			} else if !bytes.Equal(got.Bytes(), want) {
				t.Errorf("%d threads: the result differs", threads)
			}
		}
	}
}

func TestRowsFromAnywhereCountAsCSVDoes(t *testing.T) {
	log := simulated(t, 2000)
	byCSV, _ := read(t, string(log), Options{})
	rows, _ := csv.NewReader(bytes.NewReader(log)).ReadAll()
	c := NewCounter(Options{})
	for _, i := range rand.New(rand.NewPCG(1, 1)).Perm(len(rows) - 1) { // in any order
		r := rows[i+1]
		at, err := time.Parse(time.RFC3339, r[0])
		if err != nil {
			t.Fatal(err)
		}
		c.Add(Row{User: r[1], Source: r[2], Action: r[4], Outcome: ParseOutcome(r[5]), Time: at.UnixNano()})
	}
	byRow := c.Result()
	byCSV.Sources = byRow.Sources
	if !reflect.DeepEqual(byCSV, byRow) {
		t.Error("results differ")
	}
}

func TestQuotedFieldsAreReadAsRFC4180HasThem(t *testing.T) {
	res, src := read(t, "\xef\xbb\xbftimestamp,\"user_id\",source_ip,destination_ip,action,success\r\n"+
		"2026-01-05T10:00:00Z,\"O\"\"Brien, \"\"Ann\"\"\",192.0.2.1,,login_attempt,true\r\n"+
		"\r\n"+
		"2026-01-05T10:00:01Z,\"two\nlines\",192.0.2.1,,\"login_attempt\",\"false\"\r\n"+
		"2026-01-05T10:00:02Z,\"\",\"192.0.2.2\",x,login_attempt,true", Options{})
	if src.Refused != 0 || src.Records != 3 {
		t.Fatalf("%+v", src)
	}
	var names []string
	for _, u := range res.Users {
		names = append(names, u.Name)
	}
	if want := []string{"", `O"Brien, "Ann"`, "two\nlines"}; !slices.Equal(names, want) {
		t.Errorf("users %q, want %q", names, want)
	}
}

func TestBrokenRecordsAreRefusedAndTheRestIsRead(t *testing.T) {
	good := "2026-01-05T10:00:00Z,alice,192.0.2.1,192.0.2.2,login_attempt,true\n"
	for _, c := range []struct {
		name, bad, reason string
		line              int64
	}{
		{"too few", "a,b\n", "2 fields where the header has 6", 3},
		{"too many", "a,b,c,d,e,f,g,h\n", "8 fields where the header has 6", 3},
		{"text after quote", "a,\"b\"x,c,d,e,f\n", "text after the closing quote of a field", 3},
		{"open quote", "a,\"b,c,d,e,f\n", "quoted field is not closed", 3},
		{"too few, quoted", "\"a\",b\n", "2 fields where the header has 6", 3},
		{"binary", "\x00\x01\x02\xff\n", "1 field where the header has 6", 3},
	} {
		res, src := read(t, head+good+c.bad+good+good, Options{})
		if src.Records != 3 || src.Refused != 1 || res.Attempts != 3 || len(src.Refusals) != 1 {
			t.Errorf("%s: %+v", c.name, src)
			continue
		}
		if f := src.Refusals[0]; f.Reason != c.reason || f.Line != c.line {
			t.Errorf("%s: %+v, want line %d: %s", c.name, f, c.line, c.reason)
		}
	}
}

func TestALineOfManyMegabytesIsRefusedInBoundedMemory(t *testing.T) {
	good := "2026-01-05T10:00:00Z,alice,192.0.2.1,192.0.2.2,login_attempt,true\n"
	for _, fill := range []string{"x", ",", "\"", "\"\"\n"} {
		in := io.MultiReader(strings.NewReader(head+good), io.LimitReader(repeat(fill), 30<<20), strings.NewReader("\n"+good))
		c := NewCounter(Options{})
		src, err := c.ReadCSV(in, "big")
		if err != nil {
			t.Fatal(err)
		}
		if src.Refused == 0 || c.Result().Attempts != 2 {
			t.Errorf("%q: %d refused, %d attempts", fill, src.Refused, c.Result().Attempts)
		}
	}
}

type repeat string

func (s repeat) Read(p []byte) (int, error) {
	n := 0
	for n+len(s) <= len(p) {
		n += copy(p[n:], s)
	}
	if n == 0 {
		n = copy(p, s)
	}
	return n, nil
}

func TestColumnsAreFoundByTheirCommonNames(t *testing.T) {
	for _, c := range []struct{ header, row string }{
		{"Timestamp,User,Src_IP,Action,Outcome", "2026-01-05 10:00:00,alice,192.0.2.1,LOGIN,Success"},
		{"@timestamp,user.name,source.ip,event.action,event.outcome", "2026-01-05T10:00:00.5Z,alice,192.0.2.1,logged-in,success"},
		{"success;username;client_ip;event_type;ts", "1;alice;192.0.2.1;User Login;1767607200"},
		{"RESULT\tACCOUNT NAME\tIP\tEVENT\tTIME", "ok\talice\t192.0.2.1\tauthentication\t1767607200123"},
	} {
		res, src := read(t, c.header+"\n"+c.row+"\n", Options{})
		if len(res.Users) != 1 || res.Users[0].Name != "alice" || res.Users[0].Successes != 1 || res.Users[0].DistinctSources != 1 ||
			res.First.Format("2006-01-02T15:04:05") != "2026-01-05T10:00:00" || len(src.Notes) > 0 {
			t.Errorf("%s: %+v %+v", c.header, res.Users, src)
		}
	}
}

func TestMissingColumnsAreNamed(t *testing.T) {
	c := NewCounter(Options{})
	_, err := c.ReadCSV(strings.NewReader("timestamp,source_ip,colour\na,b,c\n"), "odd.csv")
	for _, want := range []string{"odd.csv", "no column for user (looked for user_id, user,", "no column for action", "no column for success", "timestamp, source_ip, colour"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not say %q", err, want)
		}
	}
	res, src := read(t, "user,action,success\nalice,login,true\n", Options{})
	if len(src.Notes) != 2 || !strings.Contains(src.Notes[0], "no column for time") || res.Users[0].DistinctSources != 0 || !res.First.IsZero() {
		t.Errorf("%+v %+v", src, res.Users)
	}
}

func TestFilesThatAreNoCSVGiveAClearError(t *testing.T) {
	for text, want := range map[string]string{"": "is empty", "\n\n \n": "is empty", "\xff\xfea\x00": "UTF-16", strings.Repeat("x", 3<<20): "not a CSV file"} {
		_, err := NewCounter(Options{}).ReadCSV(strings.NewReader(text), "f")
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.10q: error %v, want %q", text, err, want)
		}
	}
	_, err := NewCounter(Options{}).ReadCSV(io.MultiReader(strings.NewReader(head), iotest.ErrReader(io.ErrUnexpectedEOF)), "f")
	if err == nil || !strings.Contains(err.Error(), "unexpected EOF") {
		t.Errorf("read error lost: %v", err)
	}
}

func TestIsLogin(t *testing.T) {
	for action, want := range map[string]bool{"login_attempt": true, "Login": true, "user-login": true, "logged-in": true, "logon-failed": true, "Sign In": true,
		"SSH_LOGIN": true, "authentication": true, "user_auth": true, "logout": false, "login_logout": false, "logoff": false, "file_access": false, "port_scan": false, "": false, "author_changed": false} {
		if IsLogin(action) != want {
			t.Errorf("IsLogin(%q) = %v", action, !want)
		}
	}
	res, _ := read(t, head+"2026-01-05T10:00:00Z,alice,192.0.2.1,x,Badge,true\n2026-01-05T10:00:00Z,alice,192.0.2.1,x,login,true\n", Options{Actions: []string{"badge"}})
	if res.Attempts != 1 {
		t.Errorf("with Actions: %d attempts, want 1", res.Attempts)
	}
}

// result makes one from attempts by user; each user fails the first of ten.
func result(attempts map[string]int) *Result {
	c := NewCounter(Options{})
	for _, user := range slices.Sorted(maps.Keys(attempts)) {
		for i := range attempts[user] {
			o := Success
			if i%10 == 0 {
				o = Failure
			}
			c.Add(Row{User: user, Source: "192.0.2.1", Action: "login", Outcome: o, Time: int64(i) * 1e9})
		}
	}
	return c.Result()
}

func TestInterpretationSaysWhatTheNumbersSay(t *testing.T) {
	skewed := map[string]int{"lead": 100, "second": 40}
	for i := range 20 {
		skewed[fmt.Sprint("u", i)] = 1 + i%4
	}
	flat := map[string]int{"a": 5, "b": 5, "c": 5, "d": 5}
	for _, c := range []struct {
		name string
		in   map[string]int
		want []string
	}{
		{"skewed", skewed, []string{"lead leads with 100 login attempts (52.6% of all 190), ahead of second with 40.", "The top 10 range from 3 attempts to 100",
			"5 of 22 users (22.7%) attempted once.", "strongly skewed to the right", "half of the users have 3 attempts or fewer",
			"2 users are outliers (more than 7 attempts: Tukey's fence, Q3 + 1.5 × IQR): lead (100), second (40).", "of the attempts succeeded"}},
		{"flat", flat, []string{"All 4 users made 5 login attempts each.", "All 4 users have 5 attempts each.", "0 of 4 users (0.0%) attempted once.", "every user has 5 attempts", "No user is an outlier"}},
		{"tie", map[string]int{"a": 5, "b": 5, "c": 1}, []string{"a (5), b (5) lead with 5 login attempts each", "1 of 3 users (33.3%) attempted once."}},
		{"one", map[string]int{"a": 1}, []string{"a is the only user, with 1 login attempt.", "Too few users to speak of a distribution."}},
		{"none", nil, []string{"There are no records."}},
	} {
		text := strings.Join(result(c.in).Interpret(10), " ")
		for _, w := range c.want {
			if !strings.Contains(text, w) {
				t.Errorf("%s: %q is not in\n%s", c.name, w, text)
			}
		}
	}
	c := NewCounter(Options{})
	c.Add(Row{User: "a", Action: "logout"})
	if got := c.Result().Interpretation; !slices.Equal(got, []string{"None of the 1 record is a login attempt."}) {
		t.Errorf("%q", got)
	}
}

func TestUsersWhoseLoginsFailAreNamed(t *testing.T) {
	c := NewCounter(Options{})
	for u := range 30 {
		for i := range 20 {
			o := Success
			if i == 0 || u == 7 && i > 1 {
				o = Failure
			}
			c.Add(Row{User: fmt.Sprint("u", u), Source: fmt.Sprint("192.0.2.", i), Action: "login", Outcome: o, Time: NoTime})
		}
	}
	text := strings.Join(c.Result().Interpretation, " ")
	if want := "One user succeeds far less often than the rest (three standard errors below the overall rate, at least 10 attempts): u7 with 1 of 20 from 20 sources."; !strings.Contains(text, want) {
		t.Errorf("%q is not in\n%s", want, text)
	}
}

func TestStatistics(t *testing.T) {
	s := result(map[string]int{"a": 1, "b": 1, "c": 2, "d": 4, "e": 12}).Statistics
	// By hand: total 20, ascending 1 1 2 4 12, m₂ 17.2, m₃ 90, skewness √20÷3·90÷17.2^1.5; Σ(2i−6)x = −4−2+0+8+48 = 50, ÷ (5·20).
	want := Statistics{Users: 5, Mean: 4, Least: 1, Q1: 1, Median: 2, Q3: 4, P90: 12, P99: 12, Most: 12, Once: 2, Skewness: 1.8808, Gini: 0.5, TopTenth: 0.6,
		OutlierRule: "Tukey's fence, Q3 + 1.5 × IQR", OutlierFence: 8.5, Outliers: 1, LogFence: 32}
	if *s != want {
		t.Errorf("%+v\nwant %+v", *s, want)
	}
}

func TestTableFitsItsWidthAndHidesNothing(t *testing.T) {
	in := map[string]int{"\x1b[31mroot\x07": 3, strings.Repeat("very-long-", 20): 9, "日本語ユーザー": 5, "": 2}
	for i := range 10 {
		in[strconv.Itoa(i)] = 1
	}
	r := result(in)
	for _, width := range []int{60, 64, 80, 120, 200} {
		for _, top := range []int{0, 3, 100} {
			var b bytes.Buffer
			if err := r.WriteTable(&b, top, width); err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(b.String()) {
				line = strings.TrimSuffix(line, "\n")
				if chart.Cells(line) > width {
					t.Errorf("width %d: %q has %d cells", width, line, chart.Cells(line))
				}
				if strings.ContainsAny(line, "\x1b\x07") {
					t.Errorf("control character in %q", line)
				}
			}
			if more := strings.Contains(b.String(), "… 11 more users"); more != (top == 3) {
				t.Errorf("top %d: says that users are left out: %v", top, more)
			}
			if !strings.Contains(b.String(), "\nall 14") {
				t.Errorf("no totals in %s", b.String())
			}
		}
	}
}

func TestCSVOfHostileNamesCannotBecomeFormulas(t *testing.T) {
	in := map[string]int{}
	for _, n := range []string{"=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\r=x", "  =1", "a,b", "q\"q", "two\nlines", "plain"} {
		in[n] = 1
	}
	var b bytes.Buffer
	if err := result(in).WriteCSV(&b); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&b).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != len(in)+1 || strings.Join(rows[0], ",") != "user,attempts,successes,failures,success_rate,distinct_sources,first,last" {
		t.Fatalf("%q", rows)
	}
	for _, r := range rows[1:] {
		if strings.ContainsRune("=+-@\t\r", rune(strings.TrimLeft(r[0], " ")[0])) {
			t.Errorf("cell %q", r[0])
		}
	}
}

func TestJSONHoldsTheWholeResult(t *testing.T) {
	r := result(map[string]int{"a\xff": 3, "b": 1})
	var b bytes.Buffer
	if err := r.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Attempts       int `json:"login_attempts"`
		Users          []map[string]any
		Interpretation []string
		Statistics     map[string]any
	}
	if err := json.Unmarshal(b.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	if doc.Attempts != 4 || len(doc.Users) != 2 || doc.Users[0]["attempts"] != 3.0 || doc.Users[1]["success_rate"] != 0.0 || len(doc.Interpretation) == 0 || doc.Statistics["users"] != 2.0 {
		t.Errorf("%s", b.String())
	}
}

func TestFigureIsTheTopUsersBesideTheHistogram(t *testing.T) {
	r, _ := read(t, string(simulated(t, 1000)), Options{})
	fig := r.Figure(10)
	bars, hist := fig.Panels[0].(chart.Bars), fig.Panels[1].(chart.Histogram)
	if len(bars.Items) != 10 || bars.Items[0].Label != r.Users[0].Name || !bars.RotateLabels || len(hist.Values) != len(r.Users) || len(fig.Caption) == 0 {
		t.Errorf("%+v", fig)
	}
	sum := 0.0
	for _, p := range bars.Items[0].Parts {
		sum += p
	}
	if int64(sum) != r.Users[0].Attempts {
		t.Errorf("first bar %v, want %d", sum, r.Users[0].Attempts)
	}
	for _, res := range []*Result{r, result(nil), result(map[string]int{"one": 1})} {
		for _, f := range []func(io.Writer, chart.Figure, chart.Options) error{chart.SVG, chart.PNG, chart.Terminal} {
			if err := f(io.Discard, res.Figure(10), chart.Options{}); err != nil {
				t.Error(err)
			}
		}
	}
}

// FuzzCSV holds three claims for any input: what encoding/csv reads without
// complaint is counted the same; the number of threads and the size of reads
// change nothing; every line of the input is in a record, refused or blank.
func FuzzCSV(f *testing.F) {
	f.Add("a,login,true\n\"b\"\"c\",login,false\n")
	f.Add("a,\"login\n\",true\r\n\"open,login,true\nb,login,x\n\"x\"y,,\n")
	f.Add(strings.Repeat("long", 60) + ",login,1\n\n\r\n,,\n\"\"\"\n\"\"\n")
	f.Add("\"\"\"\",login,\"\"\n\"a\"\r,b,c\n")
	f.Fuzz(func(t *testing.T, body string) {
		const size = 128
		text := "user,action,success\n" + body
		var first *Result
		var src Source
		for _, threads := range []int{1, 3} {
			for _, r := range []io.Reader{strings.NewReader(text), iotest.OneByteReader(strings.NewReader(text))} {
				c := NewCounter(Options{Threads: threads})
				c.maxRecord = size
				s, err := c.ReadCSV(r, "f")
				if err != nil {
					t.Fatal(err)
				}
				if s.Bytes != int64(len(text)) || s.Records+s.Refused > int64(strings.Count(text, "\n")+1) {
					t.Fatalf("%+v for %d bytes", s, len(text))
				}
				if first == nil {
					first, src = c.Result(), s
				} else if got := c.Result(); !reflect.DeepEqual(got, first) || !reflect.DeepEqual(s, src) {
					t.Fatalf("threads or reads change the result: %+v, %+v", got.Sources, first.Sources)
				}
			}
		}
		strict := csv.NewReader(strings.NewReader(text))
		strict.FieldsPerRecord = 3
		rows, err := strict.ReadAll()
		if err != nil || strings.Contains(body, "\r") { // encoding/csv turns \r\n inside quotes into \n
			return
		}
		want := map[string]int64{}
		longest := 0
		for _, r := range rows[1:] {
			longest = max(longest, len(strings.Join(r, "\"\"\"")))
			if IsLogin(r[1]) {
				want[r[0]]++
			}
		}
		if longest > size/4 {
			return
		}
		if src.Refused != 0 || src.Records != int64(len(rows)-1) || len(first.Users) != len(want) {
			t.Fatalf("%+v, %d users; encoding/csv has %d records, %d users", src, len(first.Users), len(rows)-1, len(want))
		}
		for _, u := range first.Users {
			if want[u.Name] != u.Attempts {
				t.Fatalf("user %q: %d, want %d", u.Name, u.Attempts, want[u.Name])
			}
		}
	})
}

func BenchmarkReadCSV(b *testing.B) {
	log := simulated(b, 1_000_000)
	b.SetBytes(int64(len(log)))
	b.ReportAllocs()
	for b.Loop() {
		c := NewCounter(Options{})
		if _, err := c.ReadCSV(bytes.NewReader(log), "nids"); err != nil {
			b.Fatal(err)
		}
		c.Result()
	}
}

// BenchmarkWorkedExample is the whole of it for a million rows: generate, count,
// print the table and draw the figure as PNG, SVG and text.
func BenchmarkWorkedExample(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		r, w := io.Pipe()
		go func() {
			w.CloseWithError(simulate.WriteNIDS(w, simulate.NIDSOptions{Rows: 1_000_000, Seed: 1}))
		}()
		c := NewCounter(Options{})
		if _, err := c.ReadCSV(r, "nids"); err != nil {
			b.Fatal(err)
		}
		res := c.Result()
		if err := res.WriteTable(io.Discard, 10, 80); err != nil {
			b.Fatal(err)
		}
		fig := res.Figure(10)
		for _, draw := range []func(io.Writer, chart.Figure, chart.Options) error{chart.PNG, chart.SVG, chart.Terminal} {
			if err := draw(io.Discard, fig, chart.Options{Scale: 2}); err != nil {
				b.Fatal(err)
			}
		}
	}
}
