package capture

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"flag"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/netip"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"

	"github.com/sextant-logs/sextant/internal/event"
)

// wire makes packets with gopacket, which knows nothing of this package's decoder.
type wire struct {
	t      testing.TB
	engine *Engine
	batch  event.Batch
	now    int64
	offset int64
}

func newWire(t testing.TB, opt Options) *wire {
	return &wire{t: t, engine: NewEngine(opt), now: time.Date(2026, 3, 4, 10, 0, 0, 0, time.UTC).UnixNano(), offset: 24}
}

func (w *wire) send(link int, data []byte) error {
	w.now += int64(time.Millisecond)
	err := w.engine.Packet(&w.batch, &Packet{Time: w.now, Data: data, Wire: len(data), Link: link, Offset: w.offset, At: w.offset + 16})
	w.offset += 16 + int64(len(data))
	return err
}

func (w *wire) flush() []event.Event {
	for w.engine.Flush(&w.batch, 3) {
	}
	if w.engine.buffered != 0 {
		w.t.Errorf("%d bytes of streams are still counted", w.engine.buffered)
	}
	return w.batch.Events
}

func serialize(t testing.TB, ls ...gopacket.SerializableLayer) []byte {
	t.Helper()
	buf := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, ls...); err != nil {
		t.Fatal(err)
	}
	return slices.Clone(buf.Bytes())
}

// conn is one connection between two hosts; seq of both ends are kept.
type conn struct {
	w        *wire
	from, to netip.AddrPort
	seq      [2]uint32
	sniff    func(data []byte) []byte // may change or drop a packet
}

func (w *wire) conn(from, to string) *conn {
	return &conn{w: w, from: netip.MustParseAddrPort(from), to: netip.MustParseAddrPort(to), seq: [2]uint32{1000, 0xfffffff0}}
}

func (c *conn) packet(dir int, flags string, payload string) []byte {
	from, to := c.from, c.to
	if dir == 1 {
		from, to = to, from
	}
	tcp := &layers.TCP{SrcPort: layers.TCPPort(from.Port()), DstPort: layers.TCPPort(to.Port()), Seq: c.seq[dir], Window: 1024,
		SYN: strings.Contains(flags, "S"), ACK: strings.Contains(flags, "A"), FIN: strings.Contains(flags, "F"), RST: strings.Contains(flags, "R"), PSH: payload != ""}
	if tcp.ACK {
		tcp.Ack = c.seq[1-dir]
	}
	if tcp.SYN {
		tcp.Options = []layers.TCPOption{{OptionType: layers.TCPOptionKindMSS, OptionLength: 4, OptionData: []byte{5, 0xb4}}}
	}
	eth := &layers.Ethernet{SrcMAC: net.HardwareAddr{2, 0, 0, 0, 0, byte(1 + dir)}, DstMAC: net.HardwareAddr{2, 0, 0, 0, 0, byte(2 - dir)}, EthernetType: layers.EthernetTypeIPv4}
	var data []byte
	if from.Addr().Is4() {
		ip := &layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolTCP, SrcIP: from.Addr().AsSlice(), DstIP: to.Addr().AsSlice()}
		tcp.SetNetworkLayerForChecksum(ip)
		data = serialize(c.w.t, eth, ip, tcp, gopacket.Payload(payload))
	} else {
		eth.EthernetType = layers.EthernetTypeIPv6
		ip := &layers.IPv6{Version: 6, HopLimit: 64, NextHeader: layers.IPProtocolTCP, SrcIP: from.Addr().AsSlice(), DstIP: to.Addr().AsSlice()}
		tcp.SetNetworkLayerForChecksum(ip)
		data = serialize(c.w.t, eth, ip, tcp, gopacket.Payload(payload))
	}
	c.seq[dir] += uint32(len(payload))
	if tcp.SYN || tcp.FIN {
		c.seq[dir]++
	}
	return data
}

// send sends "0 SA text" style steps: who, flags, payload.
func (c *conn) send(dir int, flags, payload string) {
	data := c.packet(dir, flags, payload)
	if c.sniff != nil {
		if data = c.sniff(data); data == nil {
			return
		}
	}
	if err := c.w.send(linkEthernet, data); err != nil {
		c.w.t.Errorf("packet refused: %v", err)
	}
}

func (c *conn) open() {
	c.send(0, "S", "")
	c.send(1, "SA", "")
	c.send(0, "A", "")
}

func (c *conn) close() {
	c.send(0, "FA", "")
	c.send(1, "FA", "")
	c.send(0, "A", "")
}

