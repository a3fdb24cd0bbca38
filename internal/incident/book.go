package incident

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"
)

// Whose session was open when something happened is asked for each account of
// each host that findings name, and on a log full of them that is thousands of
// questions. So the logins of these accounts, and the ends of sessions, are
// read once, in short, and kept as a book to look them up in. A book holds so
// many lines; of a case with more it holds a stretch of time and is read on
// from there, as the findings, which are in order of time, get there.

// visit is what a login, or the end of a session, comes down to.
type visit struct {
	time                        int64
	id, host, user, source, pid string
}

const maxVisits = 200_000 // of each kind that a case's book holds

type book struct {
	users []string // whose logins it is of
	to    int64    // of the last finding
	most  int      // visits of each kind that it holds

	held   span // the time that it holds all of; from > to: none
	logins map[[2]string][]visit
	ends   map[[2]string][]visit
}

func newBook(users []string, to int64, most int) *book {
	slices.Sort(users)
	return &book{users: slices.Compact(users), to: to, most: most, held: span{1, 0}}
}

// has reports whether the book holds all logins and ends of the time, after
// reading on where need be.
func (b *book) has(ctx context.Context, store evidenceStore, s span) (bool, error) {
	within := func() bool { return b.held.from <= s.from && s.to <= b.held.to }
	if within() || s.from < b.held.from && b.held.from <= b.held.to || len(b.users) == 0 || s.to > b.to {
		return within(), nil
	}
	// From a little earlier: those who came over other hosts came before.
	from := s.from - int64((maxHops-1)*sessionReach)
	if b.held.from <= b.held.to && s.to <= b.held.to+int64(time.Minute) {
		return false, nil // more than a book holds in a time as short as a session
	}
	logins, err := store.visits(ctx, b.users, span{from, b.to}, b.most)
	if err != nil {
		return false, err
	}
	ends, err := store.visits(ctx, nil, span{from, b.to + int64(2*sessionReach)}, b.most)
	if err != nil {
		return false, err
	}
	b.held = span{from, b.to}
	cut := func(vs []visit, reach time.Duration) {
		if len(vs) == b.most {
			b.held.to = min(b.held.to, vs[len(vs)-1].time-1-int64(reach))
		}
	}
	cut(logins, 0)
	cut(ends, 2*sessionReach)
	b.logins, b.ends = map[[2]string][]visit{}, map[[2]string][]visit{}
	for _, vs := range [][]visit{logins, ends} {
		slices.SortFunc(vs, func(a, b visit) int { return cmp.Or(cmp.Compare(a.time, b.time), strings.Compare(a.id, b.id)) })
	}
	for _, v := range logins {
		b.logins[[2]string{v.host, v.user}] = append(b.logins[[2]string{v.host, v.user}], v)
	}
	for _, v := range ends {
		b.ends[[2]string{v.host, v.pid}] = append(b.ends[[2]string{v.host, v.pid}], v)
	}
	return within(), nil
}

// loginsTo returns the logins of the user to the host in a time that the book has.
func (b *book) loginsTo(host, user string, s span) []visit {
	all := b.logins[[2]string{host, user}]
	first, _ := slices.BinarySearchFunc(all, s.from, func(v visit, t int64) int { return cmp.Compare(v.time, t) })
	last, _ := slices.BinarySearchFunc(all, s.to+1, func(v visit, t int64) int { return cmp.Compare(v.time, t) })
	return all[first:last]
}

// endAfter returns the end of a login's session, within a day; false when none is recorded.
func (b *book) endAfter(login *visit) (visit, bool) {
	all := b.ends[[2]string{login.host, login.pid}]
	i, _ := slices.BinarySearchFunc(all, login.time, func(v visit, t int64) int { return cmp.Compare(v.time, t) })
	if i == len(all) || all[i].time > login.time+int64(2*sessionReach) {
		return visit{}, false
	}
	return all[i], true
}
