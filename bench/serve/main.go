// Command serve measures how fast `sextant serve` takes, matches and stores events,
// beside rsyslog and syslog-ng writing the same stream to a file:
//
//	go run ./bench/serve -binary bin/sextant -n 500000
//
// For each way in it prints events per second of wall time and per second of CPU
// time of the server (which is what counts on a machine that does other things
// too), what was lost, the largest memory, and how long a message that was sent in
// the thick of it took until a query found it.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	lumber "github.com/elastic/go-lumber/client/v2"
)

var (
	binary = flag.String("binary", "bin/sextant", "the program to measure")
	n      = flag.Int("n", 300_000, "events of each run")
	rate   = flag.Int("rate", 0, "events sent a second (default: 60,000 over UDP, otherwise as fast as they are taken)")
	only   = flag.String("only", "", "one of tcp, udp, beats, rsyslog, syslog-ng")
	rules  = flag.Bool("rules", true, "match the built-in rules")
	conns  = flag.Int("connections", 4, "of TCP and Beats senders")
)

func main() {
	flag.Parse()
	go keepTime()
	for now.Load() == nil {
		time.Sleep(time.Millisecond)
	}
	for _, way := range []string{"tcp", "udp", "beats", "rsyslog", "syslog-ng"} {
		if *only != "" && *only != way {
			continue
		}
		if err := measure(way); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", way, err)
			os.Exit(1)
		}
	}
}

// stamps are the time as it is now, in the form of RFC 3164 and of an access log, made
// anew a hundred times a second: agents send what happens.
type stamps struct{ syslog, access string }

var now atomic.Pointer[stamps]

func keepTime() {
	for {
		t := time.Now().UTC()
		now.Store(&stamps{t.Format("Jan _2 15:04:05"), t.Format("02/Jan/2006:15:04:05 -0700")})
		time.Sleep(10 * time.Millisecond)
	}
}

// pace sleeps until the i-th event is due that is sent.
func pace(began time.Time, i int) {
	if *rate > 0 {
		time.Sleep(time.Until(began.Add(time.Duration(i) * time.Second / time.Duration(*rate))))
	}
}

// messages are what hosts write: logins, sudo, cron, a firewall, a web server.
func message(i int) string {
	at := now.Load()
	host, ip := "web"+strconv.Itoa(i%7), fmt.Sprintf("198.51.100.%d", i%250)
	switch i % 8 {
	case 0:
		return fmt.Sprintf("<86>%s %s sshd[%d]: Failed password for invalid user u%d from %s port %d ssh2", at.syslog, host, i%30000, i%300, ip, 1024+i%60000)
	case 1:
		return fmt.Sprintf("<86>%s %s sshd[%d]: Accepted publickey for deploy from %s port %d ssh2: ED25519 SHA256:abc", at.syslog, host, i%30000, ip, 1024+i%60000)
	case 2:
		return fmt.Sprintf("<85>%s %s sudo:   deploy : TTY=pts/0 ; PWD=/srv ; USER=root ; COMMAND=/usr/bin/systemctl restart app%d", at.syslog, host, i%20)
	case 3:
		return fmt.Sprintf("<78>%s %s CRON[%d]: (root) CMD (/usr/lib/job%d)", at.syslog, host, i%30000, i%10)
	case 4:
		return fmt.Sprintf("<4>%s %s kernel: [%d.5] [UFW BLOCK] IN=eth0 OUT= SRC=%s DST=192.0.2.4 LEN=40 TOS=0x00 PREC=0x00 TTL=240 ID=54321 PROTO=TCP SPT=%d DPT=22 WINDOW=1024 RES=0x00 SYN URGP=0", at.syslog, host, i, ip, 1024+i%60000)
	case 5:
		return fmt.Sprintf("<190>%s %s nginx: %s - - [%s] \"GET /item/%d HTTP/1.1\" 200 %d \"-\" \"Mozilla/5.0\"", at.syslog, host, ip, at.access, i%500, i%9000)
	case 6:
		return fmt.Sprintf("<30>%s %s systemd[1]: Started Session %d of User deploy.", at.syslog, host, i)
	}
	return fmt.Sprintf("<14>%s %s app[%d]: request %d took %d ms", at.syslog, host, i%30000, i, i%700)
}

// server is a process that takes logs.
type server struct {
	cmd    *exec.Cmd
	dir    string
	syslog int
	beats  int
	web    int
	file   string // rsyslog's
}

// isOther reports whether a way is another program, that writes a file.
func isOther(way string) bool { return way == "rsyslog" || way == "syslog-ng" }