func udp(t testing.TB, from, to string, payload []byte) []byte {
	a, b := netip.MustParseAddrPort(from), netip.MustParseAddrPort(to)
	ip := &layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolUDP, SrcIP: a.Addr().AsSlice(), DstIP: b.Addr().AsSlice()}
	u := &layers.UDP{SrcPort: layers.UDPPort(a.Port()), DstPort: layers.UDPPort(b.Port())}
	u.SetNetworkLayerForChecksum(ip)
	return serialize(t, &layers.Ethernet{SrcMAC: net.HardwareAddr{2, 0, 0, 0, 0, 1}, DstMAC: net.HardwareAddr{2, 0, 0, 0, 0, 2}, EthernetType: layers.EthernetTypeIPv4}, ip, u, gopacket.Payload(payload))
}

// find is the only event of a dataset.
func find(t testing.TB, events []event.Event, dataset string) *event.Event {
	t.Helper()
	var found *event.Event
	for i := range events {
		if events[i].Get("event.dataset") == dataset {
			if found != nil {
				t.Fatalf("more than one %s", dataset)
			}
			found = &events[i]
		}
	}
	if found == nil {
		t.Fatalf("no %s among %d events", dataset, len(events))
	}
	return found
}

func has(t testing.TB, e *event.Event, want ...string) {
	t.Helper()
	for i := 0; i < len(want); i += 2 {
		var got []string
		e.Values(want[i], func(v string) { got = append(got, v) })
		if strings.Join(got, " ") != want[i+1] {
			t.Errorf("%s is %q, want %q", want[i], got, want[i+1])
		}
	}
}

func TestEveryWayAConnectionCanGoHasZeeksState(t *testing.T) {
	for _, c := range []struct {
		steps          string // "0S 1SA 0A": who, flags; "+" is data
		state, history string
	}{
		{"0S", "S0", "S"},
		{"0S 1SA 0A", "S1", "ShA"},
		{"0S 1SA 0A 0A+ 1A 1A+ 0A 0FA 1FA 0A", "SF", "ShADadFf"},
		{"0S 1SA 0A 1A+ 0A+ 1FA 0FA 1A", "SF", "ShAdDfFa"},
		{"0S 1RA", "REJ", "Sr"},
		{"0S 1SA 0A 0FA 1A", "S2", "ShAFa"},
		{"0S 1SA 0A 1FA 0A", "S3", "ShAf"},
		{"0S 1SA 0A 0R", "RSTO", "ShAR"},
		{"0S 1SA 0A 0A+ 1RA", "RSTR", "ShADr"},
		{"0S 0R", "RSTOS0", "SR"},
		{"1SA 1R", "RSTRH", "^hr"},
		{"0S 0F", "SH", "SF"},
		{"1SA 1F", "SHR", "^hf"},
		{"0A+ 1A+", "OTH", "Dd"},
		{"0S 1SA 0A 0FA 1FA 0R", "SF", "ShAFfR"},
	} {
		w := newWire(t, Options{})
		k := w.conn("192.0.2.1:40000", "198.51.100.2:9999")
		for step := range strings.FieldsSeq(c.steps) {
			payload := ""
			if strings.HasSuffix(step, "+") {
				step, payload = step[:len(step)-1], "0123456789"
			}
			k.send(int(step[0]-'0'), step[1:], payload)
		}
		e := find(t, w.flush(), "pcap.flow")
		if got := e.Get("pcap.flow.state"); got != c.state || e.Get("pcap.flow.history") != c.history {
			t.Errorf("%s: %s %s, want %s %s", c.steps, got, e.Get("pcap.flow.history"), c.state, c.history)
		}
		has(t, e, "source.ip", "192.0.2.1", "destination.port", "9999")
	}
}

// https://github.com/corelight/community-id-spec/tree/master/baseline: values of the
// reference implementation.
func TestCommunityIDsAreThoseOfTheBaseline(t *testing.T) {
	for _, c := range []struct {
		src, dst string
		sp, dp   uint16
		proto    uint8
		oneWay   bool
		want     string
	}{
		{"128.232.110.120", "66.35.250.204", 34855, 80, protoTCP, false, "1:LQU9qZlK+B5F3KDmev6m5PMibrg="},
		{"66.35.250.204", "128.232.110.120", 80, 34855, protoTCP, false, "1:LQU9qZlK+B5F3KDmev6m5PMibrg="},
		{"192.168.1.52", "8.8.8.8", 54585, 53, protoUDP, false, "1:d/FP5EW3wiY1vCndhwleRRKHowQ="},
		{"192.168.0.89", "192.168.0.1", 8, 0, protoICMP, false, "1:X0snYXpgwiv9TZtqg64sgzUn6Dk="},
	} {
		k := key{src: netip.MustParseAddr(c.src), dst: netip.MustParseAddr(c.dst), srcPort: c.sp, dstPort: c.dp, proto: c.proto}
		if got := communityID(&k, c.oneWay); got != c.want {
			t.Errorf("%v: %s, want %s", c, got, c.want)
		}
	}
}

