package source

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// group names the sets of files in one folder: "key: oldest … newest".
func group(names ...string) []string {
	var sources []*Source
	for _, n := range names {
		s := &Source{Display: "log/" + n, Name: n, Folder: "log/"}
		if plain := plainName(n); plain != n {
			s.Name, s.Layers = plain, []string{"gzip"}
		}
		sources = append(sources, s)
	}
	var sets []string
	for _, set := range Group(sources) {
		line := strings.TrimPrefix(set.Key, "log/") + ":"
		for _, s := range set.Sources {
			line += " " + strings.TrimPrefix(s.Display, "log/")
		}
		sets = append(sets, line)
	}
	return sets
}

func TestRotatedFilesAreOneSetOldestFirst(t *testing.T) {
	for _, c := range []struct {
		names, want []string
	}{
		{[]string{"auth.log", "auth.log.1", "auth.log.2.gz"}, []string{"auth.log: auth.log.2.gz auth.log.1 auth.log"}},
		{[]string{"auth.log", "auth.log.1", "auth.log.10.gz", "auth.log.2.gz", "auth.log.9.gz"}, []string{"auth.log: auth.log.10.gz auth.log.9.gz auth.log.2.gz auth.log.1 auth.log"}},
		{[]string{"auth.log", "auth.log.1", "auth.log.1.gz"}, []string{"auth.log: auth.log.1.gz auth.log.1 auth.log"}},
		{[]string{"syslog", "syslog.1", "secure", "secure.1"}, []string{"syslog: syslog.1 syslog", "secure: secure.1 secure"}},
		{[]string{"dmesg", "dmesg.0", "dmesg.1.gz"}, []string{"dmesg: dmesg.1.gz dmesg.0 dmesg"}},
		{[]string{"access.log", "access.log-20240101", "access.log-20231231.gz"}, []string{"access.log: access.log-20231231.gz access.log-20240101 access.log"}},
		{[]string{"access.log", "access.log-2024010100", "access.log-2024010123.gz"}, []string{"access.log: access.log-2024010100 access.log-2024010123.gz access.log"}},
		{[]string{"messages", "messages-1704067200", "messages-1703980800"}, []string{"messages: messages-1703980800 messages-1704067200 messages"}},
		{[]string{"app.2024-01-01.log", "app.2023-12-31.log", "app.log"}, []string{"app.log: app.2023-12-31.log app.2024-01-01.log app.log"}},
		{[]string{"app.2024-01-01.0.log", "app.2024-01-01.1.log", "app.2024-01-01.10.log", "app.2024-01-01.2.log"},
			[]string{"app.log: app.2024-01-01.0.log app.2024-01-01.1.log app.2024-01-01.2.log app.2024-01-01.10.log"}},
		{[]string{"app-2024-01-01-2.log.gz", "app-2024-01-01-1.log.gz"}, []string{"app.log: app-2024-01-01-1.log.gz app-2024-01-01-2.log.gz"}},
		{[]string{"app.log", "app.log.2024-01-01_12-30", "app.log.2024-01-01_11-30"}, []string{"app.log: app.log.2024-01-01_11-30 app.log.2024-01-01_12-30 app.log"}},
		{[]string{"localhost_access_log.2024-01-02.txt", "localhost_access_log.2024-01-01.txt"}, []string{"localhost_access_log.txt: localhost_access_log.2024-01-01.txt localhost_access_log.2024-01-02.txt"}},
		{[]string{"postgresql-2024-01-02_000000.log", "postgresql-2024-01-01_120000.log"}, []string{"postgresql.log: postgresql-2024-01-01_120000.log postgresql-2024-01-02_000000.log"}},
		{[]string{"u_ex240102.log", "u_ex231231.log", "u_ex24010113.log"}, []string{"u_ex.log: u_ex231231.log u_ex24010113.log u_ex240102.log"}},
		{[]string{"conn.01:00:00-02:00:00.log.gz", "conn.00:00:00-01:00:00.log.gz"}, []string{"conn.log: conn.00:00:00-01:00:00.log.gz conn.01:00:00-02:00:00.log.gz"}},
		{[]string{"Security.evtx", "Archive-Security-2024-01-01-12-30-00-123.evtx"}, []string{"Security.evtx: Archive-Security-2024-01-01-12-30-00-123.evtx Security.evtx"}},
		{[]string{"pfirewall.log", "pfirewall.log.old"}, []string{"pfirewall.log: pfirewall.log.old pfirewall.log"}},
		{[]string{"app.log", "app.1.log", "app.2.log"}, []string{"app.log: app.2.log app.1.log app.log"}},
		{[]string{"messages", "messages.1", "messages-20240101"}, []string{"messages: messages-20240101 messages.1 messages"}},
		{[]string{"access-2024-01.log", "access-2023-12.log"}, []string{"access.log: access-2023-12.log access-2024-01.log"}},
		{[]string{"messages.2022", "messages.2021"}, []string{"messages: messages.2021 messages.2022"}},
		{[]string{"20240102-auth.log", "20240101-auth.log"}, []string{"auth.log: 20240101-auth.log 20240102-auth.log"}},
		{[]string{"192.0.2.1", "192.0.2.1.1"}, []string{"192.0.2.1: 192.0.2.1.1 192.0.2.1"}},
	} {
		for range 2 {
			got, want := group(c.names...), slices.Clone(c.want)
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("%q groups as\n%q, want\n%q", c.names, got, want)
			}
			slices.Reverse(c.names)
		}
	}
}

