//go:build unix

package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	lumber "github.com/elastic/go-lumber/client/v2"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
)

// A server is killed again and again while agents send to it that repeat what
// was not acknowledged, as Beats, Logstash and the OpenTelemetry SDK do. In the end
// every acknowledged record must be there, and none twice. SEXTANT_TORTURE says
// how often it is killed (make torture: 100), and how many times ten seconds the
// other ordeals last.
func TestAKilledServerLosesNothingItAcknowledgedAndKeepsNothingTwice(t *testing.T) {
	kills := ordeal(t, 3)
	r := torture(t, &victim{t: t, dir: t.TempDir()})
	for range kills {
		time.Sleep(time.Duration(100+rand.IntN(900)) * time.Millisecond)
		r.s.kill(syscall.SIGKILL)
		r.s.start()
	}
	time.Sleep(500 * time.Millisecond)
	r.finish(fmt.Sprintf("%d kills", kills))
}

// ordeal is how often something is done to a server: few times, or as many as
// SEXTANT_TORTURE says.
func ordeal(t *testing.T, few int) int {
	t.Helper()
	if n, err := strconv.Atoi(os.Getenv("SEXTANT_TORTURE")); err == nil {
		return n
	} else if testing.Short() {
		t.Skip("a process is ill-treated: some seconds")
	}
	return few
}

// ordealOf is a server under load, and what its senders were told.
type ordealOf struct {
	t       *testing.T
	s       *victim
	acked   map[string]*atomic.Int64
	stop    context.CancelFunc
	senders sync.WaitGroup
}

// torture starts a server and senders that repeat what is not acknowledged.
func torture(t *testing.T, s *victim) *ordealOf {
	t.Helper()
	s.beats, s.web = freePort(t), freePort(t)
	if s.cut {
		s.beatsVia, s.webVia = cutter(t, s.beats), cutter(t, s.web)
	}
	s.start()
	ctx, stop := context.WithCancel(context.Background())
	r := &ordealOf{t: t, s: s, stop: stop, acked: map[string]*atomic.Int64{}}
	t.Cleanup(stop)
	for name, one := range map[string]func(from int) error{"beats": s.sendBeats, "bulk": s.sendBulk, "otlp": s.sendOTLP, "tail": s.writeLog} {
		n := &atomic.Int64{}
		r.acked[name] = n
		r.senders.Go(func() {
			for ctx.Err() == nil {
				from := int(n.Load())
				for one(from) != nil { // the very same again, until it is acknowledged
					time.Sleep(20 * time.Millisecond)
				}
				n.Store(int64(from + tortureBatch))
			}
		})
	}
	return r
}

// total is the number of records acknowledged.
func (r *ordealOf) total() (n int64) {
	for name, a := range r.acked {
		if name != "tail" { // whose file takes everything
			n += a.Load()
		}
	}
	return n
}

// finish ends the senders and the server and counts.
func (r *ordealOf) finish(what string) {
	t, s := r.t, r.s
	t.Helper()
	r.stop()
	r.senders.Wait()
	total := 0
	for _, n := range r.acked {
		total += int(n.Load())
	}
	s.settle(int64(total))
	s.kill(syscall.SIGTERM)

	seen := map[string]int{}
	query := exec.Command(s.binary(), "query", "--case", s.caseDir(), "-o", "jsonl", "* | fields _msg")
	query.Stderr = os.Stderr
	out, err := query.Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		var row map[string]string
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatal(err)
		}
		text := row["_msg"]
		if i := strings.Index(text, "torture "); i >= 0 {
			f := strings.Fields(text[i:])
			seen[f[1]+" "+f[2]]++
		}
	}
	twice, lost := 0, 0
	for name, n := range r.acked {
		before := lost
		for i := range int(n.Load()) {
			switch c := seen[fmt.Sprintf("%s %d", name, i)]; {
			case c == 0:
				lost++
			case c > 1:
				twice++
			}
		}
		t.Logf("%s: %d records acknowledged, %d lost", name, n.Load(), lost-before)
		if n.Load() == 0 {
			t.Errorf("%s: nothing was acknowledged", name)
		}
	}
	t.Logf("%s, %d records acknowledged, %d lost, %d twice; %d in the store", what, total, lost, twice, len(seen))
	if keep := os.Getenv("SEXTANT_TORTURE_KEEP"); keep != "" {
		exec.Command("cp", "-a", s.dir, keep).Run()
	}
	if lost > 0 || twice > 0 {
		t.Errorf("%d of %d acknowledged records are lost, %d are there twice", lost, total, twice)
		s.keepLog()
	}
}

