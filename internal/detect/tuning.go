package detect

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/sigma"
)

// Tuning is what an analyst knows of a place that the rules cannot: which of
// them to silence, raise or lower there. As a file:
//
//   - rule: b5c4…           # id, name, tag, or part of the title; see Names
//     host: build1          # only there; host, user and source may each be given
//     user: svc-backup
//     source: 192.0.2.7
//     do: silence           # or level
//     expires: 2027-01-31   # from that day on the entry is ignored
//     why: the backup job logs in every minute
//   - rule: t1110
//     do: level
//     level: low            # likewise there only, or for the rule as a whole; for a correlation as a whole
type Tuning struct {
	entries []tuningEntry
	file    string
	expired []string // what is left out, and why
}

type tuningEntry struct {
	Rule    string `yaml:"rule"`
	Host    string `yaml:"host"`
	User    string `yaml:"user"`
	Source  string `yaml:"source"`
	Do      string `yaml:"do"`
	Level   string `yaml:"level"`
	Expires string `yaml:"expires"`
	Why     string `yaml:"why"`

	number int
	told   map[*sigma.Rule]*sigma.Rule // of a level that is not for the whole rule: the rules as they are there
}

// somewhere reports whether an entry is for some events of a rule only.
func (n *tuningEntry) somewhere() bool { return n.Host != "" || n.User != "" || n.Source != "" }

// holds reports whether an entry is for the event.
func (n *tuningEntry) holds(e *event.Event) bool {
	return has(e, n.Host, "host.name") && has(e, n.User, "user.name") && has(e, n.Source, "source.ip")
}

// ReadTuning reads a tuning file. Entries that have expired by now are left
// out. Errors name the file and the entry.
func ReadTuning(file string, now time.Time) (*Tuning, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var entries []tuningEntry
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	if err := dec.Decode(&entries); err != nil {
		return nil, fmt.Errorf("%s: %s", file, strings.ReplaceAll(strings.TrimPrefix(err.Error(), "yaml: unmarshal errors:\n  "), "\n  ", "; "))
	}
	t := &Tuning{file: file}
	for i, e := range entries {
		wrong := func(what string, args ...any) error {
			return fmt.Errorf("%s: entry %d: %s", file, i+1, fmt.Sprintf(what, args...))
		}
		if e.Rule == "" {
			return nil, wrong("rule is missing")
		}
		switch e.Do {
		case "silence":
		case "level":
			if _, err := sigma.ParseLevel(e.Level); err != nil || e.Level == "" {
				return nil, wrong("level %q: want informational, low, medium, high or critical", e.Level)
			}
		default:
			return nil, wrong("do %q: want silence or level", e.Do)
		}
		if e.Expires != "" {
			day, err := time.Parse(time.DateOnly, e.Expires)
			if err != nil {
				return nil, wrong("expires %q: want a day such as 2027-01-31", e.Expires)
			}
			if !now.Before(day) {
				t.expired = append(t.expired, fmt.Sprintf("%s: entry %d expired on %s", file, i+1, e.Expires))
				continue
			}
		}
		e.number = i + 1
		t.entries = append(t.entries, e)
	}
	return t, nil
}

// silences reports whether an entry silences the rule for the event.
func (t *Tuning) silences(r *sigma.Rule, e *event.Event) bool {
	if t == nil {
		return false
	}
	for i := range t.entries {
		n := &t.entries[i]
		if n.Do == "silence" && n.holds(e) && Names(n.Rule, r) {
			return true
		}
	}
	return false
}

// told returns the rule as it is for the event: with another level, if an entry says so.
func (t *Tuning) told(r *sigma.Rule, e *event.Event) *sigma.Rule {
	if t == nil {
		return r
	}
	for i := range t.entries {
		if other := t.entries[i].told[r]; other != nil && t.entries[i].holds(e) {
			return other
		}
	}
	return r
}

// has reports whether one of the field's values is the wanted one, in any
// case; every event has the empty one.
func has(e *event.Event, want, field string) bool {
	if want == "" {
		return true
	}
	found := false
	e.Values(field, func(v string) { found = found || strings.EqualFold(v, want) })
	return found
}

// levels sets the levels of rules that the tuning raises or lowers, and returns what does nothing and why: entries that expired or name no rule.
func (t *Tuning) levels(rules []*sigma.Rule) (idle []string) {
	if t == nil {
		return nil
	}
	for i := range t.entries {
		n := &t.entries[i]
		level, _ := sigma.ParseLevel(n.Level)
		named := false
		n.told = nil
		for _, r := range rules {
			if !Names(n.Rule, r) {
				continue
			}
			switch named = true; {
			case n.Do != "level":
			case n.somewhere():
				if n.told == nil {
					n.told = map[*sigma.Rule]*sigma.Rule{}
				}
				other := *r
				other.Level = level
				n.told[r] = &other
			default:
				r.Level = level
			}
		}
		if !named {
			idle = append(idle, fmt.Sprintf("%s: entry %d: no rule is named %q", t.file, n.number, n.Rule))
		}
	}
	return append(idle, t.expired...)
}
