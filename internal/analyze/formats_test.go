package analyze

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// goldens calls fn with each record of each format's golden files.
func goldens(t *testing.T, fn func(format string, doc map[string]any)) {
	t.Helper()
	paths, err := filepath.Glob("../format/testdata/*/*.golden.jsonl")
	if err != nil || len(paths) < 100 {
		t.Fatalf("%d golden files, %v", len(paths), err)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(data) {
			var doc map[string]any
			if err := json.Unmarshal(line, &doc); err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			fn(filepath.Base(filepath.Dir(path)), doc)
		}
	}
}

// flat appends the fields of a document, but for those of its time and place.
func flat(fields []string, prefix string, v any) []string {
	switch v := v.(type) {
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			fields = flat(fields, strings.TrimPrefix(prefix+"."+k, "."), v[k])
		}
	case []any:
		for _, e := range v {
			fields = flat(fields, prefix, e)
		}
	default:
		if prefix != "@timestamp" && prefix != "log.offset" && prefix != "log.flags" && prefix != "error.message" {
			fields = append(fields, prefix, fmt.Sprint(v))
		}
	}
	return fields
}

// TestWhatIsNotThereIsToldOfEveryFormatThatHasTimes makes a log of a record of each format, over and over, of which
// five hours are missing and in which the clock is set back.
func TestWhatIsNotThereIsToldOfEveryFormatThatHasTimes(t *testing.T) {
	first := map[string]map[string]any{}
	goldens(t, func(format string, doc map[string]any) {
		if _, timed := doc["@timestamp"]; timed && first[format] == nil {
			first[format] = doc
		}
	})
	if len(first) < 90 {
		t.Fatalf("%d formats have times", len(first))
	}
	for format, doc := range first {
		fields := flat(nil, "", doc)
		var cut, stepped []made
		for i := range int64(14 * 24 * 6) {
			at := worldStart + i*10*minute
			if i < 1000 || i >= 1030 {
				cut = append(cut, made{at, format, fields})
			}
			if i >= 1000 && i < 1050 {
				at -= 3 * hour
			}
			stepped = append(stepped, made{at, format, fields})
		}
		for name, records := range map[string][]made{"silence": cut, "clock": stepped} {
			tech := map[string]func() Technique{"silence": newSilence, "clock": newClock}[name]()
			for _, b := range batchesOf(format, records, 500) {
				tech.Merge(tech.Digest(format, b))
			}
			fs, err := tech.Findings(context.Background(), emptyStore{})
			if err != nil || len(fs) != 1 {
				t.Errorf("%s: %s tells %d things, %v", format, name, len(fs), err)
			}
		}
	}
}

// TestThePageOfGapsNamesTheFormatsThatNumberTheirRecords holds docs/techniques/gaps.md against what decoders give.
func TestThePageOfGapsNamesTheFormatsThatNumberTheirRecords(t *testing.T) {
	page, err := os.ReadFile("../../docs/techniques/gaps.md")
	if err != nil {
		t.Fatal(err)
	}
	numbered := map[string]bool{}
	goldens(t, func(format string, doc map[string]any) {
		if e, ok := doc["event"].(map[string]any); ok && e["sequence"] != nil {
			numbered[format] = true
		}
	})
	if len(numbered) < 12 {
		t.Errorf("only %d formats number their records", len(numbered))
	}
	for format := range numbered {
		if !bytes.Contains(page, []byte("`"+format+"`")) {
			t.Errorf("%s numbers its records, which the page does not say", format)
		}
	}
}
