package evtx

import (
	"strconv"
	"time"
)

// Type is the type of a value (MS-EVEN6 §2.2.18, BinXmlVariant).
type Type uint8

const (
	TypeNull       Type = 0x00
	TypeString     Type = 0x01 // UTF-16
	TypeANSI       Type = 0x02 // Windows-1252
	TypeInt8       Type = 0x03
	TypeUInt8      Type = 0x04
	TypeInt16      Type = 0x05
	TypeUInt16     Type = 0x06
	TypeInt32      Type = 0x07
	TypeUInt32     Type = 0x08
	TypeInt64      Type = 0x09
	TypeUInt64     Type = 0x0a
	TypeReal32     Type = 0x0b
	TypeReal64     Type = 0x0c
	TypeBool       Type = 0x0d // true, false
	TypeBinary     Type = 0x0e // upper-case hexadecimal
	TypeGUID       Type = 0x0f // {…}, lower case
	TypeSizeT      Type = 0x10 // 0x…
	TypeFiletime   Type = 0x11 // 2020-05-14T07:00:30.8914235Z
	TypeSystemtime Type = 0x12 // 2020-05-14T07:00:30.891Z
	TypeSID        Type = 0x13 // S-1-5-18
	TypeHexInt32   Type = 0x14 // 0x3e7
	TypeHexInt64   Type = 0x15 // 0x3e7
	TypeBinXML     Type = 0x21 // nested event data; appears only in files
	TypeArray      Type = 0x80 // bit: an element of an array
)

// Elem is the type without the array bit.
func (t Type) Elem() Type { return t &^ TypeArray }

// IsArray reports whether the value is an element of an array.
func (t Type) IsArray() bool { return t&TypeArray != 0 }

// Filetime is a Windows FILETIME: 100 ns since 1601-01-01 UTC; 0 is "none".
type Filetime uint64

// filetimeUnix is 1970-01-01 as FILETIME.
const filetimeUnix = 116444736000000000

// FiletimeOf converts t, cutting it to 100 ns. Times before 1601 give 0.
func FiletimeOf(t time.Time) Filetime {
	s := t.Unix() + filetimeUnix/1e7
	if s < 0 {
		return 0
	}
	return Filetime(uint64(s)*1e7 + uint64(t.Nanosecond())/100)
}

// Time converts f to a time in UTC.
func (f Filetime) Time() time.Time {
	return time.Unix(int64(f/1e7)-filetimeUnix/1e7, int64(f%1e7)*100).UTC()
}

// String gives f as 2020-05-14T07:00:30.8914235Z, always 7 digits.
func (f Filetime) String() string { return string(f.Append(nil)) }

// Append appends what String returns.
func (f Filetime) Append(dst []byte) []byte { return appendFiletime(dst, uint64(f)) }

// appendHexInt appends v as Windows writes hexadecimal integers.
func appendHexInt(dst []byte, v uint64) []byte {
	return strconv.AppendUint(append(dst, '0', 'x'), v, 16)
}
