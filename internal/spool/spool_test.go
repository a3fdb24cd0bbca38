package spool

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/quick"
)

func open(t testing.TB, dir string, o Options) *Spool {
	t.Helper()
	s, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func delivery(texts ...string) *Delivery {
	d := &Delivery{Collector: "test://", Received: 1}
	for _, s := range texts {
		d.Records = append(d.Records, Record{Data: []byte(s)})
	}
	return d
}

// drain closes s and returns all records it gives, by segment.
func drain(t testing.TB, s *Spool) (records []string, segments []string) {
	t.Helper()
	s.Close()
	for {
		e, err := s.Next(context.Background())
		if errors.Is(err, ErrClosed) {
			return records, segments
		}
		if err != nil {
			t.Fatal(err)
		}
		if e.End {
			segments = append(segments, e.Segment)
			continue
		}
		for _, r := range e.Delivery.Records {
			records = append(records, string(r.Data))
		}
	}
}

func append1(t testing.TB, s *Spool, d *Delivery) {
	t.Helper()
	if err := s.Append(context.Background(), d); err != nil {
		t.Fatal(err)
	}
}

func TestWhatWasAcknowledgedIsThereAfterTheProcessDies(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir, Options{SegmentBytes: 300})
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for i := range 20 {
		text := fmt.Sprintf("record %d", i)
		append1(t, s, delivery(text))
		want = append(want, text)
	}
	// No Close: the process is dead. A second one opens what it left.
	got, segments := drain(t, open(t, dir, Options{}))
	if !slices.Equal(got, want) || len(segments) < 3 {
		t.Errorf("got %q in %d segments", got, len(segments))
	}
	s.Close()
}

