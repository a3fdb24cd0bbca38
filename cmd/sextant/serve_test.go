//go:build unix

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// live is a server for a test, with a listener of every kind that the tests
// need.
type live struct {
	*victim
	syslogUDP, syslogTCP, lines int
}

func startLive(t *testing.T, more ...string) *live {
	t.Helper()
	s := &live{victim: &victim{t: t, dir: t.TempDir(), beats: freePort(t), web: freePort(t)}, syslogUDP: freePort(t), syslogTCP: freePort(t), lines: freePort(t)}
	s.more = append([]string{"--listen", fmt.Sprintf("syslog+udp://127.0.0.1:%d", s.syslogUDP), "--listen", fmt.Sprintf("syslog+tcp://127.0.0.1:%d", s.syslogTCP),
		"--listen", fmt.Sprintf("lines+tcp://127.0.0.1:%d", s.lines)}, more...)
	s.start()
	t.Cleanup(func() {
		if s.running() {
			s.kill(syscall.SIGTERM)
		}
	})
	return s
}

// wait returns the rows of a query once there are n.
func (s *live) wait(query string, n int) []map[string]string {
	s.t.Helper()
	var rows []map[string]string
	for range 150 {
		rows = nil
		resp, err := http.PostForm(fmt.Sprintf("http://127.0.0.1:%d/api/query", s.web), url.Values{"query": {query}})
		if err != nil {
			s.t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		for line := range strings.Lines(string(body)) {
			var row map[string]string
			if err := json.Unmarshal([]byte(line), &row); err != nil {
				s.t.Fatalf("%s: %v", line, err)
			}
			rows = append(rows, row)
		}
		if len(rows) >= n {
			return rows
		}
		time.Sleep(100 * time.Millisecond)
	}
	s.t.Fatalf("%s: %d rows of %d: %v", query, len(rows), n, rows)
	return nil
}

// client finds a program that a test plays a sender with; CI has them all.
func client(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	for _, dir := range []string{"/usr/sbin", "/lib/systemd", "/usr/lib/systemd"} {
		if err != nil {
			path, err = exec.LookPath(filepath.Join(dir, name))
		}
	}
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("%s is not installed", name)
		}
		t.Skipf("%s is not installed", name)
	}
	return path
}

func TestPythonProgramsLogAndRead(t *testing.T) {
	python := "/usr/bin/python3" // Debian's, which has structlog and logbook
	if _, err := os.Stat(python); err != nil {
		python = client(t, "python3")
	}
	s := startLive(t)
	c := exec.Command(python, "-m", "unittest", "-v", "python/tests/test_sextant.py")
	c.Dir = "../.."
	c.Env = append(os.Environ(), fmt.Sprintf("SEXTANT=http://127.0.0.1:%d", s.web), fmt.Sprintf("SEXTANT_UDP=127.0.0.1:%d", s.syslogUDP),
		fmt.Sprintf("SEXTANT_TCP=127.0.0.1:%d", s.syslogTCP), fmt.Sprintf("SEXTANT_JSON=127.0.0.1:%d", s.lines), "PYTHONDONTWRITEBYTECODE=1")
	out, err := c.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}

