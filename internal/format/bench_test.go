package format

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/sextant-logs/sextant/internal/event"
)

// BenchmarkFormats decodes the golden files of every format, repeated to about a megabyte.
// MB/cpu-s and events/cpu-s are for each second of CPU time, which unlike the wall's stays the
// same on a busy machine; with -cpu 1 they are the speed of one core. allocs/event are on the heap.
func BenchmarkFormats(b *testing.B) {
	for _, f := range All() {
		files, _ := filepath.Glob("testdata/" + f.Name + "/*.log")
		for _, file := range files {
			if name := strings.TrimSuffix(filepath.Base(file), ".log"); name != "hostile" {
				b.Run(f.Name+"/"+name, func(b *testing.B) {
					data, err := os.ReadFile(file)
					if err != nil {
						b.Fatal(err)
					}
					benchmarkData(b, f, repeated(f, data))
				})
			}
		}
	}
}

// BenchmarkCommon decodes what the aims are set for: an access log, auth.log, Suricata's eve.json, Zeek and
// cloud logs, each of records as real ones are.
func BenchmarkCommon(b *testing.B) {
	for _, c := range []struct {
		name, format string
		lines        []string
	}{
		{"access", "apache.access", accessLines}, {"auth", "syslog", authLines}, {"eve", "suricata.eve", eveLines},
		{"zeek-conn-json", "zeek.json", zeekLines}, {"iptables", "syslog", iptablesLines}, {"asa", "cisco_asa.log", asaLines},
	} {
		b.Run(c.name, func(b *testing.B) {
			benchmarkData(b, Lookup(c.format), []byte(strings.Repeat(strings.Join(c.lines, "\n")+"\n", 1000)))
		})
	}
}

// repeated is data over and over; header lines stand once.
func repeated(f *Format, data []byte) []byte {
	const size = 1 << 20
	if f.Header == nil {
		return bytes.Repeat(data, 1+size/max(1, len(data)))
	}
	var header, records []byte
	for line := range bytes.Lines(data) {
		if !f.Header(trimEOL(line)) {
			records = append(records, line...)
		} else if len(records) == 0 {
			header = append(header, line...)
		} else {
			break
		}
	}
	return append(header, bytes.Repeat(records, 1+size/max(1, len(records)))...)
}

func benchmarkData(b *testing.B, f *Format, data []byte) {
	var chunks []*Chunk
	framer := f.NewFramer(bytes.NewReader(data))
	for {
		c, err := framer.Next()
		if err != nil {
			break
		}
		chunks = append(chunks, c)
	}
	var batch event.Batch
	events := 0
	decode := func() {
		events = 0
		for _, c := range chunks {
			batch.Reset()
			f.NewDecoder(&Params{Clock: newTestClock()}).Decode(c, &batch)
			events += len(batch.Events)
		}
	}
	decode() // the pools are full
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	spent := cpuTime()
	for b.Loop() {
		decode()
	}
	spent = cpuTime() - spent
	runtime.ReadMemStats(&after)
	b.SetBytes(int64(len(data)))
	total := float64(events) * float64(b.N)
	b.ReportMetric(float64(after.Mallocs-before.Mallocs)/total, "allocs/event")
	if spent > 0 {
		b.ReportMetric(float64(len(data))*float64(b.N)/1e6/spent.Seconds(), "MB/cpu-s")
		b.ReportMetric(total/spent.Seconds(), "events/cpu-s")
	}
}

