//go:build unix

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestLoggersOfNodePrograms sends with the loggers that testdata/node/package.json
// names: npm ci --prefix cmd/sextant/testdata/node.
func TestLoggersOfNodePrograms(t *testing.T) {
	node := client(t, "node")
	dir := filepath.Join("testdata", "node")
	if _, err := os.Stat(filepath.Join(dir, "node_modules")); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("the loggers of testdata/node are not installed")
		}
		t.Skip("the loggers are not installed: npm ci --prefix cmd/sextant/testdata/node")
	}
	gelf, fluent := freePort(t), freePort(t)
	s := startLive(t, "--listen", fmt.Sprintf("gelf+udp://127.0.0.1:%d", gelf), "--listen", fmt.Sprintf("fluent://127.0.0.1:%d", fluent))
	cmd := exec.Command(node, filepath.Join(dir, "send.js"), "127.0.0.1", fmt.Sprintf("web=%d", s.web), fmt.Sprintf("syslog=%d", s.syslogTCP), fmt.Sprintf("lines=%d", s.lines), fmt.Sprintf("gelf=%d", gelf), fmt.Sprintf("fluent=%d", fluent))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	for text, want := range map[string]map[string]string{
		"from pino-elasticsearch":      {"log.level": "info"},
		"failed at pino-elasticsearch": {"log.level": "error"},
		"from pino-socket":             {"log.level": "warn"},
		"from winston-syslog":          {"log.level": "error", "host.name": "web9"},
		"from winston-loki":            {"labels.app": "shop"},
		"from winston-http":            {"log.level": "warn"},
		"from bunyan":                  {"log.level": "fatal"},
		"from log4js-gelf":             {"log.level": "error", "host.name": "web9", "gelf.order": "17"},
		"from fluent-logger":           {"fluent.tag": "shop"},
		"from splunk-logging":          {"host.name": "web9"},
	} {
		row := s.wait(fmt.Sprintf("%q", text), 1)[0]
		for name, value := range want {
			if row[name] != value {
				t.Errorf("%s: %s is %q, want %q: %v", text, name, row[name], value, row)
			}
		}
	}
}