func TestLoggerAndRsyslogAreDecodedAsTheLogsTheySend(t *testing.T) {
	logger, rsyslog := client(t, "logger"), client(t, "rsyslogd")
	s := startLive(t)
	for _, c := range [][]string{
		{"--udp", "--port", fmt.Sprint(s.syslogUDP), "--rfc3164"},
		{"--tcp", "--port", fmt.Sprint(s.syslogTCP), "--octet-count"},
		{"--tcp", "--port", fmt.Sprint(s.syslogTCP), "--rfc3164"},
	} {
		c = append(c, "--server", "127.0.0.1", "--tag", "sshd", "--priority", "authpriv.info", "Failed password for root from 203.0.113.9 port 51122 ssh2")
		if out, err := exec.Command(logger, c...).CombinedOutput(); err != nil {
			t.Errorf("logger %q: %v %s", c, err, out)
		}
	}
	for _, row := range s.wait(`event.dataset:=system.auth source.ip:="203.0.113.9"`, 3) {
		if row["event.outcome"] != "failure" || row["user.name"] != "root" {
			t.Errorf("%v", row)
		}
	}

	// rsyslog reads a file of web server lines and forwards it by TCP and by Elasticsearch bulk.
	dir := s.dir
	logFile := filepath.Join(dir, "in.txt")
	conf := fmt.Sprintf(`module(load="imfile")
global(workDirectory=%q)
input(type="imfile" File=%q Tag="nginx:" Facility="local7")
action(type="omfwd" target="127.0.0.1" port="%d" protocol="tcp" TCP_Framing="octet-counted" template="RSYSLOG_SyslogProtocol23Format")
`, dir, logFile, s.syslogTCP)
	elastic := false
	for _, lib := range []string{"/usr/lib/x86_64-linux-gnu/rsyslog/omelasticsearch.so", "/usr/lib/aarch64-linux-gnu/rsyslog/omelasticsearch.so"} {
		if _, err := os.Stat(lib); err == nil {
			elastic = true
		}
	}
	if elastic {
		conf += fmt.Sprintf(`module(load="omelasticsearch")
template(name="doc" type="list" option.jsonf="on") { property(outname="@timestamp" name="timereported" dateFormat="rfc3339" format="jsonf") property(outname="message" name="msg" format="jsonf") constant(outname="via" value="bulk" format="jsonf") }
action(type="omelasticsearch" server="127.0.0.1" serverport="%d" template="doc" searchIndex="logs" searchType="" bulkmode="on")
`, s.web)
	}
	path := filepath.Join(dir, "rsyslog.conf")
	if err := os.WriteFile(path, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(logFile, []byte("192.0.2.7 - alice [04/Mar/2026:10:11:12 +0000] \"GET /admin HTTP/1.1\" 403 153 \"-\" \"curl/8.0\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	stop := background(t, exec.Command(rsyslog, "-n", "-f", path, "-i", filepath.Join(dir, "rsyslog.pid")))
	row := s.wait(`"GET /admin" process.name:=nginx`, 1)[0]
	if row["event.dataset"] == "" {
		t.Errorf("%v", row)
	}
	if elastic {
		s.wait(`"GET /admin" log.file.path:"_bulk"`, 1)
	}
	stop()
}

func TestSyslogNGIsDecodedAsTheLogItSends(t *testing.T) {
	ng := client(t, "syslog-ng")
	s := startLive(t)
	dir := s.dir
	path := filepath.Join(dir, "syslog-ng.conf")
	in := filepath.Join(dir, "ng.txt")
	if err := os.WriteFile(in, []byte("<86>Mar  4 10:11:12 gate sshd[7]: Accepted password for alice from 198.51.100.4 port 4022 ssh2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	conf := fmt.Sprintf("@version: 3.38\nsource s { file(%q follow-freq(1)); };\ndestination d { network(\"127.0.0.1\" port(%d) transport(tcp)); };\nlog { source(s); destination(d); };\n", in, s.syslogTCP)
	if err := os.WriteFile(path, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	stop := background(t, exec.Command(ng, "-F", "-f", path, "--persist-file", filepath.Join(dir, "ng.persist"), "--pidfile", filepath.Join(dir, "ng.pid"), "--control", filepath.Join(dir, "ng.ctl")))
	row := s.wait(`source.ip:="198.51.100.4"`, 1)[0]
	if row["event.outcome"] != "success" || row["user.name"] != "alice" {
		t.Errorf("%v", row)
	}
	stop()
}

// background runs a daemon until stop is called or the test ends.
func background(t *testing.T, c *exec.Cmd) (stop func()) {
	t.Helper()
	var out strings.Builder
	c.Stdout, c.Stderr = &out, &out
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { c.Wait(); close(done) }()
	stop = func() {
		c.Process.Signal(syscall.SIGTERM)
		select {
		case <-done:
		case <-time.After(10 * time.Second):
			c.Process.Kill()
			<-done
		}
		if t.Failed() {
			t.Logf("%s: %s", c.Path, out.String())
		}
	}
	t.Cleanup(func() { c.Process.Kill() })
	return stop
}

func TestSystemdJournalUploadSendsItsJournal(t *testing.T) {
	remote, upload := client(t, "systemd-journal-remote"), client(t, "systemd-journal-upload")
	s := startLive(t)
	// A journal to send, made from its export form.
	file := filepath.Join(s.dir, "test.journal")
	make := exec.Command(remote, "-o", file, "-")
	make.Stdin = strings.NewReader("__REALTIME_TIMESTAMP=1772619072000000\n__MONOTONIC_TIMESTAMP=1000000\n_BOOT_ID=0123456789abcdef0123456789abcdef\n_HOSTNAME=web1\nSYSLOG_IDENTIFIER=sshd\n_COMM=sshd\nPRIORITY=6\nSYSLOG_FACILITY=10\nMESSAGE=Failed password for root from 203.0.113.77 port 51122 ssh2\n\n")
	if out, err := make.CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	stop := background(t, exec.Command(upload, "--url", fmt.Sprintf("http://127.0.0.1:%d", s.web), "--file", file, "--save-state="+filepath.Join(s.dir, "upload.state")))
	defer stop()
	row := s.wait(`source.ip:="203.0.113.77"`, 1)[0]
	if row["event.outcome"] != "failure" || row["host.name"] != "web1" {
		t.Errorf("%v", row)
	}
}

func TestServeWatchesRulesAndTellsOfFindings(t *testing.T) {
	alerts := filepath.Join(t.TempDir(), "alerts.jsonl")
	s := startLive(t, "--builtin-rules", "--alert", "file://"+alerts, "--alert-level", "low", "--alert-group", "200ms")
	var lines strings.Builder
	now := time.Now().UTC()
	for i := range 30 {
		fmt.Fprintf(&lines, "<86>1 %s web1 sshd 7 - - Failed password for root from 203.0.113.9 port %d ssh2\n", now.Add(time.Duration(i)*time.Second).Format(time.RFC3339), 50000+i)
	}
	fmt.Fprintf(&lines, "<86>1 %s web1 sshd 7 - - Accepted password for root from 203.0.113.9 port 51000 ssh2\n", now.Add(40*time.Second).Format(time.RFC3339))
	if err := s.post("/ingest?format=syslog", "text/plain", []byte(lines.String())); err == nil || !strings.Contains(err.Error(), "204") {
		t.Fatal(err)
	}
	for range 200 {
		if data, err := os.ReadFile(alerts); err == nil && strings.Contains(string(data), "203.0.113.9") {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	data, err := os.ReadFile(alerts)
	if err != nil || !strings.Contains(string(data), "203.0.113.9") {
		t.Fatalf("no alert: %s %v", data, err)
	}
	resp, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/api/investigation", s.web))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var inv struct {
		Incidents []struct {
			Title   string
			Outcome struct{ Result string }
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&inv); err != nil {
		t.Fatal(err)
	}
	if len(inv.Incidents) == 0 || inv.Incidents[0].Outcome.Result != "succeeded" {
		t.Errorf("%+v", inv)
	}
}

func TestWhatOneSextantForwardsAnotherHasAsTheFirstHasIt(t *testing.T) {
	b := startLive(t)
	a := startLive(t, "--forward", fmt.Sprintf("logstash://127.0.0.1:%d?where=user.name:%%3Dalice", b.beats),
		"--forward", fmt.Sprintf("elasticsearch+http://127.0.0.1:%d/logs-{dataset}-default", b.web))
	text := "<86>Mar  4 10:11:12 gate sshd[7]: Accepted password for alice from 198.51.100.4 port 4022 ssh2\n" +
		"<86>Mar  4 10:11:13 gate sshd[7]: Failed password for root from 203.0.113.9 port 51122 ssh2\n"
	if err := a.post("/ingest?format=syslog", "text/plain", []byte(text)); err == nil || !strings.Contains(err.Error(), "204") {
		t.Fatal(err)
	}
	want := a.wait(`event.dataset:=system.auth`, 2)
	got := b.wait(`event.dataset:=system.auth`, 3)
	for _, w := range want {
		n := 0
		for _, g := range got {
			if g["_msg"] != w["_msg"] {
				continue
			}
			n++
			for _, name := range []string{"_time", "user.name", "source.ip", "source.port", "event.outcome", "event.category", "event.action", "host.name", "process.pid"} {
				if g[name] != w[name] {
					t.Errorf("%s: %q became %q by %s", name, w[name], g[name], g["log.file.path"])
				}
			}
		}
		if expected := 1 + strings.Count(w["user.name"], "alice"); n != expected {
			t.Errorf("%s arrived %d times, want %d", w["_msg"], n, expected)
		}
	}
	// A whole case, sent again: what is known is not taken again.
	a.kill(syscall.SIGTERM)
	out, err := exec.Command(a.binary(), "forward", "--case", filepath.Join(a.dir, "case"), fmt.Sprintf("elasticsearch+http://127.0.0.1:%d/logs-{dataset}-default", b.web)).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "2 records sent") {
		t.Errorf("%v %s", err, out)
	}
	if got := b.wait(`event.dataset:=system.auth`, 3); len(got) != 3 {
		t.Errorf("%d records, want 3", len(got))
	}
}
