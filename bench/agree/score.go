package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// sum counts what is measured of a folder, or of many.
type sum struct {
	records, right, timed int
	fields, equal         int
	mistakes              int // expected fields that are Elastic's own mistakes
	related, found        int // values of related.*
}

func (s *sum) add(o *sum) {
	s.records += o.records
	s.right += o.right
	s.timed += o.timed
	s.fields += o.fields
	s.equal += o.equal
	s.mistakes += o.mistakes
	s.related += o.related
	s.found += o.found
}

// score is the measure of one folder.
type score struct {
	folder
	sum
	floor   floor
	worst   map[string]int    // by name, how often it differs
	example map[string]string // the first difference
	err     error
}

func newScore(f folder) *score {
	fl, ok := floors[f.name]
	if !ok {
		fl = floor{datasets: []string{f.name[strings.LastIndexByte(f.name, '/')+1:]}}
	}
	return &score{folder: f, floor: fl, worst: map[string]int{}, example: map[string]string{}}
}

func (s *score) equalPercent() float64 { return 100 * float64(s.equal) / float64(max(1, s.fields)) }
func (s *score) rightPercent() float64 { return 100 * float64(s.right) / float64(max(1, s.records)) }

// measure decodes and compares every file of the folder.
func (s *score) measure() {
	for _, file := range s.files {
		if err := s.file(file); err != nil && s.err == nil {
			s.err = fmt.Errorf("%s: %w", filepath.Base(file), err)
		}
	}
}

func (s *score) file(file string) error {
	if s.kind != "" {
		return s.eventLog(file)
	}
	c, err := readConfig(file)
	if err != nil {
		return err
	}
	expected, err := readExpected(file + "-expected.json")
	if err != nil {
		return err
	}
	input, in, err := entries(file, c)
	if err != nil {
		return err
	}
	got, err := decode(input, c.zone, reference(expected))
	if err != nil {
		return err
	}
	if len(in) != len(expected) {
		in = notBlank(in)
	}
	at, next := 0, 0
	for i, want := range expected {
		if want == nil {
			continue
		}
		wanted := flatten(want)
		e, ok := entry{}, false
		if len(in) == len(expected) {
			e, ok = in[i], true
		} else {
			e, ok = findEntry(in, &next, first(wanted["event.original"]), i)
		}
		if !ok {
			return fmt.Errorf("expected document %d is of no line of the input", i+1)
		}
		if e.length == 0 {
			continue
		}
		for at < len(got) && got[at].offset+got[at].length <= e.offset {
			at++
		}
		if at == len(got) || got[at].offset >= e.offset+e.length {
			s.records++
			for name := range wanted { // an event we do not have lacks all
				s.fields++
				s.differ(name, nil, wanted[name])
			}
			continue
		}
		s.compare(&got[at], wanted, c, e.text)
	}
	return nil
}

// findEntry finds the entry of an expected document by its original text, where the numbers of both differ.
func findEntry(in []entry, next *int, original string, i int) (entry, bool) {
	for k := *next; original != "" && k < len(in); k++ {
		head, _, _ := strings.Cut(original, "\n")
		if in[k].text == original || strings.HasPrefix(original, in[k].text) || strings.Contains(in[k].text, strings.TrimSpace(head)) {
			*next = k + 1
			return in[k], true
		}
	}
	return entry{}, false
}

// reference is a time near that of the log, as that of its file would be.
func reference(expected []map[string]any) int64 {
	for _, doc := range expected {
		if s, ok := doc["@timestamp"].(string); ok {
			if at, err := time.Parse(time.RFC3339Nano, s); err == nil {
				return at.UnixNano()
			}
		}
	}
	return 0
}

