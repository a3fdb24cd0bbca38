// Command charts measures how long the pages of a server with a full store take to draw
// each kind of chart:
//
//	go run ./bench/charts -binary bin/sextant -n 3000000
//
// It puts that many records of 30 days into a store under -dir, which it keeps where one is
// named and finds again in the next run: logins, web requests, flows, processes and name
// lookups of 2,000 people on 500 hosts, few of which are busy and most hardly, with addresses that mostly
// come once. Then it serves the case and asks for each chart, of all times and of the last
// day. For each it prints how long the first byte and the whole took, how much it was, and
// the most memory (resident) that the server had while it drew.
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/prose"
	"github.com/sextant-logs/sextant/internal/store"
)

var (
	binary = flag.String("binary", "bin/sextant", "the program that serves")
	n      = flag.Int("n", 3_000_000, "records of the store")
	dir    = flag.String("dir", "", "where the case is made, and kept (default: a temporary directory, removed)")
	only   = flag.String("only", ".", "regular expression: the requests to measure")
)

// The requests: /api/chart draws one, /charts the overview of a page, /report the report.
var requests = []string{
	"/api/chart?kind=bar&by=user.name",
	"/api/chart?kind=bar&by=source.ip",
	"/api/chart?kind=bar&by=user.name,event.outcome",
	"/api/chart?kind=bar&by=user.name&value=source.bytes",
	"/api/chart?kind=histogram&value=source.bytes",
	"/api/chart?kind=line&by=event.dataset",
	"/api/chart?kind=line&by=source.ip",
	"/api/chart?kind=area&by=event.outcome&q=event.dataset:=system.auth",
	"/api/chart?kind=heatmap",
	"/api/chart?kind=heatmap&by=user.name,host.name",
	"/api/chart?kind=calendar",
	"/api/chart?kind=scatter&value=source.bytes&by=destination.port",
	"/api/chart?kind=box&value=source.bytes&by=event.dataset",
	"/api/chart?kind=box&value=event.duration&by=host.name",
	"/api/chart?kind=sankey",
	"/api/chart?kind=graph",
	"/api/chart?kind=graph&type=png",
	"/charts?",
	"/report?",
}

func main() {
	flag.Parse()
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	wanted, err := regexp.Compile(*only)
	if err != nil {
		return err
	}
	work := *dir
	if work == "" {
		if work, err = os.MkdirTemp("", "charts-bench-"); err != nil {
			return err
		}
		defer os.RemoveAll(work)
	}
	caseDir := filepath.Join(work, fmt.Sprintf("case-%d", *n))
	if _, err := os.Stat(caseDir); err != nil {
		began := time.Now()
		if err := fill(caseDir, *n); err != nil {
			return errors.Join(err, os.RemoveAll(caseDir))
		}
		fmt.Printf("%s stored in %s\n", prose.Count(*n, "record"), time.Since(began).Round(time.Second))
	}
	s, err := serve(caseDir)
	if err != nil {
		return err
	}
	defer s.stop()
	fmt.Printf("%-66s %-9s %12s %8s %10s %9s %7s\n", "request", "of", "first byte", "whole", "bytes", "CPU", "memory")
	for _, path := range requests {
		for _, last := range []string{"all", "24h"} {
			if !wanted.MatchString(path) || strings.HasPrefix(path, "/report") && last != "all" {
				continue
			}
			if err := s.measure(path, last); err != nil {
				return err
			}
		}
	}
	return nil
}

