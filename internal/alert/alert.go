// Package alert tells people of findings: by webhook, chat, mail, syslog, file
// or Elasticsearch.
//
// Findings that come within a short time are told together, those of the same
// rule and host once. Messages that cannot be delivered wait on disk and are tried
// again, over a restart too; more than so many an hour are summed up in one.
package alert

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sextant-logs/sextant/internal/analyze"
	"github.com/sextant-logs/sextant/internal/incident"
	"github.com/sextant-logs/sextant/internal/kind"
)

// Message is what is told at once.
type Message struct {
	ID     string    `json:"id"` // the same when it is tried again
	Time   time.Time `json:"@timestamp"`
	Title  string    `json:"title"` // one line
	Level  string    `json:"level"` // the highest of its items
	Items  []Item    `json:"items"`
	Others int       `json:"others,omitempty"` // findings beyond those in Items
}

// Item is a rule on a host, and how often it was found.
type Item struct {
	Finding string   `json:"finding"` // id of the first
	Rule    string   `json:"rule.id"`
	Title   string   `json:"title"`
	Level   string   `json:"level"`
	Host    string   `json:"host.name,omitempty"`
	Users   []string `json:"user.name,omitempty"`
	Sources []string `json:"source.ip,omitempty"`
	Text    string   `json:"explanation"`
	First   string   `json:"first,omitempty"`
	Count   int      `json:"count"` // findings
}

// An output delivers messages to one place.
type output interface {
	// send must deliver the message or say why not; it is called again then, so
	// that a message may arrive twice but is not lost.
	send(ctx context.Context, m *Message) error
}

// kinds are the outputs by the first part of their URL's scheme; a file of this
// package that brings one registers it.
var kinds = kind.Registry[func(u *url.URL) (output, error)]{}

func register(scheme, title string, make func(*url.URL) (output, error)) bool {
	return kinds.Add(scheme, title, make)
}

// Kinds calls fn with every scheme and what it is.
func Kinds(fn func(scheme, title string)) { kinds.Each(fn) }

// Options configure New.
type Options struct {
	Dir     string        // where messages wait
	URLs    []string      // the outputs
	Level   string        // findings below it are not told; "high" by default
	On      []string      // what is told of: OnFindings, OnIncidents, OnSources; all by default
	Group   time.Duration // findings are gathered for so long, 30 s
	PerHour int           // messages of one output in an hour, 60
	Log     *slog.Logger
}

// Alerter tells of findings.
type Alerter struct {
	o    Options
	outs []*queue

	mu    sync.Mutex
	items map[string]*Item
	order []string
	more  int
	timer *time.Timer
}

const incidentRule = "incident"

const (
	maxItems  = 50     // of a message
	maxQueued = 10_000 // messages that wait for one output; the oldest go first
)

// New makes an alerter; Run delivers.
func New(o Options) (*Alerter, error) {
	o.Level = cmp.Or(o.Level, "high")
	o.Group = cmp.Or(o.Group, 30*time.Second)
	o.PerHour = cmp.Or(o.PerHour, 60)
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if !slices.Contains(analyze.Levels, o.Level) {
		return nil, fmt.Errorf("alert level %q: want %s", o.Level, strings.Join(analyze.Levels, ", "))
	}
	a := &Alerter{o: o, items: map[string]*Item{}}
	var errs []error
	for _, raw := range o.URLs {
		out, u, err := newOutput(raw)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		q := &queue{out: out, name: u.Scheme + "://" + u.Host, dir: filepath.Join(o.Dir, queueName(raw)), perHour: o.PerHour, log: o.Log, wake: make(chan struct{}, 1)}
		a.outs = append(a.outs, q)
	}
	return a, errors.Join(errs...)
}

// Check says what is wrong with the URL of an output.
func Check(raw string) error {
	_, _, err := newOutput(raw)
	return err
}

// Succeed takes over from an alerter whose Run has returned: what it sent counts
// for the hour.
func (a *Alerter) Succeed(old *Alerter) {
	for _, q := range a.outs {
		for _, was := range old.outs {
			if was.dir == q.dir {
				q.sent = was.sent
			}
		}
	}
}

func newOutput(raw string) (output, *url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, nil, fmt.Errorf("--alert: %w", errors.Unwrap(err)) // the URL may hold a secret
	}
	scheme, rest, _ := strings.Cut(u.Scheme, "+")
	k, ok := kinds[scheme]
	if !ok {
		return nil, nil, fmt.Errorf("--alert: no output is named %q; known are %s", scheme, strings.Join(kinds.Names(), ", "))
	}
	inner := *u
	inner.Scheme = rest
	out, err := k.New(&inner)
	if err != nil {
		return nil, nil, fmt.Errorf("--alert %s: %w", scheme, err)
	}
	return out, u, nil
}

