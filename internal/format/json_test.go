package format

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/timestamp"
)

// cutAll returns the raw records of a source in order, and checks the accounting.
func cutAll(t testing.TB, f *Format, data string, r io.Reader) []string {
	t.Helper()
	framer := f.NewFramer(r)
	var raws []string
	total := 0
	for {
		c, err := framer.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if cap(c.Data) > MaxRecord+2*chunkBytes {
			t.Fatalf("a chunk of %d bytes", cap(c.Data))
		}
		var b event.Batch
		n := f.NewDecoder(&Params{Clock: timestamp.NewClock(nil, 0)}).Decode(c, &b)
		size := int64(len(c.Data))
		for _, r := range c.Refused {
			size += r.Length
		}
		if n.Events+n.Structure+n.Refused != size {
			t.Fatalf("%d bytes are accounted as %+v", size, n)
		}
		total += int(size)
		for i := range b.Events {
			e := &b.Events[i]
			if data[e.Offset:e.Offset+e.Length] != e.Raw {
				t.Fatalf("offset %d does not point at %.40q", e.Offset, e.Raw)
			}
			raws = append(raws, e.Raw)
		}
	}
	if total != len(data) {
		t.Fatalf("%d bytes of %d", total, len(data))
	}
	return raws
}

func TestJSONRecordsAreCutAtTheirBracesInEveryShape(t *testing.T) {
	f := Lookup("json")
	var want []string
	for i := range 20_000 {
		want = append(want, fmt.Sprintf(`{"time": "2024-05-05T06:07:08Z", "n": %d, "s": "br{ck]ts \" \\", "o": {"l": [1, {"x": "}"}]}}`, i))
	}
	pretty := strings.NewReplacer(", ", ",\n\t")
	var prettyWant []string
	for _, w := range want {
		prettyWant = append(prettyWant, pretty.Replace(w))
	}
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"lines":        {strings.Join(want, "\n") + "\n", want},
		"same line":    {strings.Join(want, " "), want},
		"pretty":       {strings.Join(prettyWant, "\n"), prettyWant},
		"array":        {"[\n" + strings.Join(prettyWant, ",\n") + "\n]\n", prettyWant},
		"one line":     {"[" + strings.Join(want, ",") + "]", want},
		"envelope":     {`{"version": 1, "Records": [` + strings.Join(want, ",") + "]}\n", want},
		"two arrays":   {`{"a":{"b":[]},"Records":[` + strings.Join(want[:9], ",") + `], "x":[3], "more": [` + strings.Join(want[9:], ",") + `], "end": "]}"}`, want},
		"rfc 7464":     {"\x1e" + strings.Join(want, "\n\x1e") + "\n", want},
		"many wrapped": {`{"events":[` + strings.Join(want[:9], ",") + "]}\n" + `{"events":[` + strings.Join(want[9:], ",") + "]}\n", want},
	} {
		if name == "rfc 7464" {
			continue // read below: it begins with a control character
		}
		t.Run(name, func(t *testing.T) {
			for _, r := range []io.Reader{strings.NewReader(c.text), iotest.HalfReader(strings.NewReader(c.text))} {
				got := cutAll(t, f, c.text, r)
				if len(got) != len(c.want) {
					t.Fatalf("%d records, want %d; first %.80q", len(got), len(c.want), got[0])
				}
				for i := range got {
					if got[i] != c.want[i] {
						t.Fatalf("record %d is %q, want %q", i, got[i], c.want[i])
					}
				}
			}
		})
	}
}

func TestAHugeJSONRecordIsCutAndTheNextIsWhole(t *testing.T) {
	f := Lookup("json")
	for _, sep := range []string{"\n", ",", " "} {
		text := `{"a":1}` + sep + `{"s":"` + strings.Repeat(`x{"`[:2], 1<<20) + `"}` + sep + `{"b":2}`
		if sep == "," {
			text = "[" + text + "]"
		}
		got := cutAll(t, f, text, strings.NewReader(text))
		if len(got) != 3 || got[0] != `{"a":1}` || len(got[1]) != MaxRecord || got[2] != `{"b":2}` {
			t.Errorf("separator %q: %d records", sep, len(got))
		}
	}
}