func freePort() int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func start(way string) (*server, error) {
	dir, err := os.MkdirTemp("", "serve-bench-")
	if err != nil {
		return nil, err
	}
	s := &server{dir: dir, syslog: freePort(), beats: freePort(), web: freePort()}
	if isOther(way) {
		s.file = filepath.Join(dir, "out.log")
		conf := filepath.Join(dir, way+".conf")
		text := fmt.Sprintf("module(load=\"imtcp\")\nmain_queue(queue.size=\"100000\" queue.type=\"LinkedList\")\ninput(type=\"imtcp\" port=\"%d\" address=\"127.0.0.1\")\naction(type=\"omfile\" file=%q)\n", s.syslog, s.file)
		s.cmd = exec.Command("rsyslogd", "-n", "-f", conf, "-i", filepath.Join(dir, "pid"))
		if way == "syslog-ng" {
			text = fmt.Sprintf("@version: 3.38\noptions { stats-freq(0); };\nsource s { network(ip(\"127.0.0.1\") port(%d) transport(\"tcp\") log-iw-size(100000)); };\ndestination d { file(%q log-fifo-size(200000)); };\nlog { source(s); destination(d); flags(flow-control); };\n", s.syslog, s.file)
			s.cmd = exec.Command("syslog-ng", "-F", "-f", conf, "--persist-file", filepath.Join(dir, "persist"), "--pidfile", filepath.Join(dir, "pid"), "--control", filepath.Join(dir, "ctl"))
		}
		if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
			return nil, err
		}
		if err := s.cmd.Start(); err != nil {
			return nil, err
		}
		time.Sleep(time.Second)
		return s, nil
	}
	args := []string{"serve", "--case", filepath.Join(dir, "case"), "--listen", fmt.Sprintf("syslog+tcp://127.0.0.1:%d", s.syslog), "--listen", fmt.Sprintf("syslog+udp://127.0.0.1:%d", s.syslog),
		"--listen", fmt.Sprintf("beats://127.0.0.1:%d", s.beats), "--listen", fmt.Sprintf("http://127.0.0.1:%d", s.web)}
	if !*rules {
		args = append(args, "--no-builtin")
	}
	s.cmd = exec.Command(*binary, args...)
	out, err := s.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if lines.Text() == "ready" {
			go io.Copy(io.Discard, out)
			return s, nil
		}
	}
	return nil, errors.New("the server is not ready")
}

// figures of the process so far.
func (s *server) cpu() (seconds float64) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	f := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+2:]))
	user, _ := strconv.ParseFloat(f[11], 64)
	system, _ := strconv.ParseFloat(f[12], 64)
	return (user + system) / 100
}

func (s *server) memory() (mib int) {
	data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			fmt.Sscan(rest, &mib)
		}
	}
	return mib >> 10
}

// stored is how many events a query could find, or lines are in rsyslog's file.
func (s *server) stored() int {
	if s.file != "" {
		out, _ := exec.Command("wc", "-l", s.file).Output()
		count := 0
		fmt.Sscan(string(out), &count)
		return count
	}
	resp, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/metrics", s.web))
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		if rest, ok := strings.CutPrefix(lines.Text(), "sextant_records_stored_total "); ok {
			count, _ := strconv.Atoi(rest)
			return count
		}
	}
	return 0
}

// probe sends a message of its own four times a second while others send, and asks
// which of them a query finds, until it has found all: so that waits that are long
// count as often as they would happen.
func (s *server) probe(done <-chan struct{}) (waits []time.Duration) {
	sent := map[string]time.Time{}
	sending := time.NewTicker(250 * time.Millisecond)
	defer sending.Stop()
	asking := time.NewTicker(100 * time.Millisecond)
	defer asking.Stop()
	number := 0
	var end time.Time
	for end.IsZero() || len(sent) > 0 && time.Now().Before(end) {
		select {
		case <-done:
			done, end = nil, time.Now().Add(2*time.Minute)
			sending.Stop()
		case <-sending.C:
			conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", s.syslog))
			if err != nil {
				continue
			}
			number++
			word := fmt.Sprintf("probe%dx%d", os.Getpid(), number)
			sent[word] = time.Now()
			fmt.Fprintf(conn, "<14>1 %s probe bench - - - %s\n", time.Now().UTC().Format(time.RFC3339), word)
			conn.Close()
		case <-asking.C:
			resp, err := http.PostForm(fmt.Sprintf("http://127.0.0.1:%d/api/query", s.web), url.Values{"query": {"_time:10m host.name:=probe | fields _msg"}})
			if err != nil {
				continue
			}
			body, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			for word, at := range sent {
				if bytes.Contains(body, []byte(word+`"`)) {
					waits = append(waits, time.Since(at))
					delete(sent, word)
				}
			}
		}
	}
	for _, at := range sent { // never found
		waits = append(waits, time.Since(at))
	}
	return waits
}