// Test sends a message that says it is a test to the output of a URL.
func Test(ctx context.Context, raw string) error {
	out, _, err := newOutput(raw)
	if err != nil {
		return err
	}
	now := time.Now().UTC()
	m := &Message{ID: fmt.Sprintf("test-%d", now.UnixNano()), Time: now, Title: "Sextant: a test; nothing happened", Level: "informational",
		Items: []Item{{Rule: "test", Title: "Test of an alert output", Level: "informational", Text: "If you can read this, alerts arrive.", Count: 1, First: now.Format(time.RFC3339)}}}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	return out.send(ctx, m)
}

// Things that can be told of.
const (
	OnFindings  = "findings"
	OnIncidents = "incidents"
	OnSources   = "sources" // that have fallen silent, whatever the level: nothing will be found in what does not come
)

func (a *Alerter) tellsOf(what string) bool { return len(a.o.On) == 0 || slices.Contains(a.o.On, what) }

// Found takes new findings.
func (a *Alerter) Found(findings []analyze.Finding) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, f := range findings {
		source := f.Rule.ID == analyze.SilentSender && a.tellsOf(OnSources)
		if !source && (!a.tellsOf(OnFindings) || analyze.LevelRank(f.Level) < analyze.LevelRank(a.o.Level)) {
			continue
		}
		host := ""
		if len(f.Entities.Hosts) > 0 {
			host = f.Entities.Hosts[0]
		}
		key := f.Rule.ID + "\x00" + host
		if source {
			key += "\x00" + f.ID
		}
		if it := a.items[key]; it != nil {
			it.Count++
			continue
		}
		if len(a.items) >= maxItems {
			a.more++
			continue
		}
		it := &Item{Finding: f.ID, Rule: f.Rule.ID, Title: f.Title, Level: f.Level, Host: host, Text: f.Explanation, Count: 1,
			Users: few(f.Entities.Users), Sources: few(f.Entities.Sources)}
		if f.First > -1<<62 {
			it.First = time.Unix(0, f.First).UTC().Format(time.RFC3339)
		}
		a.items[key] = it
		a.order = append(a.order, key)
	}
	if len(a.items) > 0 && a.timer == nil {
		a.timer = time.AfterFunc(a.o.Group, a.flush)
	}
}

