package event

import (
	"encoding/binary"
	"unicode/utf8"
)

// Logs are UTF-8 by now, but many a program still writes its letters as Latin-1 or, what
// is a superset of its printable part, Windows-1252. A value that is not valid UTF-8 is one of two
// things: text in such an 8-bit set, or UTF-8 that was cut or damaged. It is taken for the
// latter where it has a valid sequence of more than one byte, which 8-bit text has by rare
// chance only (it would take "Ã" before "¶").
//
// event.original keeps the record's bytes whatever they are.

// windows1252 is what the bytes 0x80 to 0x9f mean (WHATWG Encoding Standard, windows-1252); the rest are Latin-1's.
var windows1252 = [32]rune{
	'€', 0x81, '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', 0x8d, 'Ž', 0x8f,
	0x90, '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', 0x9d, 'ž', 'Ÿ',
}

// strayBytes says what the bytes of a text are that are not UTF-8.
type strayBytes uint8

const (
	unseen strayBytes = iota
	eightBit
	damaged
)

// rune is what the byte s[i], which is not UTF-8, stands for.
func (b *strayBytes) rune(s string, i int) rune {
	if *b == unseen {
		*b = eightBit
		for j := 0; j < len(s) && *b == eightBit; {
			r, n := utf8.DecodeRuneInString(s[j:])
			if r >= utf8.RuneSelf && n > 1 {
				*b = damaged
			}
			j += n
		}
	}
	switch c := s[i]; {
	case *b == damaged:
		return utf8.RuneError
	case c >= 0x80 && c < 0xa0:
		return windows1252[c-0x80]
	default:
		return rune(c)
	}
}

// AppendText appends s as UTF-8: bytes that are none are what Windows-1252 calls them or, in
// damaged UTF-8, U+FFFD.
func AppendText(dst []byte, s string) []byte {
	var stray strayBytes
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 {
			r = stray.rune(s, i)
		}
		dst = utf8.AppendRune(dst, r)
		i += n
	}
	return dst
}

// TextFields makes UTF-8 of the fields of the event being built, by AppendText. Raw stays as it is.
func (b *Batch) TextFields() {
	e := b.Event()
	for i := range e.Fields {
		f := &e.Fields[i]
		if !utf8.ValidString(f.Value) {
			f.Value = b.Bytes(AppendText(nil, f.Value))
		}
		if !utf8.ValidString(f.Name) {
			f.Name = b.Bytes(AppendText(nil, f.Name))
		}
	}
}

// ValidText reports whether p is valid UTF-8. ASCII, as most logs are, is seen 32 bytes at a time.
func ValidText(p []byte) bool {
	const high = 0x8080808080808080
	for len(p) >= 32 {
		if (binary.LittleEndian.Uint64(p)|binary.LittleEndian.Uint64(p[8:])|binary.LittleEndian.Uint64(p[16:])|binary.LittleEndian.Uint64(p[24:]))&high != 0 {
			break
		}
		p = p[32:]
	}
	return utf8.Valid(p)
}
