package rulepack

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sextant-logs/sextant/internal/detect"
	"github.com/sextant-logs/sextant/internal/pipeline"
	"github.com/sextant-logs/sextant/sigma"
)

// corpus is the path of a part of the corpus of real logs.
func corpus(t *testing.T, part string) string {
	t.Helper()
	root := os.Getenv("SEXTANT_CORPUS")
	for dir, _ := os.Getwd(); root == ""; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			root = filepath.Join(dir, "../shared/corpus")
		} else if dir == filepath.Dir(dir) {
			break
		}
	}
	path := filepath.Join(root, part)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("no corpus of real logs: %v", err)
	}
	return path
}

type match struct {
	Rule    struct{ Name, Level string }
	Log     struct{ File struct{ Path string } } // of correlations, none
	Message string
}

// detectIn runs the whole pack over real logs.
func detectIn(t *testing.T, paths ...string) []match {
	t.Helper()
	var out bytes.Buffer
	_, _, err := pipeline.Detect(t.Context(), pipeline.Options{Paths: paths, Threads: 1}, detect.Options{Embedded: Rules}, &out)
	if err != nil {
		t.Fatal(err)
	}
	var matches []match
	lines := bufio.NewScanner(&out)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var m match
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			t.Fatal(err)
		}
		matches = append(matches, m)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return matches
}

func TestOrdinaryLogsRaiseNothing(t *testing.T) {
	var paths []string
	for _, part := range []string{
		"loghub/Apache/Apache_2k.log", "loghub/Hadoop/Hadoop_2k.log", "loghub/HDFS/HDFS_2k.log", "loghub/Zookeeper/Zookeeper_2k.log",
		"loghub/Android/Android_2k.log", "loghub/BGL/BGL_2k.log", "loghub/Windows/Windows_2k.log", "loghub/Proxifier/Proxifier_2k.log",
		"apache", "nginx", "syslog", "journald", "lnav", "raw_no_oracle", "crowdsec_hub_tests/sshd-success-logs",
		"crowdsec_hub_tests/nginx_http-logs", "crowdsec_hub_tests/syslog-logs",
	} {
		paths = append(paths, corpus(t, part))
	}
	// One of the journals holds a cloud machine's first boot, which makes the
	// default account and lets it use sudo: that is what the rule says.
	firstBoot := map[string]bool{"New account put into a privileged group": true}
	// And a log of Cloudflare's shows somebody who asks for /.env.
	probed := func(m match) bool {
		return m.Rule.Name == "Request for a file that holds secrets" && strings.Contains(filepath.ToSlash(m.Log.File.Path), "lnav/logfile_cloudflare")
	}
	for _, m := range detectIn(t, paths...) {
		if level, _ := sigma.ParseLevel(m.Rule.Level); level >= sigma.LevelLow && !firstBoot[m.Rule.Name] && !probed(m) {
			t.Errorf("%s: %s: %.300s", m.Rule.Level, m.Rule.Name, m.Message)
		}
	}
}

func TestRealAttacksAreFound(t *testing.T) {
	parts := map[string]string{
		"loghub/OpenSSH/OpenSSH_2k.log":                     "SSH brute force from one address",
		"loghub/Linux/Linux_2k.log":                         "Many logins refused by PAM from one address",
		"crowdsec_hub_tests/ssh-slow-bf":                    "SSH brute force from one address",
		"crowdsec_hub_tests/nginx-http-sqli-probing":        "SQL injection in a request",
		"crowdsec_hub_tests/nginx-http-path-traversal":      "Path traversal in a request",
		"crowdsec_hub_tests/apache-cve-2021-41773":          "Shell command in a request",
		"crowdsec_hub_tests/cve-2021-42013":                 "Path traversal in a request",
		"crowdsec_hub_tests/nginx-http-sensitive-files":     "Request for a file that holds secrets",
		"crowdsec_hub_tests/nginx-bad-user-agent":           "Security scanner names itself",
		"crowdsec_hub_tests/nginx-http-backdoor":            "Search for a web shell of somebody else",
		"crowdsec_hub_tests/nginx-http-generic-bf":          "Many failed logins at a page protected by password",
		"crowdsec_hub_tests/http-wordpress_user-enum":       "Names of WordPress users collected",
		"crowdsec_hub_tests/iptables-scan-multi-port":       "Port scan of one host",
		"crowdsec_hub_tests/pureftpd-bf":                    "Many failed logins from one address",
		"crowdsec_hub_tests/CVE-2017-9841":                  "Known exploit of a PHP framework",
		"crowdsec_hub_tests/CVE-2021-4034":                  "Traces of an attack on pkexec (PwnKit)",
		"crowdsec_hub_tests/CVE-2022-35914":                 "Known exploit of a web application",
		"crowdsec_hub_tests/CVE-2022-44877":                 "Shell command in a request",
		"crowdsec_hub_tests/CVE-2023-22515":                 "Known exploit of a web application",
		"crowdsec_hub_tests/CVE-2023-4911":                  "Program that runs as root crashed for a user",
		"crowdsec_hub_tests/fortinet-cve-2018-13379":        "Known exploit of a network appliance",
		"plaso/web/apache_access.log":                       "Command passed to a script, and answered",
		"crowdsec_hub_tests/bunkerweb-http-sensitive-files": "Request for a file that holds secrets",
	}
	var paths []string
	for part := range parts {
		paths = append(paths, corpus(t, part))
	}
	matches := detectIn(t, paths...)
	for part, rule := range parts {
		if !slices.ContainsFunc(matches, func(m match) bool {
			return m.Rule.Name == rule && (m.Log.File.Path == "" || strings.Contains(filepath.ToSlash(m.Log.File.Path), part))
		}) {
			t.Errorf("%s: %q was not found", part, rule)
		}
	}
}
