package collect

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"
)

// TLS reads the settings of a TLS listener from its URL's query: cert and key
// are PEM files; with client-ca, a PEM file, clients must have a certificate
// that one of its authorities signed. Files that were renewed are read again at the
// next connection; while the new ones are no good, the old ones stay.
func TLS(u *url.URL) (*tls.Config, error) {
	q := u.Query()
	f := &tlsFiles{cert: q.Get("cert"), key: q.Get("key"), ca: q.Get("client-ca")}
	if u.Scheme == "https" || strings.HasPrefix(u.Scheme, "otlp+") {
		f.protocols = []string{"h2", "http/1.1"}
	}
	if f.cert == "" || f.key == "" {
		return nil, fmt.Errorf("%s://%s: TLS needs a certificate: add ?cert=FILE&key=FILE (PEM)", u.Scheme, u.Host)
	}
	if err := f.read(); err != nil {
		return nil, fmt.Errorf("%s://%s: %w", u.Scheme, u.Host, err)
	}
	c := f.config.Clone()
	c.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return f.current(), nil }
	return c, nil
}

// tlsFiles are the files of a TLS listener and what they held last.
type tlsFiles struct {
	cert, key, ca string
	protocols     []string // ALPN

	mu     sync.Mutex
	config *tls.Config
	seen   [3]time.Time // modification of the files that config is from
	looked time.Time
}

func (f *tlsFiles) times() (t [3]time.Time) {
	for i, name := range []string{f.cert, f.key, f.ca} {
		if info, err := os.Stat(name); name != "" && err == nil {
			t[i] = info.ModTime()
		}
	}
	return t
}

func (f *tlsFiles) current() *tls.Config {
	f.mu.Lock()
	defer f.mu.Unlock()
	if time.Since(f.looked) > time.Second {
		f.looked = time.Now()
		if f.times() != f.seen {
			_ = f.read()
		}
	}
	return f.config
}

func (f *tlsFiles) read() error {
	seen := f.times()
	pair, err := tls.LoadX509KeyPair(f.cert, f.key)
	if err != nil {
		return err
	}
	c := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, NextProtos: f.protocols}
	if f.ca != "" {
		pem, err := os.ReadFile(f.ca)
		if err != nil {
			return err
		}
		c.ClientCAs = x509.NewCertPool()
		if !c.ClientCAs.AppendCertsFromPEM(pem) {
			return errors.New(f.ca + " holds no certificate in PEM form")
		}
		c.ClientAuth = tls.RequireAndVerifyClientCert
	}
	f.config, f.seen = c, seen
	return nil
}

// Leaf is the certificate that a TLS listener shows.
func Leaf(c *tls.Config) *x509.Certificate {
	if c.GetConfigForClient != nil {
		if now, err := c.GetConfigForClient(nil); err == nil && now != nil {
			c = now
		}
	}
	if len(c.Certificates) == 0 {
		return nil
	}
	return c.Certificates[0].Leaf
}

// ClientTLS reads the settings of a connection to a TLS server from a URL's
// query: ca, a PEM file with the authorities that the server's certificate may be of,
// by default the system's; cert and key, PEM files, who we are; server-name, where
// the certificate names another than the address.
func ClientTLS(q url.Values) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: q.Get("server-name")}
	if ca := q.Get("ca"); ca != "" {
		pem, err := os.ReadFile(ca)
		if err != nil {
			return nil, err
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, errors.New(ca + " holds no certificate in PEM form")
		}
	}
	if cert, key := q.Get("cert"), q.Get("key"); cert != "" || key != "" {
		if cert == "" || key == "" {
			return nil, errors.New("a client certificate needs both cert=FILE and key=FILE (PEM)")
		}
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return nil, err
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}
