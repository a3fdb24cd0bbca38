package pipeline

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/sextant-logs/sextant/internal/analyze"
	"github.com/sextant-logs/sextant/internal/detect"
	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/source"
	"github.com/sextant-logs/sextant/internal/spool"
	"github.com/sextant-logs/sextant/internal/store"
)

// SourceStats are figures of who sends by a collector.
type SourceStats struct {
	Collector, Peer    string // Peer is an address, "" for what has none, "others" beyond maxPeers
	Path               string // of a file that is followed
	Records, Undecoded int64
	Lag                time.Duration // from arrival to storing, of the last record
	Last               time.Time     // its arrival; the start of the server if none came since
	Event              time.Time     // its own time

	Silent  bool          // it pauses longer than it would
	Allowed time.Duration // the pause from which on it would be Silent if it began now, 0 if that is not known yet
}

// senders knows who sends, how long each pauses as a rule at an hour of the day, and
// who has fallen silent. It is kept in senders.json of the case.
//
// A sender is silent when it pauses three times as long as it ever did at those
// hours within a week or two, and ten minutes at least. Pauses whose lengths fall off
// exponentially hardly ever exceed three times the longest of many; of lengths with a heavy
// tail each such pause raises what is allowed, so that in all of a sender's life a
// few are told in vain (records of a sequence: Glick, American Mathematical Monthly 85(1), 1978).
type senders struct {
	path  string
	mu    sync.Mutex // guards what follows
	all   map[senderKey]*sender
	blind int64 // ns: before it nothing could be heard, or senders had to wait
	saved time.Time
	asked time.Time

	changed bool // who was silent was heard again
}

type senderKey struct{ Collector, Peer, Path string }

// sender is one of them; what has a name in JSON outlives the process.
type sender struct {
	senderKey
	First  int64       `json:"first"` // ns, of arrival
	Last   int64       `json:"last"`
	ID     []byte      `json:"id"`     // event.id of its last record
	Heard  [2]int      `json:"heard"`  // in so many different hours of working days, of weekends
	Pauses [2]dayPause `json:"pauses"` // of this week and the last
	Turned int64       `json:"turned"` // ns, when this week's began
	Silent bool        `json:"silent"`

	hour    int64 // the last in which it was heard
	stats   SourceStats
	finding *analyze.Finding // while it is silent
}

// dayPause is the longest pause, in seconds, that touches an hour of the day (UTC),
// of working days and of weekends. A pause over both counts in each by its time there.
type dayPause [2][24]int32

const (
	sendersName      = "senders.json"
	maxPeers         = 1000               // senders that are told apart
	senderHours      = 48                 // different hours in which a sender was heard, then its pauses are known
	senderFactor     = 3                  // times the longest pause
	senderFloor      = 10 * time.Minute   // a restart is no silence
	sendersTurn      = 7 * 24 * time.Hour // then a new week of pauses begins
	sendersKeep      = 30 * 24 * time.Hour
	sendersSaveEvery = 5 * time.Minute
	sendersAskEvery  = 15 * time.Second
)

// openSenders reads what an earlier process knew. Started is when this one began to hear.
func openSenders(dir string, started time.Time) (*senders, error) {
	s := &senders{path: filepath.Join(dir, sendersName), all: map[senderKey]*sender{}, blind: started.UnixNano(), saved: started}
	data, err := os.ReadFile(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return nil, err
	}
	var known []*sender
	if json.Unmarshal(data, &known) != nil {
		return s, nil // it is learnt again
	}
	for _, x := range known {
		if x != nil && len(s.all) < maxPeers && started.UnixNano()-x.Last < int64(sendersKeep) {
			x.stats = SourceStats{Collector: x.Collector, Peer: x.Peer, Path: x.Path, Last: started}
			x.hour = x.Last / int64(time.Hour)
			s.all[x.senderKey] = x
		}
	}
	return s, nil
}

// save writes the file now and then, or at once when it is the last time.
func (s *senders) save(now time.Time, last bool) error {
	if !last && now.Sub(s.saved) < sendersSaveEvery {
		return nil
	}
	s.saved = now
	s.mu.Lock()
	known := make([]*sender, 0, len(s.all))
	for _, x := range s.all {
		if x.Peer != "others" && now.UnixNano()-x.Last < int64(sendersKeep) {
			known = append(known, x)
		}
	}
	slices.SortFunc(known, func(a, b *sender) int { return a.compare(b.senderKey) })
	data, err := json.Marshal(known)
	s.mu.Unlock()
	if err != nil {
		return err
	}
	if err := os.WriteFile(s.path+".new", data, 0o600); err != nil {
		return err
	}
	return os.Rename(s.path+".new", s.path)
}

