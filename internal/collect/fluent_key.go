package collect

import (
	"crypto/rand"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"time"
)

// fluentKey is what a sender must know: a key that all share, and maybe a name
// with a password. It shows that it knows them, and we that we know the key, by
// hashes over random bytes of both sides.
//
// Source: fluent/fluentd wiki, "Forward Protocol Specification v1", Handshake.
type fluentKey struct {
	shared         string
	user, password string
	host           string // ours
}

const (
	fluentHandshake = 10 * time.Second
	maxHandshake    = 16 << 10
)

var errFluentKey = errors.New("the handshake failed")

// newFluentKey reads what senders must know from a listener's URL; nil if nothing.
func newFluentKey(u *url.URL) (*fluentKey, error) {
	q := u.Query()
	k := &fluentKey{shared: q.Get("shared-key")}
	if name := q.Get("shared-key-file"); name != "" {
		key, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("%s://%s: %w", u.Scheme, u.Host, err)
		}
		k.shared = strings.TrimSpace(string(key))
	}
	if u.User != nil {
		k.user = u.User.Username()
		k.password, _ = u.User.Password()
	}
	if k.shared == "" && (q.Has("shared-key") || q.Has("shared-key-file")) {
		return nil, fmt.Errorf("%s://%s: the shared key is empty", u.Scheme, u.Host)
	}
	if k.shared == "" {
		if k.user != "" {
			return nil, fmt.Errorf("%s://%s: a user is asked for together with a shared key: add shared-key-file=FILE", u.Scheme, u.Host)
		}
		return nil, nil
	}
	if k.host, _ = os.Hostname(); k.host == "" {
		k.host = "sextant"
	}
	return k, nil
}

// greet has the handshake on a new connection.
func (k *fluentKey) greet(conn net.Conn, r *packReader) error {
	var random [32]byte
	if _, err := rand.Read(random[:]); err != nil {
		return err
	}
	nonce, salt := hex.EncodeToString(random[:16]), ""
	if k.user != "" {
		salt = hex.EncodeToString(random[16:])
	}
	conn.SetDeadline(time.Now().Add(fluentHandshake))
	defer conn.SetDeadline(time.Time{})
	helo := packString([]byte{0x92}, "HELO") // nonce and auth as binary data, which is what Fluentd has
	helo = packBinary(packString(append(helo, 0x83), "nonce"), nonce)
	helo = packBinary(packString(helo, "auth"), salt)
	helo = append(packString(helo, "keepalive"), 0xc3)
	if _, err := conn.Write(helo); err != nil {
		return err
	}
	p, err := r.next(maxHandshake)
	if err != nil {
		return fmt.Errorf("%w: %w", errFluentKey, err)
	}
	ping, err := packTexts(p, 6)
	if err != nil || ping[0] != "PING" {
		return fmt.Errorf("%w: the sender does not begin with PING; it may have no shared key", errFluentKey)
	}
	host, theirSalt := ping[1], ping[2]
	why := ""
	switch {
	case !same(ping[3], sha512Hex(theirSalt, host, nonce, k.shared)):
		why = "shared_key mismatch"
	case k.user != "" && (!same(ping[4], k.user) || !same(ping[5], sha512Hex(salt, k.user, k.password))):
		why = "username/password mismatch"
	}
	pong := packString([]byte{0x95}, "PONG")
	if why != "" {
		pong = append(pong, 0xc2)
		pong = packString(packString(packString(pong, why), ""), "")
		_, err := conn.Write(pong)
		return errors.Join(fmt.Errorf("%w: %s", errFluentKey, why), err)
	}
	pong = append(pong, 0xc3)
	pong = packString(packString(packString(pong, ""), k.host), sha512Hex(theirSalt, k.host, nonce, k.shared))
	_, err = conn.Write(pong)
	return err
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

func sha512Hex(parts ...string) string {
	sum := sha512.Sum512([]byte(strings.Join(parts, "")))
	return hex.EncodeToString(sum[:])
}

// packString appends a string of less than 64 KiB.
func packString(dst []byte, s string) []byte {
	return append(append(dst, 0xda, byte(len(s)>>8), byte(len(s))), s...)
}

// packBinary appends binary data of less than 256 bytes.
func packBinary(dst []byte, s string) []byte {
	return append(append(dst, 0xc4, byte(len(s))), s...)
}

// packTexts reads an array of n strings.
func packTexts(p []byte, n uint64) ([]string, error) {
	kind, count, at, err := packHead(p)
	if err != nil || kind != 'a' || count != n {
		return nil, errMsgpack
	}
	texts := make([]string, n)
	for i := range texts {
		text, m, err := packText(p[at:])
		if err != nil {
			return nil, err
		}
		texts[i] = text
		at += m
	}
	return texts, nil
}