func TestATornFrameIsAsIfItHadNotBeenWritten(t *testing.T) {
	dir := t.TempDir()
	s, _ := Open(dir, Options{})
	append1(t, s, delivery("one"))
	append1(t, s, delivery("two"))
	s.Close()
	path := s.segments[0].path
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for cut := len(whole) - 1; cut > headerBytes+10; cut -= 7 {
		if err := os.WriteFile(path, whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := Open(dir, Options{})
		if err != nil {
			t.Fatal(err)
		}
		append1(t, s, delivery("three"))
		got, _ := drain(t, s)
		if len(got) == 0 || got[len(got)-1] != "three" || len(got) > 2 || len(got) == 2 && got[0] != "one" {
			t.Fatalf("cut at %d: %q", cut, got)
		}
		for _, seg := range s.segments {
			os.Remove(seg.path)
		}
	}
}

func TestDamageInTheMiddleIsToldAndTheOtherSegmentsAreRead(t *testing.T) {
	dir := t.TempDir()
	s, _ := Open(dir, Options{SegmentBytes: 1})
	append1(t, s, delivery("one"))
	append1(t, s, delivery("two"))
	append1(t, s, delivery("three"))
	s.Close()
	path := s.segments[1].path
	data, _ := os.ReadFile(path)
	data[len(data)-1]++
	os.WriteFile(path, append(data, 1), 0o600)
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := drain(t, s); !slices.Equal(got, []string{"one", "three"}) {
		t.Errorf("got %q", got)
	}
}

func TestASegmentThatIsDoneIsNotGivenAgain(t *testing.T) {
	dir := t.TempDir()
	s, _ := Open(dir, Options{SegmentBytes: 1, KeepSegments: 1})
	for i := range 5 {
		append1(t, s, delivery(fmt.Sprint(i)))
	}
	done := map[string]bool{}
	for len(done) < 4 {
		e, err := s.Next(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if e.End {
			done[e.Segment] = true
			if err := s.Done(e.Segment); err != nil {
				t.Fatal(err)
			}
		}
	}
	s.Close()
	files, _ := filepath.Glob(filepath.Join(dir, "*"+suffix))
	if len(files) != 2 {
		t.Errorf("%d files are left, want one that is done and one that is not", len(files))
	}
	if got, _ := drain(t, open(t, dir, Options{Stored: func(id string) bool { return done[id] }})); !slices.Equal(got, []string{"4"}) {
		t.Errorf("got %q", got)
	}
}

func TestARecordWithAKeyIsTakenOnceAlsoAfterARestart(t *testing.T) {
	dir := t.TempDir()
	keyed := func(keys ...string) *Delivery {
		d := delivery(keys...)
		for i, k := range keys {
			d.Records[i].Key = KeyOf([]byte(k))
		}
		return d
	}
	s, _ := Open(dir, Options{})
	append1(t, s, keyed("a", "b", "a"))
	append1(t, s, keyed("b", "c"))
	if st := s.Stats(); st.Records != 3 || st.Duplicates != 2 {
		t.Errorf("%+v", st)
	}
	s.Close()
	s = open(t, dir, Options{})
	append1(t, s, keyed("c", "d"))
	if got, _ := drain(t, s); !slices.Equal(got, []string{"a", "b", "c", "d"}) {
		t.Errorf("got %q", got)
	}
}

func TestARequestIsTakenAgainOnlyWhenItsSenderKnewOfTheFirst(t *testing.T) {
	dir := t.TempDir()
	request := func() *Delivery {
		d := delivery("x")
		d.Request = KeyOf([]byte("x"))
		return d
	}
	s, _ := Open(dir, Options{})
	append1(t, s, request())
	append1(t, s, request()) // the answer was lost
	s.Settle(request().Request)
	append1(t, s, request()) // a new one
	s.Close()
	s = open(t, dir, Options{})
	append1(t, s, request()) // nobody knows whether the answer got through
	if got, _ := drain(t, s); len(got) != 2 {
		t.Errorf("got %q", got)
	}
}

func TestMarksOutliveTheirSegments(t *testing.T) {
	dir := t.TempDir()
	s, _ := Open(dir, Options{SegmentBytes: 1, KeepSegments: 1})
	for i := range 4 {
		d := delivery("line")
		d.Mark = Mark{"file", fmt.Sprint(i)}
		append1(t, s, d)
	}
	for range 8 {
		e, err := s.Next(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if e.End {
			s.Done(e.Segment)
		}
	}
	s.Close()
	if got := open(t, dir, Options{Stored: func(string) bool { return true }}).Mark("file"); got != "3" {
		t.Errorf("mark is %q", got)
	}
}

func TestAppendWaitsWhileTheBacklogIsFull(t *testing.T) {
	s := open(t, t.TempDir(), Options{SegmentBytes: 1, MaxBytes: 100})
	append1(t, s, delivery(string(make([]byte, 200))))
	appended := make(chan error)
	go func() { appended <- s.Append(context.Background(), delivery("more")) }()
	for i := range 2 {
		e, err := s.Next(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		select {
		case <-appended:
			t.Fatal("appended beyond the bound")
		default:
		}
		if i == 1 {
			s.Done(e.Segment)
		}
	}
	if err := <-appended; err != nil {
		t.Error(err)
	}
}

func TestManyAppendAtOnceAndShareSyncs(t *testing.T) {
	s := open(t, t.TempDir(), Options{SegmentBytes: 1000})
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			for j := range 10 {
				if err := s.Append(context.Background(), delivery(fmt.Sprintf("%d-%d", i, j))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	st := s.Stats()
	got, _ := drain(t, s)
	slices.Sort(got)
	if len(slices.Compact(got)) != 500 || st.Syncs >= 500 {
		t.Errorf("%d records, %d syncs", len(got), st.Syncs)
	}
}

func TestADeliveryReadsBackAsItWasWritten(t *testing.T) {
	err := quick.Check(func(collector, peer, path, format string, header []string, received int64, request, key Key, name, value string, data [][]byte) bool {
		d := &Delivery{Collector: collector, Peer: peer, Path: path, Format: format, Header: header, Received: received, Request: request, Mark: Mark{name, value}}
		for i, p := range data {
			r := Record{Data: p}
			if i%2 == 0 {
				r.Key, r.Time, r.Fields = key, received, []Field{{name, value}}
			}
			d.Records = append(d.Records, r)
		}
		body := appendDelivery(nil, d)
		if len(body) > d.Size() {
			return false
		}
		back, offsets, err := parseDelivery(body)
		if err != nil || fmt.Sprintf("%v", back) != fmt.Sprintf("%v", d) {
			return false
		}
		for i, at := range offsets {
			if string(body[at:at+int64(len(data[i]))]) != string(data[i]) {
				return false
			}
		}
		return true
	}, nil)
	if err != nil {
		t.Error(err)
	}
}

func FuzzDelivery(f *testing.F) {
	d := delivery("a", "b")
	d.Header, d.Records[0].Key = []string{"h"}, KeyOf([]byte("k"))
	f.Add(appendDelivery(nil, d))
	f.Fuzz(func(t *testing.T, body []byte) {
		d, offsets, err := parseDelivery(body)
		if err == nil && len(offsets) != len(d.Records) {
			t.Error("records without an offset")
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	s, err := Open(b.TempDir(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	read := make(chan struct{})
	defer func() {
		s.Close()
		<-read
	}()
	go func() {
		defer close(read)
		for {
			e, err := s.Next(context.Background())
			if err != nil {
				return
			}
			if e.End {
				s.Done(e.Segment)
			}
		}
	}()
	line := []byte(`<38>Mar  4 10:11:12 web1 sshd[2231]: Failed password for invalid user admin from 203.0.113.9 port 51122 ssh2`)
	d := &Delivery{Collector: "syslog+tcp://127.0.0.1:514", Peer: "127.0.0.1:40000", Format: "syslog"}
	for range 1000 {
		d.Records = append(d.Records, Record{Data: line})
	}
	b.SetBytes(int64(1000 * len(line)))
	for b.Loop() {
		if err := s.Append(context.Background(), d); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*1000/b.Elapsed().Seconds(), "records/s")
}
