package collect

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// fakeLog is an event log whose bookmarks are numbers of events.
type fakeLog struct {
	mu      sync.Mutex
	events  map[string][]string
	breaks  int // subscriptions that break after some events
	renders int
}

func (l *fakeLog) subscribe(channel, _, bookmark string, oldest bool) (subscription, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	events, ok := l.events[channel]
	if !ok {
		return nil, errNoChannel
	}
	s := &fakeSubscription{l: l, channel: channel, at: len(events)}
	if n, err := strconv.Atoi(bookmark); err == nil {
		s.at = n
	} else if oldest {
		s.at = 0
	}
	return s, nil
}

type fakeSubscription struct {
	l       *fakeLog
	channel string
	at      int
}

func (s *fakeSubscription) close() {}

func (s *fakeSubscription) next() ([]string, string, error) {
	s.l.mu.Lock()
	events := s.l.events[s.channel]
	events = events[s.at:min(len(events), s.at+7)]
	s.at += len(events)
	var err error
	if s.l.renders++; s.l.breaks > 0 && s.l.renders%3 == 0 {
		s.l.breaks--
		err = errors.New("the query's result is stale")
	}
	s.l.mu.Unlock()
	if len(events) == 0 {
		time.Sleep(10 * time.Millisecond)
	}
	return events, fmt.Sprint(s.at), err
}

func fakeWinlog(t *testing.T, raw string, log eventLog) *winlog {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	c, err := winlogOf(u, Options{Log: slog.New(slog.DiscardHandler), Stats: &Stats{}}, log)
	if err != nil {
		t.Fatal(err)
	}
	c.pause = time.Millisecond
	return c
}

func eventsOf(channel string, n int) (out []string) {
	for i := range n {
		out = append(out, fmt.Sprintf("<Event><System><EventRecordID>%d</EventRecordID><Channel>%s</Channel></System></Event>", i, channel))
	}
	return out
}

func TestEventLogIsReadOnWhereEverythingIsKept(t *testing.T) {
	log := &fakeLog{events: map[string][]string{"Security": eventsOf("Security", 50), "System": eventsOf("System", 20)}, breaks: 3}
	sink := newKept()
	start := func() (stop func()) {
		c := fakeWinlog(t, "winlog:", log)
		if err := c.Listen(context.Background()); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(c.channels, []string{"Security", "System"}) {
			t.Errorf("channels %q", c.channels)
		}
		return runCollector(t, c, sink)
	}
	stop := start()
	sink.wait(t, 70)
	stop()
	log.mu.Lock()
	log.events["Security"] = append(log.events["Security"], eventsOf("later", 30)...)
	log.mu.Unlock()
	sink.mu.Lock()
	sink.fail = errors.New("disk full")
	sink.mu.Unlock()
	stop = start()
	time.Sleep(50 * time.Millisecond)
	sink.mu.Lock()
	sink.fail = nil
	sink.mu.Unlock()
	got := sink.wait(t, 100)
	stop()
	if len(got) != 100 || len(slices.Compact(slices.Sorted(slices.Values(got)))) != 100 {
		t.Errorf("%d events, want 100, each once", len(got))
	}
	if sink.marks["winlog:Security"] != "80" || sink.marks["winlog:System"] != "20" {
		t.Errorf("%v", sink.marks)
	}
	if r := sink.ds[0].Records[0]; r.Key == sink.ds[0].Records[1].Key || sink.ds[0].Format != "windows.xml" {
		t.Errorf("%+v", sink.ds[0])
	}
}

func TestOnlyWhatIsYetToComeOfANewChannel(t *testing.T) {
	log := &fakeLog{events: map[string][]string{"Security": eventsOf("Security", 5)}}
	sink := newKept()
	c := fakeWinlog(t, "winlog:?from=now&channel=Security", log)
	if err := c.Listen(context.Background()); err != nil {
		t.Fatal(err)
	}
	stop := runCollector(t, c, sink)
	time.Sleep(50 * time.Millisecond)
	log.mu.Lock()
	log.events["Security"] = append(log.events["Security"], "<Event>new</Event>")
	log.mu.Unlock()
	if got := sink.wait(t, 1); got[0] != "<Event>new</Event>" {
		t.Errorf("%q", got)
	}
	stop()
}

func TestAChannelThatIsNamedMustBeThere(t *testing.T) {
	c := fakeWinlog(t, "winlog:?channel=Nothing", &fakeLog{})
	if err := c.Listen(context.Background()); !errors.Is(err, errNoChannel) || !strings.Contains(err.Error(), "Nothing") {
		t.Errorf("%v", err)
	}
	if err := fakeWinlog(t, "winlog:", &fakeLog{}).Listen(context.Background()); err == nil || !strings.Contains(err.Error(), "Event Log Readers") {
		t.Errorf("%v", err)
	}
}
