package collect

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/sextant-logs/sextant/internal/spool"
)

// The Windows event log of this machine, channel by channel, as XML. A channel's
// bookmark is kept with the events it stands behind, so that after a death reading
// goes on where the spool has everything, and an event that is read again is
// known by itself.
var _ = register("winlog", "the event log of this Windows machine: winlog:?channel=Security&channel=System; &query=XPATH, &from=now", newWinlog)

// eventLog is the Windows event log.
type eventLog interface {
	// subscribe must give the channel's events behind the bookmark; without one
	// from the oldest on, or those yet to come. It fails with errNoChannel for a channel
	// that is not there.
	subscribe(channel, query, bookmark string, oldest bool) (subscription, error)
}

// subscription is a place in a channel.
type subscription interface {
	// next must return events as XML, none if none comes within a second, and
	// the bookmark behind them.
	next() (events []string, bookmark string, err error)

	close()
}

var errNoChannel = errors.New("there is no such channel")

// usualChannels are read where none is named, as far as they are there.
var usualChannels = []string{
	"Security", "System", "Application", "Windows PowerShell", "Microsoft-Windows-Sysmon/Operational", "Microsoft-Windows-PowerShell/Operational",
	"Microsoft-Windows-TaskScheduler/Operational", "Microsoft-Windows-Windows Defender/Operational", "Microsoft-Windows-WinRM/Operational",
	"Microsoft-Windows-TerminalServices-LocalSessionManager/Operational", "Microsoft-Windows-TerminalServices-RemoteConnectionManager/Operational",
	"Microsoft-Windows-WMI-Activity/Operational", "Microsoft-Windows-Windows Firewall With Advanced Security/Firewall", "Microsoft-Windows-Bits-Client/Operational",
	"Microsoft-Windows-CodeIntegrity/Operational", "Microsoft-Windows-AppLocker/EXE and DLL", "Microsoft-Windows-SMBServer/Security",
}

type winlog struct {
	o        Options
	log      eventLog
	channels []string
	query    string
	oldest   bool
	pause    time.Duration
}

func newWinlog(u *url.URL, o Options) (Collector, error) {
	log, err := openEventLog()
	if err != nil {
		return nil, err
	}
	return winlogOf(u, o, log)
}

func winlogOf(u *url.URL, o Options, log eventLog) (*winlog, error) {
	q := u.Query()
	c := &winlog{o: o, log: log, query: q.Get("query"), oldest: true, pause: 2 * time.Second}
	if c.query == "" {
		c.query = "*"
	}
	switch q.Get("from") {
	case "", "oldest":
	case "now":
		c.oldest = false
	default:
		return nil, fmt.Errorf("--listen winlog: from=%s: want oldest or now", q.Get("from"))
	}
	for _, list := range q["channel"] {
		for name := range strings.SplitSeq(list, ",") {
			if name = strings.TrimSpace(name); name != "" {
				c.channels = append(c.channels, name)
			}
		}
	}
	return c, nil
}

// Name implements Collector.
func (c *winlog) Name() string { return "winlog:" + strings.Join(c.channels, ",") }

// Listen implements Collector: it finds which channels can be read.
func (c *winlog) Listen(context.Context) error {
	named := len(c.channels) > 0
	want := c.channels
	if !named {
		want = usualChannels
	}
	c.channels = nil
	for _, name := range want {
		s, err := c.log.subscribe(name, c.query, "", false)
		switch {
		case err == nil:
			s.close()
			c.channels = append(c.channels, name)
		case named:
			return fmt.Errorf("winlog: channel %s: %w", name, err)
		case !errors.Is(err, errNoChannel):
			c.o.Log.Warn("a channel cannot be read", "channel", name, "error", err)
		}
	}
	if len(c.channels) == 0 {
		return errors.New("winlog: no channel can be read; administrators and the group Event Log Readers can")
	}
	return nil
}

// Run implements Collector.
func (c *winlog) Run(ctx context.Context, sink Sink) error {
	var all sync.WaitGroup
	for _, name := range c.channels {
		all.Go(func() { c.channel(ctx, name, sink) })
	}
	all.Wait()
	return nil
}

// channel reads one channel until ctx ends.
func (c *winlog) channel(ctx context.Context, name string, sink Sink) {
	c.o.Stats.Connections.Add(1)
	defer c.o.Stats.Connections.Add(-1)
	mark := "winlog:" + name
	for ctx.Err() == nil {
		s, err := c.log.subscribe(name, c.query, sink.Mark(mark), c.oldest)
		if err == nil {
			err = c.follow(ctx, name, mark, s, sink)
			s.close()
		}
		if errors.Is(err, spool.ErrClosed) {
			return
		}
		if err != nil && ctx.Err() == nil {
			c.o.Stats.Errors.Add(1)
			c.o.Log.Warn("a channel cannot be read on; it is tried again", "channel", name, "error", err)
			select {
			case <-ctx.Done():
			case <-time.After(c.pause):
			}
		}
	}
}

// follow hands over what a subscription gives. When it cannot be kept, it ends: the
// next one begins where everything is.
func (c *winlog) follow(ctx context.Context, name, mark string, s subscription, sink Sink) error {
	for ctx.Err() == nil {
		events, bookmark, err := s.next()
		if len(events) > 0 {
			ds := c.deliveries(name, events)
			ds[len(ds)-1].Mark = spool.Mark{Name: mark, Value: bookmark} // they are taken in order
			if err := deliver(context.WithoutCancel(ctx), sink, c.o.Stats, ds...); err != nil {
				return err
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *winlog) deliveries(channel string, events []string) (ds []*spool.Delivery) {
	size := spool.MaxDelivery
	for _, text := range events {
		if len(text) > maxMessage {
			text = text[:maxMessage]
			c.o.Stats.Cut.Add(1)
		}
		if size += len(text) + 100; size > spool.MaxDelivery/2 {
			ds = append(ds, &spool.Delivery{Collector: "winlog:" + channel, Format: "windows.xml", Received: time.Now().UnixNano()})
			size = len(text)
		}
		d := ds[len(ds)-1]
		// An event has its channel, record number and time in it.
		d.Records = append(d.Records, spool.Record{Data: []byte(text), Key: spool.KeyOf([]byte("winlog"), []byte(text))})
	}
	return ds
}
