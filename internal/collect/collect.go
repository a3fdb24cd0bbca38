// Package collect receives logs live. A protocol is one file of this package:
// a collector, which has a listener or a reader of its own, registers its URL
// scheme,
//
//	var _ = register("syslog+udp", "RFC 5424 and RFC 3164 over UDP", newSyslogUDP)
//
// and what comes by HTTP registers its path, to be served beside the others
// under one address:
//
//	var _ = registerEndpoint(Endpoint{Pattern: "POST /_bulk", Title: "…", Handler: newBulk})
//
// All hand what they receive to a [Sink] and tell their peer that it arrived
// only when the sink says so. A sink that is slow makes them stop reading: back-
// pressure goes to the sender, memory stays bounded.
package collect

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/sextant-logs/sextant/internal/kind"
	"github.com/sextant-logs/sextant/internal/spool"
)

// Sink takes what collectors receive.
type Sink interface {
	// Accept must return nil only when all of the deliveries are on disk, and
	// must not keep them after an error. It blocks while it cannot take more.
	Accept(ctx context.Context, ds ...*spool.Delivery) error

	// Settle must note that the sender of the request was told of its arrival.
	Settle(request spool.Key)

	// Mark must return the value of the position kept last under the name.
	Mark(name string) string
}

// Collector receives by one protocol.
type Collector interface {
	// Listen must claim the address or the files, so that peers can connect
	// when it returns; or say why it cannot, and what to do.
	Listen(ctx context.Context) error

	// Run must collect until ctx ends, then stop taking, hand over what it
	// has acknowledged or read, and return. It returns an error only when
	// it cannot go on at all.
	Run(ctx context.Context, sink Sink) error

	// Name must be where it collects, as a URL without secrets: with the port
	// that was really taken, after Listen.
	Name() string
}

// Options are what a collector is told besides its URL.
type Options struct {
	Log   *slog.Logger
	Stats *Stats // of this collector
}

var schemes = kind.Registry[func(u *url.URL, o Options) (Collector, error)]{}

func register(name, title string, make func(*url.URL, Options) (Collector, error)) bool {
	return schemes.Add(name, title, make)
}

// Schemes calls fn with each URL scheme and what it is, in order.
func Schemes(fn func(name, title string)) { schemes.Each(fn) }

// New makes the collector of a URL such as "syslog+udp://127.0.0.1:5514".
func New(rawURL string, o Options) (Collector, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, fmt.Errorf("--listen %q is no URL: %w", rawURL, err)
	}
	s, ok := schemes[u.Scheme]
	if !ok {
		return nil, fmt.Errorf("--listen %q: no protocol is named %q; known are http, %s", rawURL, u.Scheme, strings.Join(schemes.Names(), ", "))
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Stats == nil {
		o.Stats = &Stats{}
	}
	return s.New(u, o)
}

// Endpoint is a path of the HTTP listener that takes logs.
type Endpoint struct {
	Pattern string // as of http.ServeMux: "POST /_bulk"
	Title   string
	Open    bool // answers also who has no token: what a client asks before it logs in, and nothing else

	// Handler must make the handler. name is the listener's URL.
	Handler func(sink Sink, name string, o Options) http.Handler
}

var endpoints []Endpoint

func registerEndpoint(e Endpoint) bool {
	endpoints = append(endpoints, e)
	return true
}

// Endpoints returns the HTTP endpoints, ordered by pattern.
func Endpoints() []Endpoint {
	es := slices.Clone(endpoints)
	slices.SortFunc(es, func(a, b Endpoint) int { return strings.Compare(a.Pattern, b.Pattern) })
	return es
}

// Parameters are what URLs of listeners may have behind their question mark.
// Whoever brings another adds it here: what is not known may be a slip of the pen.
var Parameters = []string{"buffer", "ca", "cert", "channel", "client-ca", "directory", "from", "group", "key", "promiscuous", "query", "sasl", "server-name", "shared-key", "shared-key-file"}

// Exposed says why a listener's URL is not safe to open: it can be reached
// from other machines, and whoever reaches it can read along or need not say
// who he is. It returns "" for a safe one.
func Exposed(u *url.URL) string {
	if u.Scheme == "tail" || u.Scheme == "journal" || strings.HasPrefix(u.Scheme, "kafka") || u.Host == "" {
		return "" // nobody connects there
	}
	encrypted := strings.HasSuffix(u.Scheme, "+tls") || strings.HasSuffix(u.Scheme, "grpcs") || u.Scheme == "https"
	if Loopback(u) {
		return ""
	}
	who := "everybody on the network can reach " + u.Host
	switch {
	case !encrypted:
		return who + " and nothing is encrypted"
	case strings.HasPrefix(u.Scheme, "fluent") && (u.Query().Has("shared-key") || u.Query().Has("shared-key-file")):
	case u.Scheme != "https" && u.Query().Get("client-ca") == "":
		return who + " and no client certificate is asked for (client-ca=FILE)"
	}
	return ""
}

// Loopback reports whether only this machine can reach a listener.
func Loopback(u *url.URL) bool {
	ip := net.ParseIP(u.Hostname())
	return ip != nil && ip.IsLoopback() || u.Hostname() == "localhost"
}

// tlsConfig reads the TLS settings of a listener's URL: cert and key, and
// client-ca for clients that must have a certificate.
func tlsConfig(u *url.URL) (*tls.Config, error) { return TLS(u) }

const (
	idleTimeout = 10 * time.Minute // a connection that says nothing for so long is closed
	maxMessage  = 512 << 10        // bytes kept of one message; format.MaxRecord
)

// baseURL is a listener's URL without what may be secret.
func baseURL(u *url.URL, addr net.Addr) string {
	host := u.Host
	if addr != nil {
		host = addr.String()
	}
	return u.Scheme + "://" + host
}

// peerIP is the address of a peer without its port.
func peerIP(a net.Addr) string {
	switch a := a.(type) {
	case *net.UDPAddr:
		return a.AddrPort().Addr().Unmap().String()
	case *net.TCPAddr:
		return a.AddrPort().Addr().Unmap().String()
	}
	return ""
}