func TestHTTPExchangesArePairedHoweverTheirSegmentsCome(t *testing.T) {
	request := "POST /login?next=%2F HTTP/1.1\r\nHost: www.example.com:8080\r\nUser-Agent: curl/8.5.0\r\nAuthorization: Basic YWxpY2U6c2VjcmV0\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 11\r\n\r\nuser=alice1"
	second := "GET /big HTTP/1.1\r\nHost: www.example.com:8080\r\n\r\n"
	response := "HTTP/1.1 401 Unauthorized\r\nServer: nginx\r\nContent-Type: text/html; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n"
	response2 := "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n" + strings.Repeat("x", 4000)
	for _, size := range []int{1, 7, 100, 1400, 1 << 15} {
		for _, disorder := range []bool{false, true} {
			w := newWire(t, Options{})
			k := w.conn("192.0.2.1:40000", "198.51.100.2:8080")
			k.open()
			for _, part := range []struct {
				dir  int
				text string
			}{{0, request + second}, {1, response + response2}} {
				var packets [][]byte
				for text := range slices.Chunk([]byte(part.text), size) {
					packets = append(packets, k.packet(part.dir, "A", string(text)))
				}
				if disorder {
					for i := 0; i+4 < len(packets); i += 4 {
						slices.Reverse(packets[i : i+4])
					}
					packets = append(packets, packets[len(packets)/2]) // and one sent again
				}
				for _, p := range packets {
					w.send(linkEthernet, p)
				}
			}
			k.close()
			var got []*event.Event
			for i, e := range w.flush() {
				if e.Get("event.dataset") == "pcap.http" {
					got = append(got, &w.batch.Events[i])
				}
			}
			if len(got) != 2 {
				t.Fatalf("size %d, disorder %v: %d exchanges, want 2", size, disorder, len(got))
			}
			has(t, got[0], "http.request.method", "POST", "url.original", "/login?next=%2F", "url.domain", "www.example.com:8080", "http.response.status_code", "401", "http.request.body.bytes", "11",
				"http.response.body.bytes", "11", "user_agent.original", "curl/8.5.0", "user.name", "alice", "http.response.mime_type", "text/html", "event.outcome", "failure", "http.version", "1.1", "source.port", "40000")
			has(t, got[1], "http.request.method", "GET", "url.original", "/big", "http.response.status_code", "200", "http.response.body.bytes", "4000", "event.outcome", "success")
			if got[0].Offset == got[1].Offset {
				t.Error("two exchanges have one offset")
			}
			has(t, find(t, w.batch.Events, "pcap.flow"), "network.protocol", "http", "pcap.flow.state", "SF")
		}
	}
}

