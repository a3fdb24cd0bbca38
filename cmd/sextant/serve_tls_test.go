//go:build unix

package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// certificates writes an authority's certificate, and certificates of it with
// their keys for each name: NAME.pem and NAME.key.
func certificates(t *testing.T, dir string, names ...string) (ca string) {
	t.Helper()
	write := func(name, kind string, der []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	authorityKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	authority := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, authority, authority, authorityKey.Public(), authorityKey)
	if err != nil {
		t.Fatal(err)
	}
	write("ca.pem", "CERTIFICATE", der)
	for i, name := range names {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		c := &x509.Certificate{SerialNumber: big.NewInt(int64(i + 2)), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
			NotBefore: authority.NotBefore, NotAfter: authority.NotAfter, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}}
		der, err := x509.CreateCertificate(rand.Reader, c, authority, key.Public(), authorityKey)
		if err != nil {
			t.Fatal(err)
		}
		write(name+".pem", "CERTIFICATE", der)
		if der, err = x509.MarshalPKCS8PrivateKey(key); err != nil {
			t.Fatal(err)
		}
		write(name+".key", "PRIVATE KEY", der)
	}
	return filepath.Join(dir, "ca.pem")
}

func TestRsyslogSendsOverTLSWithACertificateOfItsOwn(t *testing.T) {
	rsyslog := client(t, "rsyslogd")
	if found, _ := filepath.Glob("/usr/lib/*/rsyslog/lmnsd_gtls.so"); len(found) == 0 {
		if os.Getenv("CI") != "" {
			t.Fatal("rsyslog-gnutls is not installed")
		}
		t.Skip("rsyslog-gnutls is not installed")
	}
	dir := t.TempDir()
	ca := certificates(t, dir, "server", "agent")
	port := freePort(t)
	s := startLive(t, "--listen", fmt.Sprintf("syslog+tls://127.0.0.1:%d?cert=%s&key=%s&client-ca=%s", port, filepath.Join(dir, "server.pem"), filepath.Join(dir, "server.key"), ca))
	run := func(who, line string) {
		t.Helper()
		work := t.TempDir()
		in := filepath.Join(work, "in.txt")
		if err := os.WriteFile(in, []byte(line+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		mine := ""
		if who != "" {
			mine = fmt.Sprintf(" defaultNetstreamDriverCertFile=%q defaultNetstreamDriverKeyFile=%q", filepath.Join(dir, who+".pem"), filepath.Join(dir, who+".key"))
		}
		conf := fmt.Sprintf(`module(load="imfile")
global(workDirectory=%q defaultNetstreamDriverCAFile=%q%s)
input(type="imfile" File=%q Tag="sshd:" Facility="authpriv")
action(type="omfwd" target="127.0.0.1" port="%d" protocol="tcp" StreamDriver="gtls" StreamDriverMode="1" StreamDriverAuthMode="x509/name" StreamDriverPermittedPeers="server" TCP_Framing="octet-counted" template="RSYSLOG_SyslogProtocol23Format")
`, work, ca, mine, in, port)
		path := filepath.Join(work, "rsyslog.conf")
		if err := os.WriteFile(path, []byte(conf), 0o600); err != nil {
			t.Fatal(err)
		}
		background(t, exec.Command(rsyslog, "-n", "-f", path, "-i", filepath.Join(work, "pid")))
	}
	run("", "Failed password for root from 203.0.113.66 port 51122 ssh2") // nobody knows this one
	run("agent", "Failed password for root from 203.0.113.77 port 51122 ssh2")
	if row := s.wait(`source.ip:="203.0.113.77"`, 1)[0]; row["event.outcome"] != "failure" || row["event.dataset"] != "system.auth" {
		t.Errorf("%v", row)
	}
	if rows := s.wait(`* | stats count() n`, 1); rows[0]["n"] != "1" {
		t.Errorf("who has no certificate is heard: %v", rows)
	}
}
