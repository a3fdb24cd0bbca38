package format

import (
	"bytes"
	"encoding/binary"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

// packets are a short scene: a name is asked for, a page fetched, a port refused.
func packets(t testing.TB) (all [][]byte) {
	eth := func(dir int, kind layers.EthernetType) *layers.Ethernet {
		return &layers.Ethernet{SrcMAC: net.HardwareAddr{2, 0, 0, 0, 0, byte(1 + dir)}, DstMAC: net.HardwareAddr{2, 0, 0, 0, 0, byte(2 - dir)}, EthernetType: kind}
	}
	ends := [2]net.IP{{192, 0, 2, 10}, {198, 51, 100, 7}}
	add := func(dir int, l gopacket.SerializableLayer, proto layers.IPProtocol, payload []byte) {
		ip := &layers.IPv4{Version: 4, TTL: 64, Protocol: proto, SrcIP: ends[dir], DstIP: ends[1-dir]}
		if c, ok := l.(interface {
			SetNetworkLayerForChecksum(gopacket.NetworkLayer) error
		}); ok {
			c.SetNetworkLayerForChecksum(ip)
		}
		buf := gopacket.NewSerializeBuffer()
		if err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, eth(dir, layers.EthernetTypeIPv4), ip, l, gopacket.Payload(payload)); err != nil {
			t.Fatal(err)
		}
		all = append(all, bytes.Clone(buf.Bytes()))
	}
	dns := func(response bool, answers ...layers.DNSResourceRecord) []byte {
		buf := gopacket.NewSerializeBuffer()
		m := &layers.DNS{ID: 77, QR: response, RD: true, RA: response, Questions: []layers.DNSQuestion{{Name: []byte("www.example.com"), Type: layers.DNSTypeA, Class: layers.DNSClassIN}}, Answers: answers}
		if err := m.SerializeTo(buf, gopacket.SerializeOptions{FixLengths: true}); err != nil {
			t.Fatal(err)
		}
		return buf.Bytes()
	}
	add(0, &layers.UDP{SrcPort: 50000, DstPort: 53}, layers.IPProtocolUDP, dns(false))
	add(1, &layers.UDP{SrcPort: 53, DstPort: 50000}, layers.IPProtocolUDP, dns(true, layers.DNSResourceRecord{Name: []byte("www.example.com"), Type: layers.DNSTypeA, Class: layers.DNSClassIN, TTL: 300, IP: net.IP{198, 51, 100, 7}}))
	seq := [2]uint32{100, 900}
	tcp := func(dir int, port layers.TCPPort, payload string, set func(*layers.TCP)) {
		l := &layers.TCP{SrcPort: 50001, DstPort: port, Seq: seq[dir], Ack: seq[1-dir], ACK: true, Window: 512}
		if dir == 1 {
			l.SrcPort, l.DstPort = l.DstPort, l.SrcPort
		}
		if set != nil {
			set(l)
		}
		add(dir, l, layers.IPProtocolTCP, []byte(payload))
		seq[dir] += uint32(len(payload))
		if l.SYN || l.FIN {
			seq[dir]++
		}
	}
	syn := func(l *layers.TCP) { l.SYN, l.ACK = true, false }
	tcp(0, 80, "", syn)
	tcp(1, 80, "", func(l *layers.TCP) { l.SYN = true })
	tcp(0, 80, "", nil)
	tcp(0, 80, "GET /cgi-bin/../../etc/passwd?x=%31 HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:125.0) Gecko/20100101 Firefox/125.0\r\n\r\n", nil)
	tcp(1, 80, "HTTP/1.1 404 Not Found\r\nServer: nginx\r\nContent-Type: text/html\r\nContent-Length: 9\r\n\r\nnot found", nil)
	tcp(0, 80, "", func(l *layers.TCP) { l.FIN = true })
	tcp(1, 80, "", func(l *layers.TCP) { l.FIN = true })
	tcp(0, 80, "", nil)
	tcp(0, 23, "", syn)
	tcp(1, 23, "", func(l *layers.TCP) { l.RST = true })
	// A ClientHello of one cipher, for www.example.com.
	hello := "\x03\x03" + strings.Repeat("\x07", 32) + "\x00" + "\x00\x04\x13\x01\xc0\x2f" + "\x01\x00"
	ext := "\x00\x00\x00\x14\x00\x12\x00\x00\x0fwww.example.com" + "\x00\x2b\x00\x03\x02\x03\x04" + "\x00\x10\x00\x05\x00\x03\x02h2" + "\x00\x0d\x00\x04\x00\x02\x04\x03"
	hello += string([]byte{0, byte(len(ext))}) + ext
	message := "\x01\x00\x00" + string([]byte{byte(len(hello))}) + hello
	tcp(0, 443, "\x16\x03\x01\x00"+string([]byte{byte(len(message))})+message, nil)
	return all
}

var sceneStart = time.Date(2026, 3, 4, 10, 11, 12, 123456000, time.UTC)

func writePcap(t testing.TB, nano bool) []byte {
	var out bytes.Buffer
	w := pcapgo.NewWriter(&out)
	if nano {
		w = pcapgo.NewWriterNanos(&out)
	}
	if err := w.WriteFileHeader(65535, layers.LinkTypeEthernet); err != nil {
		t.Fatal(err)
	}
	for i, p := range packets(t) {
		if err := w.WritePacket(gopacket.CaptureInfo{Timestamp: sceneStart.Add(time.Duration(i) * 1500 * time.Microsecond), CaptureLength: len(p), Length: len(p)}, p); err != nil {
			t.Fatal(err)
		}
	}
	return out.Bytes()
}

