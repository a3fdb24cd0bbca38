package simulate

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Truth is what truth.json holds: what really happened, to score answers by.
type Truth struct {
	Version   int        `json:"version"` // 1
	Seed      uint64     `json:"seed"`
	First     string     `json:"first"` // the world's life, RFC 3339 UTC
	Last      string     `json:"last"`
	Days      int        `json:"days"`
	Users     int        `json:"users"`
	Without   []string   `json:"without"` // logs that were not kept
	Hosts     []Host     `json:"hosts"`
	Files     []File     `json:"files"`
	Incidents []Incident `json:"incidents"`
}

// Host is one that keeps logs.
type Host struct {
	Name      string   `json:"name"`
	Addresses []string `json:"addresses"`
}

// File is one file of evidence.
type File struct {
	Path    string `json:"path"`   // within the output directory
	ID      string `json:"id"`     // first 24 hex digits of SHA256: the beginning of its records' event.id
	SHA256  string `json:"sha256"` // of the content, uncompressed
	Records int64  `json:"records"`
}

// Incident is the truth about one run of a campaign.
type Incident struct {
	ID       string `json:"id"` // "web-shell-1"
	Campaign string `json:"campaign"`
	Title    string `json:"title"`

	What  []Step `json:"what"`
	First string `json:"first"` // of the records there are; RFC 3339 UTC, by a clock that is right; "" if there are none
	Last  string `json:"last"`

	Hosts   []string `json:"hosts"`
	Sources []string `json:"sources"` // addresses
	Users   []string `json:"users"`

	Techniques []string `json:"techniques"` // ATT&CK ids of the steps that left records

	// Outcome is succeeded or failed. OutcomeVisible says whether a log that
	// tells was kept: without one, unknown is the right answer.
	Outcome        string   `json:"outcome"`
	OutcomeVisible bool     `json:"outcome_visible"`
	Tells          []string `json:"outcome_tells"` // the logs that tell, HOST/SOURCE

	Impact  []Fact   `json:"impact"`
	Records []string `json:"records"` // the event.id of each record, in the order of the files
}

// Step is one thing that was done.
type Step struct {
	Name      string `json:"name"`
	Technique string `json:"technique"`
	Text      string `json:"text"`
	First     string `json:"first"`
	Last      string `json:"last"`
	Records   int64  `json:"records"`
	Lost      int64  `json:"lost,omitempty"` // records that were written but destroyed
}

// Fact is one consequence, and the step whose records show it.
type Fact struct {
	Kind    string `json:"kind"` // "account-created", "persistence", "data-out", …
	Subject string `json:"subject"`
	Text    string `json:"text"`
	Step    string `json:"step"`
	Visible bool   `json:"visible"` // there are records that show it
}

// Label is one line of labels.jsonl. Records without one are plain benign life.
type Label struct {
	Path      string `json:"path"`
	Offset    int64  `json:"offset"`           // of the record's first byte
	Record    int64  `json:"record,omitempty"` // number of a Windows event
	Event     string `json:"event_id"`
	Time      string `json:"@timestamp"` // by a clock that is right
	Label     string `json:"label"`      // malicious, background, lookalike
	Incident  string `json:"incident,omitempty"`
	Campaign  string `json:"campaign,omitempty"`
	Step      string `json:"step,omitempty"`
	Technique string `json:"technique,omitempty"`
}

// noteMark keeps a step's times.
func (w *world) noteMark(m mark, at int64) {
	if m.kind != malicious || len(w.incidents[m.incident].steps) == 0 {
		return
	}
	s := &w.incidents[m.incident].steps[m.step]
	if s.written == 0 {
		s.first = at
	}
	s.last = at
	s.written++
}