// fill puts records into a new store, those of each day together.
func fill(caseDir string, n int) error {
	st, err := store.Open(caseDir, store.Options{})
	if err != nil {
		return err
	}
	defer st.Close()
	const days = 30
	r := rand.New(rand.NewPCG(1, 2))
	busy := func(most uint64) int { // few are busy, most hardly (Zipf)
		return int(rand.NewZipf(r, 1.3, 8, most-1).Uint64())
	}
	source := &store.Source{ID: "000000000000000000000001", Path: "made-up.log"}
	w := st.NewWriter()
	end := time.Now().UTC().Truncate(time.Minute)
	var b event.Batch
	for i := range n {
		at := end.Add(-days*24*time.Hour + time.Duration(i)*(days*24*time.Hour/time.Duration(n)))
		user, host, address := "user"+strconv.Itoa(busy(2000)), "host"+strconv.Itoa(busy(500)), fmt.Sprintf("10.%d.%d.%d", r.IntN(16), r.IntN(256), r.IntN(256))
		outcome := []string{"success", "success", "success", "failure"}[r.IntN(4)]
		bytes := strconv.Itoa(int(1000 * (1 + r.ExpFloat64()*r.ExpFloat64()*50)))
		var fields [][2]string
		message := ""
		switch i % 5 {
		case 0:
			message = outcome + " of a login of " + user + " from " + address
			fields = [][2]string{{"event.dataset", "system.auth"}, {"event.action", "ssh_login"}, {"process.name", "sshd"}}
		case 1:
			path := "/page/" + strconv.Itoa(busy(5000))
			message = "GET " + path
			fields = [][2]string{{"event.dataset", "web.access"}, {"event.action", "GET"}, {"url.path", path}, {"source.bytes", bytes}, {"event.duration", strconv.Itoa(r.IntN(4_000_000_000))}, {"http.response.status_code", []string{"200", "200", "304", "404"}[r.IntN(4)]}}
		case 2:
			message = "flow"
			fields = [][2]string{{"event.dataset", "suricata.eve"}, {"event.action", "flow"}, {"destination.ip", fmt.Sprintf("203.0.113.%d", busy(250))}, {"destination.port", []string{"443", "80", "53", "22", "8443", "3389", "25", "993", "5432"}[busy(9)]}, {"source.bytes", bytes}}
		case 3:
			name := "program" + strconv.Itoa(busy(300))
			message = name + " started by " + user
			fields = [][2]string{{"event.dataset", "system.security"}, {"event.action", "process_creation"}, {"event.code", "4688"}, {"process.name", name}}
		case 4:
			name := "name" + strconv.Itoa(busy(20000)) + ".example"
			message = "query for " + name
			fields = [][2]string{{"event.dataset", "dns"}, {"event.action", "query"}, {"dns.question.name", name}, {"source.bytes", strconv.Itoa(40 + r.IntN(90))}}
		}
		e := b.Begin(int64(i)*100, message)
		e.ID, e.Time = fmt.Sprintf("%s-%010x", source.ID, i*100), at.UnixNano()
		for _, f := range append(fields, [2]string{"user.name", user}, [2]string{"host.name", host}, [2]string{"source.ip", address}, [2]string{"event.outcome", outcome}) {
			b.Add(f[0], f[1])
		}
		if len(b.Events) == 4096 || i == n-1 {
			if err := w.Add(source, b.Events); err != nil {
				return err
			}
			b = event.Batch{}
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return st.Ledger().Commit(store.Record{ID: source.ID, Path: source.Path, Records: int64(n)})
}

type server struct {
	cmd     *exec.Cmd
	address string
}

func serve(caseDir string) (*server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &server{address: l.Addr().String()}
	l.Close()
	// What came before the server is not looked at again: this is about charts.
	s.cmd = exec.Command(*binary, "serve", "--case", caseDir, "--listen", "http://"+s.address, "--window", "1h", "--history", "0s")
	out, err := s.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if lines.Text() == "ready" {
			go io.Copy(io.Discard, out)
			fmt.Printf("ready after %.1f s\n", time.Since(began).Seconds())
			return s, nil
		}
		fmt.Fprintln(os.Stderr, lines.Text())
	}
	s.stop()
	return nil, errors.New("the server is not ready")
}

func (s *server) stop() {
	s.cmd.Process.Signal(syscall.SIGTERM)
	s.cmd.Wait()
}

func (s *server) measure(path, last string) error {
	s.forget()
	used := s.cpu()
	var first time.Duration
	began := time.Now()
	req, err := http.NewRequest("GET", "http://"+s.address+path+"&last="+url.QueryEscape(last), nil)
	if err != nil {
		return err
	}
	req = req.WithContext(httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{GotFirstResponseByte: func() { first = time.Since(began) }}))
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	size, err := io.Copy(io.Discard, res.Body)
	if err != nil {
		return err
	}
	note := ""
	if res.StatusCode != http.StatusOK {
		note = "  " + res.Status
	}
	fmt.Printf("%-66s %-9s %10.2f s %6.2f s %10s %7.1f s %7s%s\n", path, last, first.Seconds(), time.Since(began).Seconds(), prose.Size(size), (s.cpu() - used).Seconds(), s.peak(), note)
	return nil
}

// forget has the kernel begin anew with the most memory (proc(5), clear_refs).
func (s *server) forget() {
	_ = os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", s.cmd.Process.Pid), []byte("5"), 0o644)
}

// peak is the most memory since; nothing where there is no /proc.
func (s *server) peak() string {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	for line := range strings.SplitSeq(string(text), "\n") {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "VmHWM:" {
			kib, _ := strconv.ParseInt(f[1], 10, 64)
			return prose.Size(kib << 10)
		}
	}
	return ""
}

// cpu is the time that the server has used on all cores (proc(5), stat).
func (s *server) cpu() time.Duration {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	_, rest, _ := strings.Cut(string(text), ") ")
	f := strings.Fields(rest)
	if len(f) < 13 {
		return 0
	}
	user, _ := strconv.ParseInt(f[11], 10, 64)
	system, _ := strconv.ParseInt(f[12], 10, 64)
	return time.Duration(user+system) * time.Second / 100
}
