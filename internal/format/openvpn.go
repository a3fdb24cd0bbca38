package format

import (
	"errors"
	"strconv"
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
)

// OpenVPN, by syslog and in its own file (time as asctime, since 2.5 as ISO, either
// followed by "us=N" in verbose logs). A server puts "NAME/ADDRESS:PORT " or "ADDRESS:PORT " before
// what it says of a client.
var (
	_ = registerProgram(program{Names: []string{"openvpn", "ovpn-server", "openvpn-server"}, Dataset: datasetOpenVPN, Decode: func(m *message, b *event.Batch) bool {
		return decodeOpenVPN(m.Text, b)
	}})
	_ = register(Format{
		Name:  datasetOpenVPN,
		Title: "OpenVPN log file",
		Group: "auth",
		Recognise: func(s *Sample) int {
			dated, ours := 0, 0
			for _, l := range s.Lines {
				rest, ok := openVPNText(l)
				if !ok {
					continue
				}
				dated++
				if strings.HasPrefix(rest, "us=") { // nobody else's
					ours++
					continue
				}
				for _, w := range openVPNWords {
					if strings.Contains(rest, w) {
						ours++
						break
					}
				}
			}
			if ours == 0 || dated*10 < len(s.Lines)*8 || ours*5 < dated {
				return 0
			}
			return 90
		},
		Lines: func(p *Params) LineDecoder {
			return func(line string, b *event.Batch) error {
				ns, n, ok := p.Clock.CTime(line)
				if !ok {
					if ns, n, ok = p.Clock.ISO(line); !ok {
						return errors.New("no time at the beginning of the line")
					}
				}
				b.Event().Time = ns
				text := strings.TrimLeft(line[n:], " ")
				if us, rest, ok := strings.Cut(text, " "); ok && strings.HasPrefix(us, "us=") {
					text = rest
					if us = us[len("us="):]; isDigits(us) && len(us) <= 6 {
						n, _ := strconv.Atoi(us)
						b.Event().Time += int64(n) * 1000
					}
				}
				b.Add("event.kind", "event")
				b.Add("event.dataset", datasetOpenVPN)
				b.Add("message", text)
				if !decodeOpenVPN(text, b) {
					var facts textFacts
					facts.add(text, false, b)
				}
				return nil
			}
		},
	})
)

const datasetOpenVPN = "openvpn.log"

// openVPNWords stand in the messages of any run of OpenVPN.
var openVPNWords = [...]string{
	"OpenVPN ", "TLS: ", "VERIFY ", "Peer Connection Initiated", "MULTI", "TUN/TAP", "SENT CONTROL", "PUSH: ", "Data Channel", "Control Channel", "SIGTERM[",
	"SIGUSR1[", "TLS Error", "TLS Auth Error", "Initialization Sequence Completed", "link local", "link remote", "Inactivity timeout", "AUTH: ", "library versions",
}

// openVPNText is a line without its time.
func openVPNText(l string) (string, bool) {
	if len(l) < 26 {
		return "", false
	}
	if isWeekday3(l) && l[3] == ' ' && l[19] == ' ' && l[24] == ' ' && isDigits(l[20:24]) {
		return l[25:], true
	}
	if isDigits(l[:4]) && l[4] == '-' && l[10] == ' ' && l[13] == ':' && l[19] == ' ' {
		return l[20:], true
	}
	return "", false
}

func isWeekday3(s string) bool {
	switch s[:3] {
	case "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun":
		return true
	}
	return false
}