func writePcapng(t testing.TB) []byte {
	var out bytes.Buffer
	w, err := pcapgo.NewNgWriter(&out, layers.LinkTypeEthernet)
	if err != nil {
		t.Fatal(err)
	}
	second, err := w.AddInterface(pcapgo.NgInterface{Name: "raw0", LinkType: layers.LinkTypeRaw, TimestampResolution: 9, SnapLength: 1000})
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range packets(t) {
		info := gopacket.CaptureInfo{Timestamp: sceneStart.Add(time.Duration(i) * 1500 * time.Microsecond), CaptureLength: len(p), Length: len(p)}
		if i%2 == 1 {
			p = p[14:]
			info.CaptureLength, info.Length, info.InterfaceIndex = len(p), len(p), second
		}
		if err := w.WritePacket(info, p); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// swapped is a capture as a machine of the other byte order would have written it.
func swapped(p []byte) []byte {
	p = bytes.Clone(p)
	turn := func(at, n int) {
		for i := range n / 2 {
			p[at+i], p[at+n-1-i] = p[at+n-1-i], p[at+i]
		}
	}
	for _, f := range [][2]int{{0, 4}, {4, 2}, {6, 2}, {8, 4}, {12, 4}, {16, 4}, {20, 4}} {
		turn(f[0], f[1])
	}
	for at := 24; at+16 <= len(p); {
		n := int(binary.LittleEndian.Uint32(p[at+8:]))
		for i := range 4 {
			turn(at+4*i, 4)
		}
		at += 16 + n
	}
	return p
}

// The scene is written anew with -update, for the golden test to read.
func TestCapturesOfEachKindTellTheSame(t *testing.T) {
	classic := writePcap(t, false)
	if *update {
		for file, data := range map[string][]byte{"testdata/pcap/scene.log": classic, "testdata/pcapng/scene.log": writePcapng(t)} {
			if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, data, 0o666); err != nil {
				t.Fatal(err)
			}
		}
	}
	f := Lookup("pcap")
	want := decodeAll(t, f, classic, bytes.NewReader(classic))
	if n := bytes.Count(want, []byte("\n")); n != 7 {
		t.Errorf("%d events, want 4 flows, DNS, HTTP, TLS", n)
	}
	for name, data := range map[string][]byte{"nanoseconds": writePcap(t, true), "big endian": swapped(classic)} {
		if got := decodeAll(t, f, data, bytes.NewReader(data)); !bytes.Equal(got, want) {
			t.Errorf("%s: %s", name, firstDifference(got, want))
		}
	}
}

func TestADamagedCaptureGivesWhatIsThere(t *testing.T) {
	f := Lookup("pcap")
	classic := writePcap(t, false)
	for cut := 0; cut < len(classic); cut += 31 {
		decodeAll(t, f, classic[:cut], bytes.NewReader(classic[:cut])) // and accounts for every byte
	}
	// One packet's header is overwritten: the others are read all the same.
	at := 24
	for range 5 {
		at += 16 + int(binary.LittleEndian.Uint32(classic[at+8:]))
	}
	damaged := bytes.Clone(classic)
	copy(damaged[at:], "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")
	got := string(decodeAll(t, f, damaged, bytes.NewReader(damaged)))
	for _, want := range []string{`"pcap.dns"`, `"pcap.tls"`, `"port":23`, `"port":80`} {
		if !strings.Contains(got, want) {
			t.Errorf("behind the damage there is no %s", want)
		}
	}
	f = Lookup("pcapng")
	ng := writePcapng(t)
	for cut := 0; cut < len(ng); cut += 31 {
		decodeAll(t, f, ng[:cut], bytes.NewReader(ng[:cut]))
	}
	damaged = bytes.Clone(ng)
	copy(damaged[len(ng)/2:], "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")
	if got := string(decodeAll(t, f, damaged, bytes.NewReader(damaged))); !strings.Contains(got, `"pcap.dns"`) || !strings.Contains(got, `"pcap.tls"`) {
		t.Error("pcapng: damage in the middle costs more than what it hit")
	}
}

func FuzzCaptures(f *testing.F) {
	shortly(f)
	classic, ng := writePcap(f, false), writePcapng(f)
	f.Add(classic, uint16(0))
	f.Add(ng, uint16(40))
	for _, n := range []int{100, 300, 700} { // a packet, or few: shorter ones mutate better
		f.Add(classic[:n], uint16(0))
		f.Add(ng[:n], uint16(0))
	}
	f.Fuzz(func(t *testing.T, data []byte, flip uint16) {
		if len(data) > 0 {
			data = bytes.Clone(data)
			data[int(flip)%len(data)] ^= byte(flip >> 8)
		}
		for _, name := range []string{"pcap", "pcapng"} {
			decodeAll(t, Lookup(name), data, bytes.NewReader(data))
		}
	})
}

func BenchmarkCapture(b *testing.B) {
	data := writePcap(b, false)
	scene := data[24:]
	for len(data) < 4<<20 {
		data = append(data, scene...)
	}
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		decodeAll(b, Lookup("pcap"), data, bytes.NewReader(data))
	}
}
