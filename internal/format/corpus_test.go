package format_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sextant-logs/sextant/evtx"
	"github.com/sextant-logs/sextant/internal/enrich"
	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/format"
	"github.com/sextant-logs/sextant/internal/timestamp"
)

// How far we agree with Elastic's integrations is measured by bench/agree.

func corpus(t *testing.T) string {
	if dir := os.Getenv("SEXTANT_CORPUS"); dir != "" {
		return dir
	}
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if dir == filepath.Dir(dir) {
			t.Skip("no go.mod above: set SEXTANT_CORPUS to compare with the corpus")
		}
		dir = filepath.Dir(dir)
	}
	dir = filepath.Join(dir, "..", "shared", "corpus")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("no corpus at ../shared/corpus: set SEXTANT_CORPUS to compare with it")
	}
	return dir
}

// decodeFile runs a source through framer, decoder and enrichment.
func decodeFile(t *testing.T, f *format.Format, data []byte) []map[string]any {
	var en enrich.Enricher
	var out []map[string]any
	framer := f.NewFramer(bytes.NewReader(data))
	for {
		c, err := framer.Next()
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		var b event.Batch
		f.NewDecoder(&format.Params{Clock: timestamp.NewClock(nil, 0), Done: en.Enrich}).Decode(c, &b)
		for i := range b.Events {
			var doc map[string]any
			if err := json.Unmarshal(event.AppendJSON(nil, &b.Events[i]), &doc); err != nil {
				t.Fatal(err)
			}
			out = append(out, doc)
		}
	}
}

// Every event log of the corpus, the damaged ones too, gives an event for each of
// its records, every byte is accounted for, and no field that ECS has once occurs twice.
func TestEveryEventLogOfTheCorpusIsDecodedWhole(t *testing.T) {
	root := corpus(t)
	files, events := 0, 0
	f := format.Lookup("windows.eventlog")
	filepath.WalkDir(filepath.Join(root, "evtx"), func(path string, e fs.DirEntry, err error) error {
		if err != nil || !strings.EqualFold(filepath.Ext(path), ".evtx") {
			return err
		}
		if testing.Short() && files >= 50 {
			return fs.SkipAll
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		r, err := evtx.NewReader(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return nil // no event log at all
		}
		want := 0
		r.Each(func(*evtx.Record) error { want++; return nil })
		files++
		got := 0
		framer := f.NewFramer(bytes.NewReader(data))
		for {
			c, err := framer.Next()
			if err != nil {
				break
			}
			var b event.Batch
			n := f.NewDecoder(&format.Params{Clock: timestamp.NewClock(nil, 0)}).Decode(c, &b)
			if n.Events+n.Structure+n.Refused != int64(len(c.Data)) || n.Refused < 0 || n.Structure < 0 {
				t.Errorf("%s: chunk at %d of %d bytes is accounted as %+v", path, c.Offset, len(c.Data), n)
			}
			got += len(b.Events)
			for i := range b.Events {
				if twice := repeated(&b.Events[i]); twice != "" {
					t.Errorf("%s: record %d has %s twice", path, b.Events[i].Sequence, twice)
				}
			}
		}
		if got != want {
			t.Errorf("%s: %d events of %d records", path, got, want)
		}
		events += got
		return nil
	})
	t.Logf("%d files, %d events", files, events)
	if files == 0 {
		t.Skip("not in this corpus")
	}
}

// repeated names a field that occurs twice and must not, "" if there is none.
func repeated(e *event.Event) string {
	seen := map[string]bool{}
	for i := range e.Fields {
		name := e.Fields[i].Name
		switch {
		case strings.HasPrefix(name, "winlog."), strings.HasPrefix(name, "related."), name == "event.category", name == "event.type",
			strings.HasSuffix(name, ".args"), name == "dns.resolved_ip":
			continue
		}
		if seen[name] {
			return name
		}
		seen[name] = true
	}
	return ""
}

// flatten gives each dotted name its values.
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
		default:
			out[path] = append(out[path], fmt.Sprint(v))
		}
	}
	walk("", doc)
	return out
}

// An event as evtx_dump writes it to JSON decodes to what its record in the event log does.
func TestEventsOfJSONDecodeAsTheirRecords(t *testing.T) {
	root := filepath.Join(corpus(t), "sigma/regression_data")
	files, differ := 0, 0
	filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".evtx" {
			return err
		}
		text, err := os.ReadFile(strings.TrimSuffix(path, ".evtx") + ".json")
		if err != nil {
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		f, _ := format.Recognise(format.NewSample("", text, true))
		if f == nil || f.Name != "windows.json" {
			t.Errorf("%s is recognised as %v", path, f)
			return nil
		}
		for _, doc := range decodeFile(t, f, text) {
			have := flatten(doc)
			for _, rec := range decodeFile(t, format.Lookup("windows.eventlog"), data) {
				want := flatten(rec)
				if fmt.Sprint(want["winlog.record_id"]) != fmt.Sprint(have["winlog.record_id"]) {
					continue
				}
				files++
				for name, w := range want {
					switch name {
					case "event.original", "event.sequence", "log.offset", "winlog.provider_guid", "winlog.opcode", "@timestamp", "message", "winlog.activity_id":
						continue // GUIDs without braces, microseconds
					}
					if h := have[name]; !strings.EqualFold(plainValues(h), plainValues(w)) {
						if differ++; differ < 30 {
							t.Errorf("%s: %s: got %q, want %q", filepath.Base(path), name, h, w)
						}
					}
				}
			}
		}
		return nil
	})
	t.Logf("%d events of JSON, %d fields differ from the event log's", files, differ)
}

// plainValues leaves out what tools write differently: braces of GUIDs, blanks at the end.
func plainValues(v []string) string {
	out := ""
	for _, s := range v {
		out += strings.TrimSpace(strings.NewReplacer("{", "", "}", "").Replace(s)) + "|"
	}
	return out
}
