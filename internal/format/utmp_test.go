package format

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// swapUtmp turns the numbers of each record round.
func swapUtmp(data []byte, l *utmpFields) []byte {
	data = bytes.Clone(data)
	for at := 0; at+l.size <= len(data); at += l.size {
		rec := data[at:]
		turn := func(from, n int) { slices.Reverse(rec[from : from+n]) }
		turn(0, 2)
		turn(4, 4)
		turn(332, 2)
		turn(334, 2)
		width := 4
		if l.wide {
			width = 8
		}
		turn(l.session, width)
		turn(l.seconds, width)
		turn(l.micros, width)
	}
	return data
}

func TestLoginRecordsTellTheSameInEitherByteOrderAndWidth(t *testing.T) {
	for name, layout := range map[string]int{"wtmp.log": 0, "wide.log": 1} {
		data, err := os.ReadFile(filepath.Join("testdata", "utmp", name))
		if err != nil {
			t.Fatal(err)
		}
		swapped := swapUtmp(data, &utmpLayouts[layout])
		if i, sure := utmpLayout(swapped); utmpLayouts[i].order != binary.BigEndian || utmpLayouts[i].size != utmpLayouts[layout].size || sure < 60 {
			t.Errorf("%s in the other byte order is layout %d", name, i)
		}
		f, _ := Recognise(NewSample(name, swapped, true))
		if f == nil || f.Name != "utmp" {
			t.Fatalf("%s in the other byte order is recognised as %v", name, f)
		}
		want := decodeAll(t, f, data, bytes.NewReader(data))
		if got := decodeAll(t, f, swapped, bytes.NewReader(swapped)); len(want) == 0 || !bytes.Equal(got, want) {
			t.Errorf("%s in the other byte order: %s", name, firstDifference(got, want))
		}
	}
}
