package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/sextant-logs/sextant/internal/enrich"
	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/format"
	"github.com/sextant-logs/sextant/internal/timestamp"
)

// folder is a set of logs of one kind with what is expected of them.
type folder struct {
	name  string // below the corpus: "apache/elastic_integrations/apache.access"
	path  string
	kind  string // of the golden files of Winlogbeat: "collection" or "ingest"; else ""
	files []string
}

// find lists the folders of a corpus: those outside other_products, then the products that have a floor, then the rest.
func find(root string) []folder {
	var out []folder
	for _, pattern := range []string{"*/elastic_integrations/*", "other_products/*/elastic_integrations/*"} {
		dirs, _ := filepath.Glob(filepath.Join(root, pattern))
		for _, dir := range dirs {
			files, _ := filepath.Glob(filepath.Join(dir, "*-expected.json"))
			if len(files) == 0 {
				continue
			}
			for i := range files {
				files[i] = strings.TrimSuffix(files[i], "-expected.json")
			}
			name, _ := filepath.Rel(root, dir)
			out = append(out, folder{name: filepath.ToSlash(name), path: dir, files: files})
		}
	}
	dirs, _ := filepath.Glob(filepath.Join(root, "evtx/winlogbeat_golden/*"))
	for _, dir := range dirs {
		files, _ := filepath.Glob(filepath.Join(dir, "*.evtx"))
		name, _ := filepath.Rel(root, dir)
		for _, kind := range []string{"collection", "ingest"} {
			out = append(out, folder{name: filepath.ToSlash(name) + " " + kind, path: dir, kind: kind, files: files})
		}
	}
	rank := map[string]int{kindAll: 0, kindNamed: 1, kindRest: 2}
	slices.SortStableFunc(out, func(a, b folder) int { return rank[a.class()] - rank[b.class()] })
	return out
}

const (
	kindAll   = "all"
	kindNamed = "named"
	kindRest  = "rest"
)

func (f *folder) class() string {
	if !strings.HasPrefix(f.name, "other_products/") {
		return kindAll
	}
	if _, ok := floors[f.name]; ok {
		return kindNamed
	}
	return kindRest
}

// config is what the agent of a test was told.
type config struct {
	Fields    map[string]any
	Dynamic   map[string]string `yaml:"dynamic_fields"` // fields of which only the shape is certain
	Multiline struct {
		First string `yaml:"first_line_pattern"`
	}
	given map[string][]string
	shape map[string]*regexp.Regexp
	zone  *time.Location
}

func readConfig(file string) (*config, error) {
	c := &config{given: map[string][]string{}, shape: map[string]*regexp.Regexp{}}
	for _, name := range []string{filepath.Join(filepath.Dir(file), "test-common-config.yml"), file + "-config.yml"} {
		data, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		if err := yaml.Unmarshal(data, c); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	c.given = flatten(c.Fields)
	for name, pattern := range c.Dynamic {
		re, err := regexp.Compile(pattern)
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", file, name, err)
		}
		c.shape[name] = re
	}
	for _, name := range []string{"event.timezone", "_conf.tz_offset", "_conf.timezone"} {
		if v := c.given[name]; len(v) > 0 {
			if z := zoneOf(v[0]); z != nil {
				c.zone = z
			}
		}
	}
	return c, nil
}

// zoneOf reads "+0500", "-04:00", "GMT+2" or a zone's name; nil for what is none.
func zoneOf(s string) *time.Location {
	s = strings.TrimPrefix(strings.TrimPrefix(s, "GMT"), "UTC")
	if s == "" {
		return time.UTC
	}
	if len(s) == 2 && s[0] != 'Z' { // "+2"
		s = s[:1] + "0" + s[1:]
	}
	for _, layout := range []string{"-0700", "-07:00", "-07"} {
		if at, err := time.Parse(layout, s); err == nil {
			return at.Location()
		}
	}
	if z, err := time.LoadLocation(s); err == nil && s != "local" {
		return z
	}
	return nil
}

// entry is what an agent would send as one event.
type entry struct {
	offset, length int64 // in the input that we are given
	text           string
}

