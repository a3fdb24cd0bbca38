package collect

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"time"

	"github.com/sextant-logs/sextant/internal/format"
	"github.com/sextant-logs/sextant/internal/spool"
)

// The systemd journal: of other machines as systemd-journal-upload sends it, and
// of this one as journalctl follows it. Both speak the journal's export format; an
// entry's cursor is its key.
//
// Source: systemd, "Journal Export Formats"; systemd-journal-remote(8).
var (
	_ = registerEndpoint(Endpoint{Pattern: "POST /upload", Title: "systemd-journal-upload", Handler: newJournalUpload})
	_ = register("journal", "the systemd journal of this machine: journal: (needs journalctl)", newJournal)
)

// journalEntries cuts a stream into entries and hands over what is there
// whenever it would have to wait for more.
type journalEntries struct {
	r     io.Reader
	name  string
	peer  string
	mark  string // name of the mark; "" for none
	stats *Stats
	buf   []byte
}

func (j *journalEntries) run(ctx context.Context, sink Sink) error {
	chunk := make([]byte, 256<<10)
	for {
		n, err := j.r.Read(chunk)
		j.buf = append(j.buf, chunk[:n]...)
		if e := j.hand(ctx, sink, err != nil); e != nil {
			return e
		}
		if err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
	}
}

// hand gives the whole entries of the buffer to the sink.
func (j *journalEntries) hand(ctx context.Context, sink Sink, final bool) error {
	d := &spool.Delivery{Collector: j.name, Peer: j.peer, Format: "journald", Received: time.Now().UnixNano()}
	cursor := ""
	for len(j.buf) > 0 {
		n := format.JournalEntry(j.buf)
		if n == 0 {
			if len(j.buf) <= maxMessage && !final {
				break
			}
			n = len(j.buf) // it never ends
		}
		entry := bytes.Clone(j.buf[:n])
		j.buf = j.buf[n:]
		if len(bytes.TrimSpace(entry)) == 0 {
			continue
		}
		r := spool.Record{Data: entry}
		if c := exportField(entry, "__CURSOR"); c != "" {
			r.Key = spool.KeyOf([]byte("journal"), []byte(c))
			cursor = c
		}
		d.Records = append(d.Records, r)
	}
	j.buf = bytes.Clone(j.buf)
	if len(d.Records) == 0 {
		return nil
	}
	if j.mark != "" && cursor != "" {
		d.Mark = spool.Mark{Name: j.mark, Value: cursor}
	}
	return deliver(context.WithoutCancel(ctx), sink, j.stats, d)
}

// exportField is the value of a text field of an entry, "" if there is none.
func exportField(entry []byte, name string) string {
	prefix := append([]byte(name), '=')
	if !bytes.HasPrefix(entry, prefix) {
		i := bytes.Index(entry, append([]byte{'\n'}, prefix...))
		if i < 0 {
			return ""
		}
		entry = entry[i+1:]
	}
	value := entry[len(prefix):]
	if i := bytes.IndexByte(value, '\n'); i >= 0 {
		value = value[:i]
	}
	return string(value)
}

func newJournalUpload(sink Sink, name string, o Options) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if ct := r.Header.Get("Content-Type"); ct != "application/vnd.fdo.journal" {
			http.Error(w, "Content-Type: application/vnd.fdo.journal is required", http.StatusUnsupportedMediaType)
			return
		}
		// The body goes on for as long as the journal does.
		_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
		j := &journalEntries{r: r.Body, name: name + "/upload", peer: remoteIP(r), stats: o.Stats}
		if err := j.run(r.Context(), sink); err != nil {
			refuse(w, o, err)
			return
		}
		w.WriteHeader(http.StatusAccepted)
		fmt.Fprint(w, "OK.\n")
	})
}

// journal follows the journal of this machine.
type journal struct {
	o    Options
	path string
	args []string
}

func newJournal(u *url.URL, o Options) (Collector, error) {
	path, err := exec.LookPath("journalctl")
	if err != nil {
		return nil, errors.New("journal: journalctl is not on this machine")
	}
	c := &journal{o: o, path: path, args: []string{"--follow", "--output=export", "--quiet", "--no-pager"}}
	if dir := u.Query().Get("directory"); dir != "" {
		c.args = append(c.args, "--directory="+dir)
	}
	return c, nil
}

// Name implements Collector.
func (c *journal) Name() string { return "journal:" }

// Listen implements Collector.
func (c *journal) Listen(context.Context) error { return nil }

// Run implements Collector.
func (c *journal) Run(ctx context.Context, sink Sink) error {
	for ctx.Err() == nil {
		args := c.args
		if cursor := sink.Mark("journal"); cursor != "" {
			args = append(args[:len(args):len(args)], "--after-cursor="+cursor)
		} else {
			args = append(args[:len(args):len(args)], "--no-tail") // all there is
		}
		err := c.follow(ctx, sink, args)
		if ctx.Err() != nil || errors.Is(err, spool.ErrClosed) {
			return nil
		}
		c.o.Stats.Errors.Add(1)
		c.o.Log.Warn("journalctl ended; it is started again", "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(2 * time.Second):
		}
	}
	return nil
}

func (c *journal) follow(ctx context.Context, sink Sink, args []string) error {
	cmd := exec.CommandContext(ctx, c.path, args...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	j := &journalEntries{r: bufio.NewReaderSize(out, 256<<10), name: "journal:", mark: "journal", stats: c.o.Stats}
	err = j.run(ctx, sink)
	_ = cmd.Process.Kill()
	return errors.Join(err, cmd.Wait())
}
