package source

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
)

// zipEntry is a member as a zip archive's directory, or the header before its
// bytes, tells of it.
type zipEntry struct {
	name     string
	method   uint16
	flags    uint16
	sum      uint32
	stored   int64
	size     int64
	modTime  time.Time
	offset   func() (int64, error) // of its bytes
	special  bool                  // a directory or link
	unknown  bool                  // sum and size are not known
	reaching int64                 // bytes the archive should have for it beyond its end
}

// zipMethods are the compression methods read here (APPNOTE.TXT 4.4.5).
var zipMethods = map[uint16]string{0: "", 8: "deflate", 12: "bzip2", 93: "zstd", 95: "xz"}

var zipMethodNames = map[uint16]string{1: "Shrink", 6: "Implode", 9: "Deflate64", 14: "LZMA", 19: "LZ77", 97: "WavPack", 98: "PPMd"}

// zip lists the members of n, a zip archive. One that lies in no file as it is
// goes to the temporary file first, since its directory comes last.
func (x *expansion) zip(n *node, live *stream) error {
	where := n.section
	told := false
	if where == nil {
		x.whole = true
		o, fault, err := x.evidence.addSpool(live, x.evidence.options.MaxSpool)
		switch {
		case x.ctx.Err() != nil:
			return x.ctx.Err()
		case err != nil:
			return err
		case fault == errSpoolFull:
			x.report(n.problem(Limit, fmt.Sprintf("a zip archive of more than %d bytes inside a compressed stream", x.evidence.options.MaxSpool), "unpack it first", nil))
			return nil
		case fault != nil:
			p, ok := fault.(*Problem)
			if !ok {
				return fault
			}
			x.report(p)
			told = true
		}
		where = &section{o, 0, o.size, o.size}
	}
	if p := where.acquire(); p != nil {
		return p
	}
	defer where.release()

	o := &x.evidence.options
	entries, err := readZip(where, o.MaxMembers)
	if err == errDirectoryFull {
		x.report(n.problem(Limit, fmt.Sprintf("the zip archive's directory is larger than %d members need: not read", o.MaxMembers), "raise the limit on members, or unpack it first", nil))
		return nil
	}
	if err != nil {
		entries = salvageZip(where, o.MaxMembers)
		if !told && (len(entries) == 0 || entries[len(entries)-1].reaching == 0) {
			x.report(n.problem(Truncated, fmt.Sprintf("the zip archive has no readable directory at its end (%v)", strings.TrimPrefix(err.Error(), "zip: ")),
				fmt.Sprintf("the %d members found from the start were read; get a complete copy", len(entries)), err))
		}
	}
	return x.zipEntries(n, where, entries)
}

func (x *expansion) zipEntries(n *node, where *section, entries []zipEntry) error {
	o := &x.evidence.options
	var sum int64
	for _, e := range entries {
		sum += max(min(e.size, 1<<50), 0)
	}
	if sum > o.FreeSize && sum/max(where.size, 1) > o.MaxRatio {
		x.report(n.problem(Limit, fmt.Sprintf("the zip archive expands to %d bytes, more than %d times its size: taken for a decompression bomb and not read", sum, o.MaxRatio),
			"raise the ratio limit if the file is trusted", nil))
		return nil
	}
	var locked, files int
	methods := make(map[string]int)
	for _, e := range entries {
		if e.special {
			continue
		}
		files++
		method, known := zipMethods[e.method]
		switch {
		case e.flags&1 != 0 || e.method == 99: // 99: AE-x encryption
			locked++
			continue
		case !known:
			name := zipMethodNames[e.method]
			if name == "" {
				name = fmt.Sprintf("number %d", e.method)
			}
			methods[name]++
			continue
		}
		if !x.pass(n, e.size) {
			break
		}
		m := x.add(n, "zip", e.name)
		if err := x.zipMember(m, where, e, method); err != nil {
			return err
		}
	}
	if locked > 0 {
		x.report(n.problem(Encrypted, fmt.Sprintf("%d of %d members of the zip archive are password-protected and were not read", locked, files),
			"unpack it with its password first", nil))
	}
	for _, name := range slices.Sorted(maps.Keys(methods)) {
		x.report(n.problem(Unsupported, fmt.Sprintf("%d of %d members of the zip archive use the compression method %s and were not read", methods[name], files, name),
			"unpack it first", nil))
	}
	return nil
}

func (x *expansion) zipMember(m *node, where *section, e zipEntry, method string) error {
	m.size, m.stored = e.size, e.stored
	if !e.modTime.IsZero() {
		m.modTime, m.modTimeFrom = e.modTime.UTC(), "zip"
	}
	off, err := e.offset()
	if err != nil {
		x.report(m.problem(Corrupt, "the zip archive's directory points to no such member", "get a complete copy", err))
		return nil
	}
	off = max(min(off, where.size), 0)
	left := min(max(e.stored, 0), where.size-off)
	raw := section{where.outer, where.off + off, left, left + e.reaching}
	if left < e.stored {
		raw.want = e.stored
	}
	m.open = func(ctx context.Context) (*stream, error) {
		if p := raw.acquire(); p != nil {
			return nil, p
		}
		s := newStream(ctx, m, &sectionReader{ctx: ctx, section: raw}, nil, raw.release)
		if method != "" {
			s, _ = m.decompress(ctx, method, s)
		}
		if e.unknown {
			return s, nil
		}
		under := s
		return newStream(ctx, m, newChecked(under, e.size, e.sum), under, func() { under.Close() }), nil
	}
	if method == "" {
		m.section = &raw
	}
	s, err := m.open(x.ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	return x.expand(m, s, false)
}

// readZip reads the directory at the end of the archive.
func readZip(where *section, maxMembers int) ([]zipEntry, error) {
	bounded := &boundedAt{where, int64(maxMembers)*zipDirectoryRecord + 1<<20}
	r, err := zip.NewReader(bounded, where.size)
	if bounded.left < 0 {
		return nil, errDirectoryFull
	}
	bounded.left = math.MaxInt64
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) { // names are only shown
		return nil, err
	}
	entries := make([]zipEntry, 0, len(r.File))
	for _, f := range r.File {
		e := zipEntry{name: f.Name, method: f.Method, flags: f.Flags, sum: f.CRC32, modTime: f.Modified, offset: f.DataOffset,
			special: strings.HasSuffix(f.Name, "/") || !f.Mode().IsRegular()}
		e.stored = int64(min(f.CompressedSize64, 1<<62))
		e.size = int64(min(f.UncompressedSize64, 1<<62))
		entries = append(entries, e)
	}
	return entries, nil
}

