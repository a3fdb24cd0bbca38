package evtx

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// corpus returns the directory of real logs, or skips the test.
func corpus(t testing.TB, elem ...string) string {
	t.Helper()
	root := os.Getenv("SEXTANT_CORPUS")
	if root == "" {
		dir, err := os.Getwd()
		if err != nil {
			t.Fatal(err)
		}
		for dir != filepath.Dir(dir) {
			if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
				root = filepath.Join(dir, "..", "shared", "corpus")
				break
			}
			dir = filepath.Dir(dir)
		}
	}
	path := filepath.Join(append([]string{root}, elem...)...)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("no corpus: %v (set SEXTANT_CORPUS)", err)
	}
	return path
}

// logsBelow lists the event logs below dir.
func logsBelow(t testing.TB, dir string) []string {
	t.Helper()
	var paths []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".evtx") {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(paths) == 0 {
		t.Skipf("no event logs below %s", dir)
	}
	return paths
}

func openBytes(t testing.TB, data []byte) *Reader {
	t.Helper()
	r, err := NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// golden is one event as Winlogbeat collected it on Windows.
type golden struct {
	Timestamp time.Time `json:"@timestamp"`
	Winlog    struct {
		Activity  string            `json:"activity_id"`
		Related   string            `json:"related_activity_id"`
		Channel   string            `json:"channel"`
		Computer  string            `json:"computer_name"`
		EventData map[string]string `json:"event_data"`
		UserData  map[string]string `json:"user_data"`
		EventID   string            `json:"event_id"`
		Opcode    string            `json:"opcode"`
		GUID      string            `json:"provider_guid"`
		Provider  string            `json:"provider_name"`
		RecordID  uint64            `json:"record_id"`
		Version   uint8             `json:"version"`
		Process   struct {
			PID    uint32 `json:"pid"`
			Thread struct {
				ID uint32 `json:"id"`
			} `json:"thread"`
		} `json:"process"`
		User struct {
			Identifier string `json:"identifier"`
		} `json:"user"`
	} `json:"winlog"`
}

// winlogbeatPairs applies Winlogbeat's rules for event_data and user_data: no empty values, the
// first of a name wins, Unix line ends.
func winlogbeatPairs(fields []Field) map[string]string {
	m := make(map[string]string)
	for _, f := range fields {
		if _, dup := m[f.Name]; !dup && f.Value != "" {
			m[f.Name] = strings.TrimRight(strings.ReplaceAll(f.Value, "\r\n", "\n"), "\n")
		}
	}
	return m
}

// TestFieldsAreWinlogbeats compares every record of Winlogbeat's own test logs,
// which it collected with Windows' event log API, field by field.
func TestFieldsAreWinlogbeats(t *testing.T) {
	for _, path := range logsBelow(t, corpus(t, "evtx", "winlogbeat_golden")) {
		text, err := os.ReadFile(path + ".collection.golden.json")
		if err != nil {
			t.Error(err)
			continue
		}
		var want []golden
		if err := json.Unmarshal(text, &want); err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for rec, err := range openBytes(t, data).Records() {
			if err != nil {
				t.Fatal(err)
			}
			if n < len(want) {
				for _, diff := range goldenDiffs(rec, &want[n]) {
					t.Errorf("%s: record %d: %s", filepath.Base(path), rec.ID, diff)
				}
			}
			n++
		}
		if n != len(want) {
			t.Errorf("%s: %d records, want %d", filepath.Base(path), n, len(want))
		}
	}
}

func goldenDiffs(rec *Record, want *golden) (diffs []string) {
	check := func(what string, got, want any) {
		if got != want {
			diffs = append(diffs, fmt.Sprintf("%s is %v, want %v", what, got, want))
		}
	}
	s, w := &rec.System, &want.Winlog
	if rec.Err != nil {
		diffs = append(diffs, rec.Err.Error())
	}
	check("time", s.TimeCreated.Time(), want.Timestamp.UTC())
	check("record id", s.EventRecordID, w.RecordID)
	check("event id", fmt.Sprint(s.EventID), w.EventID)
	check("provider", s.ProviderName, w.Provider)
	check("provider guid", s.ProviderGUID, w.GUID)
	check("channel", s.Channel, w.Channel)
	check("computer", s.Computer, w.Computer)
	check("activity", s.ActivityID, w.Activity)
	check("related activity", s.RelatedActivityID, w.Related)
	check("version", s.Version, w.Version)
	check("pid", s.ProcessID, w.Process.PID)
	check("thread", s.ThreadID, w.Process.Thread.ID)
	check("user", s.UserID, w.User.Identifier)
	pairs, kind := w.EventData, EventData
	if w.UserData != nil {
		pairs, kind = w.UserData, UserData
		check("xml_name", rec.DataName, pairs["xml_name"])
		delete(pairs, "xml_name")
	}
	if len(pairs) > 0 {
		check("kind", rec.DataKind, kind)
	}
	got := winlogbeatPairs(rec.Data)
	for _, name := range slices.Sorted(maps.Keys(got)) {
		check(name, got[name], pairs[name])
	}
	for _, name := range slices.Sorted(maps.Keys(pairs)) {
		if _, ok := got[name]; !ok {
			check(name, "absent", pairs[name])
		}
	}
	return diffs
}
