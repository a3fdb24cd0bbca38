package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"unicode/utf8"
)

// reference flattens with encoding/json as the Scanner documents it.
func reference(doc string) (out []Field, ok bool) {
	if !json.Valid([]byte(doc)) {
		return nil, false
	}
	dec := json.NewDecoder(strings.NewReader(doc))
	dec.UseNumber()
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, false
	}
	var object func(path string, depth int)
	var value func(path string, depth int, raw json.RawMessage)
	compact := func(raw []byte) string {
		var b bytes.Buffer
		if err := json.Compact(&b, raw); err != nil {
			panic(err)
		}
		return b.String()
	}
	value = func(path string, depth int, raw json.RawMessage) {
		switch raw[0] {
		case '{':
			if depth >= maxDepth {
				out = append(out, Field{path, compact(raw), JSON})
				return
			}
			saved := dec
			dec = json.NewDecoder(bytes.NewReader(raw))
			dec.UseNumber()
			dec.Token()
			object(path+".", depth+1)
			dec = saved
		case '[':
			var all []json.RawMessage
			if err := json.Unmarshal(raw, &all); err != nil {
				panic(err)
			}
			for _, v := range all {
				if v[0] == '{' || v[0] == '[' {
					out = append(out, Field{path, compact(raw), JSON})
					return
				}
			}
			for _, v := range all {
				value(path, depth, v)
			}
		case '"':
			var s string
			if err := json.Unmarshal(raw, &s); err != nil {
				panic(err)
			}
			out = append(out, Field{path, s, String})
		case 't', 'f':
			out = append(out, Field{path, string(raw), Bool})
		case 'n':
		default:
			out = append(out, Field{path, string(raw), Number})
		}
	}
	object = func(prefix string, depth int) {
		for dec.More() {
			t, err := dec.Token()
			if err != nil {
				panic(err)
			}
			var raw json.RawMessage
			if err := dec.Decode(&raw); err != nil {
				panic(err)
			}
			value(prefix+t.(string), depth, raw)
		}
	}
	object("", 1)
	return out, true
}

func scanned(doc string) ([]Field, error) {
	var s Scanner
	var b Batch
	b.Begin(0, doc)
	err := s.Add(doc, &b)
	return b.Event().Fields, err
}

func same(a, b []Field) error {
	if len(a) != len(b) {
		return fmt.Errorf("%d leaves, want %d\n%q\n%q", len(a), len(b), a, b)
	}
	for i := range a {
		x, y := a[i], b[i]
		x.Value, y.Value = strings.ToValidUTF8(x.Value, "\uFFFD"), strings.ToValidUTF8(y.Value, "\uFFFD")
		if x != y {
			return fmt.Errorf("leaf %d is %q, want %q", i, x, y)
		}
	}
	return nil
}

func TestObjectsFlattenAsDocumented(t *testing.T) {
	for _, c := range []struct {
		doc  string
		want []Field
	}{
		{`{}`, nil},
		{` { "a" : 1 } ` + "\r\n", []Field{{"a", "1", Number}}},
		{`{"a":{"b":{"c":"x"},"d":[]},"e":null}`, []Field{{"a.b.c", "x", String}}},
		{`{"a":[1,"x",true,null]}`, []Field{{"a", "1", Number}, {"a", "x", String}, {"a", "true", Bool}}},
		{`{"a":[1,{"b":2}],"c":-0.5e+3}`, []Field{{"a", `[1,{"b":2}]`, JSON}, {"c", "-0.5e+3", Number}}},
		{"{\"a\":[ {\"b c\" :\n\t\"d\\\"\\n\x7f\" } ]}", []Field{{"a", `[{"b c":"d\"\n\u007f"}]`, JSON}}},
		{`{"a":"\u00e9\ud83d\ude00\ud800\/\t"}`, []Field{{"a", "é😀\uFFFD/\t", String}}},
		{`{"a":"\x16\x03","b":["\x16",{"c":"\\"}]}`, []Field{{"a", `\x16\x03`, String}, {"b", `["\\x16",{"c":"\\"}]`, JSON}}},
		{"{\"a\":\"x\ty\x01\",\"b\":[{\"c\":\"\t\"}]}", []Field{{"a", "x\ty\x01", String}, {"b", `[{"c":"\u0009"}]`, JSON}}},
		{`{"a":1,"a":2,"a.b":3,"":""}`, []Field{{"a", "1", Number}, {"a", "2", Number}, {"a.b", "3", Number}, {"unnamed", "", String}}},
	} {
		got, err := scanned(c.doc)
		if err != nil {
			t.Errorf("%s: %v", c.doc, err)
		} else if err := same(got, c.want); err != nil {
			t.Errorf("%s: %v", c.doc, err)
		}
	}
}

func TestWhatIsNotOneObjectIsRefused(t *testing.T) {
	for doc, want := range map[string]error{
		``: errNotObject, `[]`: errNotObject, `"x"`: errNotObject, `{`: errCutOff, `{"a`: errCutOff, `{"a":`: errCutOff, `{"a":1`: errCutOff,
		`{"a":1,}`: errSyntax, `{"a" 1}`: errSyntax, `{a:1}`: errSyntax, `{"a":01}`: errSyntax, `{"a":1.}`: errSyntax, `{"a":+1}`: errSyntax,
		`{"a":.5}`: errSyntax, `{"a":NaN}`: errSyntax, `{"a":tru}`: errSyntax, `{"a":'x'}`: errSyntax, "{\"a\":\"\n\"}": errSyntax,
		`{"a":"\u12"}`: errSyntax, `{"a":[1,]}`: errSyntax, `{"a":[1 2]}`: errSyntax, `{"a":[{]}`: errSyntax,
		`{"a":[{"b":[1,]}]}`: errSyntax, `{"a":1} {"b":2}`: errTrailing, `{"a":1}x`: errTrailing,
		`{"a":[` + strings.Repeat("[", 1200): errNesting,
	} {
		if got, err := scanned(doc); !errors.Is(err, want) || len(got) != 0 {
			t.Errorf("%.40s: %v, %d leaves; want %v", doc, err, len(got), want)
		}
	}
}

