package source

import (
	"bytes"
	"encoding/binary"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf16"
	"unicode/utf8"
)

func utf16Of(order binary.ByteOrder, s string) string {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = append(b, 0, 0)
		order.PutUint16(b[len(b)-2:], u)
	}
	return string(b)
}

func TestTextIsGivenInUTF8WhateverItIsWrittenIn(t *testing.T) {
	english := "2024-01-02 03:04:05 user=Ælfrïc 𝄞 login failed\r\nnext\r\n"
	russian := "2024-01-02 03:04:05 вход не выполнен, пользователь 17\r\n"
	chinese := "2024-01-02 03:04:05 登录失败 192.0.2.1\r\n"
	for _, want := range []string{english, russian, chinese, strings.Repeat(english+russian, 2000)} {
		for encoding, content := range map[Encoding]string{
			UTF8: want, UTF8BOM: "\xef\xbb\xbf" + want,
			UTF16LE: utf16Of(binary.LittleEndian, want), UTF16LEBOM: "\xff\xfe" + utf16Of(binary.LittleEndian, want),
			UTF16BE: utf16Of(binary.BigEndian, want), UTF16BEBOM: "\xfe\xff" + utf16Of(binary.BigEndian, want),
		} {
			e := one(t, Options{}, "f.log", content)
			in := inspect(t, e.Sources[0])
			if in.Encoding != encoding || in.Binary || in.Problem != nil {
				t.Errorf("%s found to be %s: %+v", encoding, in.Encoding, in.Problem)
			}
			if got, err := read(t, e.Sources[0]); got != want || err != nil {
				t.Errorf("%s: read %.60q, %v", encoding, got, err)
			}
			if in.SHA256 != hexSum(content) || in.Size != int64(len(content)) || in.TextSize != int64(len(want)) ||
				in.BOM != encoding.bom() || in.BytesIn() != in.TextSize+in.BOM || in.Lines != int64(strings.Count(want, "\n")) {
				t.Errorf("%s: inspected as %+v", encoding, in)
			}
			if !strings.HasPrefix(want, string(in.Head)) || len(in.Head) != min(len(want), headSize) {
				t.Errorf("%s: head is %.60q", encoding, in.Head)
			}
			r, err := e.Sources[0].OpenRaw(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if raw, _ := io.ReadAll(r); string(raw) != content {
				t.Errorf("%s: raw bytes differ", encoding)
			}
			r.Close()
		}
	}
}

func TestBinaryIsNotTakenForUTF16(t *testing.T) {
	var utmp, evtx bytes.Buffer
	for i := range 40 {
		record := make([]byte, 384)
		record[0] = 7
		binary.LittleEndian.PutUint32(record[4:], uint32(1000+i))
		copy(record[8:], "pts/0")
		copy(record[44:], "root")
		copy(record[76:], "192.0.2.7")
		utmp.Write(record)
	}
	evtx.WriteString("ElfFile\x00")
	binary.Write(&evtx, binary.LittleEndian, []uint64{0, 3, 17, 0x10003000000080, 1})
	evtx.Write(make([]byte, 4096-evtx.Len()))
	for name, content := range map[string]string{
		"utmp": utmp.String(), "evtx": evtx.String(), "zeros": strings.Repeat("\x00", 9000), "tiny": "a\x00b\x00",
		"counters": strings.Repeat("\x01\x00\x02\x00\x03\x00a\x00", 500),
	} {
		in := inspect(t, one(t, Options{}, name, content).Sources[0])
		if in.Encoding != UTF8 || !in.Binary || in.TextSize != int64(len(content)) {
			t.Errorf("%s: %s, binary %v, %d bytes of text", name, in.Encoding, in.Binary, in.TextSize)
		}
	}
}

func TestTextWithSomeNULsOrInvalidUTF8IsTextAndPassedOnAsItIs(t *testing.T) {
	for name, content := range map[string]string{
		"latin-1":       strings.Repeat("Jan  2 03:04:05 h su: échec pour l'utilisateur \xe9ric\n", 10),
		"gbk":           strings.Repeat("\xb5\xc7\xc2\xbc\xca\xa7\xb0\xdc 192.0.2.1\n", 10),
		"a few NULs":    "a line\x00 with a NUL\n" + text(2),
		"a crash hole":  text(3) + strings.Repeat("\x00", 8192) + text(3),
		"colours":       strings.Repeat("\x1b[31mred\x1b[0m line\n", 10),
		"invalid UTF-8": "\xff\xfe\xfd is not a mark here\n" + text(2),
		"lone BOM":      "\xfe\xff\x00",
	} {
		e := one(t, Options{}, "f.log", content)
		in := inspect(t, e.Sources[0])
		got, err := read(t, e.Sources[0])
		if name == "lone BOM" {
			if got != "\ufffd" || in.Encoding != UTF16BEBOM {
				t.Errorf("%s: read %q as %s", name, got, in.Encoding)
			}
			continue
		}
		if got != content || err != nil || in.Binary || in.Encoding != UTF8 {
			t.Errorf("%s: changed %v, %v, binary %v, %s", name, got != content, err, in.Binary, in.Encoding)
		}
	}
}

func TestBinaryJunkLooksBinary(t *testing.T) {
	junk := make([]byte, 10000)
	for i := range junk {
		junk[i] = byte(i * i * 7 >> 3)
	}
	if in := inspect(t, one(t, Options{}, "junk", string(junk)).Sources[0]); !in.Binary || in.Problem != nil || in.Size != 10000 {
		t.Errorf("%+v", in)
	}
}

func TestAHugeLineStaysAStream(t *testing.T) {
	const size = 100 << 20
	long := strings.Repeat("x", size)
	e := one(t, Options{}, "long.log.gz", gz("short\n"+long))
	e.options.MaxRatio = 2000
	in := inspect(t, e.Sources[0])
	if in.MaxLine != size || in.Lines != 2 || len(in.Head) != headSize || in.Problem != nil {
		t.Errorf("%d lines, longest %d, head %d, %v", in.Lines, in.MaxLine, len(in.Head), in.Problem)
	}
}

func FuzzUTF16DecodesAlikeInPiecesOfAnyLength(f *testing.F) {
	f.Add([]byte("a\x00b\x00\x3c\xd8\x00\xdc"), true)
	f.Add([]byte("\xd8\x3c\xdc"), false)
	f.Fuzz(func(t *testing.T, content []byte, little bool) {
		var order binary.ByteOrder = binary.BigEndian
		if little {
			order = binary.LittleEndian
		}
		var units []uint16
		for i := 0; i+1 < len(content); i += 2 {
			units = append(units, order.Uint16(content[i:]))
		}
		want := string(utf16.Decode(units))
		whole := (&utf16Decoder{order: order}).append(nil, content, true)
		if len(content)%2 == 0 && string(whole) != want {
			t.Fatalf("%q decodes to %q, want %q", content, whole, want)
		}
		if !utf8.Valid(whole) {
			t.Fatalf("%q is not UTF-8", whole)
		}
		d := &utf16Decoder{order: order}
		var pieces []byte
		for i := range content {
			pieces = d.append(pieces, content[i:i+1], false)
		}
		if pieces = d.append(pieces, nil, true); !bytes.Equal(pieces, whole) {
			t.Fatalf("in pieces %q, whole %q", pieces, whole)
		}
	})
}

func TestLinesAreCountedAlikeInChunksOfAnyLength(t *testing.T) {
	for _, content := range []string{"", "a", "a\n", "\n\n", "abc\nde\n\nf"} {
		var whole, bytewise lineCounter
		whole.add([]byte(content))
		r := iotest.OneByteReader(strings.NewReader(content))
		for b := make([]byte, 1); ; {
			if _, err := r.Read(b); err != nil {
				break
			}
			bytewise.add(b)
		}
		if whole != bytewise {
			t.Errorf("%q: %+v and %+v", content, whole, bytewise)
		}
	}
}
