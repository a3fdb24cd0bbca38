package collect

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sextant-logs/sextant/internal/capture"
)

// Link types of https://www.tcpdump.org/linktypes.html.
const (
	linkEthernet = 1
	linkRaw      = 101
	linkSLL2     = 276
)

// ring is a packet socket with a ring of blocks that it shares with the kernel
// (TPACKET_V3): one system call for a block of packets, none while they keep coming.
//
// Source: the kernel's Documentation/networking/packet_mmap.rst.
type ring struct {
	fd       int
	mem      []byte
	block    int // the next
	blocks   int
	link     int
	loopback bool // a packet is seen there on its way out and on its way in
	scratch  []byte
}

const (
	blockBytes  = 1 << 20
	blockRetire = 100 // ms until a block that is not full is ours

	// Offsets in struct tpacket_block_desc and struct tpacket3_hdr.
	blockStatus, blockPackets, blockFirst               = 8, 12, 16
	packetNext, packetSec, packetNsec                   = 0, 4, 8
	packetCaptured, packetLength, packetState, packetAt = 12, 16, 20, 24
	packetTag, packetTagType, packetAddress             = 32, 36, 48
)

func openSniffer(o sniffOptions) (sniffer, error) {
	r := &ring{fd: -1, link: linkEthernet}
	index, kind := 0, unix.SOCK_RAW
	if o.device == "any" {
		r.link, kind = linkSLL2, unix.SOCK_DGRAM
	} else {
		card, err := net.InterfaceByName(o.device)
		if err != nil {
			return nil, fmt.Errorf("capture://%s: no such network card; there are: %s", o.device, cards())
		}
		index = card.Index
		r.loopback = card.Flags&net.FlagLoopback != 0
		r.link = linkOf(o.device)
	}
	if err := r.open(index, kind, o); err != nil {
		r.close()
		if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
			self, _ := os.Executable()
			return nil, fmt.Errorf("capture://%s: packets may be read by root or with the capability CAP_NET_RAW: setcap cap_net_raw+ep %s", o.device, self)
		}
		return nil, fmt.Errorf("capture://%s: %w", o.device, err)
	}
	return r, nil
}

func cards() string {
	list, _ := net.Interfaces()
	var names []string
	for _, c := range list {
		names = append(names, c.Name)
	}
	return strings.Join(append(names, "any"), ", ")
}

// linkOf is the link type of a card: most have the header of Ethernet, tunnels
// none (linux/if_arp.h).
func linkOf(device string) int {
	data, err := os.ReadFile("/sys/class/net/" + device + "/type")
	if n, e := strconv.Atoi(strings.TrimSpace(string(data))); err == nil && e == nil {
		switch n {
		case 512, 519, 768, 769, 776, 778, 823, 65534: // PPP, raw IP, tunnels of IP in IP, GRE, none
			return linkRaw
		}
	}
	return linkEthernet
}

func (r *ring) open(index, kind int, o sniffOptions) (err error) {
	// Without a protocol nothing comes until it is bound.
	if r.fd, err = unix.Socket(unix.AF_PACKET, kind|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0); err != nil {
		return err
	}
	if err := unix.SetsockoptInt(r.fd, unix.SOL_PACKET, unix.PACKET_VERSION, unix.TPACKET_V3); err != nil {
		return err
	}
	r.blocks = max(2, o.buffer/blockBytes)
	request := &unix.TpacketReq3{Block_size: blockBytes, Block_nr: uint32(r.blocks), Frame_size: 2048, Frame_nr: uint32(r.blocks * blockBytes / 2048), Retire_blk_tov: blockRetire}
	if err := unix.SetsockoptTpacketReq3(r.fd, unix.SOL_PACKET, unix.PACKET_RX_RING, request); err != nil {
		return fmt.Errorf("a buffer of %d MiB: %w", r.blocks, err)
	}
	if r.mem, err = unix.Mmap(r.fd, 0, r.blocks*blockBytes, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED); err != nil {
		return err
	}
	var all [2]byte
	binary.BigEndian.PutUint16(all[:], unix.ETH_P_ALL)
	if err := unix.Bind(r.fd, &unix.SockaddrLinklayer{Protocol: binary.NativeEndian.Uint16(all[:]), Ifindex: index}); err != nil {
		return err
	}
	if o.promiscuous && index != 0 && !r.loopback {
		return unix.SetsockoptPacketMreq(r.fd, unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP, &unix.PacketMreq{Ifindex: int32(index), Type: unix.PACKET_MR_PROMISC})
	}
	return nil
}

