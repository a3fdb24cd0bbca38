// Package logins counts login attempts by user and says what the counts mean:
// the worked example that the project began from.
//
// A Counter takes records, keeps the login attempts and counts them by user;
// its Result holds the table, the figure and the written interpretation, all
// computed from the same numbers.
//
//	c := logins.NewCounter(logins.Options{})
//	if _, err := c.ReadCSV(file, "network_logs.csv"); err != nil { … }
//	res := c.Result()
//	err := res.WriteTable(os.Stdout, 10, 80)
//	err = chart.PNG(w, res.Figure(10), chart.Options{Scale: 2})
//
// Records come from CSV files (ReadCSV) or from anything else as Rows (Add);
// the order in which they come does not matter. Memory grows with the number
// of distinct users and of distinct pairs of user and source, not with the
// number of records.
package logins

import (
	"math"
	"strings"
)

// Outcome says whether an attempt succeeded.
type Outcome uint8

const (
	Unknown Outcome = iota
	Success
	Failure
)

// NoTime is the Row.Time of a record whose time is not known.
const NoTime = math.MinInt64

// Row is one record of any source: ECS user.name, source.ip, event.action,
// event.outcome and @timestamp.
type Row struct {
	User    string
	Source  string // "" if not known
	Action  string
	Outcome Outcome
	Time    int64 // nanoseconds since the Unix epoch, UTC; NoTime if unknown
}

// Options says how records are read and which of them count.
type Options struct {
	// Actions are the actions that count as login attempts, compared without
	// regard to case; empty means IsLogin decides.
	Actions []string
	// Threads is how many goroutines read a CSV file; 0 means as many as
	// there are CPUs. The result does not depend on it.
	Threads int
}

// IsLogin reports whether an action is an attempt to log in, as products
// commonly write it: login_attempt, user-login, ssh_login, Logon, logged-in,
// sign in, authentication. Logging out is not.
func IsLogin(action string) bool {
	var b [64]byte
	n := 0
	for i := 0; i < len(action) && n < len(b); i++ {
		c := action[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if 'a' <= c && c <= 'z' {
			b[n] = c
			n++
		}
	}
	s := string(b[:n])
	for _, out := range []string{"logout", "logoff", "loggedout", "loggedoff", "signout", "signedout", "signoff"} {
		if strings.Contains(s, out) {
			return false
		}
	}
	for _, in := range []string{"login", "logon", "loggedin", "loggedon", "signin", "signedin", "signon", "authenticat"} {
		if strings.Contains(s, in) {
			return true
		}
	}
	return s == "auth" || s == "userauth"
}

// ParseOutcome reads the common spellings of success and failure, without
// regard to case: true, yes, 1, success, accepted, allowed … and false, no, 0,
// failure, denied, rejected …; anything else is Unknown.
func ParseOutcome(s string) Outcome {
	switch s { // the spellings of the NIDS log, without lowering
	case "true":
		return Success
	case "false":
		return Failure
	}
	if len(s) > 16 {
		return Unknown
	}
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "true", "t", "yes", "y", "1", "success", "successful", "succeeded", "ok", "allow", "allowed",
		"accept", "accepted", "pass", "passed", "granted":
		return Success
	case "false", "f", "no", "n", "0", "failure", "failed", "fail", "deny", "denied", "reject", "rejected",
		"error", "block", "blocked", "invalid":
		return Failure
	}
	return Unknown
}

// Counter counts login attempts. It is not safe for concurrent use; ReadCSV
// uses several goroutines itself.
type Counter struct {
	opts    Options
	tally   tally
	records int64
	sources []Source

	maxRecord int // bytes of a CSV record; smaller in tests
}

// NewCounter returns a Counter without records.
func NewCounter(o Options) *Counter {
	c := &Counter{opts: o, maxRecord: maxRecord}
	c.tally = newTally(o.Actions)
	return c
}