func measure(way string) error {
	if program := map[string]string{"rsyslog": "rsyslogd", "syslog-ng": "syslog-ng"}[way]; program != "" {
		if _, err := exec.LookPath(program); err != nil {
			fmt.Printf("%-9s is not installed\n", way)
			return nil
		}
	}
	s, err := start(way)
	if err != nil {
		return err
	}
	defer os.RemoveAll(s.dir)
	defer func() { s.cmd.Process.Signal(syscall.SIGTERM); s.cmd.Wait() }()
	send := map[string]func() error{"tcp": s.sendTCP, "rsyslog": s.sendTCP, "syslog-ng": s.sendTCP, "udp": s.sendUDP, "beats": s.sendBeats}[way]
	done := make(chan struct{})
	var waits []time.Duration
	var probing sync.WaitGroup
	if !isOther(way) {
		probing.Go(func() { waits = s.probe(done) })
	}
	began, cpu := time.Now(), s.cpu()
	if err := send(); err != nil {
		return err
	}
	sent := time.Since(began)
	close(done)
	probing.Wait()
	count, still := 0, 0
	for still < 300 && count < *n+len(waits) {
		last := count
		if count = s.stored(); count == last {
			still++
		}
		time.Sleep(100 * time.Millisecond)
	}
	took, used := time.Since(began), s.cpu()-cpu
	line := fmt.Sprintf("%-9s %8d events  sent in %6.2f s  stored after %6.2f s  %9.0f events/s  %9.0f events/CPU-s  lost %d  %4d MiB", way, *n, sent.Seconds(), took.Seconds(),
		float64(*n)/took.Seconds(), float64(*n)/used, max(0, *n+len(waits)-count), s.memory())
	if len(waits) > 0 {
		slices.Sort(waits)
		line += fmt.Sprintf("  searchable after: median %.2f s, p99 %.2f s of %d", waits[len(waits)/2].Seconds(), waits[len(waits)*99/100].Seconds(), len(waits))
	}
	fmt.Println(line)
	return nil
}

func (s *server) sendTCP() error {
	var all sync.WaitGroup
	var failed atomic.Pointer[error]
	for c := range *conns {
		all.Go(func() {
			conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", s.syslog))
			if err != nil {
				failed.Store(&err)
				return
			}
			defer conn.Close()
			w := bufio.NewWriterSize(conn, 64<<10)
			began := time.Now()
			for i := c; i < *n; i += *conns {
				if i%512 == c {
					pace(began, i)
				}
				w.WriteString(message(i))
				w.WriteByte('\n')
			}
			if err := w.Flush(); err != nil {
				failed.Store(&err)
			}
		})
	}
	all.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}

func (s *server) sendUDP() error {
	conn, err := net.Dial("udp", fmt.Sprintf("127.0.0.1:%d", s.syslog))
	if err != nil {
		return err
	}
	defer conn.Close()
	if *rate == 0 {
		*rate = 60_000
		defer func() { *rate = 0 }()
	}
	began := time.Now()
	for i := range *n {
		if _, err := io.WriteString(conn, message(i)); err != nil {
			return err
		}
		if i%100 == 99 {
			pace(began, i)
		}
	}
	return nil
}

func (s *server) sendBeats() error {
	var all sync.WaitGroup
	var failed atomic.Pointer[error]
	for c := range *conns {
		all.Go(func() {
			client, err := lumber.SyncDial(fmt.Sprintf("127.0.0.1:%d", s.beats), lumber.CompressionLevel(3), lumber.Timeout(time.Minute), lumber.JSONEncoder(func(v any) ([]byte, error) { return v.([]byte), nil }))
			if err == nil {
				defer client.Close()
				var window []any
				began := time.Now()
				for i := c; i < *n && err == nil; i += *conns {
					window = append(window, document(c, i))
					if len(window) == 2048 || i+*conns >= *n {
						pace(began, i)
						_, err = client.Send(window)
						window = window[:0]
					}
				}
			}
			if err != nil {
				failed.Store(&err)
			}
		})
	}
	all.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}

// document is the message as Filebeat sends it.
func document(agent, i int) []byte {
	text, _ := json.Marshal(message(i))
	return fmt.Appendf(nil, `{"@timestamp":%q,"@metadata":{"beat":"filebeat","type":"_doc","version":"8.17.0"},"message":%s,"agent":{"id":"a%d","type":"filebeat","version":"8.17.0","name":"web1"},"ecs":{"version":"8.0.0"},"host":{"name":"web1"},"input":{"type":"log"},"log":{"offset":%d,"file":{"path":"/var/log/syslog"}}}`, time.Now().UTC().Format("2006-01-02T15:04:05.000Z"), text, agent, i*100)
}