// eventLog compares an EVTX file with the golden file beside it, record by record.
func (s *score) eventLog(file string) error {
	expected, err := readExpected(file + "." + s.kind + ".golden.json")
	if err != nil {
		return err
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	got, err := decode(data, nil, 0)
	if err != nil {
		return err
	}
	byID := map[string]*document{}
	for i := range got {
		byID[first(got[i].fields["winlog.record_id"])] = &got[i]
	}
	for _, want := range expected {
		wanted := flatten(want)
		if s.kind == "collection" {
			delete(wanted, "event.action") // the task; the pipeline knows better
		}
		d := byID[first(wanted["winlog.record_id"])]
		if d == nil {
			return fmt.Errorf("no record %s", first(wanted["winlog.record_id"]))
		}
		s.compare(d, wanted, &config{}, "")
	}
	return nil
}

// compare counts the fields of one record.
func (s *score) compare(d *document, want map[string][]string, c *config, raw string) {
	s.records++
	have := d.fields
	if s.isRight(first(have["event.dataset"])) {
		s.right++
	} else {
		s.differ("(dataset)", have["event.dataset"], s.floor.datasets)
	}
	if len(have["@timestamp"]) > 0 {
		s.timed++
	}
	s.relate(have, want)
	original := first(want["event.original"])
	for name, w := range want {
		if _, ok := c.given[name]; ok {
			continue
		}
		if slices.Equal(w, []string{""}) || name == "message" && len(w) == 1 && (w[0] == original || w[0] == raw) {
			continue // event.original has it
		}
		h := have[name]
		same := equal(name, h, w, c, d.inferred)
		if !same {
			switch ignoredAs(s.name, name, want) {
			case "":
			case "mistake":
				s.mistakes++
				continue
			default:
				continue
			}
		} else if ignoredAs(s.name, name, want) != "" {
			continue
		}
		s.fields++
		if same {
			s.equal++
		} else {
			s.differ(name, h, w)
		}
	}
}

func (s *score) differ(name string, have, want []string) {
	if s.worst[name]++; s.worst[name] == 1 {
		s.example[name] = fmt.Sprintf("got %.100q, want %.100q", have, want)
	}
}

func (s *score) isRight(dataset string) bool {
	return slices.ContainsFunc(s.floor.datasets, func(pattern string) bool {
		ok, _ := filepath.Match(pattern, dataset)
		return ok
	})
}

// relate counts which of the expected related.* values we have.
func (s *score) relate(have, want map[string][]string) {
	for _, name := range []string{"related.ip", "related.user", "related.hosts", "related.hash"} {
		for _, v := range want[name] {
			s.related++
			if slices.ContainsFunc(have[name], func(h string) bool { return strings.EqualFold(h, v) }) {
				s.found++
			} else {
				s.differ(name, have[name], []string{v})
			}
		}
	}
}

func (s *score) differences(w io.Writer, n int) {
	names := slices.SortedFunc(maps.Keys(s.worst), func(a, b string) int {
		return cmp.Or(s.worst[b]-s.worst[a], strings.Compare(a, b))
	})
	if s.class() == kindRest { // no other field counts
		names = slices.DeleteFunc(names, func(n string) bool { return !strings.HasPrefix(n, "related.") && n != "@timestamp" })
	}
	for _, name := range names[:min(len(names), n)] {
		fmt.Fprintf(w, "    %4d× %s: %s\n", s.worst[name], name, s.example[name])
	}
}

// equal compares the values of a field. Elastic keeps times to milliseconds, and numbers as it likes.
func equal(name string, have, want []string, c *config, yearInferred bool) bool {
	if slices.Equal(have, want) {
		return true
	}
	if strings.HasPrefix(name, "related.") {
		// More is as good: ours are from every field that has one.
		for _, v := range want {
			if !slices.Contains(have, v) {
				return false
			}
		}
		return true
	}
	if len(have) != len(want) {
		return false
	}
	if re := c.shape[name]; re != nil && len(have) == 1 {
		if re.MatchString(have[0]) {
			return true
		}
		if at, err := time.Parse(time.RFC3339Nano, have[0]); err == nil && re.MatchString(at.UTC().Format("2006-01-02T15:04:05.000Z")) {
			return true
		}
	}
	for i := range have {
		if have[i] != want[i] && !sameValue(name, have[i], want[i], yearInferred) {
			return false
		}
	}
	return true
}

func sameValue(name, have, want string, yearInferred bool) bool {
	x, err1 := strconv.ParseFloat(have, 64)
	y, err2 := strconv.ParseFloat(want, 64)
	if err1 == nil && err2 == nil && json.Valid([]byte(have)) && json.Valid([]byte(want)) {
		if name == "event.duration" { // made of times cut to milliseconds
			return math.Abs(x-y) < 1e6
		}
		return x == y || math.Abs(x-y) < 1e-9*math.Abs(x)
	}
	a, err1 := time.Parse(time.RFC3339Nano, have)
	b, err2 := time.Parse(time.RFC3339Nano, want)
	if err1 == nil && err2 == nil {
		a, b = a.UTC().Truncate(time.Millisecond), b.UTC().Truncate(time.Millisecond)
		if yearInferred && a.Year() != b.Year() { // Elastic's is that in which its test was made
			a = a.AddDate(b.Year()-a.Year(), 0, 0)
		}
		return a.Equal(b)
	}
	// Line ends as LF, the last cut off.
	return strings.TrimSpace(strings.ReplaceAll(have, "\r\n", "\n")) == strings.TrimSpace(strings.ReplaceAll(want, "\r\n", "\n"))
}

func first(v []string) string {
	if len(v) == 0 {
		return ""
	}
	return v[0]
}