// Add counts one record; those that are no login attempt only add to the
// number of records.
func (c *Counter) Add(r Row) {
	c.records++
	c.tally.add(&r)
}

// tally is what one goroutine has counted.
type tally struct {
	isLogin func(string) bool
	known   map[string]bool // actions seen, and whether they are logins

	index   map[string]int32
	users   []userTally
	sources map[string]uint32
	names   []string // of sources, by number
}

type userTally struct {
	name                        string
	attempts, successes, failed int64
	first, last                 int64 // NoTime until one is seen
	few                         []uint32
	many                        map[uint32]struct{} // once there are more than fewSources
}

const fewSources = 12

func newTally(actions []string) tally {
	t := tally{isLogin: IsLogin, known: map[string]bool{}, index: map[string]int32{}, sources: map[string]uint32{}}
	if len(actions) > 0 {
		set := map[string]bool{}
		for _, a := range actions {
			set[strings.ToLower(strings.TrimSpace(a))] = true
		}
		t.isLogin = func(a string) bool { return set[strings.ToLower(strings.TrimSpace(a))] }
	}
	return t
}

// login reports whether an action counts, remembering the answer.
func (t *tally) login(action string) bool {
	is, ok := t.known[action]
	if !ok {
		is = t.isLogin(action)
		if len(t.known) < 1000 { // actions are few, unless the column is something else
			t.known[strings.Clone(action)] = is
		}
	}
	return is
}

// add counts r if it is a login attempt. Strings are copied when kept.
func (t *tally) add(r *Row) bool {
	if !t.login(r.Action) {
		return false
	}
	u := t.user(r.User)
	u.attempts++
	switch r.Outcome {
	case Success:
		u.successes++
	case Failure:
		u.failed++
	}
	u.seen(r.Time, r.Time)
	if r.Source != "" {
		u.from(t.source(r.Source))
	}
	return true
}

func (t *tally) user(name string) *userTally {
	i, ok := t.index[name]
	if !ok {
		i = int32(len(t.users))
		name = strings.Clone(name)
		t.index[name] = i
		t.users = append(t.users, userTally{name: name, first: NoTime, last: NoTime})
	}
	return &t.users[i]
}

func (t *tally) source(name string) uint32 {
	i, ok := t.sources[name]
	if !ok {
		i = uint32(len(t.names))
		name = strings.Clone(name)
		t.sources[name] = i
		t.names = append(t.names, name)
	}
	return i
}

func (u *userTally) seen(first, last int64) {
	if first == NoTime {
		return
	}
	if u.first == NoTime || first < u.first {
		u.first = first
	}
	if u.last == NoTime || last > u.last {
		u.last = last
	}
}

func (u *userTally) from(source uint32) {
	if u.many != nil {
		u.many[source] = struct{}{}
		return
	}
	for _, s := range u.few {
		if s == source {
			return
		}
	}
	if len(u.few) < fewSources {
		u.few = append(u.few, source)
		return
	}
	u.many = make(map[uint32]struct{}, 2*fewSources)
	for _, s := range u.few {
		u.many[s] = struct{}{}
	}
	u.few = nil
	u.many[source] = struct{}{}
}

func (u *userTally) sourceCount() int { return len(u.few) + len(u.many) }

// merge adds what o has counted.
func (t *tally) merge(o *tally) {
	if len(t.users) == 0 && len(t.names) == 0 {
		t.index, t.users, t.sources, t.names = o.index, o.users, o.sources, o.names
		return
	}
	number := make([]uint32, len(o.names))
	for i, name := range o.names {
		number[i] = t.source(name)
	}
	for i := range o.users {
		from := &o.users[i]
		u := t.user(from.name)
		u.attempts += from.attempts
		u.successes += from.successes
		u.failed += from.failed
		u.seen(from.first, from.last)
		for _, s := range from.few {
			u.from(number[s])
		}
		for s := range from.many {
			u.from(number[s])
		}
	}
}
