package collect

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/format"
	"github.com/sextant-logs/sextant/internal/timestamp"
)

func tailing(t *testing.T, sink Sink, globs ...string) (stop func()) {
	t.Helper()
	c, err := NewTail(globs, false, Options{Log: slog.New(slog.DiscardHandler), Stats: &Stats{}})
	if err != nil {
		t.Fatal(err)
	}
	return runCollector(t, c, sink)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

func lines(from, to int) (text string, list []string) {
	for i := from; i < to; i++ {
		l := fmt.Sprintf("Mar  4 10:%02d:%02d web1 app[7]: message %d", i/60%60, i%60, i)
		text += l + "\n"
		list = append(list, l)
	}
	return text, list
}

func TestTailGoesOnWhereItWasThroughRotationAndRestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "app.log")
	sink := newKept()
	text, want := lines(0, 10)
	write(t, path, text+"Mar  4 10:59:59 web1 app[7]: unfini")
	stop := tailing(t, sink, filepath.Join(dir, "*.log"))
	sink.wait(t, 10)
	write(t, path, "shed\n")
	want = append(want, "Mar  4 10:59:59 web1 app[7]: unfinished")
	sink.wait(t, 11)
	stop()

	// While nobody looks: more lines, a rotation, more lines.
	text, more := lines(11, 20)
	write(t, path, text)
	want = append(want, more...)
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	text, more = lines(20, 30)
	write(t, path, text)
	want = append(want, more...)
	tailing(t, sink, filepath.Join(dir, "*.log"))
	got := sink.wait(t, 30)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestTailFollowsAFileThatIsCopiedAndTruncated(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "app.log")
	sink := newKept()
	text, _ := lines(0, 10)
	write(t, path, text)
	tailing(t, sink, path)
	sink.wait(t, 10)
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	time.Sleep(2 * tailPoll)
	text, _ = lines(10, 15)
	write(t, path, text)
	if got := sink.wait(t, 15); len(got) != 15 || !strings.HasSuffix(got[14], "message 14") {
		t.Errorf("got %q", got)
	}
}

func TestTailKeepsLinesOfOneRecordTogether(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "app.log")
	sink := newKept()
	write(t, path, "2026-03-04 10:11:12,345 ERROR [main] com.example.App - it broke\njava.lang.IllegalStateException: no\n\tat com.example.App.run(App.java:7)\n\tat com.example.App.main(App.java:3)\n")
	tailing(t, sink, path)
	got := sink.wait(t, 1)
	time.Sleep(2 * tailPoll)
	write(t, path, "2026-03-04 10:11:13,345 INFO [main] com.example.App - it goes on\n")
	got = sink.wait(t, 2)
	if len(got) != 2 || strings.Count(got[0], "\n") != 3 {
		t.Errorf("got %q", got)
	}
}

func TestTailGivesHeaderLinesWithTheRecordsTheyGovern(t *testing.T) {
	t.Parallel()
	f := &tailed{}
	text := "#Software: Microsoft Internet Information Services 10.0\n#Fields: date time c-ip\n2026-03-04 10:11:12 192.0.2.1\n#Fields: date time s-ip\n2026-03-04 10:11:13 192.0.2.2\n"
	f.format = formatOf(t, text)
	blocks := f.split([]byte(text), nil)
	var got []string
	for _, b := range blocks {
		for _, r := range b.records {
			got = append(got, strings.Join(b.header, "|")+"|"+string(r.Data))
		}
	}
	want := []string{"#Software: Microsoft Internet Information Services 10.0|#Fields: date time c-ip|2026-03-04 10:11:12 192.0.2.1", "#Fields: date time s-ip|2026-03-04 10:11:13 192.0.2.2"}
	if !slices.Equal(got, want) || blocks[len(blocks)-1].end != len(text) {
		t.Errorf("got %q", got)
	}
}

func TestTailStaysWithAFileThatCannotBeKeptNow(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "app.log")
	sink := newKept()
	sink.fail = os.ErrDeadlineExceeded
	text, want := lines(0, 3)
	write(t, path, text)
	tailing(t, sink, path)
	time.Sleep(2 * tailPoll)
	sink.mu.Lock()
	sink.fail = nil
	sink.mu.Unlock()
	if got := sink.wait(t, 3); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

func formatOf(t *testing.T, text string) *format.Format {
	t.Helper()
	f, _ := format.Recognise(format.NewSample("x", []byte(text), true))
	return f
}