func TestAMissingSegmentCostsOneExchangeNotTheConnection(t *testing.T) {
	w := newWire(t, Options{})
	k := w.conn("192.0.2.1:40000", "198.51.100.2:80")
	k.open()
	for i := range 4 {
		k.send(0, "A", fmt.Sprintf("GET /%d HTTP/1.1\r\nHost: h\r\n\r\n", i))
		if i == 1 {
			k.packet(1, "A", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc") // not captured
		} else {
			k.send(1, "A", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc")
		}
	}
	k.close()
	answered, all := 0, 0
	for _, e := range w.flush() {
		if e.Get("event.dataset") == "pcap.http" {
			all++
			if e.Get("http.response.status_code") == "200" {
				answered++
			}
		}
	}
	if all < 4 || answered < 2 {
		t.Errorf("%d exchanges, %d answered", all, answered)
	}
}

func TestRequestsThroughAProxyShowTheTLSInTheTunnel(t *testing.T) {
	w := newWire(t, Options{})
	k := w.conn("192.0.2.1:40000", "198.51.100.2:3128")
	k.open()
	k.send(0, "A", "CONNECT www.example.org:443 HTTP/1.1\r\nHost: www.example.org:443\r\n\r\n")
	k.send(1, "A", "HTTP/1.1 200 Connection established\r\n\r\n")
	handshake(t, k, &tls.Config{ServerName: "www.example.org", InsecureSkipVerify: true}, tls.VersionTLS13)
	events := w.flush()
	has(t, find(t, events, "pcap.http"), "http.request.method", "CONNECT", "url.original", "www.example.org:443", "http.response.status_code", "200")
	has(t, find(t, events, "pcap.tls"), "tls.client.server_name", "www.example.org", "tls.version", "1.3")
}

// handshake has crypto/tls shake hands, and sends what both said over k.
func handshake(t testing.TB, k *conn, config *tls.Config, version uint16) {
	t.Helper()
	priv, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(0xabcdef), Subject: pkix.Name{CommonName: "www.example.org", Organization: []string{"Example"}}, NotBefore: time.Unix(1.7e9, 0), NotAfter: time.Unix(2e9, 0), DNSNames: []string{"www.example.org", "example.org"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &priv.PublicKey, priv)
	if err != nil {
		t.Fatal(err)
	}
	a, b := net.Pipe()
	var mu sync.Mutex
	tap := func(dir int, p []byte) {
		mu.Lock()
		defer mu.Unlock()
		for part := range slices.Chunk(p, 700) {
			k.send(dir, "A", string(part))
		}
	}
	client := tls.Client(tapped{a, func(p []byte) { tap(0, p) }}, config)
	server := tls.Server(tapped{b, func(p []byte) { tap(1, p) }}, &tls.Config{MaxVersion: version, NextProtos: []string{"h2", "http/1.1"}, SessionTicketsDisabled: true,
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: priv}}})
	done := make(chan error, 1)
	go func() {
		_, err := io.ReadFull(server, make([]byte, 5))
		if err == nil {
			_, err = server.Write([]byte("world"))
		}
		done <- err
	}()
	if _, err := client.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(client, make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	a.Close()
	b.Close()
}

type tapped struct {
	net.Conn
	tap func([]byte)
}

func (c tapped) Write(p []byte) (int, error) {
	c.tap(p)
	return c.Conn.Write(p)
}

func TestARealTLSHandshakeTellsWhoMetWhom(t *testing.T) {
	for _, c := range []struct {
		version            uint16
		number, head, next string
	}{{tls.VersionTLS12, "1.2", "t13d", "h2"}, {tls.VersionTLS13, "1.3", "t13d", ""}} {
		w := newWire(t, Options{})
		k := w.conn("[2001:db8::1]:40000", "[2001:db8::2]:443")
		k.open()
		handshake(t, k, &tls.Config{ServerName: "www.example.org", InsecureSkipVerify: true, NextProtos: []string{"h2", "http/1.1"}}, c.version)
		k.close()
		events := w.flush()
		e := find(t, events, "pcap.tls")
		has(t, e, "tls.client.server_name", "www.example.org", "tls.version", c.number, "tls.version_protocol", "tls", "tls.established", "true", "event.outcome", "success",
			"tls.next_protocol", c.next, "network.type", "ipv6", "source.ip", "2001:db8::1")
		if ja4 := e.Get("tls.client.ja4"); !strings.HasPrefix(ja4, c.head) || len(ja4) != 36 || ja4[8:10] != "h2" {
			t.Errorf("JA4 is %s", ja4)
		}
		if len(e.Get("tls.client.ja3")) != 32 || len(e.Get("tls.server.ja3s")) != 32 || !strings.HasPrefix(e.Get("tls.cipher"), "TLS_") {
			t.Errorf("JA3 %s, JA3S %s, cipher %s", e.Get("tls.client.ja3"), e.Get("tls.server.ja3s"), e.Get("tls.cipher"))
		}
		if c.version == tls.VersionTLS12 { // later it is encrypted
			has(t, e, "tls.server.x509.subject.common_name", "www.example.org", "tls.server.subject", "CN=www.example.org,O=Example", "tls.server.x509.serial_number", "ABCDEF",
				"tls.server.x509.alternative_names", "www.example.org example.org", "tls.server.not_before", "2023-11-14T22:13:20Z")
		}
		has(t, find(t, events, "pcap.flow"), "network.protocol", "tls", "pcap.flow.state", "SF")
	}
}

// The examples of https://github.com/FoxIO-LLC/ja4/blob/main/technical_details/JA4.md,
// and what a public tester shows a browser.
func TestJA4IsThatOfItsSpecification(t *testing.T) {
	chrome := &clientHello{version: 0x0303, hasSNI: true, alpn: []string{"h2", "http/1.1"},
		ciphers:    []uint16{0x1a1a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014, 0x009c, 0x009d, 0x002f, 0x0035},
		extensions: []uint16{0x2a2a, 0x001b, 0x0000, 0x0033, 0x0010, 0x4469, 0x0017, 0x002d, 0x000d, 0x0005, 0x0023, 0x0012, 0x002b, 0xff01, 0x000b, 0x000a, 0x0015, 0x3a3a},
		versions:   []uint16{0x4a4a, 0x0304, 0x0303},
		signatures: []uint16{0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601}}
	if got := chrome.ja4('t'); got != "t13d1516h2_8daaf6152771_e5627efa2ab1" {
		t.Error(got)
	}
	newer := *chrome
	newer.extensions = []uint16{0x002d, 0x0033, 0x0010, 0xfe0d, 0x0017, 0x44cd, 0x0000, 0x000b, 0x000a, 0x002b, 0xff01, 0x0023, 0x0012, 0x0005, 0x000d, 0x001b}
	if got := newer.ja4('t'); got != "t13d1516h2_8daaf6152771_d8a2da3f94cd" {
		t.Error(got)
	}
	newer.ciphers = []uint16{0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014, 0x009c, 0x009d, 0x002f, 0x0035}
	newer.groups, newer.points = []uint16{4588, 29, 23, 24}, []uint8{0}
	if got := newer.ja3(); got != "98487aa16281980e7d1120d399efb6a4" {
		t.Error("JA3", got)
	}
	for _, c := range []struct {
		h    clientHello
		want string
	}{
		{clientHello{version: 0x0303}, "t12i000000_000000000000_000000000000"},
		{clientHello{version: 0x0301, alpn: []string{"h"}}, "t10i0000hh_000000000000_000000000000"},
		{clientHello{version: 0x0300, alpn: []string{"\xab"}}, "ts3i0000ab_000000000000_000000000000"},
		{clientHello{version: 0x0302, alpn: []string{"\x30\xab"}}, "t11i00003b_000000000000_000000000000"},
		{clientHello{version: 0x0303, alpn: []string{"\x30\x31\xab\xcd"}}, "t12i00003d_000000000000_000000000000"},
		{clientHello{version: 0x0303, alpn: []string{"\x30\xab\xcd\x31"}}, "t12i000001_000000000000_000000000000"},
		{clientHello{version: 0xfefd, alpn: []string{"http/1.1"}}, "td2i0000h1_000000000000_000000000000"},
	} {
		if got := c.h.ja4('t'); got != c.want {
			t.Errorf("%+v: %s, want %s", c.h, got, c.want)
		}
	}
}

func dnsPacket(t testing.TB, id uint16, response bool, name string, code layers.DNSResponseCode, answers ...layers.DNSResourceRecord) []byte {
	return serialize(t, &layers.DNS{ID: id, QR: response, RD: true, RA: response, ResponseCode: code,
		Questions: []layers.DNSQuestion{{Name: []byte(name), Type: layers.DNSTypeA, Class: layers.DNSClassIN}}, Answers: answers})
}

func TestDNSQuestionsMeetTheirAnswers(t *testing.T) {
	w := newWire(t, Options{})
	client, server := "192.0.2.1:50000", "198.51.100.53:53"
	w.send(1, udp(t, client, server, dnsPacket(t, 7, false, "www.example.com", 0)))
	w.send(1, udp(t, client, server, dnsPacket(t, 8, false, "missing.example.com", 0)))
	w.send(1, udp(t, client, server, dnsPacket(t, 9, false, "silent.example.com", 0)))
	w.send(1, udp(t, server, client, dnsPacket(t, 8, true, "missing.example.com", layers.DNSResponseCodeNXDomain)))
	w.send(1, udp(t, server, client, dnsPacket(t, 7, true, "www.example.com", 0,
		layers.DNSResourceRecord{Name: []byte("www.example.com"), Type: layers.DNSTypeCNAME, Class: layers.DNSClassIN, TTL: 60, CNAME: []byte("cdn.example.net")},
		layers.DNSResourceRecord{Name: []byte("cdn.example.net"), Type: layers.DNSTypeA, Class: layers.DNSClassIN, TTL: 30, IP: net.IP{203, 0, 113, 9}})))
	events := w.flush()
	if len(events) != 4 {
		t.Fatalf("%d events, want 3 of DNS and a flow", len(events))
	}
	has(t, &events[0], "dns.question.name", "missing.example.com", "dns.response_code", "NXDOMAIN", "event.outcome", "failure", "event.duration", "2000000")
	has(t, &events[1], "dns.question.name", "www.example.com", "dns.question.type", "A", "dns.response_code", "NOERROR", "dns.resolved_ip", "203.0.113.9", "dns.id", "7", "dns.header_flags", "RD RA",
		"dns.answers", `[{"name":"www.example.com","type":"CNAME","class":"IN","ttl":60,"data":"cdn.example.net"},{"name":"cdn.example.net","type":"A","class":"IN","ttl":30,"data":"203.0.113.9"}]`, "source.ip", "192.0.2.1")
	has(t, &events[2], "dns.question.name", "silent.example.com", "dns.type", "query", "dns.response_code", "")
	has(t, &events[3], "event.dataset", "pcap.flow", "network.protocol", "dns", "pcap.flow.state", "SF", "source.packets", "3", "destination.packets", "2")
}

func TestDNSOverTCPIsReadAcrossSegments(t *testing.T) {
	w := newWire(t, Options{})
	k := w.conn("192.0.2.1:40000", "198.51.100.53:53")
	k.open()
	for dir, m := range [][]byte{dnsPacket(t, 7, false, "www.example.com", 0), dnsPacket(t, 7, true, "www.example.com", 0)} {
		whole := append([]byte{0, byte(len(m))}, m...)
		for part := range slices.Chunk(whole, 9) {
			k.send(dir, "A", string(part))
		}
	}
	k.close()
	has(t, find(t, w.flush(), "pcap.dns"), "dns.question.name", "www.example.com", "dns.response_code", "NOERROR", "network.transport", "tcp")
}

func TestEveryLinkLayerLeadsToTheSameFlow(t *testing.T) {
	ip := &layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolUDP, SrcIP: net.IP{192, 0, 2, 1}, DstIP: net.IP{198, 51, 100, 2}}
	u := &layers.UDP{SrcPort: 40000, DstPort: 9999}
	u.SetNetworkLayerForChecksum(ip)
	bare := serialize(t, ip, u, gopacket.Payload("hello"))
	eth := func(kind layers.EthernetType) *layers.Ethernet {
		return &layers.Ethernet{SrcMAC: net.HardwareAddr{2, 0, 0, 0, 0, 1}, DstMAC: net.HardwareAddr{2, 0, 0, 0, 0, 2}, EthernetType: kind}
	}
	rest := gopacket.Payload(bare)
	outer := func(proto layers.IPProtocol, inner []byte) []byte {
		return serialize(t, &layers.IPv4{Version: 4, TTL: 9, Protocol: proto, SrcIP: net.IP{10, 0, 0, 1}, DstIP: net.IP{10, 0, 0, 2}}, gopacket.Payload(inner))
	}
	for name, c := range map[string]struct {
		link int
		data []byte
	}{
		"Ethernet":  {linkEthernet, serialize(t, eth(layers.EthernetTypeIPv4), rest)},
		"padded":    {linkEthernet, append(serialize(t, eth(layers.EthernetTypeIPv4), rest), make([]byte, 20)...)},
		"VLAN":      {linkEthernet, serialize(t, eth(layers.EthernetTypeDot1Q), &layers.Dot1Q{VLANIdentifier: 7, Type: layers.EthernetTypeIPv4}, rest)},
		"QinQ":      {linkEthernet, serialize(t, eth(layers.EthernetTypeQinQ), &layers.Dot1Q{VLANIdentifier: 100, Type: layers.EthernetTypeDot1Q}, &layers.Dot1Q{VLANIdentifier: 7, Type: layers.EthernetTypeIPv4}, rest)},
		"PPPoE":     {linkEthernet, serialize(t, eth(layers.EthernetTypePPPoESession), &layers.PPPoE{Version: 1, Type: 1, SessionId: 3}, &layers.PPP{PPPType: layers.PPPTypeIPv4}, rest)},
		"MPLS":      {linkEthernet, serialize(t, eth(layers.EthernetTypeMPLSUnicast), &layers.MPLS{Label: 9, StackBottom: true}, rest)},
		"raw":       {linkRaw, bare},
		"raw BSD":   {linkRawBSD, bare},
		"IPv4":      {linkIPv4, bare},
		"null LE":   {linkNull, append([]byte{2, 0, 0, 0}, bare...)},
		"loop BE":   {linkLoop, append([]byte{0, 0, 0, 2}, bare...)},
		"PPP":       {linkPPP, append([]byte{0xff, 3, 0, 0x21}, bare...)},
		"cooked":    {linkSLL, append([]byte{0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 8, 0}, bare...)},
		"cooked v2": {linkSLL2, append([]byte{8, 0, 0, 0, 0, 0, 0, 2, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0}, bare...)},
		"IP in IP":  {linkRaw, outer(layers.IPProtocolIPv4, bare)},
		"GRE":       {linkRaw, outer(layers.IPProtocolGRE, append([]byte{0, 0, 8, 0}, bare...))},
		"VXLAN": {linkRaw, func() []byte {
			outer := &layers.IPv4{Version: 4, TTL: 9, Protocol: layers.IPProtocolUDP, SrcIP: net.IP{10, 0, 0, 1}, DstIP: net.IP{10, 0, 0, 2}}
			u := &layers.UDP{SrcPort: 1, DstPort: 4789}
			u.SetNetworkLayerForChecksum(outer)
			return serialize(t, outer, u, &layers.VXLAN{ValidIDFlag: true, VNI: 5}, eth(layers.EthernetTypeIPv4), rest)
		}()},
	} {
		w := newWire(t, Options{})
		if err := w.send(c.link, c.data); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		e := find(t, w.flush(), "pcap.flow")
		has(t, e, "source.ip", "192.0.2.1", "source.port", "40000", "destination.ip", "198.51.100.2", "destination.port", "9999", "source.bytes", "33", "pcap.flow.source.payload_bytes", "5", "network.transport", "udp")
		switch name {
		case "VLAN":
			has(t, e, "network.vlan.id", "7")
		case "QinQ":
			has(t, e, "network.vlan.id", "100", "network.inner.vlan.id", "7")
		case "VXLAN", "GRE", "IP in IP":
			has(t, e, "pcap.flow.tunnels", "1")
		}
		if t.Failed() {
			t.Fatal(name)
		}
	}
}

