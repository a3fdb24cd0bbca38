package simulate

import (
	"fmt"
	"strings"
	"time"

	"github.com/sextant-logs/sextant/internal/event"
)

// sensor is a Suricata at the edge of the network: it sees what passes between
// the inside, the public servers and the internet, and writes eve.json with
// the event types alert, dns, flow, http and tls.
type sensor struct {
	host *host
	eve  *textLog
	zeek *zeek
	ids  nidsRNG
	// Tags of the second that was written last.
	second int64
	stamp  []byte
}

func (w *world) newSensor(h *host) *sensor {
	s := &sensor{host: h, ids: w.random("flow ids"), second: -1}
	if !w.o.without(h.name, "suricata") {
		s.eve = w.newTextLog(h, "var/log/suricata/eve.json")
	}
	return s
}

// flow is one conversation.
type flow struct {
	id               uint64
	proto            string
	source, dest     string
	sport, dport     int
	start            int64
	app              string
	toServer         int64 // bytes
	toClient         int64
	alerted          bool
	refused, dropped bool // RST to the SYN; no answer at all
}

// sees reports whether the conversation passes the sensor.
func (s *sensor) sees(f *flow) bool {
	return (s.eve != nil || s.zeek != nil) && !(strings.HasPrefix(f.source, "10.20.") && strings.HasPrefix(f.dest, "10.20."))
}

// open begins a conversation.
func (s *sensor) open(a *actor, proto, source string, sport int, dest string, dport int) flow {
	return flow{
		id: s.ids.next() >> 13, proto: proto, source: source, sport: sport, dest: dest, dport: dport,
		start: a.w.now,
	}
}

func (s *sensor) appendTime(dst []byte, micros int64) []byte {
	micros += s.host.skew
	sec := floorDiv(micros, second)
	if sec != s.second {
		s.second = sec
		s.stamp = time.Unix(sec, 0).In(s.host.zone).AppendFormat(s.stamp[:0], "2006-01-02T15:04:05-0700")
	}
	dst = append(dst, s.stamp[:19]...)
	dst = append(dst, '.')
	dst = appendPadded(dst, uint32(micros-sec*second), 6)
	return append(dst, s.stamp[19:]...)
}

// head writes what every event begins with.
func (s *sensor) head(f *flow, kind string, reverse bool) {
	l := s.eve
	l.line = append(l.line, `{"timestamp":"`...)
	l.line = s.appendTime(l.line, s.host.w.now)
	src, sp, dst, dp := f.source, f.sport, f.dest, f.dport
	if reverse {
		src, sp, dst, dp = dst, dp, src, sp
	}
	l.line = fmt.Appendf(l.line, `","flow_id":%d,"in_iface":"eth1","event_type":"%s","src_ip":"%s","src_port":%d,"dest_ip":"%s","dest_port":%d,"proto":"%s"`,
		f.id, kind, src, sp, dst, dp, f.proto)
}

// close ends a conversation; Suricata logs the flow once it has timed out.
func (s *sensor) close(a *actor, f *flow) {
	if !s.sees(f) {
		return
	}
	ended, kept, m := a.w.now, *f, a.mark
	a.w.later(ended+a.between(second, 61*second), func() { s.logFlow(&kept, ended, m) })
}

