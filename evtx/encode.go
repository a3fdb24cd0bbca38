package evtx

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

var errValue = errors.New("not of its type")

// encodeValue appends the bytes of a value given as text. It is the inverse of appendScalar.
func encodeValue(dst []byte, t Type, s string) ([]byte, error) {
	bad := func() ([]byte, error) { return dst, fmt.Errorf("%q: %w (0x%02x)", s, errValue, uint8(t)) }
	switch t {
	case TypeNull:
		if s != "" {
			return bad()
		}
		return dst, nil
	case TypeString, typeXMLText:
		return encodeUTF16(dst, s), nil
	case TypeANSI:
		return encodeANSI(dst, s)
	case TypeInt8, TypeInt16, TypeInt32, TypeInt64:
		n, err := strconv.ParseInt(s, 0, 8*intSize(t))
		if err != nil {
			return bad()
		}
		return appendUint(dst, t, uint64(n)), nil
	case TypeUInt8, TypeUInt16, TypeUInt32, TypeUInt64, TypeHexInt32, TypeHexInt64, TypeSizeT:
		n, err := strconv.ParseUint(s, 0, 8*intSize(t))
		if err != nil {
			return bad()
		}
		return appendUint(dst, t, n), nil
	case TypeReal32:
		f, err := strconv.ParseFloat(s, 32)
		if err != nil {
			return bad()
		}
		return le.AppendUint32(dst, math.Float32bits(float32(f))), nil
	case TypeReal64:
		f, err := strconv.ParseFloat(s, 64)
		if err != nil {
			return bad()
		}
		return le.AppendUint64(dst, math.Float64bits(f)), nil
	case TypeBool:
		switch s {
		case "true":
			return append(dst, 1, 0, 0, 0), nil
		case "false":
			return append(dst, 0, 0, 0, 0), nil
		}
	case TypeBinary:
		if b, err := hex.DecodeString(s); err == nil {
			return append(dst, b...), nil
		}
	case TypeGUID:
		return encodeGUID(dst, s)
	case TypeFiletime, TypeSystemtime:
		at, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			return bad()
		}
		if t == TypeFiletime {
			return le.AppendUint64(dst, uint64(FiletimeOf(at))), nil
		}
		at = at.UTC()
		for _, n := range []int{at.Year(), int(at.Month()), int(at.Weekday()), at.Day(), at.Hour(), at.Minute(), at.Second(), at.Nanosecond() / 1e6} {
			dst = le.AppendUint16(dst, uint16(n))
		}
		return dst, nil
	case TypeSID:
		return encodeSID(dst, s)
	}
	return bad()
}

// intSize is the size of an integer type in bytes.
func intSize(t Type) int {
	switch t {
	case TypeInt8, TypeUInt8:
		return 1
	case TypeInt16, TypeUInt16:
		return 2
	case TypeInt32, TypeUInt32, TypeHexInt32:
		return 4
	}
	return 8
}

func appendUint(dst []byte, t Type, n uint64) []byte {
	for range intSize(t) {
		dst = append(dst, byte(n))
		n >>= 8
	}
	return dst
}

func encodeUTF16(dst []byte, s string) []byte {
	for _, r := range s {
		if r >= 0x10000 {
			r -= 0x10000
			dst = le.AppendUint16(dst, uint16(0xd800+r>>10))
			r = 0xdc00 + r&0x3ff
		}
		dst = le.AppendUint16(dst, uint16(r))
	}
	return dst
}

func encodeANSI(dst []byte, s string) ([]byte, error) {
next:
	for _, r := range s {
		if r < 0x80 || r >= 0xa0 && r <= 0xff {
			dst = append(dst, byte(r))
			continue
		}
		for i, c := range windows1252 {
			if c == r && r != utf8.RuneError {
				dst = append(dst, byte(0x80+i))
				continue next
			}
		}
		return dst, fmt.Errorf("%q: %q is not in Windows-1252", s, r)
	}
	return dst, nil
}

func encodeGUID(dst []byte, s string) ([]byte, error) {
	bad := fmt.Errorf("%q: not a GUID", s)
	text := strings.TrimSuffix(strings.TrimPrefix(s, "{"), "}")
	if len(text) != 36 {
		return dst, bad
	}
	var b [16]byte
	at := 0
	for _, i := range guidOrder {
		if i < 0 {
			if text[at] != '-' {
				return dst, bad
			}
			at++
			continue
		}
		n, err := strconv.ParseUint(text[at:at+2], 16, 8)
		if err != nil {
			return dst, bad
		}
		b[i] = byte(n)
		at += 2
	}
	return append(dst, b[:]...), nil
}

func encodeSID(dst []byte, s string) ([]byte, error) {
	bad := fmt.Errorf("%q: not a SID", s)
	parts := strings.Split(s, "-")
	if len(parts) < 3 || len(parts) > 3+255 || parts[0] != "S" {
		return dst, bad
	}
	revision, err := strconv.ParseUint(parts[1], 10, 8)
	if err != nil {
		return dst, bad
	}
	authority, err := strconv.ParseUint(parts[2], 0, 48)
	if err != nil {
		return dst, bad
	}
	dst = append(dst, byte(revision), byte(len(parts)-3))
	for shift := 40; shift >= 0; shift -= 8 {
		dst = append(dst, byte(authority>>shift))
	}
	for _, p := range parts[3:] {
		n, err := strconv.ParseUint(p, 10, 32)
		if err != nil {
			return dst, bad
		}
		dst = le.AppendUint32(dst, uint32(n))
	}
	return dst, nil
}