func TestFragmentsBelongToTheFlowOfTheFirst(t *testing.T) {
	w := newWire(t, Options{})
	first := &layers.IPv4{Version: 4, TTL: 64, Id: 77, Flags: layers.IPv4MoreFragments, Protocol: layers.IPProtocolUDP, SrcIP: net.IP{192, 0, 2, 1}, DstIP: net.IP{198, 51, 100, 2}}
	u := &layers.UDP{SrcPort: 40000, DstPort: 9999}
	u.SetNetworkLayerForChecksum(first)
	w.send(linkRaw, serialize(t, first, u, gopacket.Payload(make([]byte, 16))))
	later := *first
	later.Flags, later.FragOffset = 0, 3
	w.send(linkRaw, serialize(t, &later, gopacket.Payload(make([]byte, 10))))
	has(t, find(t, w.flush(), "pcap.flow"), "source.packets", "2", "pcap.flow.fragments", "2", "source.bytes", "74", "destination.port", "9999")
}

func TestEchoAndItsReplyAreOneFlowAndARPIsOne(t *testing.T) {
	w := newWire(t, Options{})
	for i, c := range []layers.ICMPv4TypeCode{layers.CreateICMPv4TypeCode(8, 0), layers.CreateICMPv4TypeCode(0, 0)} {
		a, b := net.IP{192, 0, 2, 1}, net.IP{198, 51, 100, 2}
		if i == 1 {
			a, b = b, a
		}
		w.send(linkRaw, serialize(t, &layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolICMPv4, SrcIP: a, DstIP: b}, &layers.ICMPv4{TypeCode: c, Id: 1, Seq: 1}, gopacket.Payload("12345678")))
	}
	has(t, find(t, w.flush(), "pcap.flow"), "network.transport", "icmp", "source.ip", "192.0.2.1", "source.packets", "1", "destination.packets", "1", "pcap.flow.icmp.type", "8")

	w = newWire(t, Options{})
	w.send(linkEthernet, serialize(t, &layers.Ethernet{SrcMAC: net.HardwareAddr{2, 0, 0, 0, 0, 1}, DstMAC: layers.EthernetBroadcast, EthernetType: layers.EthernetTypeARP},
		&layers.ARP{AddrType: 1, Protocol: layers.EthernetTypeIPv4, HwAddressSize: 6, ProtAddressSize: 4, Operation: 1, SourceHwAddress: []byte{2, 0, 0, 0, 0, 1}, SourceProtAddress: []byte{192, 0, 2, 1}, DstHwAddress: make([]byte, 6), DstProtAddress: []byte{192, 0, 2, 2}}))
	has(t, find(t, w.flush(), "pcap.flow"), "network.type", "arp", "source.ip", "192.0.2.1", "destination.ip", "192.0.2.2", "source.mac", "02-00-00-00-00-01")
}

