package format

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"regexp"
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

func TestLastLoginsTellTheSameInEveryByteOrderAndWidth(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "lastlog", "basic.log"))
	if err != nil {
		t.Fatal(err)
	}
	// One record alone could be of either order; times that lie together tell.
	later := bytes.Clone(data[:lastlogLayouts[0].size()])
	binary.LittleEndian.PutUint32(later, binary.LittleEndian.Uint32(later)+86400)
	data = slices.Concat(data[:len(later)], later, data[2*len(later):])
	f := Lookup("lastlog")
	// Neither where a record lies nor how long it is can be the same.
	place := regexp.MustCompile(`"offset":\d+`)
	want := place.ReplaceAll(decodeAll(t, f, data, bytes.NewReader(data)), nil)
	small := &lastlogLayouts[0]
	for i := range lastlogLayouts {
		l := &lastlogLayouts[i]
		var other []byte
		for at := 0; at < len(data); at += small.size() {
			sec, line, host := small.read(data[at : at+small.size()])
			stamp := make([]byte, l.time)
			if l.time == 8 {
				l.order.PutUint64(stamp, sec)
			} else {
				l.order.PutUint32(stamp, uint32(sec))
			}
			other = append(append(append(other, stamp...), line...), host...)
		}
		if found, sure := Recognise(NewSample("unnamed", other, true)); found != f {
			t.Errorf("layout %d is recognised as %v (%d)", i, found, sure)
		}
		if got := place.ReplaceAll(decodeAll(t, f, other, bytes.NewReader(other)), nil); len(want) == 0 || !bytes.Equal(got, want) {
			t.Errorf("layout %d: %s", i, firstDifference(got, want))
		}
	}
}

// A record that a log cleaner zeroed is told; zeros at the end are room that nobody used.
func TestRecordsOfZerosBetweenOthersAreEvents(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "utmp", "wtmp.log"))
	if err != nil {
		t.Fatal(err)
	}
	size := utmpLayouts[0].size
	if len(data) < 4*size {
		t.Fatalf("%d records", len(data)/size)
	}
	count := func(p []byte) int {
		return bytes.Count(decodeAll(t, Lookup("utmp"), p, bytes.NewReader(p)), []byte(`"flags":"zeroed"`))
	}
	before := count(data)
	if n := count(append(bytes.Clone(data), make([]byte, 3*size)...)); n != before {
		t.Errorf("%d records of zeros at the end are told", n-before)
	}
	clear(data[size : 2*size])
	if n := count(data); n != before+1 {
		t.Errorf("%d of one record of zeros is told", n-before)
	}
}
