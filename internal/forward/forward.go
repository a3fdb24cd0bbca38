// Package forward sends events on, to Logstash and to Elasticsearch, so that
// Sextant can stand in front of what a place already runs.
//
// A kind of receiver is one file, which registers the first part of its URL's
// scheme:
//
//	var _ = register("elasticsearch", "…", newElasticsearch)
//
// Every event is sent until the receiver says that it has it. It carries its
// event.id, so that a receiver that is told of it twice can know it again:
// Elasticsearch takes an _id once. What a receiver will never take, and says so,
// is written down in a file of refusals; the event itself stays in the case.
package forward

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/export"
	"github.com/sextant-logs/sextant/internal/kind"
	"github.com/sextant-logs/sextant/internal/store"
)

// Document is an event on its way.
type Document struct {
	ID      string // event.id
	Time    string // @timestamp, RFC 3339
	Dataset string // event.dataset
	Body    []byte // the nested ECS document
}

// NewDocument makes the document of a row of the store.
func NewDocument(row []event.Field) Document {
	d := Document{Body: export.AppendDocument(nil, row)}
	for _, f := range row {
		switch f.Name {
		case "event.id":
			d.ID = strings.Clone(f.Value)
		case "_time":
			d.Time = strings.Clone(f.Value)
		case "event.dataset":
			d.Dataset = strings.Clone(f.Value)
		}
	}
	return d
}

// output is a receiver.
type output interface {
	// send must try to deliver the documents once. It returns what came of
	// them; with an error, why some are left. It is not called twice at a time.
	send(ctx context.Context, docs []Document) (outcome, error)

	// close must end connections.
	close()
}

// outcome says what came of some documents.
type outcome struct {
	left    []Document // to be sent again
	known   int        // of the others, those that the receiver had already
	refused []refusal  // of the others, those that it will never take
}

type refusal struct {
	Time   time.Time `json:"@timestamp"`
	ID     string    `json:"event.id"`
	Status int       `json:"status,omitempty"`
	Reason string    `json:"reason"`
}

// later is an error after which the receiver asked for a pause.
type later struct {
	error
	pause time.Duration
}

func (e later) Unwrap() error { return e.error }

// kinds are the receivers by the first part of their URL's scheme.
var kinds = kind.Registry[func(u *url.URL) (output, error)]{}

func register(scheme, title string, make func(*url.URL) (output, error)) bool {
	return kinds.Add(scheme, title, make)
}

// Kinds calls fn with each kind of receiver and how its URL looks.
func Kinds(fn func(scheme, title string)) { kinds.Each(fn) }

// Stats count what a forwarder did. They may be read at any time.
type Stats struct {
	Sent    atomic.Int64 // events that the receiver has
	Known   atomic.Int64 // of them, those that it had already
	Refused atomic.Int64 // events that it will never take
	Retries atomic.Int64 // tries that failed
	Waiting atomic.Int64 // parts of the case that are not all sent
	Last    atomic.Int64 // ns since the epoch of the last event it acknowledged
}

// Forwarder sends to one receiver.
type Forwarder struct {
	name  string
	where string
	start bool // a receiver that is new gets all of the case
	dir   string
	out   output
	log   *slog.Logger
	stats Stats

	mu      sync.Mutex
	refused *os.File
	quiet   time.Time // no further warning until then

	firstPause, lastPause time.Duration
}

const (
	maxRefused  = 64 << 20 // bytes of the file of refusals
	batchEvents = 2048     // sent together at most
	batchBytes  = 4 << 20
)

// New makes the forwarder of a URL. dir is where it keeps its position and the
// refusals of this receiver. Besides what the kind of receiver knows, the URL may say
// where=LOGSQL, which events to send, and from=start, that a receiver that is
// new gets what the case has, not only what is yet to come.
func New(raw, dir string, log *slog.Logger) (*Forwarder, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("--forward: %w", errors.Unwrap(err)) // the URL may hold a secret
	}
	scheme, inner, _ := strings.Cut(u.Scheme, "+")
	k, ok := kinds[scheme]
	if !ok {
		return nil, fmt.Errorf("--forward: no receiver is named %q; known are %s", scheme, strings.Join(kinds.Names(), ", "))
	}
	if log == nil {
		log = slog.Default()
	}
	name := u.Scheme + "://" + u.Host + u.Path
	f := &Forwarder{name: name, log: log.With("forward", name), dir: filepath.Join(dir, folder(name)), firstPause: time.Second, lastPause: time.Minute}
	q := u.Query()
	if f.where = q.Get("where"); f.where != "" { // one receiver may get different events for different ends
		sum := sha256.Sum256([]byte(f.where))
		f.dir += "-" + hex.EncodeToString(sum[:4])
	}
	if _, list, err := store.Split(orAll(f.where)); err != nil {
		return nil, fmt.Errorf("--forward %s: where: %w", name, err)
	} else if len(list) > 0 {
		return nil, fmt.Errorf("--forward %s: where= chooses events and has no pipes", name)
	}
	switch q.Get("from") {
	case "", "now":
	case "start":
		f.start = true
	default:
		return nil, fmt.Errorf("--forward %s: from=%s: want start or now", name, q.Get("from"))
	}
	u.Scheme = inner
	if f.out, err = k.New(u); err != nil {
		return nil, fmt.Errorf("--forward %s: %w", name, err)
	}
	return f, nil
}