// settle waits until the store has so many records, for the followed files are
// read in their own time; or until nothing more comes for a minute.
func (s *victim) settle(total int64) {
	last, since := int64(-1), time.Now()
	for time.Since(since) < time.Minute {
		var row struct {
			N int64 `json:"n,string"`
		}
		resp, err := tortureClient.PostForm(fmt.Sprintf("http://127.0.0.1:%d/api/query", s.web), url.Values{"query": {"* | stats count() n"}})
		if err == nil {
			err = json.NewDecoder(resp.Body).Decode(&row)
			resp.Body.Close()
		}
		if err == nil && row.N >= total {
			return
		}
		if err == nil && row.N != last {
			last, since = row.N, time.Now()
		}
		time.Sleep(500 * time.Millisecond)
	}
	s.t.Logf("%d of %d records are there, and no more come for a minute", last, total)
}

func (s *victim) metrics() string {
	resp, err := tortureClient.Get(fmt.Sprintf("http://127.0.0.1:%d/metrics", s.web))
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	data, _ := io.ReadAll(resp.Body)
	return string(data)
}

const tortureBatch = 50

type victim struct {
	t          *testing.T
	dir        string
	beats, web int
	cmd        *exec.Cmd
	done       chan struct{}
	link       string
	more       []string // further flags
	bare       bool     // files are not followed unless more says so
	at         string   // the case directory; "": in dir

	// Something between senders and server cuts connections; where they connect then.
	cut              bool
	beatsVia, webVia int
}

func (s *victim) caseDir() string { return cmp.Or(s.at, filepath.Join(s.dir, "case")) }

func (s *victim) running() bool {
	select {
	case <-s.done:
		return false
	default:
		return true
	}
}

func freePort(t *testing.T) int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// binary is this test binary under the name by which it is sextant.
func (s *victim) binary() string {
	if s.link == "" {
		self, err := os.Executable()
		if err != nil {
			s.t.Fatal(err)
		}
		s.link = filepath.Join(s.dir, "sextant")
		if err := os.Symlink(self, s.link); err != nil {
			s.t.Fatal(err)
		}
	}
	return s.link
}

