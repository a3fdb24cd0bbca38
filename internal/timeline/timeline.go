// Package timeline puts the events of all sources in one order and finds in it
// what a list does not show: bursts, what repeats at intervals, silence,
// sessions with what was done in them, process trees and flows of connections.
//
// Everything is asked of the store; memory is bounded by what is kept, not by
// the events. A query is LogsQL: a filter, with pipes behind it or not.
package timeline

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/store"
)

// Entry is one event, or several alike ones that follow each other closely.
type Entry struct {
	First, Last int64 // ns since the epoch
	Count       int64
	Dataset     string
	Host        string
	Text        string // what happened, who and from where; not escaped
	Outcome     string
	ID          string // event.id of the first
	Untimed     bool   // no record says when: it stands where its file was last changed
}

// fold is how long after its last event an entry takes more of the same.
const (
	fold     = time.Minute
	maxFolds = 64 // entries open at once
)

// fields are the columns that an entry is made of.
const fields = `_time, event.id, sextant.time, event.dataset, event.action, event.outcome, event.code, host.name, process.name, process.command_line, user.name, user.effective.name, user.target.name, source.ip, destination.ip, destination.port, url.original, http.request.method, http.response.status_code, file.path, dns.question.name, rule.name, _msg`

// Entries calls fn with the entries of the events that a query finds, in order
// of time. An error of fn ends it and is returned.
func Entries(ctx context.Context, st store.Store, query string, fn func(*Entry) error) error {
	var open []*Entry // by First
	keys := map[string]*Entry{}
	emit := func(now int64, all bool) error {
		for len(open) > 0 && (all || len(open) > maxFolds || now-open[0].Last > int64(fold)) {
			e := open[0]
			open = open[1:]
			for k, o := range keys {
				if o == e {
					delete(keys, k)
				}
			}
			if err := fn(e); err != nil {
				return err
			}
		}
		return nil
	}
	err := st.Query(ctx, query+" | fields "+fields, func(row []event.Field) error {
		e := entryOf(row)
		if err := emit(e.First, false); err != nil {
			return err
		}
		key := strings.Join([]string{e.Dataset, e.Host, e.Text, e.Outcome}, "\x00")
		if o := keys[key]; o != nil && e.First-o.Last <= int64(fold) && o.Untimed == e.Untimed {
			o.Last = e.First
			o.Count++
			return nil
		}
		keys[key] = e
		open = append(open, e)
		return nil
	})
	if err != nil {
		return err
	}
	return emit(0, true)
}

// row is a row of an answer.
type row []event.Field

// get is the first value of a column, a copy.
func (r row) get(name string) string { return strings.Clone(r.value(name)) }

// value is the first value of a column, valid as long as the row.
func (r row) value(name string) string {
	for _, f := range r {
		if f.Name == name {
			v := f.Value
			if strings.HasPrefix(v, `["`) {
				v, _, _ = strings.Cut(v[2:], `"`)
			}
			return v
		}
	}
	return ""
}

func (r row) time(name string) int64 {
	t, err := time.Parse(time.RFC3339Nano, r.get(name))
	if err != nil {
		return event.NoTime
	}
	return t.UnixNano()
}

func entryOf(fields []event.Field) *Entry {
	r := row(fields)
	e := &Entry{First: r.time("_time"), Count: 1, Dataset: r.get("event.dataset"), Host: r.get("host.name"), Outcome: r.get("event.outcome"), ID: r.get("event.id"), Untimed: r.get("sextant.time") != ""}
	e.Last = e.First
	e.Text = describe(r)
	return e
}

// describe says in a few words what an event is: what tells most of it first.
func describe(r row) string {
	var parts []string
	add := func(words ...string) {
		for _, w := range words {
			if w != "" && w != "-" && !slices.Contains(parts, w) {
				parts = append(parts, w)
			}
		}
	}
	who := func() {
		user := r.get("user.name")
		if user == "" {
			user = r.get("user.effective.name")
		}
		if t := r.get("user.target.name"); t != "" && t != user {
			user += " → " + t
		}
		if user = strings.TrimPrefix(user, " → "); user != "" {
			add(user)
		}
		if ip := r.get("source.ip"); ip != "" {
			add("from " + ip)
		}
	}
	action := r.get("event.action")
	switch {
	case r.get("http.response.status_code") != "":
		add(r.get("http.response.status_code"), r.get("http.request.method"), limited(r.get("url.original"), 120))
		who()
	case r.get("rule.name") != "":
		add("alert", limited(r.get("rule.name"), 120))
		flow(r, add)
	case r.get("dns.question.name") != "":
		add("dns", limited(r.get("dns.question.name"), 120))
		who()
	case r.get("process.command_line") != "":
		add(action, limited(r.get("process.command_line"), 160))
		who()
	case action != "":
		add(r.get("process.name"), action)
		if r.get("destination.ip") != "" && r.get("user.name") == "" {
			flow(r, add)
		} else {
			who()
			add(limited(r.get("file.path"), 120))
		}
	case r.get("destination.ip") != "":
		add("connection")
		flow(r, add)
	default:
		add(r.get("process.name"), limited(r.get("_msg"), 200))
	}
	return strings.Join(parts, " ")
}

func flow(r row, add func(...string)) {
	to := r.get("destination.ip")
	if p := r.get("destination.port"); p != "" && to != "" {
		if strings.Contains(to, ":") {
			to = "[" + to + "]"
		}
		to += ":" + p
	}
	if s := r.get("source.ip"); s != "" {
		to = s + " → " + to
	}
	add(to)
}

func limited(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}
