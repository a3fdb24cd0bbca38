// Package verdict keeps what people make of a case's incidents and findings:
// whether they are what they look like, notes, tags. It is a file of JSON lines
// in the case, verdicts.jsonl, that is only appended to, so that nothing that
// somebody said is lost and other programs can read along:
//
//	{"id":"9f…","kind":"incident","verdict":"false_positive","note":"our own scanner","tags":["scanner"],"time":"2026-03-04T10:00:00Z","by":"alice"}
package verdict

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// File is the name of the file within the case directory.
const File = "verdicts.jsonl"

// Values of Mark.Verdict. Undecided takes back what was said before.
const (
	TruePositive  = "true_positive"
	FalsePositive = "false_positive"
	Benign        = "benign" // it happened, and was meant to
	Undecided     = "undecided"
)

// Verdicts are all values.
var Verdicts = []string{TruePositive, FalsePositive, Benign, Undecided}

// Values of Mark.Kind.
const (
	Incident = "incident"
	Finding  = "finding"
)

// Mark is one thing that somebody said: a line of the file.
type Mark struct {
	ID      string   `json:"id"`
	Kind    string   `json:"kind"`
	Verdict string   `json:"verdict,omitempty"`
	Note    string   `json:"note,omitempty"`
	Tags    []string `json:"tags,omitempty"`
	Untag   []string `json:"untag,omitempty"`
	Time    string   `json:"time"` // RFC 3339 UTC
	By      string   `json:"by,omitempty"`

	// Signs are what the incident may be known by again (at most maxSigns): an
	// investigation with more evidence may give it another id.
	Signs []string `json:"signs,omitempty"`
}

// State is what is said of an incident or a finding by now.
type State struct {
	Kind    string   `json:"kind"`
	Verdict string   `json:"verdict,omitempty"` // "" for undecided
	Notes   []Note   `json:"notes,omitempty"`   // in the order in which they were made
	Tags    []string `json:"tags,omitempty"`    // sorted
	Time    string   `json:"time"`              // of the last mark
	By      string   `json:"by,omitempty"`      // who gave the verdict
	Signs   []string `json:"-"`
}

// Note is what somebody wrote.
type Note struct {
	Text string `json:"text"`
	Time string `json:"time"`
	By   string `json:"by,omitempty"`
}

const (
	maxText  = 4000 // runes of a note
	maxWord  = 64   // of a tag or a name
	maxTags  = 50   // of one mark
	maxSigns = 200
	maxLine  = 1 << 20
)

// check says what is wrong with a mark, and cuts what is too long.
func (m *Mark) check() error {
	if m.ID == "" || m.Kind != Incident && m.Kind != Finding {
		return fmt.Errorf("verdict: want the id of an incident or of a finding")
	}
	if m.Verdict != "" && !slices.Contains(Verdicts, m.Verdict) {
		return fmt.Errorf("verdict %q: want %s", m.Verdict, strings.Join(Verdicts, ", "))
	}
	if m.Verdict == "" && m.Note == "" && len(m.Tags) == 0 && len(m.Untag) == 0 {
		return fmt.Errorf("verdict: nothing is said")
	}
	if utf8.RuneCountInString(m.Note) > maxText {
		return fmt.Errorf("note: more than %d characters", maxText)
	}
	if len(m.Tags)+len(m.Untag) > maxTags {
		return fmt.Errorf("tags: more than %d", maxTags)
	}
	for _, t := range slices.Concat(m.Tags, m.Untag) {
		if t == "" || utf8.RuneCountInString(t) > maxWord || strings.ContainsFunc(t, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) || r == ',' }) {
			return fmt.Errorf("tag %q: want a word of at most %d characters", t, maxWord)
		}
	}
	m.Signs = m.Signs[:min(len(m.Signs), maxSigns)]
	return nil
}

// Append adds marks to those of the case in dir. They are on disk when it
// returns. Time is set where it is not.
func Append(dir string, marks ...Mark) error {
	var b bytes.Buffer
	for _, m := range marks {
		if err := m.check(); err != nil {
			return err
		}
		if m.Time == "" {
			m.Time = time.Now().UTC().Format(time.RFC3339)
		}
		line, err := json.Marshal(m)
		if err != nil {
			return err
		}
		b.Write(append(line, '\n'))
	}
	f, err := os.OpenFile(filepath.Join(dir, File), os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	// A line that was torn by the death of a process does not spoil the next.
	if end, err := f.Seek(0, 2); err == nil && end > 0 {
		last := make([]byte, 1)
		if _, err := f.ReadAt(last, end-1); err == nil && last[0] != '\n' {
			b = *bytes.NewBuffer(append([]byte{'\n'}, b.Bytes()...))
		}
	}
	if _, err := f.Write(b.Bytes()); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return f.Close()
}

// Read returns what is said by now, by id; nothing where the case in dir has
// no such file. Lines that are none are passed over and counted.
func Read(dir string) (states map[string]State, bad int, err error) {
	marks, bad, err := Marks(dir)
	states = map[string]State{}
	for _, m := range marks {
		s := states[m.ID]
		s.Kind, s.Time = m.Kind, m.Time
		switch m.Verdict {
		case "":
		case Undecided:
			s.Verdict, s.By = "", ""
		default:
			s.Verdict, s.By = m.Verdict, m.By
		}
		if m.Note != "" {
			s.Notes = append(s.Notes, Note{m.Note, m.Time, m.By})
		}
		s.Tags = append(slices.Clone(s.Tags), m.Tags...)
		s.Tags = slices.DeleteFunc(s.Tags, func(t string) bool { return slices.Contains(m.Untag, t) })
		slices.Sort(s.Tags)
		s.Tags = slices.Compact(s.Tags)
		if len(m.Signs) > 0 {
			s.Signs = m.Signs
		}
		states[m.ID] = s
	}
	return states, bad, err
}

// Marks returns all that was ever said, in order.
func Marks(dir string) (marks []Mark, bad int, err error) {
	f, err := os.Open(filepath.Join(dir, File))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, nil
	} else if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		var m Mark
		if json.Unmarshal(lines.Bytes(), &m) != nil || m.check() != nil {
			bad++
			continue
		}
		marks = append(marks, m)
	}
	if err := lines.Err(); err != nil {
		return marks, bad, fmt.Errorf("%s: %w", filepath.Join(dir, File), err)
	}
	return marks, bad, nil
}

// Carry returns the states by the ids that incidents have now: where an
// incident's id is new since more evidence came, it gets what was said of the
// one that it shares most signs with, if that is half of those or more.
func Carry(states map[string]State, incidents map[string][]string) map[string]State {
	out := map[string]State{}
	var orphans []string
	for id, s := range states {
		if _, there := incidents[id]; s.Kind == Finding || there {
			out[id] = s
		} else if len(s.Signs) > 0 {
			orphans = append(orphans, id)
		}
	}
	slices.Sort(orphans)
	for _, old := range orphans {
		s := states[old]
		best, most := "", 0
		for id, signs := range incidents {
			if _, taken := states[id]; taken {
				continue
			}
			n := 0
			for _, f := range signs {
				if slices.Contains(s.Signs, f) {
					n++
				}
			}
			if n > most || n == most && n > 0 && id < best {
				best, most = id, n
			}
		}
		if _, taken := out[best]; best != "" && !taken && 2*most >= len(s.Signs) {
			out[best] = s
		}
	}
	return out
}
