package format

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/timestamp"
)

// linuxCorpus finds the shared corpus or skips the test.
func linuxCorpus(t *testing.T) string {
	t.Helper()
	if dir := os.Getenv("SEXTANT_CORPUS"); dir != "" {
		return dir
	}
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			if c := filepath.Join(dir, "..", "shared", "corpus"); isDir(c) {
				return c
			}
		}
		if dir == filepath.Dir(dir) {
			t.Skip("no corpus: set SEXTANT_CORPUS to its folder to run this")
		}
	}
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// CrowdSec's parsers are a second opinion on who tried to log in and from where.
func TestLinuxLogsDecodeAsCrowdSecsParsersDo(t *testing.T) {
	root := filepath.Join(linuxCorpus(t), "crowdsec_hub_tests")
	type key struct{ parser, index string }
	compared := 0
	for _, name := range []string{
		"sshd-logs", "sshd-success-logs", "ssh-timeout", "opnsense-sshd", "sshd-refused-conn", "pam-logs", "dovecot-logs", "proftpd-logs",
		"proftpd-user-enum", "pureftpd-logs", "postfix-logs", "syslog-logs",
	} {
		logs, _ := filepath.Glob(filepath.Join(root, name, "*.log"))
		asserts, err := os.ReadFile(filepath.Join(root, name, "parser.assert"))
		if err != nil || len(logs) == 0 {
			continue
		}
		// Lines like: results["s01-parse"]["author/sshd-logs"][3].Evt.Meta["source_ip"] == "192.0.2.7"
		want := map[key]map[string]string{}
		for line := range strings.Lines(string(asserts)) {
			left, value, ok := strings.Cut(strings.TrimSpace(line), " == ")
			rest, found := strings.CutPrefix(left, `results["s01-parse"]["`)
			if !ok || !found {
				continue
			}
			parser, rest, _ := strings.Cut(rest, `"][`)
			index, field, _ := strings.Cut(rest, "].Evt.")
			k := key{parser, index}
			if want[k] == nil {
				want[k] = map[string]string{}
			}
			if unquoted, err := strconv.Unquote(value); err == nil {
				want[k][field] = unquoted
			}
		}
		events := map[string]*event.Event{}
		for _, log := range logs {
			data, err := os.ReadFile(log)
			if err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(string(data)) {
				line = strings.TrimSpace(line)
				var b event.Batch
				b.Begin(0, line)
				d := newSyslogDecoder(timestamp.NewClock(nil, anchor.UnixNano()))
				if d.decode(line, &b) == nil {
					events[strings.TrimSpace(b.Event().Get("message"))] = b.Event()
				}
			}
		}
		for _, w := range want {
			e := events[strings.TrimSpace(w[`Parsed["message"]`])]
			if e == nil {
				continue
			}
			for field, ours := range map[string]string{`Meta["source_ip"]`: "source.ip", `Meta["target_user"]`: "user.name"} {
				if v := w[field]; v != "" {
					if compared++; e.Get(ours) != v {
						t.Errorf("%s: %q: %s = %q, want %q", name, e.Message(), ours, e.Get(ours), v)
					}
				}
			}
			switch logType := w[`Meta["log_type"]`]; {
			case strings.Contains(logType, "fail"):
				if compared++; e.Get("event.outcome") != "failure" {
					t.Errorf("%s: %q: outcome %q of %s", name, e.Message(), e.Get("event.outcome"), logType)
				}
			case strings.Contains(logType, "success"):
				if compared++; e.Get("event.outcome") != "success" {
					t.Errorf("%s: %q: outcome %q of %s", name, e.Message(), e.Get("event.outcome"), logType)
				}
			}
		}
	}
	if compared < 100 {
		t.Errorf("only %d fields compared", compared)
	}
	t.Logf("%d fields compared", compared)
}