func FuzzJSONFraming(f *testing.F) {
	shortly(f)
	for _, s := range []string{`[{"a":1},{"b":[2]}]`, `{"Records":[{"a":1}],"x":1}{"y":2}`, "{\n\"a\":1}\n{}", `{"a":"` + "\n" + `{"b":1}`, `{"events":[`, `[1,"x",}]`, `{"events":[{}],"a" 1}`} {
		f.Add([]byte(s))
	}
	format := Lookup("json")
	f.Fuzz(func(t *testing.T, data []byte) {
		whole := cutAll(t, format, string(data), bytes.NewReader(data))
		if pieces := cutAll(t, format, string(data), iotest.OneByteReader(bytes.NewReader(data))); strings.Join(whole, "\x00") != strings.Join(pieces, "\x00") {
			t.Fatalf("read byte by byte: %q\nat once: %q", pieces, whole)
		}
	})
}

func TestNamesThatOnlyLookLikeOnesDoNotBecomeECS(t *testing.T) {
	var b event.Batch
	b.Begin(0, "")
	d := newJSONDecoder(&Params{Clock: timestamp.NewClock(nil, 0)})
	if err := d(`{"source":"web","host":"not a host!","status":"open","path":"yes","src_port":"http","level":"a very long text that is no level","error":{"code":7},"user":5,"ts":"soon"}`, &b); err != nil {
		t.Fatal(err)
	}
	for _, f := range b.Event().Fields {
		switch f.Name {
		case "json.source", "json.host", "status", "path", "src_port", "level", "error.code", "json.user", "ts", "event.kind", "event.dataset":
		default:
			t.Errorf("%s = %q", f.Name, f.Value)
		}
	}
	if b.Event().Time != event.NoTime {
		t.Error("a time was found")
	}
}

var eveLines = []string{
	`{"timestamp":"2024-05-06T07:08:09.123456+0000","flow_id":1548007570151262,"in_iface":"eth0","event_type":"flow","src_ip":"192.0.2.17","src_port":56984,"dest_ip":"198.51.100.9","dest_port":443,"proto":"TCP","app_proto":"tls","flow":{"pkts_toserver":74,"pkts_toclient":56,"bytes_toserver":7626,"bytes_toclient":10780,"start":"2024-05-06T07:07:00.399198+0000","end":"2024-05-06T07:08:00.399556+0000","age":60,"state":"closed","reason":"timeout","alerted":false},"tcp":{"tcp_flags":"1f","tcp_flags_ts":"1f","tcp_flags_tc":"1b","syn":true,"fin":true,"rst":true,"psh":true,"ack":true,"state":"closed"}}`,
	`{"timestamp":"2024-05-06T07:08:09.223456+0000","flow_id":387009461891405,"in_iface":"eth0","event_type":"dns","src_ip":"192.0.2.53","src_port":53,"dest_ip":"192.0.2.122","dest_port":46406,"proto":"UDP","dns":{"type":"answer","id":22103,"rcode":"NXDOMAIN","rrname":"130.2.0.192.in-addr.arpa"}}`,
	`{"timestamp":"2024-05-06T07:08:09.323456+0000","flow_id":1265931569107445,"in_iface":"eth0","event_type":"http","src_ip":"192.0.2.130","src_port":34680,"dest_ip":"192.0.2.122","dest_port":80,"proto":"TCP","tx_id":1,"http":{"hostname":"mail.example.com","url":"\/mnemo\/","http_user_agent":"Mozilla\/5.0 (X11; Ubuntu; Linux x86_64; rv:126.0) Gecko\/20100101 Firefox\/126.0","http_content_type":"text\/html","http_refer":"http:\/\/mail.example.com\/services\/portal\/","http_method":"GET","protocol":"HTTP\/1.1","status":200,"length":4768}}`,
}

func BenchmarkJSONFraming(b *testing.B) {
	text := "[" + strings.Repeat(eveLines[0]+",\n", 4000) + eveLines[1] + "]"
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		f := frameJSON(strings.NewReader(text))
		for {
			if _, err := f.Next(); err != nil {
				break
			}
		}
	}
}
