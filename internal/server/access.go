package server

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/argon2"
)

// Role is what somebody may do.
type Role string

// Roles. Those who send logs may do nothing else; of the others each may do
// what those before it may.
const (
	Ingest  Role = "ingest"  // send logs
	Viewer  Role = "viewer"  // search, look at findings and incidents
	Analyst Role = "analyst" // judge and annotate them
	Admin   Role = "admin"   // everything, also send logs
)

// Roles are all of them, in order.
var Roles = []Role{Ingest, Viewer, Analyst, Admin}

// allows reports whether the role includes another.
func (r Role) allows(want Role) bool {
	if r == Admin {
		return true
	}
	if r == Ingest || want == Ingest {
		return r == want
	}
	return slices.Index(Roles, r) >= slices.Index(Roles, want)
}

// Access is who may use the server: people with a password and programs with a
// token, kept in access.json of the case. Passwords are kept as Argon2id (RFC
// 9106), tokens, which are random, as SHA-256.
type Access struct {
	path string
	mu   sync.RWMutex
	list accessList
	seen time.Time // modification of the file that list is from
}

type accessList struct {
	Users  []user  `json:"users"`
	Tokens []token `json:"tokens"`
}

type user struct {
	Name    string    `json:"name"`
	Role    Role      `json:"role"`
	Hash    string    `json:"hash"` // argon2id$time$memory$threads$salt$key
	Created time.Time `json:"created"`
}

type token struct {
	Name    string    `json:"name"`
	Role    Role      `json:"role"`
	SHA256  string    `json:"sha256"`
	Created time.Time `json:"created"`
}

// OpenAccess reads who may use the case in dir; a case without the file has
// nobody.
func OpenAccess(dir string) (*Access, error) {
	a := &Access{path: filepath.Join(dir, "access.json")}
	return a, a.reload()
}

// reload reads the file anew when it was changed, as by `sextant access`.
func (a *Access) reload() error {
	info, err := os.Stat(a.path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	a.mu.RLock()
	same := info.ModTime().Equal(a.seen)
	a.mu.RUnlock()
	if same {
		return nil
	}
	data, err := os.ReadFile(a.path)
	if err != nil {
		return err
	}
	var l accessList
	if err := json.Unmarshal(data, &l); err != nil {
		return fmt.Errorf("%s: %w", a.path, err)
	}
	a.mu.Lock()
	a.list, a.seen = l, info.ModTime()
	a.mu.Unlock()
	return nil
}

// Empty reports whether nobody is known.
func (a *Access) Empty() bool {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return len(a.list.Users)+len(a.list.Tokens) == 0
}

// Each calls fn with every user and token.
func (a *Access) Each(fn func(kind, name string, role Role, created time.Time)) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	for _, u := range a.list.Users {
		fn("user", u.Name, u.Role, u.Created)
	}
	for _, t := range a.list.Tokens {
		fn("token", t.Name, t.Role, t.Created)
	}
}

const minPassword = 10

// AddUser lets a person in, or changes role and password of one who is known.
func (a *Access) AddUser(name, password string, role Role) error {
	if err := checkName(name, role); err != nil {
		return err
	}
	if role == Ingest {
		return errors.New("a person needs the role viewer, analyst or admin; ingest is for tokens")
	}
	if len(password) < minPassword {
		return fmt.Errorf("a password of at least %d characters is needed", minPassword)
	}
	u := user{Name: name, Role: role, Hash: hashPassword(password), Created: time.Now().UTC()}
	return a.change(func(l *accessList) error {
		l.Users = append(slices.DeleteFunc(l.Users, func(o user) bool { return o.Name == name }), u)
		return nil
	})
}

// AddToken returns a new token for a program. It is shown this once.
func (a *Access) AddToken(name string, role Role) (string, error) {
	if err := checkName(name, role); err != nil {
		return "", err
	}
	secret := "sxt_" + rand.Text()
	sum := sha256.Sum256([]byte(secret))
	t := token{Name: name, Role: role, SHA256: hex.EncodeToString(sum[:]), Created: time.Now().UTC()}
	return secret, a.change(func(l *accessList) error {
		if slices.ContainsFunc(l.Tokens, func(o token) bool { return o.Name == name }) {
			return fmt.Errorf("a token is named %q already: remove it first", name)
		}
		l.Tokens = append(l.Tokens, t)
		return nil
	})
}

