package server

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// who is behind a request.
type who struct {
	Name string
	Role Role
}

type whoKey struct{}

// whoIs returns who a request is from.
func whoIs(r *http.Request) who {
	w, _ := r.Context().Value(whoKey{}).(who)
	return w
}

const cookieName = "sextant"

const (
	sessionLength = 12 * time.Hour
	maxSessions   = 10_000
	maxFailures   = 10 // of one address within failureWindow
	failureWindow = 5 * time.Minute
	maxWatched    = 50_000 // addresses
	maxHashing    = 4      // passwords checked at once: each takes 64 MiB
)

// guard lets requests through to those who may make them.
type guard struct {
	access *Access
	open   bool // while nobody is known no login is asked for: only this machine can connect, or anyone may
	anyone bool // the latter
	https  bool
	token  string // of Options
	audit  *audit

	mu       sync.Mutex
	sessions map[string]session
	failures map[string]*failing
	hashing  chan struct{}
}

type session struct {
	who
	until time.Time
}

type failing struct {
	count int
	since time.Time
}

func newGuard(access *Access, open, https bool, audit *audit) *guard {
	return &guard{access: access, open: open, https: https, audit: audit, sessions: map[string]session{}, failures: map[string]*failing{}, hashing: make(chan struct{}, maxHashing)}
}

// want lets through who has the role.
func (g *guard) want(role Role, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = g.access.reload()
		if g.open && g.access.Empty() {
			// A page of a foreign name that leads here (DNS rebinding) is not this machine's user.
			if !localHost(r.Host) {
				http.Error(w, "this server answers to localhost only", http.StatusForbidden)
				return
			}
			if role != Ingest && !g.anyone && !ownUser(r) {
				if me, _ := g.authenticate(r); me.Role == "" {
					http.Error(w, "on this machine only the user who runs the server may look, until somebody may log in:\nsextant access user NAME", http.StatusForbidden)
					return
				}
			}
			h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), whoKey{}, who{"local", Admin})))
			return
		}
		from := remoteHost(r)
		if g.blocked(from) {
			tooMany(w)
			return
		}
		me, tried := g.authenticate(r)
		switch {
		case me.Role == "" && me.Name == tooOften:
			tooMany(w)
		case me.Role == "":
			if tried {
				g.audit.write(r, who{}, "login failed", "")
			}
			if strings.Contains(r.Header.Get("Accept"), "text/html") && r.Method == http.MethodGet {
				http.Redirect(w, r, "/login", http.StatusSeeOther)
				return
			}
			w.Header().Set("WWW-Authenticate", `Basic realm="sextant", charset="UTF-8"`)
			http.Error(w, "log in, or send a token: Authorization: Bearer TOKEN", http.StatusUnauthorized)
		case !me.Role.allows(role):
			http.Error(w, fmt.Sprintf("%s has the role %s; this needs %s", me.Name, me.Role, role), http.StatusForbidden)
		default:
			h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), whoKey{}, me)))
		}
	})
}

// ownUser reports whether a request from this machine is from a program of the
// user who runs the server, the administrator's, or one of whoever called sudo.
// Where the kernel does not say whose it is, it is taken to be. The kernel is asked
// once a connection.
func ownUser(r *http.Request) bool {
	if own, ok := r.Context().Value(ownUserKey{}).(func() bool); ok {
		return own()
	}
	local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	return ownAddress(r.RemoteAddr, local)
}

type ownUserKey struct{}

// withOwnUser is for http.Server's ConnContext.
func withOwnUser(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, ownUserKey{}, sync.OnceValue(func() bool { return ownAddress(c.RemoteAddr().String(), c.LocalAddr()) }))
}

func ownAddress(from string, local net.Addr) bool {
	remote, err := netip.ParseAddrPort(from)
	if err != nil || local == nil {
		return true
	}
	here, err := netip.ParseAddrPort(local.String())
	if err != nil {
		return true
	}
	unmap := func(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }
	uid, known := peerUID(unmap(remote), unmap(here))
	return !known || uid == 0 || uid == os.Geteuid() || os.Geteuid() == 0 && strconv.Itoa(uid) == os.Getenv("SUDO_UID")
}

