//go:build unix

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// configured is a server that takes its settings from a file.
type configured struct {
	*victim
	file   string
	syslog int
	also   int // a listener that comes and goes
	rules  string
}

func startConfigured(t *testing.T) *configured {
	t.Helper()
	s := &configured{victim: &victim{t: t, dir: t.TempDir(), beats: freePort(t), web: freePort(t)}, syslog: freePort(t), also: freePort(t)}
	s.file, s.rules = filepath.Join(s.dir, "live.yaml"), filepath.Join(s.dir, "rules")
	if err := os.Mkdir(s.rules, 0o700); err != nil {
		t.Fatal(err)
	}
	s.more, s.bare = []string{"--config", s.file}, true
	return s
}

// write writes the configuration; more are further lines.
func (s *configured) write(listen []string, more string) {
	s.t.Helper()
	text := "listen:\n"
	listen = append(listen, fmt.Sprintf("syslog+tcp://127.0.0.1:%d", s.syslog), fmt.Sprintf("beats://127.0.0.1:%d", s.beats), fmt.Sprintf("http://127.0.0.1:%d", s.web))
	for _, l := range listen {
		text += "  - " + l + "\n"
	}
	if err := os.WriteFile(s.file, []byte(text+more), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func (s *configured) rule(name, title, word string) {
	s.t.Helper()
	text := fmt.Sprintf("title: %s\nid: 5f0f7a3e-0000-4000-8000-0000000000%02x\nlevel: high\nlogsource:\n  product: linux\ndetection:\n  words:\n    - %s\n  condition: words\n", title, len(name), word)
	if err := os.WriteFile(filepath.Join(s.rules, name), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// said waits until the server's log has a text for the n-th time.
func (s *configured) said(text string, n int) {
	s.t.Helper()
	for range 300 {
		data, _ := os.ReadFile(filepath.Join(s.dir, "serve.err"))
		if strings.Count(string(data), text) >= n {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	s.keepLog()
	s.t.Fatalf("the server did not say %q %d times", text, n)
}

func (s *configured) hangup() { s.cmd.Process.Signal(syscall.SIGHUP) }

func TestAReloadLosesNoAcknowledgedRecordAndNoOpenConnection(t *testing.T) {
	if testing.Short() {
		t.Skip("a server reads its configuration again and again: some seconds")
	}
	s := startConfigured(t)
	s.write(nil, "rules: ["+s.rules+"]\n")
	s.rule("a.yml", "First", "torture-never")
	s.start()
	defer func() {
		if s.running() {
			s.kill(syscall.SIGTERM)
		}
	}()

	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", s.syslog))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, stop := context.WithCancel(context.Background())
	counts := map[string]*int{"bulk": new(int), "beats": new(int), "tail": new(int), "syslog": new(int)}
	var senders sync.WaitGroup
	send := func(name string, one func(from int) error) {
		senders.Go(func() {
			for ctx.Err() == nil {
				from := *counts[name]
				for one(from) != nil {
					time.Sleep(20 * time.Millisecond)
				}
				*counts[name] = from + tortureBatch
			}
		})
	}
	send("bulk", s.sendBulk)
	send("beats", s.sendBeats)
	send("tail", s.writeLog)
	send("syslog", func(from int) error { // one connection, over all reloads
		var b strings.Builder
		for i := range tortureBatch {
			fmt.Fprintf(&b, "<30>1 2026-03-04T10:11:12Z web1 app 7 - - torture syslog %d\n", from+i)
		}
		if _, err := io.WriteString(conn, b.String()); err != nil {
			t.Errorf("the connection ended: %v", err)
		}
		time.Sleep(5 * time.Millisecond)
		return nil
	})

	also := fmt.Sprintf("lines+tcp://127.0.0.1:%d", s.also)
	const done, kept = "configuration read again", "the old one stays"
	for i := range 3 {
		s.write([]string{also}, "rules: ["+s.rules+"]\ntail: ["+filepath.Join(s.dir, "*.log")+"]\nalert: ['file://"+filepath.Join(s.dir, "alerts.jsonl")+"']\n")
		s.rule("a.yml", fmt.Sprintf("Rule %d", i), fmt.Sprintf("'torture syslog %d'", 100+i))
		s.hangup()
		s.said(done, 2*i+1)
		if c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", s.also)); err != nil {
			t.Errorf("a listener that was added: %v", err)
		} else {
			c.Close()
		}
		s.write([]string{also, "nothing://x"}, "rulez: []\n")
		s.hangup()
		s.said(kept, i+1)
		s.write(nil, "rules: ["+s.rules+"]\ntail: ["+filepath.Join(s.dir, "*.log")+", /nowhere/*]\n") // another list: files are taken up where they were
		s.hangup()
		s.said(done, 2*i+2)
		if c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", s.also)); err == nil {
			t.Error("a listener that was taken away still answers")
			c.Close()
		}
	}
	s.said(`did you mean \"rules\"`, 1)
	stop()
	senders.Wait()
	time.Sleep(3 * time.Second) // the file is read to its end, the connection emptied
	conn.Close()
	s.kill(syscall.SIGTERM)

	seen := map[string]int{}
	out, err := exec.Command(s.binary(), "query", "--case", filepath.Join(s.dir, "case"), "-o", "jsonl", "* | fields _msg").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		var row map[string]string
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatal(err)
		}
		if i := strings.Index(row["_msg"], "torture "); i >= 0 {
			f := strings.Fields(row["_msg"][i:])
			seen[f[1]+" "+f[2]]++
		}
	}
	for name, n := range counts {
		lost, twice := 0, 0
		for i := range *n {
			switch c := seen[fmt.Sprintf("%s %d", name, i)]; {
			case c == 0:
				lost++
			case c > 1:
				twice++
			}
		}
		t.Logf("%s: %d sent, %d lost, %d twice", name, *n, lost, twice)
		if lost > 0 || twice > 0 || *n == 0 {
			t.Errorf("%s: of %d records %d are lost, %d are there twice", name, *n, lost, twice)
			s.keepLog()
		}
	}
}

func TestRulesAlertsAndUsersChangeWhileItRuns(t *testing.T) {
	s := startConfigured(t)
	web := fmt.Sprintf("http://127.0.0.1:%d", s.web)
	alerts := filepath.Join(s.dir, "alerts.jsonl")
	s.rule("a.yml", "First rule", "melon")
	s.write(nil, "rules: ["+s.rules+"]\n")
	s.start()
	defer s.kill(syscall.SIGTERM)
	post := func(text string) {
		t.Helper()
		line := fmt.Sprintf("<30>1 %s web1 app 7 - - %s\n", time.Now().UTC().Format(time.RFC3339), text)
		if err := s.post("/ingest?format=syslog", "text/plain", []byte(line)); err == nil || !strings.Contains(err.Error(), "204") {
			t.Fatal(err)
		}
	}
	post("a melon and a cherry")
	s.rule("b.yml.", "never read", "x") // no rule file
	s.rule("bb.yml", "Second rule", "cherry")
	s.write(nil, "rules: ["+s.rules+"]\nalert: ['file://"+alerts+"']\nalert-group: 100ms\n")
	// As on Windows, by HTTP; the server's own file has the key.
	out, err := exec.Command(s.binary(), "serve", "--case", filepath.Join(s.dir, "case"), "--reload").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "took 2 rules") || !strings.Contains(string(out), "took 1 alert output") {
		t.Fatalf("%v %s", err, out)
	}
	// What came before is looked at with the new rules; what comes is as well.
	post("another cherry")
	for range 100 {
		if data, _ := os.ReadFile(alerts); strings.Contains(string(data), "Second rule") {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if data, _ := os.ReadFile(alerts); !strings.Contains(string(data), "Second rule") {
		s.keepLog()
		t.Errorf("no alert of the new rule: %s", data)
	}
	// A rule that was good and is broken now does not replace it.
	if err := os.WriteFile(filepath.Join(s.rules, "a.yml"), []byte("title: x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err = exec.Command(s.binary(), "serve", "--case", filepath.Join(s.dir, "case"), "--reload").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "a.yml") || !strings.Contains(string(out), "the old configuration stays") {
		t.Errorf("%v %s", err, out)
	}
	// Once somebody is known, nobody else gets in.
	add := exec.Command(s.binary(), "access", "user", "alice", "--case", filepath.Join(s.dir, "case"))
	add.Stdin = strings.NewReader("a long password\n")
	if out, err := add.CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	resp, err := http.Get(web + "/api/query?query=*")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 401 {
		t.Errorf("without a login: %d", resp.StatusCode)
	}
}