// Incidents takes incidents that are new or have become worse.
func (a *Alerter) Incidents(all []incident.Incident) {
	if !a.tellsOf(OnIncidents) {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := range all {
		in := &all[i]
		if analyze.LevelRank(in.Severity) < analyze.LevelRank(a.o.Level) {
			continue
		}
		if len(a.items) >= maxItems {
			a.more++
			continue
		}
		it := &Item{Finding: in.ID, Rule: incidentRule, Title: "Incident: " + in.Title, Level: in.Severity, Count: len(in.Findings), First: in.When.First,
			Users: few(in.Who.Users), Sources: few(in.Who.SourceIPs), Text: answers(in)}
		if len(in.Where.Hosts) > 0 {
			it.Host = in.Where.Hosts[0]
		}
		key := "incident\x00" + in.ID
		if a.items[key] == nil {
			a.order = append(a.order, key)
		}
		a.items[key] = it
	}
	if len(a.items) > 0 && a.timer == nil {
		a.timer = time.AfterFunc(a.o.Group, a.flush)
	}
}

// answers says in a few sentences what an incident is.
func answers(in *incident.Incident) string {
	var text []string
	for _, of := range [][]incident.Sentence{in.What[:min(len(in.What), 3)], in.Outcome.Why[:min(len(in.Outcome.Why), 1)], in.Impact.Facts[:min(len(in.Impact.Facts), 2)]} {
		for _, s := range of {
			text = append(text, s.Text)
		}
	}
	return strings.Join(append(text, fmt.Sprintf("Outcome: %s. Score %d of 100.", in.Outcome.Result, in.Score)), " ")
}

func few(values []string) []string { return slices.Clone(values[:min(len(values), 5)]) }

// flush puts what was gathered into the queues.
func (a *Alerter) flush() {
	a.mu.Lock()
	var items []Item
	for _, key := range a.order {
		items = append(items, *a.items[key])
	}
	more := a.more
	clear(a.items)
	a.order, a.more, a.timer = nil, 0, nil
	a.mu.Unlock()
	if len(items) == 0 {
		return
	}
	slices.SortStableFunc(items, func(x, y Item) int { // incidents, which say more, before findings
		return cmp.Or(cmp.Compare(analyze.LevelRank(y.Level), analyze.LevelRank(x.Level)), cmp.Compare(rank(y), rank(x)))
	})
	now := time.Now().UTC()
	m := &Message{ID: fmt.Sprintf("%s-%d", items[0].Finding, now.UnixNano()), Time: now, Level: items[0].Level, Items: items, Others: more, Title: title(items, more)}
	for _, q := range a.outs {
		q.put(m)
	}
}

func rank(it Item) int {
	if it.Rule == incidentRule {
		return 1
	}
	return 0
}

func title(items []Item, more int) string {
	t := items[0].Title
	if items[0].Host != "" {
		t += " on " + items[0].Host
	}
	if n := len(items) - 1 + more; n > 0 {
		t += fmt.Sprintf(" and %d more", n)
	}
	return fmt.Sprintf("Sextant: [%s] %s", items[0].Level, t)
}

// Run delivers until ctx ends. What is not delivered then waits for the next run.
func (a *Alerter) Run(ctx context.Context) {
	var all sync.WaitGroup
	for _, q := range a.outs {
		all.Go(func() { q.run(ctx) })
	}
	all.Wait()
	a.mu.Lock()
	if a.timer != nil {
		a.timer.Stop()
	}
	a.mu.Unlock()
	a.flush()
}

// queue is the messages for one output: a file each.
type queue struct {
	out     output
	name    string
	dir     string
	perHour int
	log     *slog.Logger
	wake    chan struct{}
	sent    []time.Time
}

func (q *queue) put(m *Message) {
	data, err := json.Marshal(m)
	if err == nil {
		err = os.MkdirAll(q.dir, 0o700)
	}
	if err == nil {
		name := filepath.Join(q.dir, fmt.Sprintf("%020d.json", m.Time.UnixNano()))
		if err = os.WriteFile(name+".new", data, 0o600); err == nil {
			err = os.Rename(name+".new", name)
		}
	}
	if err != nil {
		q.log.Error("an alert cannot be kept", "output", q.name, "alert", m.Title, "error", err)
	}
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

func (q *queue) waiting() []string {
	names, _ := filepath.Glob(filepath.Join(q.dir, "*.json"))
	slices.Sort(names)
	for len(names) > maxQueued {
		os.Remove(names[0])
		q.log.Error("too many alerts wait; the oldest is given up", "output", q.name)
		names = names[1:]
	}
	return names
}

func (q *queue) run(ctx context.Context) {
	pause := time.Second
	for {
		wait := time.Minute
		for _, name := range q.waiting() {
			if ctx.Err() != nil {
				return
			}
			if left := q.limited(); left > 0 {
				wait = left
				break
			}
			if err := q.deliver(ctx, name); err != nil {
				q.log.Warn("an alert cannot be delivered; it is tried again", "output", q.name, "error", err)
				wait = pause
				pause = min(2*pause, 5*time.Minute)
				break
			}
			pause = time.Second
		}
		select {
		case <-ctx.Done():
			return
		case <-q.wake:
		case <-time.After(wait):
		}
	}
}

// limited is how long to wait until another message may be sent.
func (q *queue) limited() time.Duration {
	cut := time.Now().Add(-time.Hour)
	for len(q.sent) > 0 && q.sent[0].Before(cut) {
		q.sent = q.sent[1:]
	}
	if len(q.sent) < q.perHour {
		return 0
	}
	return time.Until(q.sent[0].Add(time.Hour))
}

// deliver sends the message of a file. When more wait than may be sent within the
// hour, they go as one.
func (q *queue) deliver(ctx context.Context, name string) error {
	data, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	m := &Message{}
	if err := json.Unmarshal(data, m); err != nil {
		q.log.Error("a waiting alert is damaged", "file", name, "error", err)
		return os.Remove(name)
	}
	names := []string{name}
	if all := q.waiting(); len(q.sent) == q.perHour-1 && len(all) > 1 {
		names = all
		for _, other := range all[1:] {
			var o Message
			if data, err := os.ReadFile(other); err == nil && json.Unmarshal(data, &o) == nil {
				m.Others += o.Others
				for _, it := range o.Items {
					if len(m.Items) < maxItems {
						m.Items = append(m.Items, it)
					} else {
						m.Others++
					}
				}
			}
		}
		m.Title = title(m.Items, m.Others)
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if err := q.out.send(ctx, m); err != nil {
		return err
	}
	q.sent = append(q.sent, time.Now())
	for _, n := range names {
		os.Remove(n)
	}
	return nil
}
