package evtx

import (
	"bytes"
	"slices"
	"testing"
	"unicode/utf16"
)

// bareLog makes a log of one record whose event stands in it without a template.
func bareLog(t *testing.T, event func(w *Writer)) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := NewWriter(&out)
	if err != nil {
		t.Fatal(err)
	}
	start := w.pos
	w.put(recordSignature...)
	w.put32(0)
	w.put64(1)
	w.put64(0)
	w.put(tokFragment, 1, 1, 0)
	event(w)
	w.put(tokEOF)
	w.skip(-(w.pos + recordTail) & 7)
	w.put32(uint32(w.pos - start + recordTail))
	le.PutUint32(w.buf[start+4:], uint32(w.pos-start))
	w.number, w.id, w.last, w.first = 1, 1, start, chunkFirst{1, 1}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// bare writes an element as it stands outside definitions, without a dependency id.
func bare(w *Writer, name string, attributes [][2]string, content ...func()) {
	token := byte(tokElement)
	if attributes != nil {
		token |= tokMore
	}
	w.put(token)
	end := w.sized()
	w.name(name)
	if attributes != nil {
		list := w.sized()
		for i, a := range attributes {
			w.attributeName(a[0], i+1 < len(attributes))
			w.constant(a[1])
		}
		list()
	}
	if content == nil {
		w.put(tokCloseEmpty)
	} else {
		w.put(tokCloseStart)
		for _, c := range content {
			c()
		}
		w.put(tokEndElement)
	}
	end()
}

func TestEventsWithoutTemplatesAreRead(t *testing.T) {
	data := bareLog(t, func(w *Writer) {
		text := func(s string) func() { return func() { w.constant(s) } }
		el := func(name string, content ...func()) func() { return func() { bare(w, name, nil, content...) } }
		with := func(name string, attributes [][2]string, content ...func()) func() {
			return func() { bare(w, name, attributes, content...) }
		}
		cdata := func(s string) func() {
			return func() {
				w.put(tokCDATA)
				u := utf16.Encode([]rune(s))
				w.put16(uint16(len(u)))
				w.putUTF16(u)
			}
		}
		bare(w, "Event", [][2]string{{"xmlns", "http://example.com/event"}},
			el("System",
				with("Provider", [][2]string{{"Name", "Example"}, {"Guid", "{0A1B2C3D-4E5F-6071-8293-A4B5C6D7E8F9}"}}),
				with("EventID", [][2]string{{"Qualifiers", "7"}}, text("12")),
				el("Keywords", text("0x8000000000000000")),
				with("TimeCreated", [][2]string{{"SystemTime", "2024-02-29T12:00:00.7654321Z"}}),
				el("Flavour", text("odd"))),
			el("UserData", with("Payload", [][2]string{{"xmlns:p", "urn:x"}, {"kind", "test"}},
				el("Plain", text("a"), cdata("<b>"), func() { w.put(tokCharRef, 0x26, 0x20) }, func() { w.put(tokEntityRef); w.name("amp") }),
				el("Data", text("unnamed")),
				with("Data", [][2]string{{"Name", "Named"}, {"unit", "ms"}}, text("7")),
				el("Outer", text("\r\n  "), el("Inner", text("x")), el("Inner", text("y"), el("Deep", text("z")))),
				el("Empty"),
				func() {
					w.put(tokPITarget)
					w.name("hint")
					w.put(tokPIData)
					w.put16(2)
					w.putUTF16([]uint16{'?', '>'})
				})),
			el("RenderingInfo", el("Message", text("It's done")), el("Keywords", el("Keyword", text("Audit")))))
	})
	rec := readLog(t, data)[0]
	if rec.Err != nil {
		t.Fatal(rec.Err)
	}
	s := &rec.System
	if s.ProviderName != "Example" || s.ProviderGUID != "{0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9}" || s.EventID != 12 || s.Qualifiers != 7 ||
		s.Keywords != 1<<63 || s.TimeCreated.String() != "2024-02-29T12:00:00.7654321Z" {
		t.Errorf("system is %+v", s)
	}
	want := []Field{
		{"kind", "test", TypeString},
		{"Plain", "a<b>\u2026&", TypeString},
		{"param2", "unnamed", TypeString},
		{"Named", "7", TypeString}, {"Named.unit", "ms", TypeString},
		{"Outer.Inner", "x", TypeString}, {"Outer.Inner", "y", TypeString}, {"Outer.Inner.Deep", "z", TypeString},
		{"Empty", "", TypeNull},
	}
	if rec.DataKind != UserData || rec.DataName != "Payload" || !slices.Equal(rec.Data, want) {
		t.Errorf("%s is\n%q, want\n%q", rec.DataName, rec.Data, want)
	}
	extra := []Field{{"System.Flavour", "odd", TypeString}, {"RenderingInfo.Message", "It's done", TypeString}, {"RenderingInfo.Keywords.Keyword", "Audit", TypeString}}
	if !slices.Equal(rec.Extra, extra) {
		t.Errorf("extra is %q, want %q", rec.Extra, extra)
	}
	for rec := range openBytes(t, data).Records() {
		xml := rec.AppendXML(nil)
		if events, err := parseEvents(xml, true); err != nil || len(events) != 1 || !bytes.Contains(xml, []byte("<Plain>a&lt;b&gt;…&amp;</Plain>")) ||
			!bytes.Contains(xml, []byte("<Message>It's done</Message>")) {
			t.Errorf("%v in %s", err, xml)
		}
	}
}