func TestTailFindsFilesThatCameAndWentWhileItStoodStill(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "app.log")
	sink := newKept()
	made, err := NewTail([]string{path}, false, Options{Log: slog.New(slog.DiscardHandler), Stats: &Stats{}})
	if err != nil {
		t.Fatal(err)
	}
	c := made.(*tail)
	read := func() {
		for more := true; more; {
			var err error
			if more, err = c.round(t.Context(), sink); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Cleanup(func() {
		for _, f := range c.files {
			f.file.Close()
		}
	})
	text, _ := lines(0, 10)
	write(t, path, text)
	c.search(sink)
	read()
	for i := range 4 {
		text, _ := lines(10+10*i, 20+10*i)
		write(t, path, text)
		at := time.Now().Add(time.Duration(i-10) * time.Minute)
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
		if i < 3 {
			if err := os.Rename(path, fmt.Sprintf("%s.%d", path, 3-i)); err != nil {
				t.Fatal(err)
			}
		}
	}
	read() // the open file is read on before others are looked for
	c.search(sink)
	for range 3 { // the last line of a file is held for a while
		read()
		time.Sleep(tailPatience + 100*time.Millisecond)
	}
	_, want := lines(0, 50)
	if got := sink.wait(t, 50); !slices.Equal(got, want) {
		t.Errorf("not in the order in which they were written: %q", got)
	}
}

// TestTailReadsWhatWasRotatedAndCompressedMeanwhile stops in the middle of a file,
// which is then written on, rotated and compressed, as are others behind it.
func TestTailReadsWhatWasRotatedAndCompressedMeanwhile(t *testing.T) {
	t.Parallel()
	for _, first := range []int{5, 100} { // less and more than a file is known by
		dir := t.TempDir()
		path := filepath.Join(dir, "app.log")
		pack := func(to string, at time.Time, with func(io.Writer) io.WriteCloser) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var b bytes.Buffer
			z := with(&b)
			z.Write(text)
			z.Close()
			if err := errors.Join(os.WriteFile(filepath.Join(dir, to), b.Bytes(), 0o600), os.Chtimes(filepath.Join(dir, to), at, at), os.Remove(path)); err != nil {
				t.Fatal(err)
			}
		}
		now := time.Now()
		text, _ := lines(9000, 9010)
		write(t, path, text)
		pack("app.log.9.gz", now.Add(-24*time.Hour), gzipTo) // of before anybody followed
		sink := newKept()
		n := 0
		more := func(by int) {
			text, _ := lines(n, n+by)
			write(t, path, text)
			n += by
		}
		more(first)
		os.Chtimes(path, now.Add(-time.Hour), now.Add(-time.Hour))
		stop := tailing(t, sink, path)
		sink.wait(t, n)
		stop()
		more(30)
		pack("app.log.4.gz", now.Add(time.Second), gzipTo)
		more(40)
		pack("app.log.3.zst", now.Add(2*time.Second), zstdTo)
		more(20000) // several reads
		pack("app.log.2.gz", now.Add(3*time.Second), gzipTo)
		more(10)
		if err := errors.Join(os.Chtimes(path, now.Add(4*time.Second), now.Add(4*time.Second)), os.Rename(path, path+".1")); err != nil {
			t.Fatal(err)
		}
		more(10)
		_, want := lines(0, n)
		for range 2 {
			stop = tailing(t, sink, path)
			if got := sink.wait(t, n); !slices.Equal(got, want) {
				for i := range got {
					if i >= len(want) || got[i] != want[i] {
						t.Fatalf("first %d: %d records of %d; the %d-th is %q", first, len(got), len(want), i, got[i])
					}
				}
			}
			time.Sleep(1500 * time.Millisecond)
			stop()
		}
		if got := sink.records(); len(got) != n {
			t.Errorf("%d records of %d: some are there twice", len(got), n)
		}
	}
}

// What is followed is cut into the records that reading the file cuts it into, also where it arrives line by line.
func TestTailCutsRecordsAsReadingTheFileDoes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, format, text string }{
		{"pod.log", "containerd.cri", "2026-03-04T10:00:00Z stdout F started\n" +
			"2026-03-04T10:00:01Z stdout P a line that the runtime\n2026-03-04T10:00:01Z stdout P  has cut\n2026-03-04T10:00:01Z stdout F  twice\n" +
			"2026-03-04T10:00:02Z stderr F java.lang.IllegalStateException: none left\n2026-03-04T10:00:02Z stderr F \tat com.example.Shop.sell(Shop.java:12)\n" +
			"2026-03-04T10:00:03Z stdout F done\n"},
		{"docker.log", "docker.json", `{"log":"started\n","stream":"stdout","time":"2026-03-04T10:00:00Z"}` + "\n" +
			`{"log":"a long line, ","stream":"stdout","time":"2026-03-04T10:00:01Z"}` + "\n" + `{"log":"in pieces, ","stream":"stdout","time":"2026-03-04T10:00:01Z"}` + "\n" +
			`{"log":"ended\n","stream":"stdout","time":"2026-03-04T10:00:01Z"}` + "\n" + `{"log":"done\n","stream":"stdout","time":"2026-03-04T10:00:02Z"}` + "\n"},
		{"shop.log", "java.log", "2026-03-04 10:00:00,000 INFO  [main] com.example.shop.Shop - started\n" +
			"2026-03-04 10:00:01,000 ERROR [main] com.example.shop.Shop - no stock\njava.lang.IllegalStateException: none left\n\n" +
			"\tat com.example.Shop.sell(Shop.java:12)\n2026-03-04 10:00:02,000 INFO  [main] com.example.shop.Shop - done\n"},
	} {
		f := format.Lookup(c.format)
		var want []string
		var batch event.Batch
		framer := f.NewFramer(strings.NewReader(c.text))
		for {
			chunk, err := framer.Next()
			if err != nil {
				break
			}
			f.NewDecoder(&format.Params{Clock: timestamp.NewClock(nil, 0)}).Decode(chunk, &batch)
		}
		for _, e := range batch.Events {
			want = append(want, e.Raw)
		}
		if len(want) >= strings.Count(c.text, "\n") {
			t.Fatalf("%s: %d records, none of many lines", c.format, len(want))
		}
		path := filepath.Join(t.TempDir(), c.name)
		first, rest, _ := strings.Cut(c.text, "\n")
		write(t, path, first+"\n"+rest[:strings.LastIndexByte(rest[:len(rest)-1], '\n')+1])
		sink := newKept()
		stop := tailing(t, sink, path)
		sink.wait(t, 1)
		write(t, path, rest[strings.LastIndexByte(rest[:len(rest)-1], '\n')+1:])
		got := sink.wait(t, len(want))
		stop()
		if !slices.Equal(got, want) {
			t.Errorf("%s: followed: %q\nread: %q", c.format, got, want)
		}
	}
}
