package format

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The samples that two other readers of logs test themselves with: each file is some format,
// every byte of it is accounted for (decodeAll), and most records have a time. The log says how many.
func TestSamplesOfOtherReadersAreRecognisedAndNothingIsLost(t *testing.T) {
	root := linuxCorpus(t)
	files, text, records, timed := 0, 0, 0, 0
	for _, folder := range []string{"plaso", "lnav"} {
		if !isDir(filepath.Join(root, folder)) {
			continue
		}
		err := filepath.WalkDir(filepath.Join(root, folder), func(path string, d fs.DirEntry, err error) error {
			packed := slices.Contains([]string{".gz", ".tgz", ".bz2", ".xz", ".tar"}, filepath.Ext(path))
			if err != nil || d.IsDir() || packed || strings.HasSuffix(path, "plaso-expected.json") {
				return err
			}
			data, err := os.ReadFile(path)
			if err != nil || len(data) == 0 {
				return err
			}
			f, _ := Recognise(NewSample(d.Name(), data[:min(len(data), 64<<10)], len(data) <= 64<<10))
			if f == nil {
				t.Errorf("%s is not recognised", path)
				return nil
			}
			docs := decodeAll(t, f, data, bytes.NewReader(data))
			if len(docs) == 0 {
				t.Errorf("%s (%s) gives no record", path, f.Name)
			}
			files++
			if f.Name == "text" {
				text++
			}
			records += bytes.Count(docs, []byte("\n"))
			timed += bytes.Count(docs, []byte(`{"@timestamp"`))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if files == 0 {
		t.Skip("neither folder is in this corpus")
	}
	if timed*10 < records*9 {
		t.Errorf("%d of %d records have a time", timed, records)
	}
	t.Logf("%d files, %d of them text of no known format; %d records, %d of them timed", files, text, records, timed)
}
