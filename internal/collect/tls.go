package collect

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
)

// TLS reads the settings of a TLS listener from its URL's query: cert and key
// are PEM files; with client-ca, a PEM file, clients must have a certificate
// that one of its authorities signed.
func TLS(u *url.URL) (*tls.Config, error) {
	q := u.Query()
	cert, key, ca := q.Get("cert"), q.Get("key"), q.Get("client-ca")
	if cert == "" || key == "" {
		return nil, fmt.Errorf("%s://%s: TLS needs a certificate: add ?cert=FILE&key=FILE (PEM)", u.Scheme, u.Host)
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("%s://%s: %w", u.Scheme, u.Host, err)
	}
	c := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	if ca != "" {
		pem, err := os.ReadFile(ca)
		if err != nil {
			return nil, err
		}
		c.ClientCAs = x509.NewCertPool()
		if !c.ClientCAs.AppendCertsFromPEM(pem) {
			return nil, errors.New(ca + " holds no certificate in PEM form")
		}
		c.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return c, nil
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