func TestAHeadersOnlyCaptureCountsWhatWasSent(t *testing.T) {
	w := newWire(t, Options{})
	k := w.conn("192.0.2.1:40000", "198.51.100.2:80")
	k.sniff = func(p []byte) []byte { return p[:min(len(p), 68)] }
	k.open()
	k.send(0, "A", "GET / HTTP/1.1\r\nHost: www.example.com\r\n\r\n")
	k.send(1, "A", strings.Repeat("x", 1200))
	k.close()
	has(t, find(t, w.flush(), "pcap.flow"), "pcap.flow.source.payload_bytes", "41", "pcap.flow.destination.payload_bytes", "1200", "pcap.flow.state", "SF")
}

func TestMemoryIsBoundedByEndingWhatWasSeenLongestAgo(t *testing.T) {
	w := newWire(t, Options{MaxFlows: 100, MaxBuffer: 4096})
	for i := range 1000 {
		k := w.conn(fmt.Sprintf("192.0.2.%d:%d", i%200+1, 1024+i), "198.51.100.2:80")
		k.open()
		k.send(0, "A", "GET /"+strings.Repeat("a", 900)) // never ends
		if n := len(w.engine.flows); n > 100 {
			t.Fatalf("%d flows", n)
		}
		if w.engine.buffered > 2*4096 {
			t.Fatalf("%d bytes", w.engine.buffered)
		}
	}
	flows := 0
	for _, e := range w.flush() {
		if e.Get("event.dataset") == "pcap.flow" {
			flows++
		}
	}
	if flows != 1000 {
		t.Errorf("%d flows told of 1000", flows)
	}
}