func (s *victim) start() {
	s.t.Helper()
	args := []string{"serve", "--case", s.caseDir()}
	builtin := false
	for _, m := range s.more {
		if m == "--builtin-rules" { // a word of ours: loading them costs each start a second
			builtin = true
		} else {
			args = append(args, m)
		}
	}
	if !builtin {
		args = append(args, "--no-builtin")
	}
	if !s.bare {
		args = append(args, "--listen", fmt.Sprintf("beats://127.0.0.1:%d", s.beats), "--listen", fmt.Sprintf("http://127.0.0.1:%d", s.web), "--tail", filepath.Join(s.dir, "*.log"))
	}
	s.cmd = exec.Command(s.binary(), args...)
	log, err := os.OpenFile(filepath.Join(s.dir, "serve.err"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	r, w := io.Pipe()
	s.cmd.Stderr = io.MultiWriter(log, w)
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	ready := make(chan bool, 1)
	go func() {
		var text bytes.Buffer
		buf := make([]byte, 4096)
		for told := false; ; {
			n, err := r.Read(buf)
			text.Write(buf[:n])
			if !told && strings.Contains(text.String(), "ready\n") {
				told = true
				ready <- true
			}
			if err != nil {
				if !told {
					ready <- false
				}
				return
			}
		}
	}()
	s.done = make(chan struct{})
	go func() {
		s.cmd.Wait()
		w.Close()
		log.Close()
		close(s.done)
	}()
	select {
	case ok := <-ready:
		if !ok {
			s.keepLog()
			s.t.Fatal("the server does not start")
		}
	case <-time.After(2 * time.Minute):
		s.t.Fatal("the server is not ready after two minutes")
	}
}

func (s *victim) kill(sig syscall.Signal) {
	s.cmd.Process.Signal(sig)
	select {
	case <-s.done:
	case <-time.After(time.Minute):
		s.t.Fatal("the server does not end")
	}
}

func (s *victim) keepLog() {
	data, _ := os.ReadFile(filepath.Join(s.dir, "serve.err"))
	s.t.Logf("%s", data[max(0, len(data)-4000):])
}

func (s *victim) sendBeats(from int) error {
	c, err := lumber.SyncDial(fmt.Sprintf("127.0.0.1:%d", cmp.Or(s.beatsVia, s.beats)), lumber.Timeout(10*time.Second), lumber.CompressionLevel(1))
	if err != nil {
		return err
	}
	defer c.Close()
	var batch []any
	for i := range tortureBatch {
		batch = append(batch, map[string]any{"@timestamp": "2026-03-04T10:11:12.000Z", "message": fmt.Sprintf("torture beats %d", from+i),
			"agent": map[string]any{"id": "a", "type": "filebeat", "version": "8.0.0"}, "log": map[string]any{"offset": from + i, "file": map[string]any{"path": "/x"}}})
	}
	n, err := c.Send(batch)
	if err == nil && n != tortureBatch {
		err = errors.New("acknowledged in part")
	}
	return err
}

var tortureClient = &http.Client{Timeout: 10 * time.Second}

func (s *victim) post(path, contentType string, body []byte) error {
	resp, err := tortureClient.Post(fmt.Sprintf("http://127.0.0.1:%d%s", cmp.Or(s.webVia, s.web), path), contentType, bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.ReadAll(resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != 200 {
		return errors.New(resp.Status)
	}
	return nil
}

func (s *victim) sendBulk(from int) error {
	var b bytes.Buffer
	for i := range tortureBatch {
		fmt.Fprintf(&b, "{\"create\":{}}\n{\"@timestamp\":\"2026-03-04T10:11:12%sZ\",\"message\":\"torture bulk %d\"}\n", s.fraction(), from+i)
	}
	return s.post("/logs/_bulk", "application/x-ndjson", b.Bytes())
}

// fraction is that of a document's time, where answers get lost on their way: by it a
// request is known again. A server that is killed must do without.
func (s *victim) fraction() string {
	if s.webVia == 0 {
		return ""
	}
	return ".345"
}

func (s *victim) sendOTLP(from int) error {
	logs := plog.NewLogs()
	records := logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	for i := range tortureBatch {
		r := records.AppendEmpty()
		r.SetTimestamp(1772619072000000000)
		r.Body().SetStr(fmt.Sprintf("torture otlp %d", from+i))
	}
	body, err := plogotlp.NewExportRequestFromLogs(logs).MarshalProto()
	if err != nil {
		return err
	}
	return s.post("/v1/logs", "application/x-protobuf", body)
}

// writeLog writes to a file that is followed, and renames it now and then.
func (s *victim) writeLog(from int) error {
	path := filepath.Join(s.dir, "app.log")
	if from > 0 && from%(40*tortureBatch) == 0 {
		if err := os.Rename(path, fmt.Sprintf("%s.%d", path, from)); err != nil {
			return err
		}
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	for i := range tortureBatch {
		fmt.Fprintf(f, "Mar  4 10:11:12 web1 app[7]: torture tail %d\n", from+i)
	}
	time.Sleep(20 * time.Millisecond)
	return nil
}
