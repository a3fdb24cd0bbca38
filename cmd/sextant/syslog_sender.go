package main

import (
	"context"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/sextant-logs/sextant/internal/simulate"
)

// syslogSender sends lines to a collector at a steady rate: over UDP one to a
// datagram (RFC 5426), over TCP each ended by a newline (RFC 6587 §3.4.2).
type syslogSender struct {
	ctx   context.Context
	conn  net.Conn
	tcp   bool
	every time.Duration // between two lines; 0 for none
	next  time.Time
	buf   []byte
}

// newSyslogSender connects to syslog://, syslog+udp:// or syslog+tcp:// HOST:PORT.
func newSyslogSender(ctx context.Context, to string, rate int) (*syslogSender, error) {
	scheme, address, ok := strings.Cut(to, "://")
	network := map[string]string{"syslog": "udp", "syslog+udp": "udp", "syslog+tcp": "tcp"}[scheme]
	if !ok || network == "" {
		return nil, usagef("--to %q: want syslog+udp://HOST:PORT or syslog+tcp://HOST:PORT", to)
	}
	if rate < 0 {
		return nil, usagef("--rate %d: want lines a second", rate)
	}
	if _, _, err := net.SplitHostPort(address); err != nil {
		return nil, usagef("--to %q: %w", to, err)
	}
	conn, err := (&net.Dialer{Timeout: 10 * time.Second}).DialContext(ctx, network, address)
	if err != nil {
		return nil, fmt.Errorf("--to: %w", err)
	}
	s := &syslogSender{ctx: ctx, conn: conn, tcp: network == "tcp", next: time.Now()}
	if rate > 0 {
		s.every = time.Second / time.Duration(rate)
	}
	return s, nil
}

func (s *syslogSender) send(l simulate.Line) error {
	if s.every > 0 {
		// Sleeping for less than some milliseconds is inexact: send what is due in bursts.
		if wait := time.Until(s.next); wait > 5*time.Millisecond {
			select {
			case <-time.After(wait):
			case <-s.ctx.Done():
			}
		}
		s.next = s.next.Add(s.every)
	}
	if err := s.ctx.Err(); err != nil {
		return err
	}
	s.buf = l.Syslog(s.buf[:0])
	if s.tcp {
		s.buf = append(s.buf, '\n')
	}
	_, err := s.conn.Write(s.buf)
	return err
}

func (s *syslogSender) close() error { return s.conn.Close() }
