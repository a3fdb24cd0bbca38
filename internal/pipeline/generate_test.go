package pipeline

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// made is a generator of logs: the same seed gives the same bytes.
type made struct {
	*bufio.Writer
	*rand.Rand
	at time.Time

	// distinct makes each login's address, user or host one that no other record has.
	distinct string
	serial   int
}

var madeStart = time.Date(2024, 3, 4, 0, 0, 0, 0, time.UTC)

func newMade(w io.Writer, seed uint64) *made {
	return &made{Writer: bufio.NewWriterSize(w, 1<<20), Rand: rand.New(rand.NewPCG(seed, 7)), at: madeStart}
}

func pick(m *made, of ...string) string { return of[m.IntN(len(of))] }

func (m *made) host() string {
	if m.distinct == "host" {
		m.serial++
		return fmt.Sprintf("h%07d", m.serial)
	}
	return fmt.Sprintf("%s%02d", pick(m, "web", "db", "mail"), m.IntN(6))
}

// few is a skewed number below n: small ones are common.
func (m *made) few(n int) int { return int(float64(n) * m.Float64() * m.Float64() * m.Float64()) }

func (m *made) user() string {
	if m.distinct == "user" {
		m.serial++
		return fmt.Sprintf("guess%07d", m.serial)
	}
	return fmt.Sprintf("user%03d", m.few(400))
}

func (m *made) attacker() string {
	if m.distinct == "address" {
		m.serial++
		return fmt.Sprintf("10.%d.%d.%d", m.serial>>16&255, m.serial>>8&255, m.serial&255)
	}
	return fmt.Sprintf("203.0.113.%d", m.few(250))
}

func (m *made) staff() string { return fmt.Sprintf("192.0.2.%d", m.few(250)) }

// authLog writes n lines as a Linux host's auth.log has them, half of them
// logins that are guessed.
func (m *made) authLog(n int) {
	for range n {
		m.at = m.at.Add(time.Duration(m.few(1500)) * time.Millisecond)
		fmt.Fprintf(m, "%s %s ", m.at.Format(time.Stamp), m.host())
		pid, port := 500+m.IntN(60000), 1024+m.IntN(60000)
		switch r := m.IntN(100); {
		case r < 22 || m.distinct != "":
			fmt.Fprintf(m, "sshd[%d]: Failed password for invalid user %s from %s port %d ssh2\n", pid, m.user(), m.attacker(), port)
		case r < 38:
			fmt.Fprintf(m, "sshd[%d]: Failed password for root from %s port %d ssh2\n", pid, m.attacker(), port)
		case r < 48:
			fmt.Fprintf(m, "sshd[%d]: Invalid user %s from %s port %d\n", pid, m.user(), m.attacker(), port)
		case r < 56:
			fmt.Fprintf(m, "sshd[%d]: pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=%s  user=root\n", pid, m.attacker())
		case r < 64:
			fmt.Fprintf(m, "sshd[%d]: Disconnected from authenticating user root %s port %d [preauth]\n", pid, m.attacker(), port)
		case r < 70:
			fmt.Fprintf(m, "sshd[%d]: Accepted publickey for %s from %s port %d ssh2: RSA SHA256:%08x%08x\n", pid, m.user(), m.staff(), port, m.Uint32(), m.Uint32())
		case r < 80:
			fmt.Fprintf(m, "sshd[%d]: pam_unix(sshd:session): session %s for user %s\n", pid, pick(m, "opened", "closed"), m.user())
		case r < 85:
			fmt.Fprintf(m, "sudo:   %s : TTY=pts/%d ; PWD=/home/x ; USER=root ; COMMAND=/usr/bin/%s\n", m.user(), m.IntN(9), pick(m, "apt update", "systemctl restart nginx", "tail -f /var/log/syslog", "cat /etc/shadow"))
		case r < 93:
			fmt.Fprintf(m, "CRON[%d]: pam_unix(cron:session): session %s for user root(uid=0)\n", pid, pick(m, "opened", "closed"))
		case r < 97:
			fmt.Fprintf(m, "systemd-logind[%d]: New session %d of user %s.\n", 700, m.IntN(90000), m.user())
		default:
			fmt.Fprintf(m, "su: (to root) %s on pts/%d\n", m.user(), m.IntN(9))
		}
	}
}

// jsonLog writes n logins in ECS, each of an account, from an address and to a path that no other record has.
func (m *made) jsonLog(n int) {
	for i := range n {
		at := m.at.Add(time.Duration(i) * time.Second / 30)
		fmt.Fprintf(m, `{"@timestamp":%q,"user":{"name":"u%d"},"source":{"ip":"%d.%d.%d.%d"},"url":{"original":"/p/%x"},"event":{"action":"request","outcome":%q,"category":["authentication"]},"message":"request %d of u%d"}`+"\n",
			at.Format(time.RFC3339), i, 20+i>>24, i>>16&255, i>>8&255, i&255, uint32(i)*2654435761, []string{"success", "failure"}[i%7/6], i, i)
	}
}