var authLines = []string{
	`May  5 06:07:08 web01 sshd[21842]: Failed password for invalid user admin from 203.0.113.44 port 51122 ssh2`,
	`May  5 06:07:08 web01 sshd[21842]: pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=203.0.113.44 `,
	`May  5 06:07:09 web01 sshd[21842]: Connection closed by invalid user admin 203.0.113.44 port 51122 [preauth]`,
	`May  5 06:07:10 web01 sshd[21901]: Accepted publickey for alice from 192.0.2.17 port 51344 ssh2: ED25519 SHA256:1Mrk6PqLdU6hZ3rS1rQ8f0CzCzv0a0b0c0d0e0f0g0h`,
	`May  5 06:07:10 web01 sshd[21901]: pam_unix(sshd:session): session opened for user alice(uid=1000) by (uid=0)`,
	`May  5 06:07:10 web01 systemd-logind[812]: New session 4711 of user alice.`,
	`May  5 06:07:12 web01 sudo:    alice : TTY=pts/0 ; PWD=/home/alice ; USER=root ; COMMAND=/usr/bin/systemctl restart nginx`,
	`May  5 06:08:01 web01 CRON[22011]: pam_unix(cron:session): session opened for user root(uid=0) by (uid=0)`,
	`May  5 06:08:02 web01 CRON[22011]: pam_unix(cron:session): session closed for user root`,
	`May  5 06:08:05 web01 sshd[21901]: Received disconnect from 192.0.2.17 port 51344:11: disconnected by user`,
}

var zeekLines = []string{
	`{"_path":"conn","ts":1714889228.123456,"uid":"CMdzit1AMNsmfAIiQc","id.orig_h":"192.0.2.17","id.orig_p":51344,"id.resp_h":"198.51.100.9","id.resp_p":443,"proto":"tcp","service":"ssl","duration":12.345678,"orig_bytes":7626,"resp_bytes":10780,"conn_state":"SF","local_orig":true,"local_resp":false,"missed_bytes":0,"history":"ShADadFf","orig_pkts":74,"orig_ip_bytes":11474,"resp_pkts":56,"resp_ip_bytes":13692}`,
	`{"_path":"dns","ts":1714889229.223456,"uid":"C4J4Th3PJpwUYZZ6gc","id.orig_h":"192.0.2.17","id.orig_p":46406,"id.resp_h":"192.0.2.53","id.resp_p":53,"proto":"udp","trans_id":22103,"rtt":0.012,"query":"www.example.com","qclass":1,"qclass_name":"C_INTERNET","qtype":1,"qtype_name":"A","rcode":0,"rcode_name":"NOERROR","AA":false,"TC":false,"RD":true,"RA":true,"Z":0,"answers":["203.0.113.80"],"TTLs":[300.0],"rejected":false}`,
	`{"_path":"http","ts":1714889230.323456,"uid":"CHhAvVGS1DHFjwGM9","id.orig_h":"192.0.2.130","id.orig_p":34680,"id.resp_h":"192.0.2.122","id.resp_p":80,"trans_depth":1,"method":"GET","host":"mail.example.com","uri":"/mnemo/","version":"1.1","user_agent":"Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:126.0) Gecko/20100101 Firefox/126.0","request_body_len":0,"response_body_len":4768,"status_code":200,"status_msg":"OK","tags":[],"resp_fuids":["FakNcS1Jfe01uljb3"],"resp_mime_types":["text/html"]}`,
}

var iptablesLines = []string{
	`May  5 06:07:08 gw kernel: [12345.678901] [UFW BLOCK] IN=eth0 OUT= MAC=00:00:5e:00:53:01:00:00:5e:00:53:02:08:00 SRC=203.0.113.44 DST=192.0.2.17 LEN=60 TOS=0x00 PREC=0x00 TTL=49 ID=54321 DF PROTO=TCP SPT=51122 DPT=22 WINDOW=64240 RES=0x00 SYN URGP=0 `,
}

var asaLines = []string{
	`May  5 2024 06:07:08 fw1 : %ASA-6-302013: Built outbound TCP connection 11757 for outside:203.0.113.80/443 (203.0.113.80/443) to inside:192.0.2.17/51344 (198.51.100.1/51344)`,
	`May  5 2024 06:07:09 fw1 : %ASA-6-302014: Teardown TCP connection 11757 for outside:203.0.113.80/443 to inside:192.0.2.17/51344 duration 0:01:07 bytes 38110 TCP FINs`,
	`May  5 2024 06:07:10 fw1 : %ASA-4-106023: Deny tcp src outside:203.0.113.44/51122 dst inside:192.0.2.17/22 by access-group "outside_in" [0x0, 0x0]`,
}
