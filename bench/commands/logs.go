package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

var begin = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

// address is the i-th of 2^26 addresses, none of which is special.
func address(i int) string {
	return fmt.Sprintf("%d.%d.%d.%d", 20+i>>24&3, i>>16&255, i>>8&255, i&255)
}

// mix is i's place in an order that looks like none.
func mix(i int) uint32 { return uint32(i) * 2654435761 }

// writeLogs writes n records to a directory, evenly over two weeks: what an application wrote, logins
// with their sessions, leases, and what a sensor saw. Nearly each has a user, an address, a host, a name
// or a number that no other has; one of a thousand is an attack.
func writeLogs(dir string, n int) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	step := 14 * 24 * time.Hour / time.Duration(max(n, 1))
	for name, line := range map[string]func(w *bufio.Writer, i int, at time.Time){
		"app.json": func(w *bufio.Writer, i int, at time.Time) {
			if i%10 >= 4 {
				return
			}
			path := fmt.Sprintf("/p/%x", mix(i))
			if i%1000 == 1 {
				path += "/../../../../etc/passwd"
			}
			fmt.Fprintf(w, `{"@timestamp":%q,"host":{"name":"app%d"},"user":{"name":"u%d"},"source":{"ip":%q,"bytes":%d},"destination":{"ip":%q,"port":443,"bytes":%d},`+
				`"url":{"path":%q,"original":%q},"event":{"action":"request","outcome":%q,"category":["web"],"duration":%d},"process":{"name":"w%d","pid":%d,"command_line":"/opt/w%d --id %x"},"message":"request %d of u%d by %x"}`+"\n",
				at.Format(time.RFC3339Nano), i, i, address(i), mix(i), address(i+1<<25), mix(i+7)>>4, path, path, []string{"success", "failure"}[i%7/6], int64(mix(i+1))*1000, i, 2+i%4_000_000, i, mix(i), i, i, mix(i))
		},
		"auth.log": func(w *bufio.Writer, i int, at time.Time) {
			head := fmt.Sprintf("%s srv%d sshd[%d]: ", at.Format(time.RFC3339Nano), i/10, 100+i%4_000_000)
			switch i % 10 {
			case 4:
				fmt.Fprintf(w, "%sAccepted password for p%d from %s port %d ssh2\n", head, i/10, address(i), 1024+i%60_000)
			case 5:
				fmt.Fprintf(w, "%s srv%d sshd[%d]: Disconnected from user p%d %s port %d\n", at.Format(time.RFC3339Nano), i/10, 100+(i-1)%4_000_000, i/10, address(i-1), 1024+(i-1)%60_000)
			case 6:
				fmt.Fprintf(w, "%sFailed password for invalid user g%d from %s port %d ssh2\n", head, i, address(i), 1024+i%60_000)
			}
		},
		"dhcpd.log": func(w *bufio.Writer, i int, at time.Time) {
			if i%10 != 7 {
				return
			}
			m := mix(i)
			fmt.Fprintf(w, "%s gw1 dhcpd[600]: DHCPACK on %s to 02:%02x:%02x:%02x:%02x:%02x (pc%d) via eth1\n", at.Format(time.RFC3339Nano), address(i), i>>16&255, m>>24, m>>16&255, m>>8&255, m&255, i)
		},
		"eve.json": func(w *bufio.Writer, i int, at time.Time) {
			stamp := at.Format("2006-01-02T15:04:05.000000-0700")
			switch i % 10 {
			case 8:
				fmt.Fprintf(w, `{"timestamp":"%s","flow_id":%d,"event_type":"dns","src_ip":%q,"src_port":%d,"dest_ip":"192.0.2.53","dest_port":53,"proto":"UDP","dns":{"type":"query","id":%d,"rrname":"n%x.d%d.example","rrtype":"A","tx_id":0}}`+"\n",
					stamp, i, address(i), 1024+i%60_000, i%65536, mix(i), i)
			case 9:
				fmt.Fprintf(w, `{"timestamp":"%s","flow_id":%d,"event_type":"flow","src_ip":%q,"src_port":%d,"dest_ip":%q,"dest_port":%d,"proto":"TCP","app_proto":"tls","flow":{"pkts_toserver":%d,"pkts_toclient":%d,"bytes_toserver":%d,"bytes_toclient":%d,"start":"%s","age":%d,"state":"closed","reason":"timeout","alerted":false}}`+"\n",
					stamp, i, address(i), 1024+i%60_000, address(i+1<<25), 1+i%60_000, i%900, i%800, mix(i), mix(i+3)>>8, stamp, i%90)
			}
		},
	} {
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		w := bufio.NewWriterSize(f, 1<<20)
		for i := range n {
			line(w, i, begin.Add(time.Duration(i)*step))
		}
		if err := w.Flush(); err != nil {
			return err
		}
		if err := f.Close(); err != nil {
			return err
		}
	}
	return nil
}

// writeLogins writes the table of a simulated NIDS, each login of a user of its own.
func writeLogins(path string, n int) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	fmt.Fprintln(w, "timestamp,user_id,source_ip,destination_ip,action,success")
	for i := range n {
		fmt.Fprintf(w, "%s,user_%d,%s,192.0.2.1,login,%v\n", begin.Add(time.Duration(i)*time.Second/100).Format(time.RFC3339), i, address(i), i%3 > 0)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Close()
}