func decodeOpenVPN(s string, b *event.Batch) bool {
	user := ""
	if peer, rest, ok := strings.Cut(s, " "); ok {
		name, address := "", peer
		if i := strings.LastIndexByte(peer, '/'); i > 0 {
			name, address = peer[:i], peer[i+1:]
		}
		for _, p := range [...]string{"tcp4-server:", "tcp6-server:", "udp4:", "udp6:", "[AF_INET]", "[AF_INET6]"} {
			address = strings.TrimPrefix(address, p)
		}
		ip, port, ok := cutLast(address, ":")
		if ok && ipVersion(ip) != 0 && isDigits(port) {
			addSource(b, ip, port)
			user, s = name, rest
		}
	}
	category, typ, action, outcome := "network", "info", "", ""
	found := func(key string) (rest string, ok bool) {
		i := strings.Index(s, key)
		if i < 0 {
			return "", false
		}
		return s[i+len(key):], true
	}
	switch {
	case strings.HasPrefix(s, "TLS Auth Error: ") || strings.Contains(s, "auth-failure") || strings.HasPrefix(s, "AUTH_FAILED") || strings.Contains(s, "SENT CONTROL") && strings.Contains(s, "AUTH_FAILED"):
		category, action, outcome = "authentication", "login", "failure"
		if rest, ok := found("verification failed for peer"); ok {
			user = strings.Trim(rest, ": '")
		}
		if rest, ok := found("Username/Password verification failed for username '"); ok {
			user, _, _ = strings.Cut(rest, "'")
		}
		b.Add("event.reason", s)
	case strings.HasPrefix(s, "TLS: Username/Password authentication succeeded for username '"):
		rest, _ := found("username '")
		user, _, _ = strings.Cut(rest, "'")
		category, typ, action, outcome = "authentication", "start", "login", "success"
	case strings.Contains(s, "Peer Connection Initiated with "):
		rest, _ := found("Peer Connection Initiated with ")
		if user == "" && s[0] == '[' {
			if i := strings.IndexByte(s, ']'); i > 0 {
				user = s[1:i]
			}
		}
		if i := strings.IndexByte(rest, ']'); i >= 0 {
			rest = rest[i+1:]
		}
		if ip, port, ok := cutLast(rest, ":"); ok && !b.Event().Has("source.address") && ipVersion(ip) != 0 {
			addSource(b, ip, port)
		}
		b.Add("event.category", "session")
		typ, action, outcome = "start", "connection-started", "success"
	case strings.HasPrefix(s, "VERIFY OK: ") || strings.HasPrefix(s, "VERIFY ERROR: "):
		category, action, outcome = "authentication", "certificate-verification", "success"
		if strings.HasPrefix(s, "VERIFY ERROR") {
			outcome = "failure"
			b.Add("event.reason", s[len("VERIFY ERROR: "):])
		}
		if rest, ok := found("depth="); ok && strings.HasPrefix(rest, "0,") || strings.Contains(s, "depth=0") {
			subject := rest[strings.IndexByte(rest, ' ')+1:]
			if why, after, ok := strings.Cut(subject, ": "); ok && strings.HasPrefix(why, "error=") {
				subject = after
			}
			b.Add("tls.client.subject", subject)
			if _, cn, ok := strings.Cut(subject, "CN="); ok {
				cn, _, _ = strings.Cut(cn, ",")
				cn, _, _ = strings.Cut(cn, "/")
				if user == "" {
					user = cn
				}
			}
		}
	case strings.HasPrefix(s, "TLS Error: ") || strings.HasPrefix(s, "TLS handshake failed"):
		typ, action, outcome = "error", "tls-handshake", "failure"
		b.Add("event.reason", s)
	case strings.HasPrefix(s, "SIG") && strings.Contains(s, "received"), strings.HasPrefix(s, "Connection reset"), strings.Contains(s, "Inactivity timeout"):
		typ, action = "end", "connection-ended"
		b.Add("event.reason", s)
	case strings.HasPrefix(s, "MULTI: Learn: "):
		rest, _ := found("Learn: ")
		ip, who, _ := strings.Cut(rest, " -> ")
		if ipVersion(ip) != 0 {
			b.Add("client.nat.ip", ip)
		}
		if i := strings.LastIndexByte(who, '/'); i > 0 && user == "" {
			user = who[:i]
		}
		action = "address-learned"
	case strings.HasPrefix(s, "MULTI: primary virtual IP for "), strings.HasPrefix(s, "MULTI: primary virtual IPv6 for "):
		if _, ip, ok := cutLast(s, ": "); ok && ipVersion(ip) != 0 {
			b.Add("client.nat.ip", ip)
		}
		action = "address-assigned"
	case strings.HasPrefix(s, "MULTI_sva: pool returned IPv4="):
		rest, _ := found("IPv4=")
		ip, _, _ := strings.Cut(rest, ",")
		if ipVersion(ip) != 0 {
			b.Add("client.nat.ip", ip)
		}
		action = "address-assigned"
	default:
		b.Add("user.name", user)
		b.Add("event.category", "network")
		b.Add("event.type", "info")
		return user != "" || b.Event().Has("source.ip")
	}
	b.Add("user.name", user)
	classify(b, category, typ, action, outcome)
	return true
}
