package source

import (
	"bytes"
	"encoding/binary"
)

// sniffSize is how many first bytes decide what a stream is. A tar header is
// 512; the rest lets a leading skippable frame of zstd or lz4 be stepped over.
const sniffSize = 4096

// sniff names the compression or archive that head, the first bytes of a
// stream, begins: "gzip", "bzip2", "xz", "zstd", "lz4", "tar", "zip", or ""
// for content. Names of files play no part.
func sniff(head []byte) string {
	switch {
	case len(head) >= 4 && head[0] == 0x1f && head[1] == 0x8b && head[2] == 8 && head[3]&0xe0 == 0:
		return "gzip" // RFC 1952 §2.3.1
	case len(head) >= 10 && head[0] == 'B' && head[1] == 'Z' && head[2] == 'h' && '1' <= head[3] && head[3] <= '9' &&
		(bytes.Equal(head[4:10], []byte("\x31\x41\x59\x26\x53\x59")) || bytes.Equal(head[4:10], []byte("\x17\x72\x45\x38\x50\x90"))):
		return "bzip2"
	case bytes.HasPrefix(head, []byte("\xfd7zXZ\x00")):
		return "xz"
	case bytes.HasPrefix(head, []byte("PK\x03\x04")), bytes.HasPrefix(head, []byte("PK\x05\x06")),
		bytes.HasPrefix(head, []byte("PK\x07\x08PK\x03\x04")), bytes.HasPrefix(head, []byte("PK00PK\x03\x04")):
		return "zip" // APPNOTE.TXT 4.3.7, 4.3.16, 8.5.3, 8.5.4
	case isTar(head):
		return "tar"
	}
	return sniffFrames(head)
}

// sniffFrames tells zstd from lz4, whose skippable frames share their magic
// numbers (RFC 8878 §3.1.2, lz4 frame format): the first real frame decides.
// pzstd begins every file with a skippable one.
func sniffFrames(head []byte) string {
	for len(head) >= 4 {
		magic := binary.LittleEndian.Uint32(head)
		switch {
		case magic == 0xfd2fb528:
			return "zstd"
		case magic == 0x184d2204, magic == 0x184c2102: // frame, legacy frame
			return "lz4"
		case magic&^0xf != 0x184d2a50 || len(head) < 8:
			return ""
		}
		skip := uint64(binary.LittleEndian.Uint32(head[4:])) + 8
		if skip > uint64(len(head)) {
			return ""
		}
		head = head[skip:]
	}
	return ""
}

// isTar checks the header checksum (POSIX.1-1988 ustar; the unsigned sum, and
// the signed one of some old writers), so that v7 archives, which have no
// magic, count too.
func isTar(head []byte) bool {
	if len(head) < 512 || head[0] == 0 {
		return false
	}
	field := bytes.Trim(head[148:156], " \x00")
	if len(field) == 0 {
		return false
	}
	var want int64
	for _, c := range field {
		if c < '0' || c > '7' {
			return false
		}
		want = want<<3 | int64(c-'0')
	}
	var unsigned, signed int64
	for i, c := range head[:512] {
		if 148 <= i && i < 156 {
			c = ' '
		}
		unsigned += int64(c)
		signed += int64(int8(c))
	}
	return want == unsigned || want == signed
}

// sniffForeign names a container that is not opened here, or "". Such a file
// is refused with that name rather than passed on as binary junk.
func sniffForeign(head []byte) string {
	for _, f := range []struct{ magic, name string }{
		{"7z\xbc\xaf\x27\x1c", "7-Zip archive"},
		{"Rar!\x1a\x07", "RAR archive"},
		{"MSCF\x00\x00\x00\x00", "cabinet archive"},
		{"LZIP\x01", "lzip file"},
		{"!<arch>\n", "ar archive"},
		{"EVF\x09\x0d\x0a\xff\x00", "EnCase disk image"},
		{"QFI\xfb", "QCOW disk image"},
		{"KDMV", "VMDK disk image"},
	} {
		if bytes.HasPrefix(head, []byte(f.magic)) {
			return f.name
		}
	}
	// compress(1): magic, then flags of which two bits are reserved and five
	// hold the code width, 9 to 16.
	if len(head) > 3 && head[0] == 0x1f && head[1] == 0x9d && head[2]&0x60 == 0 && head[2]&0x1f >= 9 && head[2]&0x1f <= 16 {
		return "compress (.Z) file"
	}
	return ""
}

// suffixes are the name endings that go with a compression, longest first.
// They are taken off only where that compression was found.
var suffixes = map[string][]string{
	"gzip":  {".gzip", ".gz"},
	"bzip2": {".bzip2", ".bz2", ".bz"},
	"xz":    {".xz"},
	"zstd":  {".zstd", ".zst"},
	"lz4":   {".lz4"},
}