// Remove takes the user or token of that name out.
func (a *Access) Remove(name string) error {
	return a.change(func(l *accessList) error {
		n := len(l.Users) + len(l.Tokens)
		l.Users = slices.DeleteFunc(l.Users, func(u user) bool { return u.Name == name })
		l.Tokens = slices.DeleteFunc(l.Tokens, func(t token) bool { return t.Name == name })
		if len(l.Users)+len(l.Tokens) == n {
			return fmt.Errorf("nobody is named %q", name)
		}
		return nil
	})
}

func checkName(name string, role Role) error {
	if name == "" || len(name) > 64 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.@") != "" {
		return fmt.Errorf("name %q: want up to 64 letters, digits, and - _ . @", name)
	}
	if !slices.Contains(Roles, role) {
		return fmt.Errorf("role %q: want ingest, viewer, analyst or admin", role)
	}
	return nil
}

// change writes the list anew, whole or not at all.
func (a *Access) change(fn func(*accessList) error) error {
	if err := a.reload(); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	l := accessList{Users: slices.Clone(a.list.Users), Tokens: slices.Clone(a.list.Tokens)}
	if err := fn(&l); err != nil {
		return err
	}
	data, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(a.path+".new", append(data, '\n'), 0o600); err != nil {
		return err
	}
	if err := os.Rename(a.path+".new", a.path); err != nil {
		return err
	}
	a.list = l
	if info, err := os.Stat(a.path); err == nil {
		a.seen = info.ModTime()
	}
	return nil
}

// token returns who has the secret.
func (a *Access) token(secret string) (name string, role Role, ok bool) {
	sum := sha256.Sum256([]byte(secret))
	want := hex.EncodeToString(sum[:])
	a.mu.RLock()
	defer a.mu.RUnlock()
	for _, t := range a.list.Tokens {
		if subtle.ConstantTimeCompare([]byte(t.SHA256), []byte(want)) == 1 {
			name, role, ok = t.Name, t.Role, true
		}
	}
	return name, role, ok
}

// nobodysHash is compared where no user has the name, so that the time an answer
// takes does not tell who exists.
var nobodysHash = sync.OnceValue(func() string { return hashPassword(rand.Text()) })

// password returns the role of a person with that password.
func (a *Access) password(name, password string) (Role, bool) {
	a.mu.RLock()
	hash, role := "", Role("")
	for _, u := range a.list.Users {
		if u.Name == name {
			hash, role = u.Hash, u.Role
		}
	}
	a.mu.RUnlock()
	if hash == "" {
		checkPassword(nobodysHash(), password)
		return "", false
	}
	return role, checkPassword(hash, password)
}

// Parameters of RFC 9106 §4, second recommended option.
const (
	argonTime    = 3
	argonMemory  = 64 << 10 // KiB
	argonThreads = 4
)

func hashPassword(password string) string {
	salt := make([]byte, 16)
	rand.Read(salt)
	key := argon2.IDKey([]byte(password), salt, argonTime, argonMemory, argonThreads, 32)
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("argon2id$%d$%d$%d$%s$%s", argonTime, argonMemory, argonThreads, b64.EncodeToString(salt), b64.EncodeToString(key))
}

func checkPassword(hash, password string) bool {
	p := strings.Split(hash, "$")
	if len(p) != 6 || p[0] != "argon2id" {
		return false
	}
	var t, m uint32
	var threads uint8
	if _, err := fmt.Sscanf(p[1]+" "+p[2]+" "+p[3], "%d %d %d", &t, &m, &threads); err != nil || t == 0 || t > 100 || m > 1<<20 || threads == 0 {
		return false
	}
	salt, err1 := base64.RawStdEncoding.DecodeString(p[4])
	key, err2 := base64.RawStdEncoding.DecodeString(p[5])
	if err1 != nil || err2 != nil || len(key) < 16 {
		return false
	}
	return subtle.ConstantTimeCompare(key, argon2.IDKey([]byte(password), salt, t, m, threads, uint32(len(key)))) == 1
}
