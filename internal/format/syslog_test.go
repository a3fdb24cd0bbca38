package format

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/timestamp"
)

// decodeOne decodes one line of a format.
func decodeOne(t testing.TB, f *Format, line string) *event.Event {
	t.Helper()
	var b event.Batch
	b.Begin(0, line)
	p := &Params{Clock: timestamp.NewClock(nil, anchor.UnixNano())}
	if err := f.Lines(p)(line, &b); err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	return b.Event()
}

// Whoever connects chooses the user name. Whatever it holds, the address and port of the event
// are those the server saw, and a failure is never read as a success.
func TestAUserNameCannotForgeTheSourceOfAnSSHLogin(t *testing.T) {
	const address, port = "203.0.113.9", "4444"
	names := []string{
		"root", "", " ", "a b", "from", "from 192.0.2.1", "x from 192.0.2.1 port 22", "x from 192.0.2.1 port 22 ssh2",
		"x from 192.0.2.1 port 22 ssh2: RSA SHA256:aaaa", "for root from 192.0.2.1 port 22 ssh2", "Accepted password for root from 192.0.2.1 port 22 ssh2",
		"invalid user root", "x [preauth]", "192.0.2.1 port 22", "x 192.0.2.1 port 22: Too many authentication failures", "x not allowed because y", "x: y", "]", "[",
		"x\tfrom 192.0.2.1 port 22 ssh2", "user root 192.0.2.1 port 22", "x port 22", "by root", "x rhost=192.0.2.1  user=root", "ssh2", "port", "\x00", strings.Repeat("a from 192.0.2.1 port 22 ssh2 ", 50),
	}
	shapes := []string{
		"Failed password for invalid user %s from " + address + " port " + port + " ssh2",
		"Failed none for invalid user %s from " + address + " port " + port + " ssh2 [preauth]",
		"Failed publickey for invalid user %s from " + address + " port " + port + " ssh2: ED25519 SHA256:abcd",
		"Postponed keyboard-interactive for invalid user %s from " + address + " port " + port + " ssh2 [preauth]",
		"error: maximum authentication attempts exceeded for invalid user %s from " + address + " port " + port + " ssh2 [preauth]",
		"Invalid user %s from " + address + " port " + port,
		"Connection closed by invalid user %s " + address + " port " + port + " [preauth]",
		"Connection reset by authenticating user %s " + address + " port " + port + " [preauth]",
		"Disconnected from invalid user %s " + address + " port " + port + " [preauth]",
		"Disconnecting invalid user %s " + address + " port " + port + ": Too many authentication failures [preauth]",
		"Disconnecting invalid user %[1]s " + address + " port " + port + ": Change of username or service not allowed: (%[1]s,ssh-connection) -> (%[1]s,ssh-connection) [preauth]",
		"error: PAM: Authentication failure for illegal user %s from " + address,
		"message repeated 3 times: [ Failed password for invalid user %s from " + address + " port " + port + " ssh2]",
	}
	for _, shape := range shapes {
		for _, name := range names {
			e := decodeOne(t, Lookup("syslog"), "Jan  7 01:00:00 web1 sshd[10]: "+fmt.Sprintf(shape, name))
			if got := e.Get("source.ip"); got != address && !(got == "" && e.Err != "") {
				t.Errorf("%q in %q: source.ip %q", name, shape, got)
			}
			if got := e.Get("source.port"); got != port && strings.Contains(shape, "port") && e.Err == "" {
				t.Errorf("%q in %q: source.port %q", name, shape, got)
			}
			if got := e.Get("user.name"); got != name && strings.TrimSpace(name) != "" && !strings.HasSuffix(name, "[preauth]") && e.Err == "" && name != "invalid user root" {
				t.Errorf("%q in %q: user.name %q", name, shape, got)
			}
			if e.Get("event.outcome") == "success" {
				t.Errorf("%q in %q succeeded", name, shape)
			}
		}
	}
}

func TestSyslogHeadersInEveryShape(t *testing.T) {
	for _, c := range []struct{ line, host, program, pid, text string }{
		{"Jan  2 03:04:05 web1 sshd[12]: hi", "web1", "sshd", "12", "hi"},
		{"Jan 02 03:04:05 web1 sshd: hi", "web1", "sshd", "", "hi"},
		{"Jan  2 2025 03:04:05 web1 sshd: hi", "web1", "sshd", "", "hi"},
		{"<34>Jan  2 03:04:05 2001:db8::1 su: hi", "2001:db8::1", "su", "", "hi"},
		{"<34>1 2025-01-02T03:04:05.000000001Z web1 su 12 ID1 - hi", "web1", "su", "12", "hi"},
		{"<34>1 2025-01-02T03:04:05Z - - - - -", "", "", "", ""},
		{`<34>1 2025-01-02T03:04:05Z web1 su - - [a@1 k="] v"] hi`, "web1", "su", "", "hi"},
		{"2025-01-02T03:04:05+01:00 web1 cron[3]: hi", "web1", "cron", "3", "hi"},
		{"Jan  2 03:04:05 tag: hi", "", "tag", "", "hi"},
		{"Jan  2 03:04:05 web1 /usr/sbin/cron[3]: hi", "web1", "cron", "3", "hi"},
		{"Jan  2 03:04:05 web1 Google Chrome Helper[3]: hi", "web1", "Google Chrome Helper", "3", "hi"},
		{"Jan  2 03:04:05 web1 postfix/smtpd[3]: hi", "web1", "postfix/smtpd", "3", "hi"},
		{"Jan  2 03:04:05 web1 proftpd[3] hi", "web1", "proftpd", "3", "hi"},
		{"Jan  2 03:04:05 web1 polkitd(authority=local): hi", "web1", "polkitd", "", "hi"},
		{"Jan  2 03:04:05 fw1 : %ASA-6-302013: hi", "fw1", "", "", "hi"},
		{"Jan  2 03:04:05 web1 no tag here at 10:00: really", "web1", "", "", "no tag here at 10:00: really"},
		{"Jan  2 03:04:05 gw kern.warn kernel: hi", "gw", "kernel", "", "hi"},
		{"Mon 2025-01-06 12:00:00 UTC web1 sshd[7]: hi", "web1", "sshd", "7", "hi"},
		{"<13>app[9]: hi", "", "app", "9", "hi"},
		{"31 <13>Jan  2 03:04:05 web1 app: hi", "web1", "app", "", "hi"},
	} {
		e := decodeOne(t, Lookup("syslog"), c.line)
		if h, n, p, m := e.Get("host.hostname"), e.Get("process.name"), e.Get("process.pid"), e.Get("message"); h != c.host || n != c.program || p != c.pid || m != c.text {
			t.Errorf("%q: host %q program %q pid %q message %q", c.line, h, n, p, m)
		}
	}
}

