package server

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"os"
	"strconv"
	"strings"
)

// peerUID is the user whose program on this machine is at the other end of a
// TCP connection, from the kernel's tables (proc_net_tcp.txt); false when they
// do not say.
func peerUID(remote, local netip.AddrPort) (uid int, ok bool) {
	for _, path := range []string{"/proc/self/net/tcp", "/proc/self/net/tcp6"} {
		data, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		for line := range bytes.Lines(data) {
			f := strings.Fields(string(line))
			if len(f) < 8 {
				continue
			}
			a, okA := procAddress(f[1])
			b, okB := procAddress(f[2])
			if !okA || !okB || a != remote || b != local {
				continue
			}
			uid, err := strconv.Atoi(f[7])
			return uid, err == nil
		}
	}
	return 0, false
}

// procAddress reads an address as the kernel prints it: words of 32 bits in the
// machine's order, hexadecimal.
func procAddress(s string) (netip.AddrPort, bool) {
	host, port, _ := strings.Cut(s, ":")
	raw, err := hex.DecodeString(host)
	p, err2 := strconv.ParseUint(port, 16, 16)
	if err != nil || err2 != nil || len(raw)%4 != 0 {
		return netip.AddrPort{}, false
	}
	if littleEndian {
		for i := 0; i < len(raw); i += 4 {
			raw[i], raw[i+1], raw[i+2], raw[i+3] = raw[i+3], raw[i+2], raw[i+1], raw[i]
		}
	}
	a, ok := netip.AddrFromSlice(raw)
	return netip.AddrPortFrom(a.Unmap(), uint16(p)), ok
}

var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1
