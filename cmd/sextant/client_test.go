//go:build unix

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestCommandsAskTheServerThatHasTheCase(t *testing.T) {
	s := startLive(t)
	for i := range 3 {
		line := fmt.Sprintf("<86>1 2026-03-04T10:11:1%dZ web1 sshd 7 - - Failed password for root from 203.0.113.%d port 51122 ssh2\n", i, i)
		if err := s.post("/ingest?format=syslog", "text/plain", []byte(line)); err == nil || !strings.Contains(err.Error(), "204") {
			t.Fatal(err)
		}
	}
	s.wait("source.ip:*", 3)
	dir, web := filepath.Join(s.dir, "case"), fmt.Sprintf("http://127.0.0.1:%d", s.web)
	run := func(env string, args ...string) string {
		c := exec.Command(s.binary(), args...)
		c.Env = append(os.Environ(), env)
		out, err := c.CombinedOutput()
		if err != nil {
			return string(out) + err.Error()
		}
		return string(out)
	}
	for _, c := range []struct {
		want, env string
		args      []string
	}{
		{"203.0.113.2", "", []string{"query", "--case", dir, "source.ip:* | fields source.ip"}},
		{"203.0.113.2", "", []string{"query", "--server", web, "source.ip:* | fields source.ip"}},
		{"203.0.113.2", "SEXTANT_SERVER=" + web, []string{"query", "source.ip:* | fields source.ip"}},
		{"203.0.113.2", "", []string{"timeline", "--case", dir, "--from", "2026-03-04"}},
		{"203.0.113.2", "", []string{"export", "--case", dir, "--format", "jsonl", "-o", "-"}},
		{"Failed password for", "", []string{"patterns", "--case", dir}},
		{"Failed password for", "", []string{"patterns", "--server", web, "--new", "--since", "24h"}},
		{"No pattern is gone", "", []string{"patterns", "--server", web, "--gone", "--since", "1h"}},
		{"203.0.113.2", "", []string{"patterns", "--server", web, "--parameter", "ip=203.0.113.2"}},
		{"missing whitespace", "", []string{"query", "--case", dir, "foo(("}},
		{"the case is open in another process", "", []string{"verify", "--case", dir}},
		{"--server " + web, "", []string{"serve", "--case", dir, "--listen", "http://127.0.0.1:0"}},
		{"want the server's URL", "", []string{"query", "--server", "ftp://x", "*"}},
	} {
		if out := run(c.env, c.args...); !strings.Contains(out, c.want) {
			t.Errorf("%q prints %s", c.args, out)
		}
	}
	out := run("", "access", "token", "reader", "--case", dir, "--role", "viewer")
	token, _, _ := strings.Cut(out, "\n")
	if out := run("", "query", "--server", web, "*"); !strings.Contains(out, "--token") {
		t.Errorf("without a token: %s", out)
	}
	if out := run("SEXTANT_TOKEN="+token, "query", "--server", web, "* | stats count() n"); !strings.Contains(out, "3") {
		t.Errorf("with a token: %s", out)
	}
	if out := run("", "query", "--case", dir, "* | stats count() n"); !strings.Contains(out, "3") {
		t.Errorf("the user who runs it: %s", out)
	}
	if info, err := os.Stat(filepath.Join(dir, "serve.json")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
}
