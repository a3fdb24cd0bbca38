package collect

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"time"

	"github.com/sextant-logs/sextant/internal/spool"
)

// Syslog over UDP (RFC 5426): one message a datagram. What comes faster than it
// can be kept the kernel drops; its counter is read and shown.
var (
	_ = register("syslog+udp", "syslog over UDP (RFC 5426; RFC 5424 and 3164)", newSyslogUDP)
	_ = register("lines+udp", "lines of JSON or of any known format over UDP: Logstash's udp output", newLinesUDP)
)

func newLinesUDP(u *url.URL, o Options) (Collector, error) {
	return &datagrams{url: u, o: o, receive: cutRecords}, nil
}

func newSyslogUDP(u *url.URL, o Options) (Collector, error) {
	return &datagrams{url: u, o: o, receive: func(p []byte) []spool.Record {
		if p = trimMessage(p); len(p) == 0 {
			return nil
		}
		return []spool.Record{{Data: p}}
	}, format: "syslog"}, nil
}

// datagrams is a collector of a protocol over UDP. A second goroutine keeps
// reading while the first waits for the disk.
type datagrams struct {
	url     *url.URL
	o       Options
	format  string
	receive func(p []byte) []spool.Record // makes records of a datagram, which is its own
	peered  func(p []byte, peer netip.AddrPort) []spool.Record
	begin   func(Sink)                  // nil, or told of the sink before the first datagram
	mark    func(netip.Addr) spool.Mark // nil, or the mark of a delivery

	conn *net.UDPConn
}

const (
	socketBuffer = 16 << 20 // asked for; the kernel gives net.core.rmem_max at most
	maxWaiting   = 64 << 10 // datagrams read and not yet handed over
)

func (c *datagrams) Name() string {
	if c.conn == nil {
		return baseURL(c.url, nil)
	}
	return baseURL(c.url, c.conn.LocalAddr())
}

func (c *datagrams) Listen(ctx context.Context) error {
	var lc net.ListenConfig
	conn, err := lc.ListenPacket(ctx, "udp", c.url.Host)
	if err != nil {
		return fmt.Errorf("%s://%s: %w", c.url.Scheme, c.url.Host, err)
	}
	c.conn = conn.(*net.UDPConn)
	bigBuffer(c.conn, socketBuffer)
	return nil
}

type datagram struct {
	data []byte
	peer netip.AddrPort
}

func (c *datagrams) Run(ctx context.Context, sink Sink) error {
	if c.begin != nil {
		c.begin(sink)
	}
	waiting := make(chan []datagram, 64)
	go func() {
		defer close(waiting)
		c.read(ctx, waiting)
	}()
	stop := context.AfterFunc(ctx, func() { c.conn.SetReadDeadline(time.Now()) })
	defer stop()
	defer c.conn.Close()
	var result error
	for first := range waiting {
		group := [][]datagram{first}
	gather:
		for len(group) < 64 {
			select {
			case more, ok := <-waiting:
				if !ok {
					break gather
				}
				group = append(group, more)
			default:
				break gather
			}
		}
		ds := c.deliveries(group)
		// A datagram cannot be asked for again, so failures of the sink are sat out.
		for pause := 10 * time.Millisecond; len(ds) > 0; pause = min(2*pause, time.Second) {
			err := deliver(context.WithoutCancel(ctx), sink, c.o.Stats, ds...)
			if err == nil {
				break
			}
			if errors.Is(err, spool.ErrClosed) || ctx.Err() != nil && pause >= time.Second {
				result = err
				break
			}
			c.o.Log.Warn("cannot keep what arrives", "listener", c.Name(), "error", err)
			time.Sleep(pause)
		}
	}
	return result
}

// read fills batches of datagrams until ctx ends.
func (c *datagrams) read(ctx context.Context, waiting chan<- []datagram) {
	r := newPacketReader(c.conn)
	var inode string
	lastDrops := int64(-1)
	checked := time.Time{}
	for {
		batch, err := r.read()
		if len(batch) > 0 {
			waiting <- batch
		}
		if time.Since(checked) > time.Second {
			checked = time.Now()
			if n, ok := kernelDrops(c.conn, &inode); ok {
				if lastDrops >= 0 && n > lastDrops {
					c.o.Stats.Lost.Add(n - lastDrops)
				}
				lastDrops = n
			}
		}
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return
			}
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				c.o.Stats.Errors.Add(1)
			}
		}
	}
}

// deliveries groups datagrams by who sent them, in order.
func (c *datagrams) deliveries(group [][]datagram) []*spool.Delivery {
	now := time.Now().UnixNano()
	var ds []*spool.Delivery
	of := map[netip.Addr]*spool.Delivery{}
	for _, batch := range group {
		for _, g := range batch {
			var records []spool.Record
			if c.peered != nil {
				records = c.peered(g.data, g.peer)
			} else {
				records = c.receive(g.data)
			}
			if len(records) == 0 && c.mark == nil {
				continue
			}
			addr := g.peer.Addr().Unmap()
			d := of[addr]
			if d == nil {
				d = &spool.Delivery{Collector: c.Name(), Peer: addr.String(), Format: c.format, Received: now}
				of[addr] = d
				ds = append(ds, d)
			}
			d.Records = append(d.Records, records...)
			if c.mark != nil {
				if m := c.mark(addr); m.Name != "" {
					d.Mark = m
				}
			}
		}
	}
	return ds
}