func TestNamesThatAreNoRotationStayAlone(t *testing.T) {
	for _, names := range [][]string{
		{"192.0.2.1", "192.0.2.2"},                                               // a file per host
		{"192.0.2.1.log", "192.0.2.2.log"},                                       //
		{"web-1.log", "web-2.log"},                                               // a file per server
		{"app-1.2.3", "app-1.2.4"},                                               // versions
		{"Xorg.0.log", "Xorg.1.log"},                                             // displays
		{"server2012.log", "server2016.log"},                                     //
		{"tcp.2024-01-01.192.0.2.1.log", "tcp.2024-01-01.192.0.2.9.log"},         // a day and a host
		{"auth.log", "auth.log.d", "authx.log", "auth"},                          //
		{"a.99999999", "a.20241399"},                                             // no dates
		{"CAPI2-Security_4624.evtx", "CAPI2-Security_4625.evtx", "1", "2", ".1"}, //
	} {
		for _, set := range group(names...) {
			if strings.Count(set, " ") != 1 {
				t.Errorf("%q groups as %q", names, set)
			}
		}
	}
}

func TestLogIsTheCurrentFileOfItsPath(t *testing.T) {
	for path, want := range map[string]string{
		"":                                        "",
		"/":                                       "/",
		"/var/log/app.log":                        "/var/log/app.log",
		"/var/log/auth.log.2.gz":                  "/var/log/auth.log",
		"/logs/u_ex260304.log":                    "/logs/u_ex.log",
		"/logs/access.2026-03-04-10.log":          "/logs/access.log",
		"/pg/postgresql-Mon.log":                  "/pg/postgresql.log",
		"/logs/2026-11-30/app.log":                "/logs/app.log",
		"/logs/20261130/app1.log":                 "/logs/app1.log",
		"/logs/2026_11_30/app.log":                "/logs/app.log",
		"/logs/2026.11.30/app.log":                "/logs/app.log",
		"/logs/2026-11-30T13/app.log":             "/logs/app.log",
		"/logs/2026-11/app.log":                   "/logs/app.log",
		"/logs/2026-11/30/app.log":                "/logs/app.log",
		"/logs/202611/30/app.log":                 "/logs/app.log",
		"/logs/2026/app.log":                      "/logs/app.log",
		"/logs/2026/11/app.log":                   "/logs/app.log",
		"/logs/2026/11/30/app.log":                "/logs/app.log",
		"/logs/2026/1130/app.log":                 "/logs/app.log",
		"/logs/2026/Nov/30/app.log":               "/logs/app.log",
		"/logs/web1/2026/11/30/13/app.log":        "/logs/web1/app.log",
		"/logs/2026/11/30/13/05/app.log":          "/logs/app.log",
		"/logs/2026/11/30/web1/app.log":           "/logs/web1/app.log",
		"/logs/2026/11/30.log":                    "/logs/.log",
		"/logs/2026/11/30/13.log.gz":              "/logs/.log",
		"/logs/2026-11-30.log":                    "/logs/.log",
		"/logs/web1-2026-11-30/app.log":           "/logs/web1/app.log",
		"/logs/2026-11-30_web1/app.log":           "/logs/web1/app.log",
		"/logs/2026_03/x-2026.03.04":              "/logs/x",
		`D:\logs\2026\11\30\app.log`:              `D:\logs\app.log`,
		"e.tar!2026/11/30/app.log":                "e.tar!app.log",
		"logs-2026-11-30.tar!app.log":             "logs.tar!app.log",
		"s3/year=2026/month=11/day=30/a.json":     "s3/a.json",
		"s3/y=2026/m=11/d=30/h=13/m=00/PT1H.json": "s3/PT1H.json",
		"s3/dt=2026-11-30/a.json":                 "s3/a.json",
		"s3/date=20261130/hour=00/a.json":         "s3/a.json",
		"s3/event_date=2026-11-30-13/a.json":      "s3/a.json",
		"AWSLogs/123456789012/CloudTrail/eu-west-1/2026/11/30/a.json": "AWSLogs/123456789012/CloudTrail/eu-west-1/a.json",
		"/zeek/2026-11-30/conn.00:00:00-01:00:00.log.gz":              "/zeek/conn.log",
		// Names, not dates.
		"/logs/192.0.2.10/host7.log": "/logs/192.0.2.10/host7.log",
		"/logs/11/30/app.log":        "/logs/11/30/app.log",
		"/logs/srv202611/app.log":    "/logs/srv202611/app.log",
		"/logs/1704067200/app.log":   "/logs/1704067200/app.log",
		"/logs/202677881234/app.log": "/logs/202677881234/app.log",
		"/logs/201112319999/app.log": "/logs/201112319999/app.log",
		"/logs/2026/13/app.log":      "/logs/13/app.log",
		"/logs/2026/11/30/7/app.log": "/logs/7/app.log",
		"/logs/port=2026/app.log":    "/logs/port=2026/app.log",
		"/logs/month=13/app.log":     "/logs/month=13/app.log",
		"/logs/v1.2.3/app.log":       "/logs/v1.2.3/app.log",
		"/logs/8080/app.log":         "/logs/8080/app.log",
	} {
		got, sure := Log(path)
		if got != want || !sure {
			t.Errorf("%s is of %s (sure: %v), not of %s", path, got, sure, want)
		}
		if again, _ := Log(got); again != got {
			t.Errorf("%s, which is of %s, is of %s", path, got, again)
		}
	}
	for _, path := range []string{"/logs/app.1.log", "/logs/2026-11-30/192.0.2.1"} {
		if log, sure := Log(path); sure {
			t.Errorf("%s is surely of %s", path, log)
		}
	}
}

