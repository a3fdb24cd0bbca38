package collect

import (
	"encoding/binary"

	"github.com/sextant-logs/sextant/internal/capture"
)

// bpfPackets calls fn with the packets of what a read from a BSD packet filter
// gave: each behind a header with two times four bytes of time, its length as captured
// and on the wire, and the header's own length; aligned to four bytes (bpf(4) of
// macOS).
func bpfPackets(buf []byte, link int, fn func(*capture.Packet)) {
	const header = 18
	for len(buf) >= header {
		u32 := func(at int) int { return int(binary.NativeEndian.Uint32(buf[at:])) }
		captured, wire, head := u32(8), u32(12), int(binary.NativeEndian.Uint16(buf[16:]))
		if head < header || captured < 0 || head+captured > len(buf) {
			return
		}
		fn(&capture.Packet{Time: int64(u32(0))*1e9 + int64(u32(4))*1e3, Data: buf[head : head+captured], Wire: wire, Link: link})
		next := (head + captured + 3) &^ 3
		if next >= len(buf) {
			return
		}
		buf = buf[next:]
	}
}
