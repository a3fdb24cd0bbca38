package collect

import (
	"encoding/binary"
	"testing"

	"github.com/sextant-logs/sextant/internal/capture"
)

func bpfRecord(sec, usec uint32, wire int, data string) []byte {
	var p []byte
	for _, v := range []uint32{sec, usec, uint32(len(data)), uint32(wire)} {
		p = binary.NativeEndian.AppendUint32(p, v)
	}
	p = append(binary.NativeEndian.AppendUint16(p, 20), 0, 0)
	p = append(p, data...)
	for len(p)%4 != 0 {
		p = append(p, 0)
	}
	return p
}

func TestAReadFromThePacketFilterHoldsSeveralPackets(t *testing.T) {
	buf := append(bpfRecord(7, 5, 100, "abcde"), bpfRecord(8, 0, 3, "xyz")...)
	var got []capture.Packet
	bpfPackets(buf, 1, func(p *capture.Packet) { got = append(got, *p) })
	if len(got) != 2 || got[0].Time != 7_000_005_000 || string(got[0].Data) != "abcde" || got[0].Wire != 100 || string(got[1].Data) != "xyz" {
		t.Errorf("%+v", got)
	}
}

func FuzzBPFPackets(f *testing.F) {
	f.Add(append(bpfRecord(7, 5, 100, "abcde"), bpfRecord(8, 0, 3, "xyz")...))
	f.Fuzz(func(t *testing.T, buf []byte) {
		n := 0
		bpfPackets(buf, 1, func(p *capture.Packet) { n += len(p.Data) })
		if n > len(buf) {
			t.Error("more than there is")
		}
	})
}
