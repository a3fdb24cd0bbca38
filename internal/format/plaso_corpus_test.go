package format_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sextant-logs/sextant/internal/format"
)

// plasoDiffers are files of which plaso counts more records than have a time here.
var plasoDiffers = map[string]string{
	"audit_enriched.log":             "the records of one event are one event here",
	"log.access.vc0":                 "binary Ivanti log, which no format knows",
	"log.admin.vc0":                  "binary Ivanti log, which no format knows",
	"log.events.vc0":                 "binary Ivanti log, which no format knows",
	"log.sensorslog.vc0":             "binary Ivanti log, which no format knows",
	"atlassian-bitbucket-access.log": "a line whose time stands far behind those of the others goes to the line before",
	"sav.txt":                        "UTF-16, which is made UTF-8 before a format sees it",
	"Symantec.Log":                   "times of twelve hexadecimal digits are not taken for times",
}

// plasoTimes are times that plaso gives another zone than the log.
var plasoTimes = map[string]string{
	"2022-07-15T23:04:27":           "the line says AEST",
	"2014-11-28T19:33:19.766-06:30": "the line says -330, minutes to be added",
}

// Plaso is a second opinion on how many records the files of many formats hold, some broken on purpose,
// and on when these were written.
func TestFilesHoldTheRecordsThatPlasoFindsInThem(t *testing.T) {
	root := corpus(t)
	files, times := 0, 0
	filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		name, ok := strings.CutSuffix(path, ".plaso-expected.json")
		if err != nil || !ok {
			return err
		}
		data, err := os.ReadFile(name)
		if err != nil || plasoDiffers[filepath.Base(name)] != "" {
			return nil
		}
		var expected []struct {
			Records int                               `json:"number_of_event_data"`
			Events  []struct{ Values map[string]any } `json:"expected_event_values"`
		}
		raw, err := os.ReadFile(path)
		if err != nil || json.Unmarshal(raw, &expected) != nil {
			t.Fatalf("%s is not readable", path)
		}
		f, _ := format.Recognise(format.NewSample(filepath.Base(name), data, true))
		if f == nil {
			t.Errorf("%s: no format", name)
			return nil
		}
		files++
		at, timed := map[int64]bool{}, 0
		for _, doc := range decodeFile(t, f, data) {
			if s, ok := doc["@timestamp"].(string); ok {
				ns, err := time.Parse(time.RFC3339Nano, s)
				if err != nil {
					t.Fatal(err)
				}
				at[ns.UnixMicro()] = true
				timed++
			}
		}
		for _, test := range expected {
			if timed < test.Records {
				t.Errorf("%s as %s: %d records with a time, plaso finds %d", name, f.Name, timed, test.Records)
			}
			for _, e := range test.Events {
				for _, key := range []string{"recorded_time", "written_time", "last_written_time", "added_time"} {
					s, _ := e.Values[key].(string)
					want, err := time.Parse("2006-01-02T15:04:05.999999999Z07:00", s)
					if err != nil {
						want, err = time.Parse("2006-01-02T15:04:05.999999999", s)
					}
					if err != nil || want.Year() < 1970 || plasoTimes[s] != "" { // dates without a year
						continue
					}
					times++
					if !at[want.UnixMicro()] {
						t.Errorf("%s as %s: no record of %s", name, f.Name, s)
					}
				}
			}
		}
		return nil
	})
	if files < 30 {
		t.Fatalf("only %d files compared", files)
	}
	t.Logf("%d files and %d times compared", files, times)
}