func TestIdleFlowsEndAndTheSamePortsAgainAreAnotherFlow(t *testing.T) {
	w := newWire(t, Options{})
	for range 2 {
		k := w.conn("192.0.2.1:40000", "198.51.100.2:9999")
		k.open()
		k.close()
	}
	w.send(1, udp(t, "192.0.2.1:5", "198.51.100.2:6", []byte("x")))
	w.now += int64(2 * time.Minute)
	w.send(1, udp(t, "192.0.2.1:5", "198.51.100.2:6", []byte("x")))
	if flows := w.flush(); len(flows) != 4 {
		t.Errorf("%d flows, want 4", len(flows))
	}
}

// shortly keeps the fuzzer from spending a minute on the shortening of every input that found something new.
func shortly(f *testing.F) {
	if at := flag.Lookup("test.fuzzminimizetime"); at != nil && at.Value.String() == at.DefValue {
		if err := at.Value.Set("20x"); err != nil {
			f.Fatal(err)
		}
	}
	debug.SetGCPercent(1000) // the counters of coverage are gone over in every collection
}

// FuzzPackets throws frames of every link type at an engine: it neither panics nor
// loses count of its memory, and no event lies outside the packets.
func FuzzPackets(f *testing.F) {
	shortly(f)
	w := newWire(f, Options{})
	k := w.conn("192.0.2.1:40000", "198.51.100.2:80")
	f.Add(uint16(1), append(k.packet(0, "S", ""), k.packet(1, "SA", "")...), uint8(60))
	f.Add(uint16(1), k.packet(0, "A", "GET / HTTP/1.1\r\nHost: a\r\n\r\n"), uint8(0))
	f.Add(uint16(1), k.packet(0, "A", "\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03"), uint8(0))
	f.Add(uint16(1), udp(f, "192.0.2.1:5", "192.0.2.2:53", dnsPacket(f, 7, false, "www.example.com", 0)), uint8(0))
	f.Add(uint16(276), append([]byte{8, 0, 0, 0, 0, 0, 0, 2, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0}, udp(f, "192.0.2.1:5", "192.0.2.2:53", nil)[14:]...), uint8(0))
	f.Fuzz(func(t *testing.T, link uint16, data []byte, size uint8) {
		w := newWire(t, Options{MaxFlows: 8, MaxBuffer: 2048})
		n := int(size)
		if n == 0 {
			n = len(data) + 1
		}
		for part := range slices.Chunk(data, n) {
			w.send(int(link), part)
		}
		for _, e := range w.flush() {
			if e.Offset < 0 || e.Offset > w.offset {
				t.Fatalf("event at %d of %d", e.Offset, w.offset)
			}
		}
	})
}

