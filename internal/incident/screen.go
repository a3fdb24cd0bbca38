package incident

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/sextant-logs/sextant/internal/analyze"
	"github.com/sextant-logs/sextant/internal/event"
)

// A case with a busy sensor has thousands of findings, and each asks whether
// its addresses logged in, were called, got a connection. Nearly always they did
// not. A screen asks the store once for all addresses when they did which of
// these, and then lets only those questions through that have an answer.
type screen struct {
	logsQL
	sources map[string]bool // addresses that findings name as sources
	users   map[string]bool // and accounts

	loggedIn, reached, connected, userIn map[string]span // when first and last; nil: not asked yet
	started                              map[string]span // by parents and users
}

// maxScreened bounds the values of each kind that are looked up; questions on
// others go to the store.
const maxScreened = 100_000

func newScreen(store logsQL, findings []analyze.Finding) *screen {
	s := &screen{logsQL: store, sources: map[string]bool{}, users: map[string]bool{}, started: map[string]span{}}
	for i := range findings {
		if analyze.LevelRank(findings[i].Level) < findingLevel {
			continue
		}
		for _, v := range findings[i].Entities.Sources {
			if len(s.sources) < maxScreened {
				s.sources[v] = true
			}
		}
		for _, v := range findings[i].Entities.Users {
			if len(s.users) < maxScreened {
				s.users[v] = true
			}
		}
	}
	return s
}

// pass returns those of the values that may have what the table is of in time.
func (s *screen) pass(ctx context.Context, table *map[string]span, filter, field string, known map[string]bool, values []string, during span) ([]string, error) {
	if *table == nil {
		m := map[string]span{}
		for part := range slices.Chunk(sortedKeys(known), 10*maxIn) {
			if err := s.extents(ctx, filter+" "+in(field, part), field, m); err != nil {
				return nil, err
			}
		}
		*table = m
	}
	var out []string
	for _, v := range values {
		seen, ok := (*table)[v]
		if !known[v] || ok && overlap(seen, during) {
			out = append(out, v)
		}
	}
	return out, nil
}

func overlap(seen, during span) bool {
	return (during.from == event.NoTime || seen.to >= during.from) && (during.to == event.NoTime || seen.from <= during.to)
}

// extents notes from when to when the filter's records are, for each value of
// the field; for all together when field is "".
func (l logsQL) extents(ctx context.Context, filter, field string, into map[string]span) error {
	by := ""
	if field != "" {
		by = " by (" + quote(field) + ")"
	}
	q := filter + " | stats" + by + " count() n, min(_time) first, max(_time) last"
	err := l.q.Query(ctx, q, func(row []event.Field) error {
		value, n, s := "", int64(0), span{event.NoTime, event.NoTime}
		for _, f := range row {
			switch f.Name {
			case field:
				value = strings.Clone(f.Value)
			case "n":
				n = number(f.Value)
			case "first":
				s.from = parseTime(f.Value)
			case "last":
				s.to = parseTime(f.Value)
			}
		}
		if n > 0 {
			into[value] = s
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("incidents: look for what may have followed: %w", err)
	}
	return nil
}

func (s *screen) logins(ctx context.Context, sources []string, sp span, limit int) ([]record, error) {
	sources, err := s.pass(ctx, &s.loggedIn, acceptedLogin, "source.ip", s.sources, sources, sp)
	if err != nil || len(sources) == 0 {
		return nil, err
	}
	return s.logsQL.logins(ctx, sources, sp, limit)
}

func (s *screen) userLogins(ctx context.Context, users, hosts []string, sp span, limit int) ([]record, error) {
	users, err := s.pass(ctx, &s.userIn, acceptedLogin+` "source.ip":*`, "user.name", s.users, users, sp)
	if err != nil || len(users) == 0 {
		return nil, err
	}
	return s.logsQL.userLogins(ctx, users, hosts, sp, limit)
}

func (s *screen) flows(ctx context.Context, sources, destinations []string, sp span, limit int) ([]record, error) {
	if len(destinations) > 0 {
		var err error
		destinations, err = s.pass(ctx, &s.reached, networkRecord, "destination.ip", s.sources, destinations, sp)
		if err != nil || len(destinations) == 0 {
			return nil, err
		}
	}
	return s.logsQL.flows(ctx, sources, destinations, sp, limit)
}

func (s *screen) connections(ctx context.Context, sources []string, sp span, limit int) ([]record, error) {
	sources, err := s.pass(ctx, &s.connected, connectionMade, "source.ip", s.sources, sources, sp)
	if err != nil || len(sources) == 0 {
		return nil, err
	}
	return s.logsQL.connections(ctx, sources, sp, limit)
}

func (s *screen) startedBy(ctx context.Context, hosts, parents, users []string, sp span, limit int) ([]record, error) {
	filter := startedFilter(parents, users)
	seen, ok := s.started[filter]
	if !ok {
		m := map[string]span{}
		if err := s.extents(ctx, filter, "", m); err != nil {
			return nil, err
		}
		if seen, ok = m[""]; !ok {
			seen = span{1, 0} // never
		}
		s.started[filter] = seen
	}
	if seen.from > seen.to || !overlap(seen, sp) {
		return nil, nil
	}
	return s.logsQL.startedBy(ctx, hosts, parents, users, sp, limit)
}
