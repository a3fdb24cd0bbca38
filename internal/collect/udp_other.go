//go:build !linux

package collect

import (
	"net"
	"net/netip"
	"time"
)

type packetReader struct {
	conn *net.UDPConn
	buf  []byte
}

func newPacketReader(conn *net.UDPConn) *packetReader {
	return &packetReader{conn: conn, buf: make([]byte, 64<<10)}
}

// read waits for a datagram, a second at most, and takes those that follow
// without a pause.
func (r *packetReader) read() ([]datagram, error) {
	var out []datagram
	wait := time.Second
	for len(out) < 256 {
		_ = r.conn.SetReadDeadline(time.Now().Add(wait))
		n, peer, err := r.conn.ReadFromUDPAddrPort(r.buf)
		if err != nil {
			if len(out) > 0 {
				err = nil
			}
			return out, err
		}
		out = append(out, datagram{append([]byte(nil), r.buf[:n]...), netip.AddrPortFrom(peer.Addr().Unmap(), peer.Port())})
		wait = time.Millisecond
	}
	return out, nil
}

func bigBuffer(conn *net.UDPConn, size int) { _ = conn.SetReadBuffer(size) }

// kernelDrops is not known here.
func kernelDrops(*net.UDPConn, *string) (int64, bool) { return 0, false }