// accessLog writes n requests in the combined format, a few of them attacks.
func (m *made) accessLog(n int) {
	for range n {
		m.at = m.at.Add(time.Duration(m.few(900)) * time.Millisecond)
		from, path, status, agent := m.staff(), "", "200", pick(m, madeAgents...)
		switch r := m.IntN(100); {
		case m.distinct != "" || r < 2:
			from, path, status = m.attacker(), pick(m, "/index.php?id=1%27%20UNION%20SELECT%20user,password%20FROM%20users--", "/cgi-bin/../../../../etc/passwd", "/?q=<script>alert(1)</script>"), pick(m, "403", "404", "200")
			agent = pick(m, "sqlmap/1.7", "Mozilla/5.0 Nikto/2.5", agent)
		case r < 12:
			path, status = fmt.Sprintf("/wp-login.php?try=%d", m.IntN(1000)), "404"
		case r < 60:
			path = fmt.Sprintf("/static/%s/%x.%s", pick(m, "img", "js", "css"), m.IntN(4000), pick(m, "png", "js", "css"))
		case r < 90:
			path = fmt.Sprintf("/shop/item/%d?ref=%s&page=%d", m.few(20000), pick(m, "home", "search", "mail"), m.few(40))
		default:
			path, status = "/api/v1/cart", pick(m, "200", "201", "302", "500")
		}
		fmt.Fprintf(m, "%s - - [%s] \"%s %s HTTP/1.1\" %s %d \"%s\" \"%s\"\n", from, m.at.Format("02/Jan/2006:15:04:05 -0700"),
			pick(m, "GET", "GET", "GET", "POST"), path, status, m.few(90000), pick(m, "-", "https://www.example.com/shop/"), agent)
	}
}

var madeAgents = []string{
	"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36",
	"Mozilla/5.0 (X11; Linux x86_64; rv:125.0) Gecko/20100101 Firefox/125.0",
	"Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Mobile/15E148 Safari/604.1",
	"curl/8.5.0",
}

// eveLog writes n Suricata records: flows most of all, as a sensor has them.
func (m *made) eveLog(n int) {
	for range n {
		m.at = m.at.Add(time.Duration(m.few(400)) * time.Millisecond)
		kind := pick(m, "flow", "flow", "flow", "dns", "dns", "http", "tls", "alert")
		fmt.Fprintf(m, `{"timestamp":"%s","flow_id":%d,"in_iface":"eth0","event_type":"%s","src_ip":"%s","src_port":%d,"dest_ip":"198.51.100.%d","dest_port":%s,"proto":"TCP",`,
			m.at.Format("2006-01-02T15:04:05.000000-0700"), m.Uint64N(1<<52), kind, m.attacker(), 1024+m.IntN(60000), m.few(60), pick(m, "443", "80", "22", "53"))
		switch kind {
		case "flow":
			fmt.Fprintf(m, `"app_proto":"tls","flow":{"pkts_toserver":%d,"pkts_toclient":%d,"bytes_toserver":%d,"bytes_toclient":%d,"age":%d,"state":"closed","reason":"timeout","alerted":false},"tcp":{"tcp_flags":"1b","syn":true,"fin":true,"psh":true,"ack":true,"state":"closed"}}`,
				m.few(90), m.few(90), m.few(90000), m.few(900000), m.IntN(99))
		case "dns":
			fmt.Fprintf(m, `"dns":{"type":"query","id":%d,"rrname":"%s%d.example.com","rrtype":"A","tx_id":0}}`, m.IntN(65536), pick(m, "www", "cdn", "mail"), m.few(300))
		case "http":
			fmt.Fprintf(m, `"tx_id":0,"http":{"hostname":"www.example.com","url":"/item/%d","http_user_agent":"curl/8.5.0","http_content_type":"text/html","http_method":"GET","protocol":"HTTP/1.1","status":200,"length":%d}}`, m.few(9000), m.few(90000))
		case "tls":
			fmt.Fprintf(m, `"tls":{"subject":"CN=www.example.com","issuerdn":"C=US, O=Example, CN=R3","serial":"%X","sni":"www.example.com","version":"TLS 1.3"}}`, m.Uint64())
		case "alert":
			fmt.Fprintf(m, `"alert":{"action":"allowed","gid":1,"signature_id":%d,"rev":3,"signature":"ET SCAN Potential SSH Scan %d","category":"Attempted Information Leak","severity":2}}`, 2000000+m.few(40), m.few(40))
		}
		m.WriteByte('\n')
	}
}

// makeLog writes n records of a kind to a file in dir and returns its path. Its
// time is that of its end, as a log's is, for stamps without a year.
func makeLog(tb testing.TB, dir, kind, distinct string, n int, seed uint64) string {
	tb.Helper()
	name := map[string]string{"auth": "auth.log", "access": "access.log", "eve": "eve.json", "json": "app.json"}[kind]
	path := filepath.Join(dir, name)
	f, err := os.Create(path)
	if err != nil {
		tb.Fatal(err)
	}
	m := newMade(f, seed)
	m.distinct = distinct
	switch kind {
	case "auth":
		m.authLog(n)
	case "access":
		m.accessLog(n)
	case "json":
		m.jsonLog(n)
	case "eve":
		m.eveLog(n)
	}
	if err := m.Flush(); err != nil {
		tb.Fatal(err)
	}
	if err := f.Close(); err != nil {
		tb.Fatal(err)
	}
	if err := os.Chtimes(path, m.at, m.at); err != nil {
		tb.Fatal(err)
	}
	return path
}