func TestValuesAreShownAsWindowsShowsThem(t *testing.T) {
	for _, c := range []struct {
		t    Type
		b    []byte
		want string
	}{
		{TypeNull, []byte{1}, ""},
		{TypeString, []byte{'a', 0, 'b', 0, 0, 0, 0, 0}, "ab"},
		{TypeString, []byte{'a', 0, 'b', 0, 'c', 0, 'd', 0, 0xe4, 0, 'e', 0, 'f', 0, 'g', 0, 'h', 0, 'x'}, "abcdäefgh"},
		{TypeString, []byte{0x34, 0xd8, 0x1e, 0xdd, 0x00, 0xd8, 'x', 0}, "𝄞\ufffdx"},
		{TypeANSI, []byte{'n', 0xe4, 0x80, 0}, "nä€"},
		{TypeInt8, []byte{0xff}, "-1"},
		{TypeInt32, []byte{0xff, 0xff}, "-1"}, // shorter than it should be
		{TypeUInt32, []byte{1, 2, 3}, "010203"},
		{TypeReal32, []byte{0, 0, 0xc0, 0x3f}, "1.5"},
		{TypeBool, []byte{1, 0, 0, 0}, "true"}, {TypeBool, []byte{0}, "false"}, {TypeBool, []byte{0, 2, 0, 0}, "true"},
		{TypeBinary, []byte{0xde, 0xad}, "DEAD"},
		{TypeGUID, []byte{1, 2}, "0102"},
		{TypeFiletime, le.AppendUint64(nil, 0), "1601-01-01T00:00:00.0000000Z"},
		{TypeFiletime, le.AppendUint64(nil, 125911583999999999), "1999-12-31T23:59:59.9999999Z"},
		{TypeFiletime, le.AppendUint64(nil, 125962560000000000), "2000-02-29T00:00:00.0000000Z"},
		{TypeFiletime, le.AppendUint64(nil, 1<<63-1), "30828-09-14T02:48:05.4775807Z"},
		{TypeSystemtime, []byte{0xe8, 7, 2, 0, 4, 0, 29, 0, 12, 0, 5, 0, 6, 0, 7, 0}, "2024-02-29T12:05:06.007Z"},
		{TypeSID, []byte{1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0}, "S-1-5-18"},
		{TypeSID, []byte{1, 0, 1, 0, 0, 0, 0, 5}, "S-1-0x10000000005"},
		{TypeSID, []byte{1, 9, 0, 0, 0, 0, 0, 5}, "0109000000000005"}, // claims more than there is
		{TypeHexInt32, []byte{0, 0, 0, 0}, "0x0"}, {TypeHexInt64, le.AppendUint64(nil, 0x8020000000000000), "0x8020000000000000"},
		{TypeSizeT, []byte{0, 0x10, 0, 0}, "0x1000"},
		// Types that no log of the corpus has, from MS-EVEN6 §2.2.18 and the layouts of the Windows headers.
		{TypeUInt8, []byte{0x80}, "128"}, {TypeInt8, []byte{0x80}, "-128"},
		{TypeInt16, []byte{0x00, 0x80}, "-32768"}, {TypeUInt16, []byte{0x00, 0x80}, "32768"},
		{TypeInt64, []byte{0, 0, 0, 0, 0, 0, 0, 0x80}, "-9223372036854775808"},
		{TypeUInt64, []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, "18446744073709551615"},
		{TypeReal64, []byte{0, 0, 0, 0, 0, 0, 0xe0, 0xbf}, "-0.5"}, {TypeReal32, []byte{0, 0, 0, 0x80}, "-0"},
		{TypeSizeT, []byte{0, 0x10, 0, 0, 1, 0, 0, 0}, "0x100001000"},
		{TypeInt16 | TypeArray, []byte{0xff, 0xff, 1, 0}, "-1,1"}, {TypeInt64 | TypeArray, append(bytes.Repeat([]byte{0xff}, 8), 5, 0, 0, 0, 0, 0, 0, 0), "-1,5"},
		{TypeReal64 | TypeArray, []byte{0, 0, 0, 0, 0, 0, 0xf8, 0x3f, 0, 0, 0, 0, 0, 0, 0, 0x40}, "1.5,2"},
		{TypeBool | TypeArray, []byte{1, 0, 0, 0, 0, 0, 0, 0}, "true,false"},
		{TypeHexInt32 | TypeArray, []byte{0xff, 0, 0, 0, 1, 0, 0, 0}, "0xff,0x1"}, {TypeHexInt64 | TypeArray, []byte{0xe7, 3, 0, 0, 0, 0, 0, 0}, "0x3e7"},
		{TypeGUID | TypeArray, append([]byte{0x1a, 0x0b, 0, 0, 0x2b, 0, 0x3c, 0, 1, 2, 3, 4, 5, 6, 7, 8}, make([]byte, 16)...), "{00000b1a-002b-003c-0102-030405060708},{00000000-0000-0000-0000-000000000000}"},
		{TypeFiletime | TypeArray, append(le.AppendUint64(nil, 125962560000000000), le.AppendUint64(nil, 0)...), "2000-02-29T00:00:00.0000000Z,1601-01-01T00:00:00.0000000Z"},
		{TypeSystemtime | TypeArray, []byte{0xe8, 7, 2, 0, 4, 0, 29, 0, 12, 0, 5, 0, 6, 0, 7, 0, 0xe9, 7, 1, 0, 3, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0}, "2024-02-29T12:05:06.007Z,2025-01-01T00:00:00.000Z"},
		{TypeSID | TypeArray, []byte{1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x20, 2, 0, 0}, "S-1-5-18,S-1-5-32-544"},
		{TypeUInt16 | TypeArray, []byte{1, 0, 2, 0, 3}, "1,2,3"},
		{TypeString | TypeArray, []byte{'a', 0, 0, 0, 0, 0, 'b', 0}, "a,,b"},
	} {
		if got := string(appendValue(nil, c.t, c.b)); got != c.want {
			t.Errorf("type 0x%02x of % x is %q, want %q", uint8(c.t), c.b, got, c.want)
		}
	}
}

func TestFiletimeAgreesWithTime(t *testing.T) {
	for f := Filetime(0); f < 1<<61; f += 86399999999997 {
		if got := f.Time().Format("2006-01-02T15:04:05.0000000Z"); got != f.String() || FiletimeOf(f.Time()) != f {
			t.Fatalf("%d is %s, want %s (%d)", f, f, got, FiletimeOf(f.Time()))
		}
	}
}