// entries gives our input of a test, and where in it its entries are. A .json holds documents as an agent sends
// them; we are given one a line. A .log is as it is.
func entries(file string, c *config) (input []byte, out []entry, err error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, nil, err
	}
	if strings.HasSuffix(file, ".json") {
		var doc struct{ Events []json.RawMessage }
		if err := json.Unmarshal(data, &doc); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", file, err)
		}
		var b bytes.Buffer
		for _, e := range doc.Events {
			start := b.Len()
			if err := json.Compact(&b, e); err != nil {
				return nil, nil, fmt.Errorf("%s: %w", file, err)
			}
			out = append(out, entry{offset: int64(start), length: int64(b.Len() - start), text: string(b.Bytes()[start:])})
			b.WriteByte('\n')
		}
		return b.Bytes(), out, nil
	}
	var first *regexp.Regexp
	if c.Multiline.First != "" {
		if first, err = regexp.Compile(c.Multiline.First); err != nil {
			return nil, nil, err
		}
	}
	at := int64(0)
	for line := range bytes.Lines(data) {
		text := string(bytes.TrimRight(line, "\r\n"))
		switch {
		case first != nil && strings.TrimSpace(text) == "":
		case first != nil && len(out) > 0 && !first.MatchString(text):
			e := &out[len(out)-1]
			e.length = at + int64(len(text)) - e.offset
			e.text += "\n" + text
		default:
			out = append(out, entry{offset: at, length: int64(len(text)), text: text})
		}
		at += int64(len(line))
	}
	return data, out, nil
}

// notBlank is the entries without those of blank lines, which not all of Elastic's tests have.
func notBlank(in []entry) []entry {
	return slices.DeleteFunc(slices.Clone(in), func(e entry) bool { return strings.TrimSpace(e.text) == "" })
}

// readExpected reads the documents expected of a file.
func readExpected(file string) ([]map[string]any, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if bytes.HasPrefix(bytes.TrimSpace(raw), []byte("[")) { // Winlogbeat's
		var docs []map[string]any
		return docs, d.Decode(&docs)
	}
	var doc struct{ Expected []map[string]any }
	return doc.Expected, d.Decode(&doc)
}

// document is one of our events, flattened.
type document struct {
	offset, length int64
	fields         map[string][]string
	inferred       bool // its year is
}

// decode runs a source through recognition, framer, decoder and enrichment, as a run of the program does.
func decode(data []byte, zone *time.Location, ref int64) ([]document, error) {
	f, _ := format.Recognise(format.NewSample("", data, true))
	if f == nil {
		return nil, fmt.Errorf("not recognised as any format")
	}
	var en enrich.Enricher
	var out []document
	framer := f.NewFramer(bytes.NewReader(data))
	for {
		c, err := framer.Next()
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		var b event.Batch
		clock := timestamp.NewClock(zone, ref)
		f.NewDecoder(&format.Params{Clock: clock, Done: en.Enrich}).Decode(c, &b)
		for i := range b.Events {
			e := &b.Events[i]
			d := json.NewDecoder(bytes.NewReader(event.AppendJSON(nil, e)))
			d.UseNumber()
			var doc map[string]any
			if err := d.Decode(&doc); err != nil {
				return nil, fmt.Errorf("event at %d: %w", e.Offset, err)
			}
			out = append(out, document{offset: e.Offset, length: e.Length, fields: flatten(doc), inferred: clock.Quality&timestamp.YearInferred != 0})
		}
	}
}

// flatten gives each dotted name its values as a sorted list, so that a lone value equals an array of one.
func flatten(doc map[string]any) map[string][]string {
	out := map[string][]string{}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for k, x := range v {
				walk(strings.TrimPrefix(path+"."+k, "."), x)
			}
		case []any:
			for _, x := range v {
				walk(path, x)
			}
		case nil:
		default:
			out[path] = append(out[path], fmt.Sprint(v))
		}
	}
	walk("", doc)
	for k := range out {
		slices.Sort(out[k])
		out[k] = slices.Compact(out[k])
	}
	return out
}