func (k senderKey) compare(o senderKey) int {
	return cmp.Or(strings.Compare(k.Collector, o.Collector), strings.Compare(k.Peer, o.Peer), strings.Compare(k.Path, o.Path))
}

// of returns the sender of a delivery, nil if there are too many. The lock is held.
func (s *senders) of(d *spool.Delivery) *sender {
	key := senderKey{Collector: d.Collector, Peer: d.Peer}
	if strings.HasPrefix(d.Collector, "tail:") {
		key.Path = d.Path
		if log, sure := source.Log(d.Path); sure { // each day's file goes on for that of the day before
			key.Path = log
		}
	}
	x := s.all[key]
	if x == nil && len(s.all) >= maxPeers {
		key.Peer, key.Path = "others", ""
		if x = s.all[key]; x == nil && len(s.all) >= 2*maxPeers {
			return nil
		}
	}
	if x == nil {
		key = senderKey{strings.Clone(key.Collector), strings.Clone(key.Peer), strings.Clone(key.Path)}
		x = &sender{senderKey: key, stats: SourceStats{Collector: key.Collector, Peer: key.Peer, Path: key.Path}, First: d.Received, Last: d.Received, Turned: d.Received}
		s.all[key] = x
	}
	return x
}

// heard notes that deliveries came.
func (s *senders) heard(ds []*spool.Delivery) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range ds {
		if x := s.of(d); x != nil {
			x.hear(d.Received, s.blind)
			if x.finding != nil {
				x.finding, s.changed = nil, true
			}
		}
	}
}

// hear notes that something came at a time, ns.
func (x *sender) hear(now, blind int64) {
	if h := now / int64(time.Hour); h != x.hour {
		x.hour = h
		x.Heard[kindOfDay(h)]++
	}
	if now-x.Turned > int64(sendersTurn) {
		x.Pauses[1], x.Pauses[0], x.Turned = x.Pauses[0], dayPause{}, now
	}
	if from := max(x.Last, blind); now-from >= int64(time.Second) {
		var lasting [2]int32
		eachHour(from, now, func(h, part int64) { lasting[kindOfDay(h)] += int32(part / int64(time.Second)) })
		eachHour(from, now, func(h, _ int64) {
			p := &x.Pauses[0][kindOfDay(h)][h%24]
			*p = max(*p, lasting[kindOfDay(h)]+1)
		})
	}
	x.Last, x.Silent = max(x.Last, now), false
}

// eachHour calls fn with the hours since the epoch that a time touches, the newest
// first, and how much of it is in each, ns. What is longer than a week is cut to its end.
func eachHour(from, to int64, fn func(hour, part int64)) {
	for n := 0; to > from && n < 7*24; n++ {
		h := (to - 1) / int64(time.Hour)
		begin := max(from, h*int64(time.Hour))
		fn(h, to-begin)
		to = begin
	}
}

// kindOfDay is 1 for an hour of a weekend; the epoch was a Thursday.
func kindOfDay(hour int64) int {
	if d := hour / 24 % 7; d == 2 || d == 3 {
		return 1
	}
	return 0
}

// allowed is how long a pause may be that touches an hour, 0 if that is not known.
func (x *sender) allowed(hour int64) time.Duration {
	k := kindOfDay(hour)
	if x.Heard[k] < senderHours || x.Peer == "others" {
		return 0
	}
	var longest int32 // about that time of day
	for _, p := range x.Pauses {
		for h := hour%24 + 23; h <= hour%24+25; h++ {
			longest = max(longest, p[k][h%24])
		}
	}
	return max(senderFloor, senderFactor*time.Duration(longest)*time.Second)
}

// quiet reports whether the sender pauses longer than it would, and what of the
// pause is too long and how long it might have been. The end of a pause is enough: that
// somebody is silent from nine to ten is strange also when he is so every night before.
func (x *sender) quiet(now, blind int64) (lasting, most time.Duration, ok bool) {
	var quiet, allow [2]time.Duration
	eachHour(max(x.Last, blind), now, func(hour, part int64) {
		k := kindOfDay(hour)
		allowed := x.allowed(hour)
		if ok || allowed == 0 {
			return
		}
		quiet[k] += time.Duration(part)
		allow[k] = max(allow[k], allowed)
		if quiet[k] >= allow[k] {
			lasting, most, ok = quiet[k], allow[k], true
		}
	})
	return lasting, most, ok
}

