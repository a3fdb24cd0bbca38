package collect

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/sextant-logs/sextant/internal/event"
)

// MessagePack (github.com/msgpack/msgpack, spec.md), as far as Fluentd's forward
// protocol needs it: values are read where they stand, and turned into JSON.

var (
	errMsgpack = errors.New("invalid MessagePack")
	errMore    = errors.New("MessagePack: cut off")
)

const maxPackDepth = 64

// packHead reads the head of the value at the start of p: its kind ('i' int, 'f'
// float, 's' string, 'b' binary, 'a' array, 'm' map, 'e' ext, 'n' nil, 't' bool),
// its number or length, and how many bytes the head takes.
func packHead(p []byte) (kind byte, n uint64, head int, err error) {
	if len(p) == 0 {
		return 0, 0, 0, errMore
	}
	c := p[0]
	switch {
	case c < 0x80:
		return 'i', uint64(c), 1, nil
	case c < 0x90:
		return 'm', uint64(c & 0x0f), 1, nil
	case c < 0xa0:
		return 'a', uint64(c & 0x0f), 1, nil
	case c < 0xc0:
		return 's', uint64(c & 0x1f), 1, nil
	case c >= 0xe0:
		return 'i', uint64(int64(int8(c))), 1, nil
	}
	size := func(kind byte, width int) (byte, uint64, int, error) {
		if len(p) < 1+width {
			return 0, 0, 0, errMore
		}
		var v uint64
		for _, b := range p[1 : 1+width] {
			v = v<<8 | uint64(b)
		}
		return kind, v, 1 + width, nil
	}
	signed := func(width int) (byte, uint64, int, error) {
		k, v, h, err := size('i', width)
		shift := 64 - 8*width
		return k, uint64(int64(v<<shift) >> shift), h, err
	}
	switch c {
	case 0xc0:
		return 'n', 0, 1, nil
	case 0xc2, 0xc3:
		return 't', uint64(c - 0xc2), 1, nil
	case 0xc4, 0xc5, 0xc6:
		return size('b', 1<<(c-0xc4))
	case 0xc7, 0xc8, 0xc9:
		return size('e', 1<<(c-0xc7))
	case 0xca:
		k, v, h, err := size('f', 4)
		return k, math.Float64bits(float64(math.Float32frombits(uint32(v)))), h, err
	case 0xcb:
		return size('f', 8)
	case 0xcc, 0xcd, 0xce:
		return size('i', 1<<(c-0xcc))
	case 0xcf:
		return size('u', 8)
	case 0xd0, 0xd1, 0xd2, 0xd3:
		return signed(1 << (c - 0xd0))
	case 0xd4, 0xd5, 0xd6, 0xd7, 0xd8:
		return 'e', 1 << (c - 0xd4), 1, nil
	case 0xd9, 0xda, 0xdb:
		return size('s', 1<<(c-0xd9))
	case 0xdc, 0xdd:
		return size('a', 2<<(c-0xdc))
	case 0xde, 0xdf:
		return size('m', 2<<(c-0xde))
	}
	return 0, 0, 0, errMsgpack
}

// packEnd is the length of the value at the start of p. errMore says that p ends
// before the value does.
func packEnd(p []byte, depth int) (int, error) {
	if depth > maxPackDepth {
		return 0, errMsgpack
	}
	kind, n, head, err := packHead(p)
	if err != nil {
		return 0, err
	}
	at := head
	switch kind {
	case 's', 'b', 'e':
		if kind == 'e' {
			at++ // its type
		}
		if n > uint64(len(p)) || uint64(at)+n > uint64(len(p)) {
			if n > maxFrameBytes {
				return 0, errMsgpack
			}
			return 0, errMore
		}
		return at + int(n), nil
	case 'a', 'm':
		if kind == 'm' {
			n *= 2
		}
		if n > maxFrameBytes {
			return 0, errMsgpack
		}
		for range n {
			m, err := packEnd(p[at:], depth+1)
			if err != nil {
				return 0, err
			}
			at += m
		}
	}
	return at, nil
}

// packText is the string or binary at the start of p.
func packText(p []byte) (string, int, error) {
	kind, n, head, err := packHead(p)
	if err != nil {
		return "", 0, err
	}
	if kind != 's' && kind != 'b' || n > uint64(len(p)-head) {
		return "", 0, errMsgpack
	}
	end := head + int(n)
	return string(p[head:end]), end, nil
}

// packTime is a Fluentd time: seconds, or an EventTime (ext type 0: seconds and
// nanoseconds, 32 bits each). 0 for neither.
func packTime(p []byte) (ns int64, n int, err error) {
	end, err := packEnd(p, 0)
	if err != nil {
		return 0, 0, err
	}
	kind, v, head, _ := packHead(p)
	switch {
	case kind == 'i' && int64(v) > 0 && v < 9_000_000_000:
		return int64(v) * 1e9, end, nil
	case kind == 'f':
		if f := math.Float64frombits(v); f > 0 && f < 9e9 {
			return int64(f * 1e9), end, nil
		}
	case kind == 'e' && v == 8 && p[head] == 0:
		sec, nsec := binary.BigEndian.Uint32(p[head+1:]), binary.BigEndian.Uint32(p[head+5:])
		return int64(sec)*int64(time.Second) + int64(nsec), end, nil
	}
	return 0, end, nil
}

// appendPacked appends the value at the start of p, which is whole, as JSON.
func appendPacked(dst, p []byte, depth int) ([]byte, int, error) {
	kind, n, head, err := packHead(p)
	if err != nil || depth > maxPackDepth {
		return dst, 0, errMsgpack
	}
	at := head
	switch kind {
	case 'n':
		dst = append(dst, "null"...)
	case 't':
		dst = strconv.AppendBool(dst, n == 1)
	case 'i':
		dst = strconv.AppendInt(dst, int64(n), 10)
	case 'u':
		dst = strconv.AppendUint(dst, n, 10)
	case 'f':
		f := math.Float64frombits(n)
		if math.IsNaN(f) || math.IsInf(f, 0) {
			dst = append(dst, "null"...)
		} else {
			dst = strconv.AppendFloat(dst, f, 'g', -1, 64)
		}
	case 's', 'b', 'e':
		if kind == 'e' {
			at++
		}
		if n > uint64(len(p)-at) {
			return dst, 0, errMsgpack
		}
		data := p[at : at+int(n)]
		at += int(n)
		if kind == 's' || utf8.Valid(data) {
			dst = event.AppendQuoted(dst, string(data))
		} else {
			dst = event.AppendQuoted(dst, base64.StdEncoding.EncodeToString(data))
		}
	case 'a':
		dst = append(dst, '[')
		for i := range n {
			if i > 0 {
				dst = append(dst, ',')
			}
			var m int
			if dst, m, err = appendPacked(dst, p[at:], depth+1); err != nil {
				return dst, 0, err
			}
			at += m
		}
		dst = append(dst, ']')
	case 'm':
		dst = append(dst, '{')
		for i := range n {
			if i > 0 {
				dst = append(dst, ',')
			}
			key, m, err := packText(p[at:])
			if err != nil { // a key that is no text
				if m, err = packEnd(p[at:], depth+1); err != nil {
					return dst, 0, err
				}
				raw, _, err := appendPacked(nil, p[at:], depth+1)
				if err != nil {
					return dst, 0, err
				}
				key = string(raw)
			}
			at += m
			dst = append(event.AppendQuoted(dst, key), ':')
			if dst, m, err = appendPacked(dst, p[at:], depth+1); err != nil {
				return dst, 0, err
			}
			at += m
		}
		dst = append(dst, '}')
	}
	return dst, at, nil
}