// zipDirectoryRecord is the room a member may take on average in the
// directory, which the library reads whole into memory.
const zipDirectoryRecord = 256

var errDirectoryFull = errors.New("directory too large")

type boundedAt struct {
	io.ReaderAt
	left int64
}

func (b *boundedAt) ReadAt(p []byte, off int64) (int, error) {
	if b.left -= int64(len(p)); b.left < 0 {
		return 0, errDirectoryFull
	}
	return b.ReaderAt.ReadAt(p, off)
}

const zipLocalHeader = 0x04034b50

var zipDescriptor = []byte("PK\x07\x08")

// salvageZip finds the members of an archive without directory by the headers
// that stand before their bytes (APPNOTE.TXT 4.3.7). A member of unknown
// length ends where its descriptor does (4.3.9), which is searched for.
func salvageZip(where *section, maxMembers int) []zipEntry {
	var entries []zipEntry
	var h [30]byte
	for pos := int64(0); len(entries) <= maxMembers; {
		if n, _ := where.ReadAt(h[:], pos); n < len(h) || binary.LittleEndian.Uint32(h[:]) != zipLocalHeader {
			return entries
		}
		u16 := func(i int) uint16 { return binary.LittleEndian.Uint16(h[i:]) }
		u32 := func(i int) uint32 { return binary.LittleEndian.Uint32(h[i:]) }
		rest := make([]byte, int(u16(26))+int(u16(28)))
		if n, _ := where.ReadAt(rest, pos+30); n < len(rest) {
			return entries
		}
		e := zipEntry{name: string(rest[:u16(26)]), flags: u16(6), method: u16(8), sum: u32(14), stored: int64(u32(18)), size: int64(u32(22)), modTime: dosTime(u16(12), u16(10))}
		e.special = strings.HasSuffix(e.name, "/")
		zip64Sizes(&e, rest[u16(26):])
		data := pos + 30 + int64(len(rest))
		e.offset = func() (int64, error) { return data, nil }
		pos = data + e.stored
		if e.flags&8 != 0 && e.stored == 0 {
			e.stored, pos = findDescriptor(where, data)
			e.size, e.unknown = -1, true
		}
		if pos > where.size || pos < data {
			e.reaching = max(pos-where.size, 1)
			pos = where.size
			e.stored = where.size - data
		}
		entries = append(entries, e)
	}
	return entries
}

// zip64Sizes takes the sizes from the extra field where the header says so
// (APPNOTE.TXT 4.5.3).
func zip64Sizes(e *zipEntry, extra []byte) {
	for len(extra) >= 4 {
		id, size := binary.LittleEndian.Uint16(extra), int(binary.LittleEndian.Uint16(extra[2:]))
		if extra = extra[4:]; size > len(extra) {
			return
		}
		field := extra[:size]
		extra = extra[size:]
		if id != 1 {
			continue
		}
		if e.size == 0xffffffff && len(field) >= 8 {
			e.size = int64(binary.LittleEndian.Uint64(field) & (1<<62 - 1))
			field = field[8:]
		}
		if e.stored == 0xffffffff && len(field) >= 8 {
			e.stored = int64(binary.LittleEndian.Uint64(field) & (1<<62 - 1))
		}
	}
}

// findDescriptor returns the length of the member whose bytes begin at data,
// and where the next header is: after the descriptor whose length field agrees
// with its place, 12 bytes of fields long or 20 in zip64.
func findDescriptor(where *section, data int64) (stored, next int64) {
	buf := make([]byte, 64<<10)
	for pos := data; ; {
		n, err := where.ReadAt(buf, pos)
		i := bytes.Index(buf[:n], zipDescriptor)
		switch {
		case i < 0 && err == nil:
			pos += int64(n - len(zipDescriptor) + 1)
			continue
		case i < 0 || i+16 > n && err != nil:
			return where.size - data, where.size + 1
		case i > 0 && i+24 > n && err == nil:
			pos += int64(i) // again, with all of it in the buffer
			continue
		}
		length := pos + int64(i) - data
		if int64(binary.LittleEndian.Uint32(buf[i+8:])) == length {
			return length, data + length + 16
		}
		if i+24 <= n && int64(binary.LittleEndian.Uint64(buf[i+8:])) == length {
			return length, data + length + 24
		}
		pos += int64(i + 1)
	}
}

// dosTime reads the two-second local time of old headers, as UTC for want of
// a zone.
func dosTime(date, clock uint16) time.Time {
	if date == 0 {
		return time.Time{}
	}
	return time.Date(int(date>>9)+1980, time.Month(date>>5&0xf), int(date&0x1f), int(clock>>11), int(clock>>5&0x3f), int(clock&0x1f)*2, 0, time.UTC)
}
