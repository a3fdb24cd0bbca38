package source

import (
	"encoding/binary"
	"io"
	"unicode/utf16"
	"unicode/utf8"
)

// Encoding is how the text of a source is written.
type Encoding string

const (
	UTF8       Encoding = "utf-8" // or anything else that is passed on as it is: ASCII, Latin-1, binary
	UTF8BOM    Encoding = "utf-8-bom"
	UTF16LE    Encoding = "utf-16le" // without byte order mark
	UTF16BE    Encoding = "utf-16be"
	UTF16LEBOM Encoding = "utf-16le-bom"
	UTF16BEBOM Encoding = "utf-16be-bom"
)

// bom is the length of the byte order mark.
func (e Encoding) bom() int64 {
	switch e {
	case UTF8BOM:
		return 3
	case UTF16LEBOM, UTF16BEBOM:
		return 2
	}
	return 0
}

// decoder is what makes UTF-8 of the encoding; nil where nothing is to be made.
func (e Encoding) decoder() *utf16Decoder {
	switch e {
	case UTF16LE, UTF16LEBOM:
		return &utf16Decoder{order: binary.LittleEndian}
	case UTF16BE, UTF16BEBOM:
		return &utf16Decoder{order: binary.BigEndian}
	}
	return nil
}

// detectEncoding decides from the first sniffSize bytes of a stream.
func detectEncoding(head []byte) Encoding {
	switch {
	case len(head) >= 3 && head[0] == 0xef && head[1] == 0xbb && head[2] == 0xbf:
		return UTF8BOM
	case len(head) >= 2 && head[0] == 0xff && head[1] == 0xfe && looksUTF16(head[2:], binary.LittleEndian, false):
		return UTF16LEBOM
	case len(head) >= 2 && head[0] == 0xfe && head[1] == 0xff && looksUTF16(head[2:], binary.BigEndian, false):
		return UTF16BEBOM
	case looksUTF16(head, binary.LittleEndian, true):
		return UTF16LE
	case looksUTF16(head, binary.BigEndian, true):
		return UTF16BE
	}
	return UTF8
}

// looksUTF16 reports whether head reads as text in UTF-16. Without a byte
// order mark it asks for more: some units, of which at least three in ten are
// ASCII (the NULs all on one side), as every log's digits, blanks and line
// ends are in any language. With a mark one in fifty will do, which tells text
// that only begins with the mark's bytes. Either way control characters and
// lone surrogates must be rare, which keeps binary records with their NULs out.
func looksUTF16(head []byte, order binary.ByteOrder, bare bool) bool {
	units, ascii, bad := 0, 0, 0
	for i := 0; i+1 < len(head); i += 2 {
		u := rune(order.Uint16(head[i:]))
		units++
		switch {
		case u >= ' ' && u < 0x7f || u == '\n' || u == '\r' || u == '\t':
			ascii++
		case u < ' ' || u >= 0x7f && u < 0xa0 || u >= 0xfffe:
			bad++
		case utf16.IsSurrogate(u):
			if i+3 < len(head) {
				if utf16.DecodeRune(u, rune(order.Uint16(head[i+2:]))) == utf8.RuneError {
					bad++
				} else {
					i += 2
				}
			}
		}
	}
	if bare {
		return units >= 8 && ascii*10 >= units*3 && bad*100 <= units
	}
	return bad*10 <= units && (units < 16 || ascii*50 >= units)
}

// utf16Decoder makes UTF-8 of UTF-16 in pieces of any length. A lone surrogate
// or a last odd byte becomes U+FFFD.
type utf16Decoder struct {
	order   binary.ByteOrder
	odd     byte // the first byte of a unit cut in two
	hasOdd  bool
	pending rune // a high surrogate whose other half has not come
}

// append decodes src onto dst; last says that nothing follows.
func (d *utf16Decoder) append(dst, src []byte, last bool) []byte {
	if d.hasOdd && len(src) > 0 {
		dst = d.unit(dst, d.order.Uint16([]byte{d.odd, src[0]}))
		src, d.hasOdd = src[1:], false
	}
	for ; len(src) >= 2; src = src[2:] {
		u := d.order.Uint16(src)
		if u < utf8.RuneSelf && d.pending == 0 {
			dst = append(dst, byte(u))
		} else {
			dst = d.unit(dst, u)
		}
	}
	if len(src) == 1 {
		d.odd, d.hasOdd = src[0], true
	}
	if last {
		if d.pending != 0 {
			dst = utf8.AppendRune(dst, utf8.RuneError)
		}
		if d.hasOdd {
			dst = utf8.AppendRune(dst, utf8.RuneError)
		}
		d.pending, d.hasOdd = 0, false
	}
	return dst
}

func (d *utf16Decoder) unit(dst []byte, u uint16) []byte {
	r := rune(u)
	if d.pending != 0 {
		high := d.pending
		d.pending = 0
		if pair := utf16.DecodeRune(high, r); pair != utf8.RuneError {
			return utf8.AppendRune(dst, pair)
		}
		dst = utf8.AppendRune(dst, utf8.RuneError)
	}
	if r >= 0xd800 && r < 0xdc00 {
		d.pending = r
		return dst
	}
	return utf8.AppendRune(dst, r) // a low surrogate becomes U+FFFD
}

// textReader is a stream's text in UTF-8 without byte order mark.
type textReader struct {
	*stream
	decoder *utf16Decoder
	raw     []byte
	buf     []byte // decoded
	pos     int    // what of it has been read
	end     error
}

func newTextReader(s *stream) *textReader {
	head, _ := s.Peek(sniffSize)
	encoding := detectEncoding(head)
	s.Discard(int(encoding.bom()))
	t := &textReader{stream: s, decoder: encoding.decoder()}
	if t.decoder != nil {
		t.raw = make([]byte, bufferSize)
	}
	return t
}

func (t *textReader) Read(p []byte) (int, error) {
	if t.decoder == nil {
		return t.stream.Read(p)
	}
	if len(p) == 0 {
		return 0, nil
	}
	for t.pos == len(t.buf) {
		if t.end != nil {
			return 0, t.end
		}
		n, err := t.stream.Read(t.raw)
		t.buf, t.pos, t.end = t.decoder.append(t.buf[:0], t.raw[:n], err != nil), 0, err
	}
	n := copy(p, t.buf[t.pos:])
	t.pos += n
	return n, nil
}

var _ io.ReadCloser = (*textReader)(nil)
