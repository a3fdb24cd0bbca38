package main

import (
	"bytes"
	"compress/gzip"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/sextant-logs/sextant/internal/enrich/geofile"
)

// sourceDir is where the tests lie: scripts run elsewhere.
var sourceDir, _ = os.Getwd()

// freePortFor sets a variable to a port that nobody has: free-port NAME.
func freePortFor(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: free-port NAME")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	defer l.Close()
	ts.Setenv(args[0], strconv.Itoa(l.Addr().(*net.TCPAddr).Port))
}

// makeInput makes files that a script cannot hold:
//
//	make-input KIND FILE [FROM]
func makeInput(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: make-input KIND FILE [FROM]")
	}
	var from []byte
	if len(args) > 2 && args[0] != "mtime" && args[0] != "replace" {
		from = []byte(ts.ReadFile(args[2]))
	}
	gz := func() []byte {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		_, err := w.Write(from)
		ts.Check(err)
		ts.Check(w.Close())
		return b.Bytes()
	}
	var data []byte
	path := ts.MkAbs(args[1])
	switch args[0] {
	case "gzip":
		data = gz()
	case "truncated-gzip":
		data = gz()
		data = data[:len(data)-len(data)/3]
	case "geoip": // places of some documentation addresses, in MaxMind's format
		var err error
		data, err = geofile.Database([]geofile.Place{
			{Network: netip.MustParsePrefix("198.51.100.0/24"), Country: "DE", City: "Berlin", Latitude: 52.5, Longitude: 13.4},
			{Network: netip.MustParsePrefix("203.0.113.0/25"), Country: "AU", City: "Sydney", Latitude: -33.9, Longitude: 151.2},
			{Network: netip.MustParsePrefix("203.0.113.128/25"), Country: "DE", City: "Potsdam", Latitude: 52.4, Longitude: 13.1},
			{Network: netip.MustParsePrefix("2001:db8:1::/48"), Country: "JP", City: "Tokyo", Latitude: 35.7, Longitude: 139.7},
		})
		ts.Check(err)
	case "utf16":
		data = []byte{0xff, 0xfe}
		for _, u := range utf16.Encode([]rune(string(from))) {
			data = append(data, byte(u), byte(u>>8))
		}
	case "nul": // NUL bytes between two lines
		data = append(bytes.Repeat([]byte{0}, 4096), from...)
	case "invalid-utf8":
		data = append([]byte("Mar  4 10:11:12 web1 app[1]: caf\xe9 \xff\xfe\n"), from...)
	case "junk":
		x := uint64(88172645463325252)
		for range 1 << 16 {
			x ^= x << 13
			x ^= x >> 7
			x ^= x << 17
			data = append(data, byte(x))
		}
	case "capture": // of packets: a name is asked for, a page fetched, a port refused
		var err error
		data, err = os.ReadFile(filepath.Join(sourceDir, "../../internal/format/testdata/pcap/scene.log"))
		ts.Check(err)
	case "long-line": // 100 MB without a newline, then the lines of FROM
		data = append(bytes.Repeat([]byte("0123456789"), 10<<20), '\n')
		data = append(data, from...)
	case "mtime": // FROM is the time
		t, err := time.Parse(time.RFC3339, args[2])
		ts.Check(err)
		ts.Check(os.Chtimes(path, t, t))
		return
	case "replace": // FILE with one text in the place of another: FROM TO
		before := ts.ReadFile(args[1])
		data = []byte(strings.ReplaceAll(before, args[2], args[3]))
		if string(data) == before {
			ts.Fatalf("%s has no %q", args[1], args[2])
		}
	case "lines": // FILE with FROM repeated so often
		n, err := strconv.Atoi(args[3])
		ts.Check(err)
		data = bytes.Repeat(from, n)
	default:
		ts.Fatalf("make-input: no kind %q", args[0])
	}
	ts.Check(os.WriteFile(path, data, 0o644))
}
