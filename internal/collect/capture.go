package collect

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"time"

	"github.com/sextant-logs/sextant/internal/capture"
	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/spool"
)

// A network card as a sensor: its packets become flows, DNS and HTTP exchanges
// and TLS handshakes (see package capture). What a card sees and the sensor cannot
// keep up with, the kernel counts as dropped. Flows are only in memory until they
// end: one that lasts is told of when it ends, and lost with the process.
var _ = register("capture", "packets of a network card, as flows, DNS, HTTP, TLS: capture://eth0, capture://any; ?promiscuous=0&buffer=64 (MiB)", newCapture)

// sniffer gives the packets of a card.
type sniffer interface {
	// read must call fn with packets that are there, or wait for some, a second at
	// most. fn keeps nothing of them.
	read(fn func(p *capture.Packet)) error

	// dropped must return how many packets the kernel has dropped since it was
	// asked last.
	dropped() int64

	close()
}

// sniffOptions say how to open a card.
type sniffOptions struct {
	device      string // "any": all
	promiscuous bool
	buffer      int // bytes in the kernel
}

type sensor struct {
	url    *url.URL
	o      Options
	sniff  sniffOptions
	engine *capture.Engine
	card   sniffer
	batch  event.Batch
	fields []spool.Field
	told   time.Time // of drops
	seen   int64     // packets
}

const (
	sensorEvents = 1024 // handed over at the latest
	sensorEvery  = time.Second
)

func newCapture(u *url.URL, o Options) (Collector, error) {
	c := &sensor{url: u, o: o, engine: capture.NewEngine(capture.Options{}), sniff: sniffOptions{device: u.Host, promiscuous: true, buffer: 64 << 20}}
	if c.sniff.device == "" {
		return nil, errors.New("--listen capture://: which network card? capture://eth0, or capture://any")
	}
	q := u.Query()
	switch q.Get("promiscuous") {
	case "", "1":
	case "0":
		c.sniff.promiscuous = false
	default:
		return nil, fmt.Errorf("--listen capture://%s: promiscuous=%s: want 0 or 1", u.Host, q.Get("promiscuous"))
	}
	if s := q.Get("buffer"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > 4096 {
			return nil, fmt.Errorf("--listen capture://%s: buffer=%s: want 1 to 4096 (MiB)", u.Host, s)
		}
		c.sniff.buffer = n << 20
	}
	c.fields = []spool.Field{{Name: "observer.ingress.interface.name", Value: u.Host}, {Name: "observer.type", Value: "sensor"}}
	if host, err := os.Hostname(); err == nil {
		c.fields = append(c.fields, spool.Field{Name: "observer.hostname", Value: host})
	}
	return c, nil
}

// Name implements Collector.
func (c *sensor) Name() string { return "capture://" + c.sniff.device }

// Listen implements Collector.
func (c *sensor) Listen(context.Context) (err error) {
	c.card, err = openSniffer(c.sniff)
	return err
}

// Run implements Collector.
func (c *sensor) Run(ctx context.Context, sink Sink) error {
	for ctx.Err() == nil {
		if c.card == nil && !c.again(ctx) {
			continue
		}
		if err := c.sense(ctx, sink); err != nil {
			if errors.Is(err, spool.ErrClosed) {
				break
			}
			c.o.Stats.Errors.Add(1)
			c.o.Log.Warn("the network card cannot be read; it is tried again", "error", err)
			c.card.close()
			c.card = nil
		}
	}
	if c.card != nil {
		c.card.close()
	}
	for more := true; more; {
		more = c.engine.Flush(&c.batch, sensorEvents)
		if err := c.hand(ctx, sink); err != nil {
			return nil // the spool is closed; the flows had not ended
		}
	}
	return nil
}

// again tries to open a card that went away.
func (c *sensor) again(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(2 * time.Second):
	}
	card, err := openSniffer(c.sniff)
	if err != nil {
		return false
	}
	c.card = card
	return true
}

// sense reads packets and hands events over, until something fails or ctx ends.
func (c *sensor) sense(ctx context.Context, sink Sink) error {
	handed := time.Now()
	packet := func(p *capture.Packet) {
		c.seen++
		p.Offset = c.seen
		_ = c.engine.Packet(&c.batch, p) // what belongs to no flow is nobody's fault
	}
	for ctx.Err() == nil {
		if err := c.card.read(packet); err != nil {
			return err
		}
		now := time.Now()
		if len(c.batch.Events) < sensorEvents && now.Sub(handed) < sensorEvery {
			continue
		}
		handed = now
		c.engine.Advance(&c.batch, now.UnixNano())
		c.o.Stats.Connections.Store(int64(c.engine.Flows()))
		if n := c.card.dropped(); n > 0 {
			c.o.Stats.Lost.Add(n)
			if now.Sub(c.told) > time.Minute {
				c.told = now
				c.o.Log.Warn("packets come faster than they can be followed", "dropped", c.o.Stats.Lost.Load())
			}
		}
		if err := c.hand(ctx, sink); err != nil {
			return err
		}
	}
	return nil
}

// hand gives the events of the batch to the sink.
func (c *sensor) hand(ctx context.Context, sink Sink) error {
	if len(c.batch.Events) == 0 {
		return nil
	}
	defer c.batch.Reset()
	d := &spool.Delivery{Collector: c.Name(), Format: "json", Received: time.Now().UnixNano()}
	size := 0
	for i := range c.batch.Events {
		e := &c.batch.Events[i]
		fs := append([]event.Field{{Name: "@timestamp", Value: e.Timestamp().Format(time.RFC3339Nano)}, {Name: "ecs.version", Value: "8.11.0"}}, e.Fields...)
		if !e.Has("message") {
			fs = append(fs, event.Field{Name: "message", Value: e.Raw})
		}
		doc := event.AppendFieldsJSON(nil, fs)
		if size += len(doc) + 300; size > spool.MaxDelivery/2 {
			if err := deliver(context.WithoutCancel(ctx), sink, c.o.Stats, d); err != nil {
				return err
			}
			d = &spool.Delivery{Collector: d.Collector, Format: d.Format, Received: d.Received}
			size = len(doc)
		}
		d.Records = append(d.Records, spool.Record{Data: doc, Fields: c.fields})
	}
	return deliver(context.WithoutCancel(ctx), sink, c.o.Stats, d)
}
