package format

import (
	"bytes"
	"cmp"
	"encoding/json"
	"flag"
	"hash/fnv"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"testing"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/timestamp"
)

// Every format is fuzzed as part of its group, and alone where the environment names it:
//
//	SEXTANT_FUZZ_FORMAT=cisco_asa.log go test -run '^$' -fuzz FuzzFormats ./internal/format
//
// The golden files are the seeds; inputs that once failed are in testdata/fuzz.

// FuzzFormats throws bytes at every format, or at the one of $SEXTANT_FUZZ_FORMAT.
func FuzzFormats(f *testing.F) {
	if name := os.Getenv("SEXTANT_FUZZ_FORMAT"); name != "" {
		one := Lookup(name)
		if one == nil {
			f.Fatalf("no format is named %s", name)
		}
		fuzzFormats(f, 40, one)
		return
	}
	fuzzFormats(f, 0, All()...)
}

// shortly keeps the fuzzer from spending a minute on the shortening of every input that found
// something new: where the order of a map or the state of a pool decides a branch it never
// gets shorter, and next to nothing else is tried.
func shortly(f *testing.F) {
	if at := flag.Lookup("test.fuzzminimizetime"); at != nil && at.Value.String() == at.DefValue {
		if err := at.Value.Set("20x"); err != nil {
			f.Fatal(err)
		}
	}
	debug.SetGCPercent(1000) // the counters of coverage are gone over in every collection
}

func FuzzNetworkFormats(f *testing.F)  { fuzzFormats(f, 10, group("network")...) }
func FuzzWebFormats(f *testing.F)      { fuzzFormats(f, 10, group("web")...) }
func FuzzDatabaseFormats(f *testing.F) { fuzzFormats(f, 10, group("database")...) }
func FuzzAuditFormats(f *testing.F)    { fuzzFormats(f, 10, group("audit")...) }
func FuzzSystemFormats(f *testing.F) {
	fuzzFormats(f, 10, group("auth", "system", "kernel", "windows")...)
}
func FuzzGeneralFormats(f *testing.F) { fuzzFormats(f, 10, group("general")...) }

func group(names ...string) (formats []*Format) {
	for _, f := range All() {
		if slices.Contains(names, f.Group) {
			formats = append(formats, f)
		}
	}
	return formats
}

func TestEveryFormatIsInAGroupThatIsFuzzed(t *testing.T) {
	fuzzed := group("network", "web", "database", "audit", "auth", "system", "kernel", "windows", "general")
	for _, f := range All() {
		if !slices.Contains(fuzzed, f) {
			t.Errorf("%s is in group %q", f.Name, f.Group)
		}
	}
}

// fuzzFormats decodes data with the format of the name, or whichever of formats another name comes to.
// None panics; every byte is accounted for; what is added keeps the bounds and kinds of its field.
// So many lines of each golden file are seeds beside the file: alone they mutate better.
func fuzzFormats(f *testing.F, lines int, formats ...*Format) {
	shortly(f)
	files, _ := filepath.Glob("testdata/*/*.log")
	for _, file := range files {
		name := filepath.Base(filepath.Dir(file))
		if !slices.ContainsFunc(formats, func(f *Format) bool { return f.Name == name }) {
			continue
		}
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(name, data[:min(len(data), 4<<10)])
		for i, line := range bytes.SplitAfter(data, []byte("\n")) {
			if i < lines && len(line) > 1 && len(line) < 2<<10 {
				f.Add(name, line)
			}
		}
	}
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		h := fnv.New32a()
		h.Write([]byte(name))
		format := cmp.Or(Lookup(name), formats[int(h.Sum32()%uint32(len(formats)))])
		Recognise(NewSample("", data, true))
		decodeAll(t, format, data, bytes.NewReader(data))
		checkEvents(t, format, data)
	})
}

// maxEventFields is more than any record of MaxRecord bytes may become: a JSON object's
// 2,000 leaves, some of which stand under two or three names.
const maxEventFields = 8000

// checkEvents decodes data as one chunk and looks at every field.
func checkEvents(t *testing.T, f *Format, data []byte) {
	framer := f.NewFramer(bytes.NewReader(data))
	for {
		c, err := framer.Next()
		if err != nil {
			return
		}
		var b event.Batch
		f.NewDecoder(&Params{Clock: timestamp.NewClock(nil, 0)}).Decode(c, &b)
		for i := range b.Events {
			e := &b.Events[i]
			if len(e.Fields) > maxEventFields {
				t.Fatalf("%d fields", len(e.Fields))
			}
			if !e.Has("event.dataset") {
				t.Errorf("no event.dataset: %q", e.Raw)
			}
			for _, field := range e.Fields {
				switch {
				case field.Name == "source.ip" || field.Name == "destination.ip" || field.Name == "related.ip":
					if ipVersion(withoutZone(field.Value)) == 0 {
						t.Errorf("%s = %q", field.Name, field.Value)
					}
				case (field.Name == "source.port" || field.Name == "destination.port") && (!isDigits(field.Value) || len(field.Value) > 5):
					t.Errorf("%s = %q", field.Name, field.Value)
				case field.Kind == event.Number || field.Kind == event.JSON:
					if !json.Valid([]byte(field.Value)) {
						t.Errorf("%s = %s is no JSON", field.Name, field.Value)
					}
				case field.Kind == event.Bool && field.Value != "true" && field.Value != "false":
					t.Errorf("%s = %q is no truth value", field.Name, field.Value)
				case field.Name == "":
					t.Errorf("%s: a field without a name in %q", f.Name, e.Raw)
				}
			}
		}
	}
}