func (r *ring) close() {
	if r.mem != nil {
		_ = unix.Munmap(r.mem)
		r.mem = nil
	}
	if r.fd >= 0 {
		unix.Close(r.fd)
		r.fd = -1
	}
}

func (r *ring) dropped() int64 {
	st, err := unix.GetsockoptTpacketStatsV3(r.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS)
	if err != nil {
		return 0
	}
	return int64(st.Drops)
}

// read implements sniffer.
func (r *ring) read(fn func(*capture.Packet)) error {
	for n := 0; ; n++ {
		block := r.mem[r.block*blockBytes : (r.block+1)*blockBytes]
		status := (*uint32)(unsafe.Pointer(&block[blockStatus]))
		if atomic.LoadUint32(status)&unix.TP_STATUS_USER != 0 {
			r.packets(block, fn)
			atomic.StoreUint32(status, unix.TP_STATUS_KERNEL)
			r.block = (r.block + 1) % r.blocks
			if n >= 4 { // others have things to do too
				return nil
			}
			continue
		}
		if n > 0 {
			return nil
		}
		fds := []unix.PollFd{{Fd: int32(r.fd), Events: unix.POLLIN | unix.POLLERR}}
		ready, err := unix.Poll(fds, 1000)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return err
		}
		if ready > 0 && fds[0].Revents&unix.POLLERR != 0 {
			code, err := unix.GetsockoptInt(r.fd, unix.SOL_SOCKET, unix.SO_ERROR)
			if err == nil && code != 0 {
				err = unix.Errno(code)
			}
			return err
		}
		if ready <= 0 {
			return nil
		}
	}
}

// packets calls fn with those of a block.
func (r *ring) packets(block []byte, fn func(*capture.Packet)) {
	u32 := func(at int) int { return int(binary.NativeEndian.Uint32(block[at:])) }
	at := u32(blockFirst)
	for range u32(blockPackets) {
		if at < 0 || at+packetAddress+20 > len(block) {
			return
		}
		r.packet(block[at:], fn)
		next := u32(at + packetNext)
		if next == 0 {
			return
		}
		at += next
	}
}

// packet calls fn with the packet behind a header.
func (r *ring) packet(h []byte, fn func(*capture.Packet)) {
	u32 := func(at int) int { return int(binary.NativeEndian.Uint32(h[at:])) }
	address := h[packetAddress : packetAddress+20] // struct sockaddr_ll
	if r.loopback && address[10] == unix.PACKET_OUTGOING {
		return
	}
	from := int(binary.NativeEndian.Uint16(h[packetAt:]))
	to := from + u32(packetCaptured)
	if from < packetAddress || to > len(h) || from > to {
		return
	}
	data, wire := h[from:to], u32(packetLength)
	tagged := u32(packetState)&unix.TP_STATUS_VLAN_VALID != 0
	switch {
	case r.link == linkSLL2:
		// https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL2.html
		r.scratch = append(r.scratch[:0], address[2], address[3], 0, 0)
		r.scratch = binary.BigEndian.AppendUint32(r.scratch, binary.NativeEndian.Uint32(address[4:]))
		r.scratch = binary.BigEndian.AppendUint16(r.scratch, binary.NativeEndian.Uint16(address[8:]))
		r.scratch = append(append(r.scratch, address[10], address[11]), address[12:20]...)
		data, wire = append(r.scratch, data...), wire+20
		r.scratch = data
	case tagged && r.link == linkEthernet && len(data) >= 12: // the kernel took the VLAN's tag off
		kind := binary.NativeEndian.Uint16(h[packetTagType:])
		if kind == 0 {
			kind = unix.ETH_P_8021Q
		}
		r.scratch = append(r.scratch[:0], data[:12]...)
		r.scratch = binary.BigEndian.AppendUint16(r.scratch, kind)
		r.scratch = binary.BigEndian.AppendUint16(r.scratch, uint16(u32(packetTag)))
		data, wire = append(r.scratch, data[12:]...), wire+4
		r.scratch = data
	}
	fn(&capture.Packet{Time: int64(u32(packetSec))*1e9 + int64(u32(packetNsec)), Data: data, Wire: wire, Link: r.link})
}
