package forward

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	lumber "github.com/elastic/go-lumber/client/v2"

	"github.com/sextant-logs/sextant/internal/collect"
	"github.com/sextant-logs/sextant/internal/event"
)

// Logstash's beats input, and whatever else speaks Lumberjack 2. Events have
// @metadata as a Beat sends it, with event.id as _id: an elasticsearch output of
// Logstash with document_id => "%{[@metadata][_id]}" then keeps each once.
//
// Source: the protocol description in the logstash-input-beats plugin.
var _ = register("logstash", `logstash://HOST:5044 or logstash+tls://HOST:5044, the beats input. ?ca=FILE;
cert=FILE&key=FILE; server-name=NAME; compress=0 to 9`, newLogstash)

type logstash struct {
	hosts    []string
	tls      *tls.Config // nil: none
	compress int

	next int // of hosts
	conn *lumber.SyncClient
}

const lumberTimeout = 30 * time.Second // without a sign of life

func newLogstash(u *url.URL) (output, error) {
	o := &logstash{compress: 3}
	for host := range strings.SplitSeq(u.Host, ",") {
		if host == "" {
			return nil, errors.New("want logstash://HOST:5044")
		}
		if _, _, err := net.SplitHostPort(host); err != nil {
			host = net.JoinHostPort(strings.Trim(host, "[]"), "5044")
		}
		o.hosts = append(o.hosts, host)
	}
	q := u.Query()
	if c := q.Get("compress"); c != "" {
		n, err := strconv.Atoi(c)
		if err != nil || n < 0 || n > 9 {
			return nil, fmt.Errorf("compress=%s: want 0 to 9", c)
		}
		o.compress = n
	}
	switch u.Scheme {
	case "":
	case "tls":
		var err error
		if o.tls, err = collect.ClientTLS(q); err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("logstash+%s: want logstash:// or logstash+tls://", u.Scheme)
	}
	return o, nil
}

func (o *logstash) close() {
	if o.conn != nil {
		o.conn.Close()
		o.conn = nil
	}
}

func (o *logstash) connect(ctx context.Context) error {
	host := o.hosts[o.next%len(o.hosts)]
	o.next++
	ctx, cancel := context.WithTimeout(ctx, lumberTimeout)
	defer cancel()
	var conn net.Conn
	var err error
	if o.tls != nil {
		conn, err = (&tls.Dialer{Config: o.tls}).DialContext(ctx, "tcp", host)
	} else {
		conn, err = (&net.Dialer{}).DialContext(ctx, "tcp", host)
	}
	if err != nil {
		return err
	}
	o.conn, err = lumber.NewSyncClientWithConn(conn, lumber.Timeout(lumberTimeout), lumber.CompressionLevel(o.compress),
		lumber.JSONEncoder(func(v any) ([]byte, error) { return v.([]byte), nil }))
	if err != nil {
		conn.Close()
	}
	return err
}

// send implements output. A connection that broke is made anew, to the next host,
// when it is called again.
func (o *logstash) send(ctx context.Context, docs []Document) (outcome, error) {
	if o.conn == nil {
		if err := o.connect(ctx); err != nil {
			return outcome{left: docs}, err
		}
	}
	conn := o.conn
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	window := make([]any, len(docs))
	for i := range docs {
		window[i] = lumberjackEvent(&docs[i])
	}
	n, err := conn.Send(window)
	if err != nil {
		o.close()
		if ctx.Err() != nil {
			err = ctx.Err()
		}
	}
	return outcome{left: docs[min(max(n, 0), len(docs)):]}, err
}

// lumberjackEvent is the document with @metadata.
func lumberjackEvent(d *Document) []byte {
	out := make([]byte, 0, len(d.Body)+len(d.ID)+80)
	out = append(out, `{"@metadata":{"beat":"sextant","type":"_doc","version":"8.17.0","_id":`...)
	out = append(event.AppendQuoted(out, d.ID), '}')
	if len(d.Body) > 2 {
		out = append(out, ',')
	}
	return append(out, d.Body[1:]...)
}
