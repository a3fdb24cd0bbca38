package main

import (
	"bufio"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/sextant-logs/sextant/internal/simulate"
)

func TestLinesReachACollectorInOrderAndAtTheirRate(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	got := make(chan []string, 1)
	go func() {
		var lines []string
		defer func() { got <- lines }()
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		for s := bufio.NewScanner(conn); s.Scan(); {
			lines = append(lines, s.Text())
		}
	}()
	s, err := newSyslogSender(t.Context(), "syslog+tcp://"+l.Addr().String(), 200)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	at := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	for range 20 {
		for _, line := range []simulate.Line{
			{Host: "web1", Path: "evidence/web1/var/log/auth.log", At: at, Text: []byte("Mar  2 08:00:00 web1 sshd[1]: Failed password for root")},
			{Host: "web1", Path: "evidence/web1/var/log/apache2/access.log", At: at, Text: []byte(`192.0.2.9 - - "GET /"`)},
		} {
			if err := s.send(line); err != nil {
				t.Fatal(err)
			}
		}
	}
	if spent := time.Since(began); spent < 180*time.Millisecond {
		t.Errorf("40 lines at 200 a second in %v", spent)
	}
	s.close()
	lines := <-got
	if len(lines) != 40 || lines[0] != "<86>Mar  2 08:00:00 web1 sshd[1]: Failed password for root" || !strings.HasPrefix(lines[1], "<134>Mar  2 08:00:00 web1 access: 192.0.2.9") {
		t.Errorf("%d lines: %q", len(lines), lines[:min(2, len(lines))])
	}
}