// judge looks, now and then, who has fallen silent, and reports whether findings has changed.
// Waiting says that senders have to wait, which is no silence.
func (s *senders) judge(ctx context.Context, now time.Time, waiting func() bool, st store.Store) (changed bool, err error) {
	if now.Sub(s.asked) < sendersAskEvery {
		return false, nil
	}
	s.asked = now
	var fresh []*analyze.Finding
	var of []*sender
	s.mu.Lock()
	if waiting() {
		s.blind = now.UnixNano()
	}
	for _, x := range s.all {
		lasting, most, quiet := x.quiet(now.UnixNano(), s.blind)
		if x.Silent = quiet; quiet && x.finding == nil && len(x.ID) > 0 {
			fresh, of = append(fresh, x.tell(now.UnixNano(), lasting, most)), append(of, x)
		}
	}
	changed, s.changed = s.changed, false
	s.mu.Unlock()
	for i, f := range fresh {
		if err := citeLast(ctx, st, f); err != nil {
			return changed, err
		}
		s.mu.Lock()
		if x := of[i]; x.Last == f.First && len(f.Evidence) > 0 { // else it was heard meanwhile
			x.finding, changed = f, true
		}
		s.mu.Unlock()
	}
	return changed, s.save(now, false)
}

// tell makes the finding of a silence, without its evidence.
func (x *sender) tell(now int64, lasting, most time.Duration) *analyze.Finding {
	who := x.Collector
	switch {
	case x.Path != "":
		who = "the file " + x.Path
	case x.Peer != "":
		who = x.Peer + " by " + x.Collector
	}
	usual := "no pause at these hours was longer than " + (most / senderFactor).Round(time.Second).String()
	if most == senderFloor {
		usual = "at these hours it never paused for " + most.String()
	}
	f := &analyze.Finding{
		Kind: "silence", Title: "A sender has fallen silent", Level: "low",
		Rule:  analyze.Rule{ID: analyze.SilentSender, Name: "Silence of a sender", FalsePositives: []string{"Maintenance, a restart, a network that was down"}},
		First: x.Last, Last: now, Count: 1, Query: `"event.id":=` + strconv.Quote(string(x.ID)),
		Explanation: fmt.Sprintf("%s: nothing since %s, for %s; %s, over %s.", who, time.Unix(0, x.Last).UTC().Format("2006-01-02 15:04:05"),
			time.Duration(now-x.Last).Round(time.Second), usual, overDays(x.Last-x.First)),
	}
	sum := sha256.Sum256(fmt.Append(nil, analyze.SilentSender, x.senderKey, string(x.ID)))
	f.ID = hex.EncodeToString(sum[:8])
	return f
}

func overDays(ns int64) string {
	if n := time.Duration(ns) / (24 * time.Hour); n > 1 {
		return fmt.Sprintf("%d days", n)
	}
	return "a day"
}

// citeLast has a finding rest on the last record of its sender.
func citeLast(ctx context.Context, st store.Store, f *analyze.Finding) error {
	return st.Query(ctx, f.Query+" | limit 1", func(row []event.Field) error {
		e := detect.Stored(row)
		f.Evidence = []analyze.Evidence{{ID: strings.Clone(e.ID), Time: e.Time, Message: strings.ToValidUTF8(strings.Clone(e.Message()[:min(len(e.Message()), 500)]), ""),
			Path: strings.Clone(e.Get("log.file.path")), Offset: e.Offset, Outcome: strings.Clone(e.Get("event.outcome"))}}
		f.Datasets = []string{strings.Clone(e.Get("event.dataset"))}
		if host := e.Get("host.name"); host != "" {
			f.Entities.Hosts = []string{strings.Clone(host)}
		}
		return nil
	})
}

// findings are those of who is silent since a time.
func (s *senders) findings(since time.Time) []analyze.Finding {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []analyze.Finding
	for _, x := range s.all {
		if x.finding != nil && x.Last >= since.UnixNano() {
			out = append(out, *x.finding)
		}
	}
	return out
}

// count counts what of a delivery is stored.
func (s *senders) count(d *spool.Delivery, events []event.Event) {
	now := time.Now().UnixNano()
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.of(d)
	if x == nil {
		return
	}
	c := &x.stats
	c.Records += int64(len(events))
	for i := range events {
		if events[i].Err != "" {
			c.Undecoded++
		}
	}
	c.Lag, c.Last = time.Duration(now-d.Received), time.Unix(0, d.Received)
	if n := len(events); n > 0 {
		x.ID = append(x.ID[:0], events[n-1].ID...)
		if at := events[n-1].Time; at != event.NoTime {
			c.Event = time.Unix(0, at)
		}
	}
}

// stats returns the figures of all, by collector, peer and path.
func (s *senders) stats() []SourceStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now().UnixNano() / int64(time.Hour)
	out := make([]SourceStats, 0, len(s.all))
	for _, x := range s.all {
		c := x.stats
		c.Silent, c.Allowed = x.Silent, x.allowed(now)
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b SourceStats) int {
		return senderKey{a.Collector, a.Peer, a.Path}.compare(senderKey{b.Collector, b.Peer, b.Path})
	})
	return out
}