// FuzzStreams throws bytes at the parsers of both halves of a connection.
func FuzzStreams(f *testing.F) {
	shortly(f)
	f.Add([]byte("GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"), []byte("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"), uint8(7), uint16(80), uint8(0))
	f.Add([]byte("\x16\x03\x01\x00\x2f\x01\x00\x00\x2b\x03\x03"), []byte("\x16\x03\x03\x00\x05\x02"), uint8(3), uint16(443), uint8(1))
	f.Add([]byte("\x00\x0c\x00\x07\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00"), []byte("SSH-2.0-x\r\n"), uint8(5), uint16(53), uint8(2))
	f.Fuzz(func(t *testing.T, a, b []byte, size uint8, port uint16, lose uint8) {
		w := newWire(t, Options{MaxBuffer: 8192})
		k := w.conn("192.0.2.1:40000", fmt.Sprintf("198.51.100.2:%d", port))
		k.open()
		i := 0
		for dir, text := range [][]byte{a, b} {
			for part := range slices.Chunk(text, max(1, int(size))) {
				if i++; lose > 0 && i%(int(lose)+1) == 0 {
					k.packet(dir, "A", string(part))
					continue
				}
				k.send(dir, "A", string(part))
			}
		}
		k.close()
		w.flush()
	})
}
