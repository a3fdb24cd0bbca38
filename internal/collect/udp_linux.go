package collect

import (
	"bytes"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"
)

// packetReader reads many datagrams with one system call (recvmmsg).
type packetReader struct {
	conn *net.UDPConn
	p    *ipv4.PacketConn
	ms   []ipv4.Message
}

const (
	packets     = 256
	packetBytes = 64 << 10
)

func newPacketReader(conn *net.UDPConn) *packetReader {
	r := &packetReader{conn: conn, p: ipv4.NewPacketConn(conn), ms: make([]ipv4.Message, packets)}
	slab := make([]byte, packets*packetBytes)
	for i := range r.ms {
		r.ms[i].Buffers = [][]byte{slab[i*packetBytes : (i+1)*packetBytes]}
	}
	return r
}

// read waits for datagrams, a second at most, and returns copies of those that are there.
func (r *packetReader) read() ([]datagram, error) {
	_ = r.conn.SetReadDeadline(time.Now().Add(time.Second))
	n, err := r.p.ReadBatch(r.ms, 0)
	if n <= 0 {
		return nil, err
	}
	size := 0
	for i := range r.ms[:n] {
		size += r.ms[i].N
	}
	slab := make([]byte, 0, size)
	out := make([]datagram, n)
	for i := range r.ms[:n] {
		m := &r.ms[i]
		at := len(slab)
		slab = append(slab, m.Buffers[0][:m.N]...)
		out[i].data = slab[at:len(slab):len(slab)]
		if a, ok := m.Addr.(*net.UDPAddr); ok {
			out[i].peer = netip.AddrPortFrom(a.AddrPort().Addr().Unmap(), a.AddrPort().Port())
		}
	}
	return out, err
}

// bigBuffer asks for a large receive buffer, beyond rmem_max where we may.
func bigBuffer(conn *net.UDPConn, size int) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		if syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, unix.SO_RCVBUFFORCE, size) != nil {
			_ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, size)
		}
	})
}

// kernelDrops is the kernel's count of datagrams dropped for this socket, from
// the last column of /proc/net/udp and udp6.
func kernelDrops(conn *net.UDPConn, inode *string) (int64, bool) {
	if *inode == "" {
		raw, err := conn.SyscallConn()
		if err != nil {
			return 0, false
		}
		_ = raw.Control(func(fd uintptr) {
			var st unix.Stat_t
			if unix.Fstat(int(fd), &st) == nil {
				*inode = strconv.FormatUint(st.Ino, 10)
			}
		})
	}
	for _, path := range []string{"/proc/net/udp", "/proc/net/udp6"} {
		data, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		for line := range bytes.Lines(data) {
			f := strings.Fields(string(line))
			if len(f) >= 13 && f[9] == *inode {
				n, err := strconv.ParseInt(f[len(f)-1], 10, 64)
				return n, err == nil
			}
		}
	}
	return 0, false
}