func (s *sensor) logFlow(f *flow, ended int64, m mark) {
	s.zeek.flow(f, ended, m)
	if s.eve == nil {
		return
	}
	s.head(f, "flow", false)
	l := s.eve
	if f.app != "" {
		l.line = fmt.Appendf(l.line, `,"app_proto":"%s"`, f.app)
	}
	// Packets: the handshake and full segments of 1,448 bytes.
	packetsOut, packetsIn := 4+f.toServer/900, 3+f.toClient/1200
	bytesOut, bytesIn := f.toServer+66*packetsOut, f.toClient+66*packetsIn
	state, flags := "closed", `"tcp_flags":"1b","tcp_flags_ts":"1b","tcp_flags_tc":"1b","syn":true,"fin":true,"psh":true,"ack":true,"state":"closed"`
	switch {
	case f.dropped:
		packetsOut, packetsIn, bytesOut, bytesIn = 1, 0, 60, 0
		state, flags = "new", `"tcp_flags":"02","tcp_flags_ts":"02","tcp_flags_tc":"00","syn":true,"state":"syn_sent"`
	case f.refused:
		packetsOut, packetsIn, bytesOut, bytesIn = 1, 1, 60, 60
		state, flags = "closed", `"tcp_flags":"16","tcp_flags_ts":"02","tcp_flags_tc":"14","syn":true,"rst":true,"ack":true,"state":"closed"`
	case f.proto == "UDP":
		packetsOut, packetsIn = 1+f.toServer/1400, 1+f.toClient/1400
		bytesOut, bytesIn = f.toServer+42*packetsOut, f.toClient+42*packetsIn
		state = "established"
	}
	l.line = fmt.Appendf(l.line, `,"flow":{"pkts_toserver":%d,"pkts_toclient":%d,"bytes_toserver":%d,"bytes_toclient":%d,"start":"`, packetsOut, packetsIn, bytesOut, bytesIn)
	l.line = s.appendTime(l.line, f.start)
	l.line = append(l.line, `","end":"`...)
	l.line = s.appendTime(l.line, ended)
	l.line = fmt.Appendf(l.line, `","age":%d,"state":"%s","reason":"timeout","alerted":%t}`, (ended-f.start)/second, state, f.alerted)
	if f.proto == "TCP" {
		l.line = append(append(append(l.line, `,"tcp":{`...), flags...), '}')
	}
	l.line = append(l.line, '}')
	l.end(m)
}

// webRequest is what the sensor sees of one HTTP request.
type webRequest struct {
	host, method, url, agent, referer string
	status                            int
	length                            int64
	mime                              string
	tx                                int
}

func (s *sensor) appendHTTP(r *webRequest) {
	l := s.eve
	field := func(name, value string) {
		if value != "" {
			l.line = append(append(append(l.line, `,"`...), name...), `":`...)
			l.line = event.AppendQuoted(l.line, value)
		}
	}
	l.line = append(l.line, `"http":{"hostname":`...)
	l.line = event.AppendQuoted(l.line, r.host)
	field("url", r.url)
	field("http_user_agent", r.agent)
	field("http_content_type", r.mime)
	field("http_refer", r.referer)
	l.line = fmt.Appendf(l.line, `,"http_method":"%s","protocol":"HTTP/1.1","status":%d,"length":%d}`, r.method, r.status, r.length)
}

func (s *sensor) http(a *actor, f *flow, r *webRequest) {
	f.app = "http"
	f.toServer += 350 + int64(len(r.url)+len(r.agent))
	f.toClient += 300 + r.length
	if !s.sees(f) {
		return
	}
	s.zeek.request(a, f, r)
	if s.eve == nil {
		return
	}
	s.head(f, "http", false)
	s.eve.line = fmt.Appendf(s.eve.line, `,"tx_id":%d,`, r.tx)
	s.appendHTTP(r)
	s.eve.line = append(s.eve.line, '}')
	s.eve.end(a.mark)
}

// tls is the handshake of an encrypted conversation.
func (s *sensor) tls(a *actor, f *flow, name string) {
	f.app = "tls"
	f.toServer += 700
	f.toClient += 3600
	if !s.sees(f) {
		return
	}
	s.zeek.handshake(a, f, name)
	if s.eve == nil {
		return
	}
	s.head(f, "tls", false)
	s.eve.line = fmt.Appendf(s.eve.line, `,"tls":{"sni":"%s","version":"TLS 1.3"}}`, name)
	s.eve.end(a.mark)
}

// signature is a rule of the sensor.
type signature struct {
	id, rev        int
	name, category string
	severity       int
	blocked        bool // the sensor is inline and the rule drops
}

