package simulate

import (
	"bytes"
	"encoding/csv"
	"errors"
	"flag"
	"io"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

var updateNIDS = flag.Bool("update-nids", false, "rewrite testdata/nids.golden.csv")

func nidsLog(t testing.TB, o NIDSOptions) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := WriteNIDS(&b, o); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func nidsRows(t testing.TB, o NIDSOptions) [][]string {
	t.Helper()
	rows, err := csv.NewReader(bytes.NewReader(nidsLog(t, o))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows[1:]
}

func TestNIDSBytesAreThoseOfTheGoldenFile(t *testing.T) {
	got := nidsLog(t, NIDSOptions{Rows: 120, Seed: 7})
	const path = "testdata/nids.golden.csv"
	if *updateNIDS {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, bytes.ReplaceAll(want, []byte("\r\n"), []byte("\n"))) {
		t.Error("the same seed no longer gives the same bytes; -update-nids rewrites the golden file, but users' seeds break")
	}
}

func TestNIDSSameSeedSameBytesOtherSeedOtherBytes(t *testing.T) {
	a := nidsLog(t, NIDSOptions{Rows: 5000, Seed: 1})
	if !bytes.Equal(a, nidsLog(t, NIDSOptions{Rows: 5000, Seed: 1})) {
		t.Error("one seed gave two logs")
	}
	if bytes.Equal(a, nidsLog(t, NIDSOptions{Rows: 5000, Seed: 2})) {
		t.Error("two seeds gave one log")
	}
}

func TestNIDSRowsAreWellFormedAndInTimeOrder(t *testing.T) {
	start := time.Date(2024, 2, 27, 22, 30, 0, 0, time.FixedZone("", 3600))
	for _, o := range []NIDSOptions{{Rows: 1}, {Rows: 20000, Seed: 3}, {Rows: 3000, Seed: 4, Start: start, Span: 48 * time.Hour},
		{Rows: 500, Start: time.Unix(-1e9, 0), Span: time.Minute, Users: 1}, {Rows: 50, Span: 36500 * 24 * time.Hour}} {
		log := nidsLog(t, o)
		if !bytes.HasPrefix(log, []byte("timestamp,user_id,source_ip,destination_ip,action,success\n")) {
			t.Fatalf("header %.80q", log)
		}
		rows := nidsRows(t, o)
		if len(rows) != o.Rows {
			t.Fatalf("%d rows, want %d", len(rows), o.Rows)
		}
		var last time.Time
		for i, r := range rows {
			at, err := time.Parse(time.RFC3339, r[0])
			if err != nil || at.Location() != time.UTC {
				t.Fatalf("row %d: time %q: %v", i, r[0], err)
			}
			if at.Before(last) || at.Before(o.Start) {
				t.Fatalf("row %d: %v after %v", i, at, last)
			}
			last = at
			for _, a := range r[2:4] {
				if _, err := netip.ParseAddr(a); err != nil {
					t.Fatalf("row %d: %v", i, err)
				}
			}
			if r[5] != "true" && r[5] != "false" {
				t.Fatalf("row %d: success %q", i, r[5])
			}
		}
	}
}

func TestNIDSCoversTheSpan(t *testing.T) {
	start := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for _, span := range []time.Duration{time.Hour, 24 * time.Hour, 30 * 24 * time.Hour} {
		rows := nidsRows(t, NIDSOptions{Rows: 20000, Start: start, Span: span})
		last, err := time.Parse(time.RFC3339, rows[len(rows)-1][0])
		if err != nil {
			t.Fatal(err)
		}
		if got := last.Sub(start); got < span*9/10 || got > span*11/10 {
			t.Errorf("log covers %v, want about %v", got, span)
		}
	}
}

func TestNIDSLooksLikeANetwork(t *testing.T) {
	for _, o := range []NIDSOptions{{Rows: 1000, Seed: 1}, {Rows: 1000, Seed: 42}, {Rows: 100000, Seed: 9}} {
		rows := nidsRows(t, o)
		actions := map[string]int{}
		attempts := map[string]int{}
		logins, good := 0, 0
		for _, r := range rows {
			actions[r[4]]++
			if r[4] == "login_attempt" {
				attempts[r[1]]++
				logins++
				if r[5] == "true" {
					good++
				}
			}
		}
		if len(actions) < 5 {
			t.Errorf("%+v: only the actions %v", o, actions)
		}
		for a, n := range actions {
			if a != "login_attempt" && n >= logins {
				t.Errorf("%+v: %d of %s, more than the %d login attempts", o, n, a, logins)
			}
		}
		if share := float64(logins) / float64(len(rows)); share < 0.4 || share > 0.6 {
			t.Errorf("%+v: %.0f %% of records are login attempts", o, 100*share)
		}
		if rate := float64(good) / float64(logins); rate < 0.65 || rate > 0.95 {
			t.Errorf("%+v: %.0f %% of logins succeed", o, 100*rate)
		}
		var counts []int
		once := 0
		for _, n := range attempts {
			counts = append(counts, n)
			if n == 1 {
				once++
			}
		}
		slices.Sort(counts)
		if share := float64(once) / float64(len(counts)); share < 0.2 || share > 0.7 {
			t.Errorf("%+v: %.0f %% of users attempt once", o, 100*share)
		}
		if top, median := counts[len(counts)-1], counts[len(counts)/2]; top < 10*median {
			t.Errorf("%+v: the most active user has %d attempts, the median %d: no skew", o, top, median)
		}
	}
}

func TestNIDSDaysAreBusierThanNights(t *testing.T) {
	night, noon := 0, 0
	for _, r := range nidsRows(t, NIDSOptions{Rows: 20000}) {
		switch {
		case strings.Contains(r[0], "T03:"):
			night++
		case strings.Contains(r[0], "T11:"):
			noon++
		}
	}
	if noon < 5*night {
		t.Errorf("%d records at eleven, %d at three in the morning", noon, night)
	}
}

func TestNIDSRejectsImpossibleOptions(t *testing.T) {
	for _, o := range []NIDSOptions{{Rows: -1}, {Users: -1}, {Rows: 1, Span: -time.Hour}, {Rows: 1, Span: 1<<63 - 1}, {Rows: 1, Start: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)}} {
		if err := WriteNIDS(io.Discard, o); err == nil {
			t.Errorf("%+v: no error", o)
		}
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestNIDSReportsAFailedWrite(t *testing.T) {
	if err := WriteNIDS(fullDisk{}, NIDSOptions{Rows: 10}); err == nil || !strings.Contains(err.Error(), "disk full") {
		t.Errorf("error %v", err)
	}
}

func BenchmarkWriteNIDS(b *testing.B) {
	const rows = 1_000_000
	for b.Loop() {
		if err := WriteNIDS(io.Discard, NIDSOptions{Rows: rows, Seed: 1}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