// authenticate finds who the request is from; tried says that it claims to be
// somebody.
func (g *guard) authenticate(r *http.Request) (me who, tried bool) {
	if c, err := r.Cookie(cookieName); err == nil {
		g.mu.Lock()
		s, ok := g.sessions[c.Value]
		g.mu.Unlock()
		if ok && time.Now().Before(s.until) {
			return s.who, true
		}
	}
	scheme, value, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	value = strings.TrimSpace(value)
	switch strings.ToLower(scheme) {
	case "bearer", "splunk":
		return g.noted(r, g.byToken(value)), true
	case "apikey": // Elasticsearch's: id:key
		if raw, err := base64.StdEncoding.DecodeString(value); err == nil {
			_, key, _ := strings.Cut(string(raw), ":")
			return g.noted(r, g.byToken(key)), true
		}
		return g.noted(r, who{}), true
	case "basic":
		name, password, _ := r.BasicAuth()
		if me := g.byToken(password); me.Role != "" {
			return me, true
		}
		return g.byPassword(remoteHost(r), name, password), true
	}
	return who{}, false
}

// noted counts a failure.
func (g *guard) noted(r *http.Request, me who) who {
	if me.Role == "" {
		g.failed(remoteHost(r))
	}
	return me
}

func (g *guard) byToken(secret string) who {
	if g.token != "" && subtle.ConstantTimeCompare([]byte(secret), []byte(g.token)) == 1 {
		return who{"local", Admin}
	}
	if name, role, ok := g.access.token(secret); ok {
		return who{name, role}
	}
	return who{}
}

// byPassword finds who has the name and password. Tries that came together wait for
// one another, and those beyond the bound are not made.
func (g *guard) byPassword(from, name, password string) who {
	g.hashing <- struct{}{}
	defer func() { <-g.hashing }()
	if g.blocked(from) {
		return who{Name: tooOften}
	}
	if role, ok := g.access.password(name, password); ok {
		return who{name, role}
	}
	g.failed(from)
	return who{}
}

// tooOften is the name, and no role, of who has tried too often.
const tooOften = "\x00"

func tooMany(w http.ResponseWriter) {
	w.Header().Set("Retry-After", "300")
	http.Error(w, "too many failed logins from your address: wait five minutes", http.StatusTooManyRequests)
}

// login answers POST /login with a session's cookie.
func (g *guard) login(w http.ResponseWriter, r *http.Request) {
	_ = g.access.reload()
	from := remoteHost(r)
	if g.blocked(from) {
		tooMany(w)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, 16<<10)
	if err := r.ParseForm(); err != nil {
		http.Error(w, "the form cannot be read: "+err.Error(), http.StatusBadRequest)
		return
	}
	me := g.byPassword(from, r.PostFormValue("name"), r.PostFormValue("password"))
	if me.Name == tooOften {
		tooMany(w)
		return
	}
	if me.Role == "" {
		g.audit.write(r, who{Name: r.PostFormValue("name")}, "login failed", "")
		http.Redirect(w, r, "/login?failed", http.StatusSeeOther)
		return
	}
	id := rand.Text()
	g.mu.Lock()
	if len(g.sessions) >= maxSessions {
		for k, s := range g.sessions {
			if time.Now().After(s.until) {
				delete(g.sessions, k)
			}
		}
	}
	full := len(g.sessions) >= maxSessions
	if !full {
		g.sessions[id] = session{me, time.Now().Add(sessionLength)}
	}
	g.mu.Unlock()
	if full {
		http.Error(w, "too many sessions", http.StatusServiceUnavailable)
		return
	}
	g.audit.write(r, me, "login", "")
	http.SetCookie(w, &http.Cookie{Name: cookieName, Value: id, Path: "/", HttpOnly: true, Secure: g.https, SameSite: http.SameSiteStrictMode, MaxAge: int(sessionLength / time.Second)})
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// logout ends the session.
func (g *guard) logout(w http.ResponseWriter, r *http.Request) {
	if c, err := r.Cookie(cookieName); err == nil {
		g.mu.Lock()
		delete(g.sessions, c.Value)
		g.mu.Unlock()
	}
	http.SetCookie(w, &http.Cookie{Name: cookieName, Path: "/", MaxAge: -1})
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}

func (g *guard) blocked(from string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	f := g.failures[from]
	if f != nil && time.Since(f.since) > failureWindow {
		delete(g.failures, from)
		f = nil
	}
	return f != nil && f.count >= maxFailures
}

func (g *guard) failed(from string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	f := g.failures[from]
	if f == nil {
		if len(g.failures) >= maxWatched {
			clear(g.failures)
		}
		f = &failing{since: time.Now()}
		g.failures[from] = f
	}
	f.count++
}

func remoteHost(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// localHost reports whether a Host header names this machine itself.
func localHost(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return host == "localhost" || host == "" || ip != nil && ip.IsLoopback()
}