// alert is a signature's match; r is the request it matched in, or nil.
func (s *sensor) alert(a *actor, f *flow, g *signature, r *webRequest) {
	f.alerted = true
	if s.eve == nil || !s.sees(f) {
		return
	}
	s.head(f, "alert", false)
	l := s.eve
	action := "allowed"
	if g.blocked {
		action = "blocked"
	}
	l.line = fmt.Appendf(l.line, `,"alert":{"action":"%s","gid":1,"signature_id":%d,"rev":%d,"signature":`, action, g.id, g.rev)
	l.line = event.AppendQuoted(l.line, g.name)
	l.line = fmt.Appendf(l.line, `,"category":"%s","severity":%d}`, g.category, g.severity)
	if r != nil {
		l.line = append(l.line, ',')
		s.appendHTTP(r)
	}
	if f.app != "" {
		l.line = fmt.Appendf(l.line, `,"app_proto":"%s"`, f.app)
	}
	l.line = fmt.Appendf(l.line, `,"flow":{"pkts_toserver":%d,"pkts_toclient":%d,"bytes_toserver":%d,"bytes_toclient":%d,"start":"`,
		3+f.toServer/900, 2+f.toClient/1200, 180+f.toServer, 120+f.toClient)
	l.line = s.appendTime(l.line, f.start)
	l.line = append(l.line, `"}}`...)
	l.end(a.mark)
}

// resolve is a name looked up through the resolver outside; addresses is the
// answer, empty for a name that does not exist.
func (s *sensor) resolve(a *actor, client, name string, addresses ...string) {
	f := s.open(a, "UDP", client, clientPort(a), "192.0.2.53", 53)
	f.app = "dns"
	f.toServer, f.toClient = int64(30+len(name)), int64(50+len(name)+16*len(addresses))
	s.host.asked(a, client, f.sport, name)
	if !s.sees(&f) {
		return
	}
	l := s.eve
	id := a.rng.below(65536)
	asked := a.w.now
	if l != nil {
		s.head(&f, "dns", false)
		l.line = fmt.Appendf(l.line, `,"dns":{"type":"query","id":%d,"rrname":"%s","rrtype":"A","tx_id":0,"opcode":0}}`, id, name)
		l.end(a.mark)
	}
	a.pause(2*msec, 40*msec)
	s.zeek.resolved(a, &f, asked, id, name, addresses)
	if l == nil {
		s.close(a, &f)
		return
	}
	s.head(&f, "dns", true)
	code := "NOERROR"
	if len(addresses) == 0 {
		code = "NXDOMAIN"
	}
	l.line = fmt.Appendf(l.line, `,"dns":{"version":2,"type":"answer","id":%d,"flags":"8180","qr":true,"rd":true,"ra":true,"opcode":0,"rrname":"%s","rrtype":"A","rcode":"%s"`, id, name, code)
	for i, address := range addresses {
		if i == 0 {
			l.line = append(l.line, `,"answers":[`...)
		} else {
			l.line = append(l.line, ',')
		}
		l.line = fmt.Appendf(l.line, `{"rrname":"%s","rrtype":"A","ttl":300,"rdata":"%s"}`, name, address)
	}
	if len(addresses) > 0 {
		l.line = append(l.line, fmt.Sprintf(`],"grouped":{"A":["%s"]}`, strings.Join(addresses, `","`))...)
	}
	l.line = append(l.line, "}}"...)
	l.end(a.mark)
	s.close(a, &f)
}

// signatures of the Emerging Threats open rule set, by what they look for.
var (
	etSSHScan     = signature{2001219, 20, "ET SCAN Potential SSH Scan", "Attempted Information Leak", 2, false}
	etSqlmap      = signature{2008538, 9, "ET SCAN Sqlmap SQL Injection Scan", "Attempted Information Leak", 2, false}
	etUnionSelect = signature{2006446, 14, "ET WEB_SERVER Possible SQL Injection Attempt UNION SELECT", "Web Application Attack", 1, false}
	etNmap        = signature{2024364, 5, "ET SCAN Possible Nmap User-Agent Observed", "Web Application Attack", 1, false}
	etMySQLScan   = signature{2010937, 3, "ET SCAN Suspicious inbound to mySQL port 3306", "Potentially Bad Traffic", 2, false}
	etPostgres    = signature{2010939, 3, "ET SCAN Suspicious inbound to PostgreSQL port 5432", "Potentially Bad Traffic", 2, false}
	etMSSQL       = signature{2010935, 3, "ET SCAN Suspicious inbound to MSSQL port 1433", "Potentially Bad Traffic", 2, false}
)
