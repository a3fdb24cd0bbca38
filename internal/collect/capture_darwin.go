package collect

import (
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/sextant-logs/sextant/internal/capture"
)

// bpfDevice is one of macOS's packet filters, bound to a card.
type bpfDevice struct {
	fd   int
	buf  []byte
	link int
	lost uint32
}

func openSniffer(o sniffOptions) (sniffer, error) {
	if o.device == "any" {
		return nil, errors.New("capture://any: on macOS name one network card: capture://en0")
	}
	d := &bpfDevice{fd: -1}
	var err error
	for i := range 256 {
		d.fd, err = syscall.Open(fmt.Sprintf("/dev/bpf%d", i), syscall.O_RDWR|syscall.O_CLOEXEC, 0)
		if !errors.Is(err, syscall.EBUSY) {
			break
		}
	}
	if errors.Is(err, syscall.EACCES) {
		return nil, fmt.Errorf("capture://%s: packets may be read by who may open /dev/bpf*: root, or the group that Wireshark's ChmodBPF gives them to", o.device)
	}
	if err == nil {
		err = d.open(o)
	}
	if err != nil {
		d.close()
		return nil, fmt.Errorf("capture://%s: %w", o.device, err)
	}
	return d, nil
}

func (d *bpfDevice) open(o sniffOptions) error {
	size, err := syscall.SetBpfBuflen(d.fd, min(o.buffer, 512<<10))
	if err != nil {
		return err
	}
	d.buf = make([]byte, size)
	if err := syscall.SetBpfInterface(d.fd, o.device); err != nil {
		return err
	}
	if err := syscall.SetBpfImmediate(d.fd, 1); err != nil {
		return err
	}
	if o.promiscuous {
		_ = syscall.SetBpfPromisc(d.fd, 1) // a card that cannot shows what is for us
	}
	wait := syscall.NsecToTimeval(int64(time.Second))
	if err := syscall.SetBpfTimeout(d.fd, &wait); err != nil {
		return err
	}
	d.link, err = syscall.BpfDatalink(d.fd)
	return err
}

func (d *bpfDevice) close() {
	if d.fd >= 0 {
		syscall.Close(d.fd)
		d.fd = -1
	}
}

func (d *bpfDevice) dropped() int64 {
	st, err := syscall.BpfStats(d.fd)
	if err != nil {
		return 0
	}
	n := st.Drop - d.lost // it counts on, round the end of its number
	d.lost = st.Drop
	return int64(n)
}

// read implements sniffer.
func (d *bpfDevice) read(fn func(*capture.Packet)) error {
	n, err := syscall.Read(d.fd, d.buf)
	if errors.Is(err, syscall.EINTR) || errors.Is(err, syscall.EAGAIN) {
		return nil
	}
	if err != nil {
		return err
	}
	bpfPackets(d.buf[:n], d.link, fn)
	return nil
}