func TestHostileShapesStayWithinBounds(t *testing.T) {
	deep := strings.Repeat(`{"a":`, 200) + "1" + strings.Repeat("}", 200)
	got, err := scanned(deep)
	if err != nil || len(got) != 1 || got[0].Kind != JSON || strings.Count(got[0].Name, "a") != maxDepth || !json.Valid([]byte(got[0].Value)) {
		t.Errorf("deep: %v %q", err, got)
	}

	var many strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&many, `,"k%d":%d`, i, i)
	}
	got, err = scanned("{" + many.String()[1:] + "}")
	if err != nil || len(got) != maxLeaves+1 || got[maxLeaves].Name != "json.rest" || !strings.HasPrefix(got[maxLeaves].Value, `"k2000":2000,`) {
		t.Errorf("many: %v, %d leaves, last %.40q", err, len(got), got[len(got)-1])
	}

	long := strings.Repeat("k", 600)
	got, err = scanned(`{"a":{"` + long + `":{"x":1},"y":2}}`)
	want := []Field{{"a", `{"` + long + `":{"x":1}}`, JSON}, {"a.y", "2", Number}}
	if err == nil {
		err = same(got, want)
	}
	if err != nil {
		t.Error("long name:", err)
	}
	if _, err = scanned(`{"` + long + `":{"` + long + `":1}}`); err != nil {
		t.Error("long names:", err)
	}
}

func TestAScannerUsedAgainGivesTheSame(t *testing.T) {
	docs := []string{`{"a":1,"b":{"c":2}}`, `{"b":{"d":1,"c":2},"a":"\u0041"}`, `{"a":`, `{"a":1,"b":{"c":2}}`}
	var s Scanner
	for _, doc := range docs {
		var b Batch
		b.Begin(0, doc)
		err := s.Add(doc, &b)
		fresh, freshErr := scanned(doc)
		if !errors.Is(err, freshErr) {
			t.Errorf("%s: %v, want %v", doc, err, freshErr)
		}
		if err := same(b.Event().Fields, fresh); err != nil {
			t.Errorf("%s: %v", doc, err)
		}
	}
}

func FuzzScannerAgreesWithEncodingJSON(f *testing.F) {
	for _, s := range []string{`{"a":{"b":[1,"x",null]},"c":[{"d":1}]}`, `{"a":"\ud83d\ude00\n"}`, `{"a":-1.5e3,"b":true}`, ` {} `, `{"a":[[1],2]}`, `{"":{"":0}}`, "{\"\xff\":\"\xff\\\\\"}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, doc string) {
		want, ok := reference(doc)
		got, err := scanned(doc)
		for _, fl := range got {
			if fl.Kind == JSON && (!json.Valid([]byte(fl.Value)) || !utf8.ValidString(fl.Value) || strings.ContainsAny(fl.Value, "\n\r\x7f")) {
				t.Fatalf("%q is not clean JSON", fl.Value)
			}
		}
		if ok != (err == nil) {
			lenient := err == nil && strings.ContainsFunc(doc, func(r rune) bool { return r == '\\' || r < ' ' }) // escapes that are none, control characters
			if lenient || errors.Is(err, errNesting) {
				return
			}
			t.Fatalf("accepted: %v, encoding/json: %v", err, ok)
		}
		if !ok {
			if err == io.EOF {
				t.Fatal(err)
			}
			return
		}
		if !utf8.ValidString(doc) || len(doc) > maxPath || strings.ContainsAny(doc, "\x7f\u2028\u2029") || strings.ContainsFunc(doc, func(r rune) bool { return 0x80 <= r && r < 0xa0 }) {
			return // raw JSON is cleaned, long names are kept apart: only the verdict is compared
		}
		for i := range want {
			if want[i].Name == "" { // an event's field has a name
				want[i].Name = "unnamed"
			}
		}
		if err := same(got, want); err != nil {
			t.Fatal(err)
		}
	})
}

// eveFlow is of the shape and size of a Suricata flow record.
const eveFlow = `{"timestamp":"2024-05-06T07:08:09.123456+0000","flow_id":1548007570151262,"in_iface":"eth0","event_type":"flow","src_ip":"192.0.2.17","src_port":56984,"dest_ip":"198.51.100.9","dest_port":443,"proto":"TCP","app_proto":"tls","flow":{"pkts_toserver":74,"pkts_toclient":56,"bytes_toserver":7626,"bytes_toclient":10780,"start":"2024-05-06T07:07:00.399198+0000","end":"2024-05-06T07:08:00.399556+0000","age":60,"state":"closed","reason":"timeout","alerted":false},"tcp":{"tcp_flags":"1f","tcp_flags_ts":"1f","tcp_flags_tc":"1b","syn":true,"fin":true,"rst":true,"psh":true,"ack":true,"state":"closed"}}`

func BenchmarkScan(b *testing.B) {
	var s Scanner
	var batch Batch
	b.SetBytes(int64(len(eveFlow)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Scan(eveFlow, &batch); err != nil {
			b.Fatal(err)
		}
	}
}