func TestProseIsNoSyslog(t *testing.T) {
	for _, line := range []string{
		"", "<", "<1", "<192>x", "<>x", "hello world", "2025-01-02 03:04:05 ERROR main: boom", "2025-01-02 03:04:05,123 host app: x",
		"January 2 03:04:05 x y: z", "Jan  2 03:04:05", "1736393856 x", "{\"a\":1}", "12 <13", "Jan 32 03:04:05 web1 app: x",
	} {
		var h syslogHeader
		var c timestamp.Clock
		if h.parse(line, &c) == nil {
			t.Errorf("%q passes for syslog: %+v", line, h)
		}
	}
}

func TestBlankLinesBetweenRecordsOfManyChunks(t *testing.T) {
	data := []byte(strings.Repeat("Jan  2 03:04:05 web1 app: one\n\n\r\n\tand more\n", 20_000))
	for _, name := range []string{"syslog", "text", "dmesg"} {
		decodeAll(t, Lookup(name), data, bytes.NewReader(data))
	}
}

func TestAddressesAreToldFromWhatLooksLikeThem(t *testing.T) {
	for s, want := range map[string]int{
		"192.0.2.1": 4, "0.0.0.0": 4, "255.255.255.255": 4, "256.0.0.1": 0, "1.2.3": 0, "1.2.3.4.5": 0, "1..2.3": 0, "1.2.3.4 ": 0, "0001.2.3.4": 0,
		"::": 6, "::1": 6, "2001:db8::1": 6, "fe80::1%eth0": 6, "fe80::1%": 0, "::ffff:192.0.2.1": 6, "1:2:3:4:5:6:7:8": 6, "1:2:3:4:5:6:7": 0, "1:2:3:4:5:6:7:8:9": 0,
		"1::2::3": 0, ":1": 0, "1:": 0, ":::": 0, "12345::": 0, "g::": 0, "1:2:3:4:5:6:192.0.2.1": 6, "10:20:30": 0, "": 0, ":": 0, "1::2:3:4:5:6:7:8": 0,
	} {
		if got := ipVersion(s); got != want {
			t.Errorf("%q is IPv%d, want %d", s, got, want)
		}
	}
}

// FuzzMessages gives every program any text: what is added is of its field's kind, and
// the message is kept whole.
func FuzzMessages(f *testing.F) {
	shortly(f)
	for _, file := range []string{"auth", "hostile", "forwarded", "kern"} {
		data, err := os.ReadFile("testdata/syslog/" + file + ".log")
		if err != nil {
			f.Fatal(err)
		}
		for line := range strings.Lines(string(data)) {
			var h syslogHeader
			var c timestamp.Clock
			if h.parse(strings.TrimSuffix(line, "\n"), &c) == nil {
				f.Add(h.tag, h.text)
			}
		}
	}
	f.Fuzz(func(t *testing.T, tag, text string) {
		var b event.Batch
		b.Begin(0, text)
		m := message{Text: text, Tag: tag, Rest: text}
		m.decode(&b)
		e := b.Event()
		if strings.HasPrefix(m.Dataset, "system.") && e.Message() != plainText(&event.Batch{}, text) { // a product's is what it says behind its mark
			t.Errorf("message %q", e.Message())
		}
		if len(e.Fields) > 400 {
			t.Errorf("%d fields", len(e.Fields))
		}
		for _, name := range []string{"source.ip", "destination.ip", "related.ip"} {
			e.Values(name, func(ip string) {
				if ipVersion(ip) == 0 {
					t.Errorf("%s = %q", name, ip)
				}
			})
		}
		for _, name := range []string{"source.port", "destination.port"} {
			if port := e.Get(name); port != "" && (!isDigits(port) || len(port) > 5) {
				t.Errorf("%s = %q", name, port)
			}
		}
		for _, name := range []string{"source.ip", "user.name", "event.action", "event.outcome", "process.name", "message"} {
			n := 0
			e.Values(name, func(string) { n++ })
			if n > 1 {
				t.Errorf("%s occurs %d times", name, n)
			}
		}
	})
}