func orAll(query string) string {
	if strings.TrimSpace(query) == "" {
		return "*"
	}
	return query
}

// folder names the directory of a receiver after it.
func folder(name string) string {
	return strings.Trim(strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '.' {
			return r
		}
		return '-'
	}, name), "-.")
}

// Name is the receiver's URL without what may be secret.
func (f *Forwarder) Name() string { return f.name }

// Where is the query that chooses events, "" for all.
func (f *Forwarder) Where() string { return f.where }

// Stats returns the counters.
func (f *Forwarder) Stats() *Stats { return &f.stats }

// Refusals is the file where refused events are written down.
func (f *Forwarder) Refusals() string { return filepath.Join(f.dir, "refused.jsonl") }

// Close ends connections.
func (f *Forwarder) Close() {
	f.out.close()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.refused != nil {
		f.refused.Close()
		f.refused = nil
	}
}

// Send delivers the documents and returns when the receiver has all of them but
// those it refused, which are written down; or when ctx ends.
func (f *Forwarder) Send(ctx context.Context, docs []Document) error {
	pause := f.firstPause
	for len(docs) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		out, err := f.out.send(ctx, docs)
		if err == nil && len(out.left) > 0 {
			err = errors.New("it took only some")
		}
		if e := f.writeRefused(out.refused); e != nil {
			// They are to be sent again, for want of a place to say that they were refused.
			return e
		}
		done := len(docs) - len(out.left)
		f.stats.Sent.Add(int64(done - len(out.refused)))
		f.stats.Known.Add(int64(out.known))
		f.stats.Refused.Add(int64(len(out.refused)))
		docs = out.left
		if done > 0 {
			f.stats.Last.Store(time.Now().UnixNano())
			pause = f.firstPause
		}
		if len(docs) == 0 {
			return nil
		}
		f.stats.Retries.Add(1)
		f.warn("not all was taken; it is tried again", err)
		wait := pause/2 + rand.N(pause/2+1)
		var asked later
		if errors.As(err, &asked) {
			wait = max(wait, min(asked.pause, 10*f.lastPause))
		}
		pause = min(2*pause, f.lastPause)
		if !sleep(ctx, wait) {
			return ctx.Err()
		}
	}
	return nil
}

// warn says that something is wrong, now and then.
func (f *Forwarder) warn(what string, err error) {
	if now := time.Now(); now.After(f.quiet) {
		f.quiet = now.Add(30 * time.Second)
		f.log.Warn(what, "error", err)
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// writeRefused writes refusals down.
func (f *Forwarder) writeRefused(list []refusal) error {
	if len(list) == 0 {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	path := f.Refusals()
	if f.refused == nil {
		if err := os.MkdirAll(f.dir, 0o700); err != nil {
			return err
		}
		file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		f.refused = file
	}
	if info, err := f.refused.Stat(); err != nil {
		return err
	} else if info.Size() > maxRefused {
		return fmt.Errorf("%s refuses too much: see %s, repair the cause, and take the file away", f.name, path)
	}
	f.warn("events are refused; see "+path, errors.New(list[0].Reason))
	var lines []byte
	for _, r := range list {
		r.Time = time.Now().UTC()
		if len(r.Reason) > 2000 {
			r.Reason = strings.ToValidUTF8(r.Reason[:2000], "")
		}
		line, err := json.Marshal(r)
		if err != nil {
			return err
		}
		lines = append(append(lines, line...), '\n')
	}
	_, err := f.refused.Write(lines)
	return err
}

// batch gathers documents to be sent together.
type batch struct {
	docs []Document
	size int
}

func (b *batch) add(d Document) (full bool) {
	b.docs = append(b.docs, d)
	b.size += len(d.Body)
	return len(b.docs) >= batchEvents || b.size >= batchBytes
}

func (b *batch) reset() { b.docs, b.size = nil, 0 }

// Writer sends rows as they are written: it is an export.Writer.
type Writer struct {
	ctx   context.Context
	f     *Forwarder
	batch batch
}

// NewWriter returns a writer whose rows are sent before Close returns.
func (f *Forwarder) NewWriter(ctx context.Context) *Writer { return &Writer{ctx: ctx, f: f} }

// Write takes a row.
func (w *Writer) Write(row []event.Field) error {
	d := NewDocument(row)
	if d.ID == "" {
		return errors.New("a row without event.id cannot be sent: the query must give whole events")
	}
	if w.batch.add(d) {
		return w.flush()
	}
	return nil
}

func (w *Writer) flush() error {
	err := w.f.Send(w.ctx, w.batch.docs)
	w.batch.reset()
	return err
}

// Close sends what is left.
func (w *Writer) Close() error { return w.flush() }

// Discard forgets what is left.
func (w *Writer) Discard() error { w.batch.reset(); return nil }

// readAnswer reads what a receiver answered, in bounds.
func readAnswer(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxAnswer+1))
	if err == nil && len(data) > maxAnswer {
		err = fmt.Errorf("an answer of more than %d bytes", maxAnswer)
	}
	return data, err
}

const maxAnswer = 64 << 20
