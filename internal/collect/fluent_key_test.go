package collect

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/IBM/fluent-forward-go/fluent/client"
	"github.com/IBM/fluent-forward-go/fluent/protocol"
)

// certificate writes a certificate for example.com and 127.0.0.1 and its key, and
// returns who trusts it.
func certificate(t *testing.T) (cert, key string, trust *x509.CertPool) {
	t.Helper()
	s := httptest.NewUnstartedServer(nil)
	s.StartTLS()
	defer s.Close()
	pair := s.TLS.Certificates[0]
	der, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: pair.Certificate[0]}, key: {Type: "PRIVATE KEY", Bytes: der}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	trust = x509.NewCertPool()
	trust.AddCert(s.Certificate())
	return cert, key, trust
}

func TestAFluentSenderWithTheKeyIsHeardOverTLS(t *testing.T) {
	cert, key, trust := certificate(t)
	sink := newKept()
	_, addr, _ := running(t, "fluent+tls://127.0.0.1:0?shared-key=open+sesame&cert="+cert+"&key="+key, sink)
	dial := func(shared string) (*client.Client, error) {
		c := client.New(client.ConnectionOptions{Factory: &client.ConnFactory{Address: addr, TLSConfig: &tls.Config{RootCAs: trust}}, RequireAck: true,
			ConnectionTimeout: 5 * time.Second, AuthInfo: client.AuthInfo{SharedKey: []byte(shared)}})
		c.Hostname = "agent1"
		if err := c.Connect(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Disconnect() })
		return c, c.Handshake()
	}
	c, err := dial("open sesame")
	if err != nil {
		t.Fatal(err)
	}
	entries := protocol.EntryList{{Timestamp: protocol.EventTimeNow(), Record: map[string]string{"message": "one"}}, {Timestamp: protocol.EventTimeNow(), Record: map[string]string{"message": "two"}}}
	if err := c.SendPacked("app", entries); err != nil {
		t.Error(err)
	}
	if err := c.SendCompressed("app", entries); err != nil {
		t.Error(err)
	}
	if got := sink.records(); len(got) != 4 || got[1] != `{"message":"two"}` {
		t.Errorf("acknowledged, but kept are %q", got)
	}
	if _, err := dial("guess"); err == nil {
		t.Error("a wrong key is taken")
	}
	if got := sink.records(); len(got) != 4 {
		t.Errorf("%q", got)
	}
}

func TestAFluentSenderMustKnowUserAndPassword(t *testing.T) {
	sink := newKept()
	_, addr, _ := running(t, "fluent://me:secret@127.0.0.1:0?shared-key=k", sink)
	for _, c := range []struct {
		user, password, key string
		heard               bool
	}{{"me", "secret", "k", true}, {"me", "guess", "k", false}, {"you", "secret", "k", false}, {"me", "secret", "guess", false}} {
		conn := dial(t, "tcp", addr)
		conn.SetDeadline(time.Now().Add(10 * time.Second))
		helo, err := (&packReader{r: conn}).next(1000)
		if err != nil {
			t.Fatal(err)
		}
		nonce, auth := fluentOption(helo[len(packString([]byte{0x92}, "HELO")):], "nonce"), fluentOption(helo[len(packString([]byte{0x92}, "HELO")):], "auth")
		if len(nonce) != 32 || len(auth) != 32 || nonce == auth {
			t.Fatalf("nonce %q, auth %q", nonce, auth)
		}
		ping := []byte{0x96}
		for _, s := range []string{"PING", "agent1", "salt", sha512Hex("salt", "agent1", nonce, c.key), c.user, sha512Hex(auth, c.user, c.password)} {
			ping = packString(ping, s)
		}
		conn.Write(ping)
		pong, err := (&packReader{r: conn}).next(1000)
		if err != nil {
			t.Fatal(err)
		}
		if heard := pong[len(packString([]byte{0x95}, "PONG"))] == 0xc3; heard != c.heard {
			t.Errorf("%+v: %q", c, pong)
		}
		io.WriteString(conn, "\x93\xa3tag\xce\x65\xe5\xa0\x00\x81\xa1a\x01")
		if c.heard {
			sink.wait(t, 1)
		}
		conn.Close()
	}
	// Who does not shake hands is not heard.
	conn := dial(t, "tcp", addr)
	io.WriteString(conn, "\x93\xa3tag\xce\x65\xe5\xa0\x00\x81\xa1a\x01")
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.ReadAll(conn); err != nil && !strings.Contains(err.Error(), "reset") {
		t.Error("the connection stays")
	}
	if got := sink.records(); len(got) != 1 {
		t.Errorf("%q", got)
	}
}

func TestAnEmptySharedKeyIsNone(t *testing.T) {
	for _, raw := range []string{"fluent://127.0.0.1:0?shared-key=", "fluent://me:x@127.0.0.1:0", "fluent://127.0.0.1:0?shared-key-file=/nowhere"} {
		if _, err := New(raw, Options{}); err == nil {
			t.Errorf("%s is taken", raw)
		}
	}
}
