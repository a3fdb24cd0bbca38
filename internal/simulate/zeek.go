package simulate

import (
	"fmt"
	"strings"
	"time"
)

// zeek is a Zeek beside the Suricata: it sees the same conversations and writes
// conn.log, dns.log, http.log and ssl.log as tab-separated values with Zeek's
// header (docs.zeek.org, "Zeek log formats").
type zeek struct {
	conn, dns, http, ssl *textLog
}

func (w *world) newZeek(h *host) *zeek {
	if w.o.without(h.name, "zeek") {
		return nil
	}
	open := func(path, fields, types string) *textLog {
		l := w.newTextLog(h, "opt/zeek/logs/current/"+path+".log")
		l.head = func() string {
			return "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\t" + path +
				"\n#open\t" + h.local().Format("2006-01-02-15-04-05") + "\n#fields\t" + strings.ReplaceAll(fields, " ", "\t") + "\n#types\t" + strings.ReplaceAll(types, " ", "\t") + "\n"
		}
		l.tail = func(at int64) string {
			return "#close\t" + time.UnixMicro(at).In(h.zone).Format("2006-01-02-15-04-05") + "\n"
		}
		return l
	}
	const id, idTypes = "ts uid id.orig_h id.orig_p id.resp_h id.resp_p ", "time string addr port addr port "
	return &zeek{
		conn: open("conn", id+"proto service duration orig_bytes resp_bytes conn_state local_orig local_resp missed_bytes history orig_pkts orig_ip_bytes resp_pkts resp_ip_bytes tunnel_parents",
			idTypes+"enum string interval count count string bool bool count string count count count count set[string]"),
		dns: open("dns", id+"proto trans_id rtt query qclass qclass_name qtype qtype_name rcode rcode_name AA TC RD RA Z answers TTLs rejected",
			idTypes+"enum count interval string count string count string count string bool bool bool bool count vector[string] vector[interval] bool"),
		http: open("http", id+"trans_depth method host uri referrer version user_agent origin request_body_len response_body_len status_code status_msg info_code info_msg tags username password proxied orig_fuids orig_filenames orig_mime_types resp_fuids resp_filenames resp_mime_types",
			idTypes+"count string string string string string string string count count count string count string set[enum] string string set[string] vector[string] vector[string] vector[string] vector[string] vector[string] vector[string]"),
		ssl: open("ssl", id+"version cipher curve server_name resumed last_alert next_protocol established ssl_history cert_chain_fps client_cert_chain_fps sni_matches_cert",
			idTypes+"string string string string bool string string bool string vector[string] vector[string] bool"),
	}
}

// start begins a line with the time of what it tells of and the conversation.
func (l *textLog) startZeek(f *flow, at int64) {
	at += l.host.skew
	sec := floorDiv(at, second)
	l.line = fmt.Appendf(l.line, "%d.%06d\t%s\t%s\t%d\t%s\t%d\t", sec, at-sec*second, zeekUID(f.id), f.source, f.sport, f.dest, f.dport)
}

// zeekUID is the conversation's name: C and 17 letters and digits.
func zeekUID(id uint64) string {
	const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	b := [18]byte{'C'}
	x := nidsMix(id)
	for i := 1; i < len(b); i++ {
		if i == 10 {
			x = nidsMix(x ^ id)
		}
		b[i] = digits[x%62]
		x /= 62
	}
	return string(b[:])
}

func zeekBool(inside bool) string {
	if inside {
		return "T"
	}
	return "F"
}

// ours reports whether an address is the network's.
func ours(address string) bool {
	return strings.HasPrefix(address, "10.20.") || strings.HasPrefix(address, "192.0.2.") || strings.HasPrefix(address, "2001:db8:c0:")
}

// zeekText is a value in which a tab or a line's end cannot stand.
func zeekText(s string) string {
	if s == "" {
		return "-"
	}
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == 0x7f || c == '\\' || c >= 0x80 {
			fmt.Fprintf(&b, "\\x%02x", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

func (z *zeek) flow(f *flow, ended int64, m mark) {
	if z == nil {
		return
	}
	l := z.conn
	l.startZeek(f, f.start)
	service := map[string]string{"tls": "ssl"}[f.app]
	if service == "" {
		service = dash(f.app)
	}
	span := max(ended-f.start, 1000)
	out, in := 4+f.toServer/900, 3+f.toClient/1200
	state, history := "SF", "ShADadFf"
	bytes := fmt.Sprintf("%d.%06d\t%d\t%d", span/second, span%second, f.toServer, f.toClient)
	switch {
	case f.dropped:
		state, history, bytes, out, in = "S0", "S", "-\t-\t-", 1, 0
	case f.refused:
		state, history, out, in = "REJ", "Sr", 1, 1
		bytes = "0.000100\t0\t0"
	case f.proto == "UDP":
		history, out, in = "Dd", 1+f.toServer/1400, 1+f.toClient/1400
	}
	outBytes, inBytes := f.toServer+52*out, f.toClient+52*in
	if f.dropped {
		outBytes, inBytes = 60, 0
	}
	l.line = fmt.Appendf(l.line, "%s\t%s\t%s\t%s\t%s\t%s\t0\t%s\t%d\t%d\t%d\t%d\t-", strings.ToLower(f.proto), service, bytes, state,
		zeekBool(ours(f.source)), zeekBool(ours(f.dest)), history, out, outBytes, in, inBytes)
	l.end(m)
}

func (z *zeek) resolved(a *actor, f *flow, asked int64, id uint32, name string, addresses []string) {
	if z == nil {
		return
	}
	l := z.dns
	l.startZeek(f, asked)
	rtt := max(a.w.now-asked, 500)
	code, word, answers, ttls := 0, "NOERROR", "-", "-"
	if len(addresses) == 0 {
		code, word = 3, "NXDOMAIN"
	} else {
		answers = strings.Join(addresses, ",")
		ttls = strings.TrimSuffix(strings.Repeat("300.000000,", len(addresses)), ",")
	}
	l.line = fmt.Appendf(l.line, "udp\t%d\t%d.%06d\t%s\t1\tC_INTERNET\t1\tA\t%d\t%s\tF\tF\tT\tT\t0\t%s\t%s\tF", id, rtt/second, rtt%second, zeekText(name), code, word, answers, ttls)
	l.end(a.mark)
}

func (z *zeek) request(a *actor, f *flow, r *webRequest) {
	if z == nil {
		return
	}
	l := z.http
	l.startZeek(f, a.w.now)
	words := map[int]string{200: "OK", 302: "Found", 304: "Not Modified", 403: "Forbidden", 404: "Not Found", 500: "Internal Server Error"}
	kind := "-"
	if r.length > 0 {
		kind = zeekText(r.mime)
	}
	l.line = fmt.Appendf(l.line, "%d\t%s\t%s\t%s\t%s\t1.1\t%s\t-\t0\t%d\t%d\t%s\t-\t-\t(empty)\t-\t-\t-\t-\t-\t-\t-\t-\t%s", r.tx+1, r.method, zeekText(r.host),
		zeekText(r.url), zeekText(r.referer), zeekText(r.agent), r.length, r.status, dash(words[r.status]), kind)
	l.end(a.mark)
}

func (z *zeek) handshake(a *actor, f *flow, name string) {
	if z == nil {
		return
	}
	l := z.ssl
	l.startZeek(f, a.w.now)
	l.line = fmt.Appendf(l.line, "TLSv13\tTLS_AES_256_GCM_SHA384\tx25519\t%s\tF\t-\t-\tT\tCsiI\t-\t-\t-", zeekText(name))
	l.end(a.mark)
}