// finish completes the logs and writes labels.jsonl and truth.json.
func (w *world) finish() (*Summary, error) {
	var files []logFile
	for _, l := range w.logs {
		fs, err := l.finish()
		if err != nil {
			return nil, err
		}
		files = append(files, fs...)
	}
	slices.SortFunc(files, func(a, b logFile) int { return strings.Compare(a.path, b.path) })

	if err := os.MkdirAll(w.dir, 0o755); err != nil {
		return nil, err
	}
	t := Truth{
		Version: 1, Seed: w.o.Seed, Days: w.o.Days, Users: w.o.Users, Without: w.o.Without,
		First: stampUTC(w.o.Start.UnixMicro()), Last: stampUTC(w.end),
		Files: []File{}, Incidents: []Incident{},
	}
	for _, h := range w.hosts {
		t.Hosts = append(t.Hosts, Host{Name: h.name, Addresses: []string{h.address}})
		if h == w.web {
			t.Hosts[len(t.Hosts)-1].Addresses = []string{h.address, webSix}
		}
	}
	out, err := os.Create(filepath.Join(w.dir, "labels.jsonl"))
	if err != nil {
		return nil, err
	}
	defer out.Close()
	b := bufio.NewWriterSize(out, 256<<10)
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)

	sum := &Summary{Files: len(files)}
	kept := make([][]int64, len(w.incidents)) // records by step
	first := make([]int64, len(w.incidents))
	last := make([]int64, len(w.incidents))
	for i, k := range w.incidents {
		kept[i] = make([]int64, len(k.steps))
	}
	for i := range files {
		f := &files[i]
		id := hex.EncodeToString(f.sha256[:12])
		t.Files = append(t.Files, File{Path: f.path, ID: id, SHA256: hex.EncodeToString(f.sha256[:]), Records: f.records})
		sum.Records += f.records
		sum.Bytes += f.bytes
		for _, m := range f.marks {
			l := Label{
				Path: f.path, Offset: m.offset, Record: m.record, Event: fmt.Sprintf("%s-%010x", id, m.offset),
				Time: stampUTC(m.at), Label: m.mark.kind.String(),
			}
			if m.mark.kind == malicious {
				n := m.mark.incident
				k := w.incidents[n]
				s := k.steps[m.mark.step]
				l.Incident, l.Campaign, l.Step, l.Technique = k.ID, k.Campaign, s.name, s.technique
				k.Records = append(k.Records, l.Event)
				if first[n] == 0 || m.at < first[n] {
					first[n] = m.at
				}
				last[n] = max(last[n], m.at)
				kept[n][m.mark.step]++
				sum.Malicious++
			}
			if err := e.Encode(&l); err != nil {
				return nil, err
			}
		}
	}
	if err := b.Flush(); err != nil {
		return nil, err
	}
	for i, k := range w.incidents {
		if len(k.steps) == 0 {
			continue // the world ended before it began
		}
		w.tell(k, kept[i])
		if first[i] != 0 {
			k.First, k.Last = stampUTC(first[i]), stampUTC(last[i])
		}
		t.Incidents = append(t.Incidents, k.Incident)
	}
	sum.Incidents = t.Incidents
	text, err := json.MarshalIndent(&t, "", " ")
	if err != nil {
		return nil, err
	}
	return sum, os.WriteFile(filepath.Join(w.dir, "truth.json"), append(text, '\n'), 0o644)
}

// tell completes an incident from its steps and what is left of their records.
func (w *world) tell(k *incidentLog, kept []int64) {
	k.What, k.Impact = []Step{}, []Fact{}
	for i, s := range k.steps {
		if s.written == 0 {
			continue // nothing there logs it
		}
		k.What = append(k.What, Step{
			Name: s.name, Technique: s.technique, Text: s.text,
			First: stampUTC(s.first), Last: stampUTC(s.last), Records: kept[i], Lost: s.written - kept[i],
		})
		if kept[i] > 0 {
			add(&k.Techniques, s.technique)
		}
	}
	for _, f := range k.facts {
		k.Impact = append(k.Impact, Fact{Kind: f.kind, Subject: f.subject, Text: f.text, Step: k.steps[f.step].name, Visible: kept[f.step] > 0})
	}
	for _, s := range k.Tells {
		host, source, _ := strings.Cut(s, "/")
		k.OutcomeVisible = k.OutcomeVisible || !w.o.without(host, source)
	}
	for _, list := range []*[]string{&k.Techniques, &k.Hosts, &k.Sources, &k.Users, &k.Tells, &k.Records} {
		if *list == nil {
			*list = []string{}
		}
	}
	slices.Sort(k.Techniques)
}

func stampUTC(micros int64) string {
	return time.UnixMicro(micros).UTC().Format("2006-01-02T15:04:05.000000Z")
}
