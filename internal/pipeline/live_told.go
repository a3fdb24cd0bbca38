package pipeline

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/sextant-logs/sextant/internal/analyze"
	"github.com/sextant-logs/sextant/internal/incident"
)

// toldOf is what people were told of, so that a finding that grows, or that is
// found again after a restart or with other rules, is not told a second time. It is
// kept in told.json of the case.
type toldOf struct {
	path  string
	saved time.Time
	dirty bool

	Findings  map[string][]interval `json:"findings"`  // by what and whom they are of
	Incidents map[string]incidence  `json:"incidents"` // by the id of each finding in them
}

// interval is a time in ns since the epoch.
type interval [2]int64

// incidence is how bad an incident was when it was told of.
type incidence struct {
	Severity  int   `json:"severity"` // rank
	Succeeded bool  `json:"succeeded"`
	At        int64 `json:"at"`
}

const (
	toldName      = "told.json"
	toldSlack     = int64(time.Hour)           // a rule's matches with a longer pause between them are another finding
	toldSlackLong = 24 * int64(time.Hour)      // of techniques
	toldStretches = 64                         // of one kind
	toldMost      = 50_000                     // kinds
	toldKeep      = 30 * 24 * int64(time.Hour) // then an incident may be told again
	toldSaveEvery = 5 * time.Second
)

func openTold(dir string) (*toldOf, error) {
	t := &toldOf{path: filepath.Join(dir, toldName), Findings: map[string][]interval{}, Incidents: map[string]incidence{}}
	data, err := os.ReadFile(t.path)
	if errors.Is(err, fs.ErrNotExist) {
		return t, nil
	}
	if err != nil {
		return nil, err
	}
	if json.Unmarshal(data, t) != nil || t.Findings == nil || t.Incidents == nil { // then some things are told twice
		t.Findings, t.Incidents = map[string][]interval{}, map[string]incidence{}
	}
	return t, nil
}

// save writes the file now and then, or at once when it is the last.
func (t *toldOf) save(last bool) error {
	if !t.dirty || !last && time.Since(t.saved) < toldSaveEvery {
		return nil
	}
	t.saved, t.dirty = time.Now(), false
	old := t.saved.UnixNano() - toldKeep
	for id, i := range t.Incidents {
		if i.At < old {
			delete(t.Incidents, id)
		}
	}
	data, err := json.Marshal(t)
	if err != nil {
		return err
	}
	if err := os.WriteFile(t.path+".new", data, 0o600); err != nil {
		return err
	}
	return os.Rename(t.path+".new", t.path)
}

// keyOf names what a finding is of and whom it is about.
func keyOf(f *analyze.Finding) string {
	first := func(vs []string) string {
		if len(vs) > 0 {
			return vs[0]
		}
		return ""
	}
	e := &f.Entities
	key := f.Kind + "\x00" + f.Rule.ID + "\x00" + f.Title + "\x00" + first(e.Hosts) + "\x00" + first(e.Sources) + "\x00" + first(e.Users)
	if f.Query != "" { // of a technique
		key += "\x00" + first(e.Destinations) + "\x00" + first(f.Datasets)
	}
	return key
}

// fresh reports whether a finding is news, and remembers it.
func (t *toldOf) fresh(f *analyze.Finding) bool {
	key, slack := keyOf(f), toldSlack
	if f.Query != "" {
		slack = toldSlackLong
	}
	all := t.Findings[key]
	for i := range all {
		s := &all[i]
		if f.First <= s[1]+slack && f.Last >= s[0]-slack {
			if f.First < s[0] || f.Last > s[1] {
				s[0], s[1] = min(s[0], f.First), max(s[1], f.Last)
				t.dirty = true
			}
			return false
		}
	}
	if len(all) >= toldStretches {
		all = all[1:]
	}
	if all == nil && len(t.Findings) >= toldMost {
		clear(t.Findings)
	}
	t.Findings[key] = append(all, interval{f.First, f.Last})
	t.dirty = true
	return true
}

// news reports whether an incident is new, or worse than it was when it was
// told of.
func (t *toldOf) news(in *incident.Incident) bool {
	is := incidence{Severity: analyze.LevelRank(in.Severity), Succeeded: in.Outcome.Result == incident.Succeeded, At: time.Now().UnixNano()}
	news := true
	for _, id := range in.Findings {
		if was, ok := t.Incidents[id]; ok {
			news = false
			if is.Severity > was.Severity || is.Succeeded && !was.Succeeded {
				news = true
				break
			}
		}
	}
	if !news {
		for _, id := range in.Findings {
			if _, ok := t.Incidents[id]; !ok {
				t.Incidents[id], t.dirty = is, true
			}
		}
		return false
	}
	if len(t.Incidents) >= toldMost {
		clear(t.Incidents)
	}
	for _, id := range in.Findings {
		t.Incidents[id] = is
	}
	t.dirty = true
	return true
}
