package evtx

import (
	"encoding/binary"
	"math"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// le is the byte order of everything in the format but SID authorities.
var le = binary.LittleEndian

// value is one substitution value: where its bytes lie in the chunk.
type value struct {
	off, size uint32
	typ       Type
	item      bool  // an element of an array, standing in for the whole
	inst      int32 // first instance of a nested fragment, -1 if none
}

// null reports whether the value is absent: optional attributes and dependent
// elements are left out then (MS-EVEN6 §2.2.12.3).
func (v *value) null() bool { return v.typ == TypeNull }

// maxText is how much appendValue appends at most, but for arrays of small numbers.
func maxText(t Type, b []byte) int {
	switch t {
	case TypeString:
		return len(b) + len(b)/2
	case TypeANSI:
		return 3 * len(b)
	}
	return 2*len(b) + 64
}

// appendScalar appends the text of a value that is not an array. Bytes that do
// not fit their type are shown as binary rather than lost.
func appendScalar(dst []byte, t Type, b []byte) []byte {
	switch t {
	case TypeNull:
		return dst
	case TypeString, typeXMLText:
		return appendUTF16(dst, trimNUL16(b))
	case TypeANSI:
		return appendANSI(dst, b)
	case TypeInt8, TypeInt16, TypeInt32, TypeInt64:
		if v, ok := uintOf(b); ok {
			shift := 64 - 8*len(b)
			return strconv.AppendInt(dst, int64(v<<shift)>>shift, 10)
		}
	case TypeUInt8, TypeUInt16, TypeUInt32, TypeUInt64:
		if v, ok := uintOf(b); ok {
			return strconv.AppendUint(dst, v, 10)
		}
	case TypeHexInt32, TypeHexInt64, TypeSizeT:
		if v, ok := uintOf(b); ok {
			return appendHexInt(dst, v)
		}
	case TypeReal32:
		if len(b) == 4 {
			return strconv.AppendFloat(dst, float64(math.Float32frombits(le.Uint32(b))), 'g', -1, 32)
		}
	case TypeReal64:
		if len(b) == 8 {
			return strconv.AppendFloat(dst, math.Float64frombits(le.Uint64(b)), 'g', -1, 64)
		}
	case TypeBool:
		// Four bytes by the specification; one byte and other values than 0 and 1 occur.
		if v, ok := uintOf(b); ok {
			return strconv.AppendBool(dst, v != 0)
		}
	case TypeGUID:
		if len(b) == 16 {
			return appendGUID(dst, b)
		}
	case TypeFiletime:
		if len(b) == 8 {
			return appendFiletime(dst, le.Uint64(b))
		}
	case TypeSystemtime:
		if len(b) == 16 {
			return appendSystemtime(dst, b)
		}
	case TypeSID:
		if n, ok := sidLen(b); ok {
			return appendSID(dst, b[:n])
		}
	}
	return appendHex(dst, b)
}

// typeXMLText is EvtVarTypeEvtXml, text of an XML fragment.
const typeXMLText Type = 0x23

// appendValue appends a value of any type but nested XML; arrays that could
// not repeat their element are joined by commas.
func appendValue(dst []byte, t Type, b []byte) []byte {
	if !t.IsArray() {
		return appendScalar(dst, t, b)
	}
	for first := true; len(b) > 0; first = false {
		var item []byte
		item, b = nextItem(t.Elem(), b)
		if !first {
			dst = append(dst, ',')
		}
		dst = appendScalar(dst, t.Elem(), item)
	}
	return dst
}

// nextItem cuts the first element off an array's bytes; it always takes at least one byte.
func nextItem(elem Type, b []byte) (item, rest []byte) {
	n := 0
	switch elem {
	case TypeString:
		for i := 0; i+1 < len(b); i += 2 {
			if b[i] == 0 && b[i+1] == 0 {
				return b[:i], b[i+2:]
			}
		}
	case TypeANSI:
		for i := range b {
			if b[i] == 0 {
				return b[:i], b[i+1:]
			}
		}
	case TypeInt8, TypeUInt8:
		n = 1
	case TypeInt16, TypeUInt16:
		n = 2
	case TypeInt32, TypeUInt32, TypeReal32, TypeBool, TypeHexInt32:
		n = 4
	case TypeInt64, TypeUInt64, TypeReal64, TypeFiletime, TypeHexInt64, TypeSizeT:
		n = 8
	case TypeGUID, TypeSystemtime:
		n = 16
	case TypeSID:
		n, _ = sidLen(b)
	}
	if n == 0 || n > len(b) {
		n = len(b)
	}
	return b[:n], b[n:]
}

// uintOf reads a little-endian integer of 1, 2, 4 or 8 bytes.
func uintOf(b []byte) (uint64, bool) {
	switch len(b) {
	case 1:
		return uint64(b[0]), true
	case 2:
		return uint64(le.Uint16(b)), true
	case 4:
		return uint64(le.Uint32(b)), true
	case 8:
		return le.Uint64(b), true
	}
	return 0, false
}

// trimNUL16 cuts trailing UTF-16 NULs (and a stray odd byte), which some providers count in.
func trimNUL16(b []byte) []byte {
	b = b[:len(b)&^1]
	for len(b) >= 2 && b[len(b)-1] == 0 && b[len(b)-2] == 0 {
		b = b[:len(b)-2]
	}
	return b
}

// appendUTF16 appends little-endian UTF-16 as UTF-8, lone surrogates as U+FFFD.
func appendUTF16(dst, b []byte) []byte {
	for len(b) >= 8 {
		// Four ASCII characters at once: squeeze out the zero bytes.
		x := le.Uint64(b)
		if x&0xff80ff80ff80ff80 != 0 {
			break
		}
		x = (x | x>>8) & 0x0000ffff0000ffff
		x |= x >> 16
		dst = le.AppendUint32(dst, uint32(x))
		b = b[8:]
	}
	for len(b) >= 2 {
		c := le.Uint16(b)
		b = b[2:]
		switch {
		case c < utf8.RuneSelf:
			dst = append(dst, byte(c))
		case c < 0x800:
			dst = append(dst, 0xc0|byte(c>>6), 0x80|byte(c&0x3f))
		case c < 0xd800 || c > 0xdfff:
			dst = append(dst, 0xe0|byte(c>>12), 0x80|byte(c>>6&0x3f), 0x80|byte(c&0x3f))
		default:
			r := rune(utf8.RuneError)
			if len(b) >= 2 {
				if r = utf16.DecodeRune(rune(c), rune(le.Uint16(b))); r != utf8.RuneError {
					b = b[2:]
				}
			}
			dst = utf8.AppendRune(dst, r)
		}
	}
	return dst
}

// windows1252 maps the bytes 0x80–0x9f; all others are Latin-1.
var windows1252 = [32]rune{
	'€', 0x81, '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', 0x8d, 'Ž', 0x8f,
	0x90, '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', 0x9d, 'ž', 'Ÿ',
}

func appendANSI(dst, b []byte) []byte {
	for len(b) > 0 && b[len(b)-1] == 0 {
		b = b[:len(b)-1]
	}
	for _, c := range b {
		r := rune(c)
		if c >= 0x80 && c < 0xa0 {
			r = windows1252[c-0x80]
		}
		dst = utf8.AppendRune(dst, r)
	}
	return dst
}

const lowerHex, upperHex = "0123456789abcdef", "0123456789ABCDEF"

func appendHex(dst, b []byte) []byte {
	for _, c := range b {
		dst = append(dst, upperHex[c>>4], upperHex[c&15])
	}
	return dst
}

// guidOrder is the order in which the bytes of a GUID are written; -1 is a hyphen.
var guidOrder = [...]int8{3, 2, 1, 0, -1, 5, 4, -1, 7, 6, -1, 8, 9, -1, 10, 11, 12, 13, 14, 15}

func appendGUID(dst, b []byte) []byte {
	dst = append(dst, '{')
	for _, i := range guidOrder {
		if i < 0 {
			dst = append(dst, '-')
		} else {
			dst = append(dst, lowerHex[b[i]>>4], lowerHex[b[i]&15])
		}
	}
	return append(dst, '}')
}

// sidLen is the length of the SID b starts with (MS-DTYP §2.4.2.2).
func sidLen(b []byte) (int, bool) {
	if len(b) < 8 {
		return 0, false
	}
	n := 8 + 4*int(b[1])
	return n, n <= len(b)
}

func appendSID(dst, b []byte) []byte {
	dst = append(dst, 'S', '-')
	dst = strconv.AppendUint(dst, uint64(b[0]), 10)
	dst = append(dst, '-')
	if auth := uint64(binary.BigEndian.Uint16(b[2:]))<<32 | uint64(binary.BigEndian.Uint32(b[4:])); auth < 1<<32 {
		dst = strconv.AppendUint(dst, auth, 10)
	} else {
		dst = appendHexInt(dst, auth)
	}
	for b = b[8:]; len(b) >= 4; b = b[4:] {
		dst = append(dst, '-')
		dst = strconv.AppendUint(dst, uint64(le.Uint32(b)), 10)
	}
	return dst
}

func appendFiletime(dst []byte, v uint64) []byte {
	seconds, ticks := v/1e7, v%1e7
	days, seconds := int64(seconds/86400), seconds%86400
	// Civil date from days since 1601-01-01, which starts a 400-year cycle: count
	// from 1600-03-01 so that the leap day is the last of its year.
	days += 306
	cycle := days / 146097
	rest := days % 146097
	year := (rest - rest/1460 + rest/36524 - rest/146096) / 365
	rest -= 365*year + year/4 - year/100
	month := (5*rest + 2) / 153
	day := rest - (153*month+2)/5 + 1
	year += 1600 + 400*cycle
	if month += 3; month > 12 {
		month -= 12
		year++
	}
	dst = appendDateTime(dst, uint64(year), uint64(month), uint64(day), seconds/3600, seconds/60%60, seconds%60)
	return append(appendDigits(append(dst, '.'), ticks, 7), 'Z')
}

func appendSystemtime(dst, b []byte) []byte {
	at := func(i int) uint64 { return uint64(le.Uint16(b[2*i:])) }
	dst = appendDateTime(dst, at(0), at(1), at(3), at(4), at(5), at(6))
	return append(appendDigits(append(dst, '.'), at(7), 3), 'Z')
}

func appendDateTime(dst []byte, year, month, day, hour, minute, second uint64) []byte {
	dst = append(appendDigits(dst, year, 4), '-')
	dst = append(appendDigits(dst, month, 2), '-')
	dst = append(appendDigits(dst, day, 2), 'T')
	dst = append(appendDigits(dst, hour, 2), ':')
	dst = append(appendDigits(dst, minute, 2), ':')
	return appendDigits(dst, second, 2)
}

// appendDigits appends v with at least width digits.
func appendDigits(dst []byte, v uint64, width int) []byte {
	var buf [20]byte
	i := len(buf)
	for ; v > 0 || width > 0; width-- {
		i--
		buf[i] = '0' + byte(v%10)
		v /= 10
	}
	return append(dst, buf[i:]...)
}