func TestSetsAreOfOneFolderAndInOrderOfTheirFirstSource(t *testing.T) {
	e := one(t, Options{}, "e.tar", tarOf(t, member{"a/auth.log", ""}, member{"a/auth.log.1", ""}, member{"b/auth.log.1", ""}, member{"auth.log", ""}))
	var got []string
	for _, set := range Group(e.Sources) {
		got = append(got, fmt.Sprint(set.Key[strings.LastIndex(set.Key, "!"):], len(set.Sources)))
	}
	if want := []string{"!a/auth.log2", "!b/auth.log1", "!auth.log1"}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestOfEqualRanksTheOlderFileComesFirst(t *testing.T) {
	at := func(h int) time.Time { return time.Date(2024, 1, 1, h, 0, 0, 0, time.UTC) }
	sets := Group([]*Source{{Display: "a.log.1", Name: "a.log.1", ModTime: at(2)}, {Display: "a.log.1.gz", Name: "a.log.1", ModTime: at(3), Layers: []string{"gzip"}}})
	if len(sets) != 1 || sets[0].Sources[0].Display != "a.log.1" {
		t.Errorf("%+v", sets)
	}
}

func FuzzGroupLosesNoSource(f *testing.F) {
	f.Add("auth.log", "auth.log.1", "auth.log.1.gz")
	f.Add("app.2024-01-01.0.log", "2024-01-01", "u_ex240101.log")
	f.Add("99999999999999", "1704067200123", "20240101235959")
	f.Add("Archive-x-2024-01-01.evtx", "conn.00:00:00-01:00:00.log", "a.2024-01-01T12:00:00Z.log")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		sources := []*Source{{Name: a, Display: a}, {Name: b, Display: b}, {Name: c, Display: c}}
		sets := Group(sources)
		seen := map[*Source]int{}
		keys := map[string]bool{}
		for _, set := range sets {
			if keys[set.Key] {
				t.Fatalf("two sets have the key %q", set.Key)
			}
			keys[set.Key] = true
			for _, s := range set.Sources {
				seen[s]++
			}
		}
		for _, s := range sources {
			if seen[s] != 1 {
				t.Fatalf("%q is in %d sets", s.Name, seen[s])
			}
		}
		if log, _ := Log(a + "/" + b + `\` + c); len(log) > len(a)+len(b)+len(c)+2 {
			t.Fatalf("%q is of %q", a+"/"+b+`\`+c, log)
		}
		if r := readRotation(a); len(r.base) > len(a) {
			t.Fatalf("%q has the base %q", a, r.base)
		}
		slices.Reverse(sources)
		again := Group(sources)
		if len(again) != len(sets) {
			t.Fatalf("%q: %d sets, in another order %d", []string{a, b, c}, len(sets), len(again))
		}
		for _, set := range sets {
			for _, other := range again {
				if set.Key == other.Key && a != b && b != c && a != c && !slices.Equal(set.Sources, other.Sources) {
					t.Fatalf("the order of %q depends on the order given", set.Key)
				}
			}
		}
	})
}
