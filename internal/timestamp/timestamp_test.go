package timestamp

import (
	"testing"
	"time"
)

func at(s string) int64 {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		panic(err)
	}
	return t.UnixNano()
}

func TestStampsAreReadAsWritten(t *testing.T) {
	ny, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Skip("no zone data:", err)
	}
	ref := at("2024-03-01T00:00:00Z")
	for _, c := range []struct {
		in, want string
		zone     *time.Location
		q        Quality
	}{
		{"Mar  4 10:11:12", "2024-03-04T10:11:12Z", nil, ZoneAssumed | YearInferred},
		{"Mar 04 10:11:12", "2024-03-04T10:11:12Z", nil, ZoneAssumed | YearInferred},
		{"Mar  4 10:11:12.5", "2024-03-04T10:11:12.5Z", nil, ZoneAssumed | YearInferred},
		{"Mar  4 2019 10:11:12", "2019-03-04T10:11:12Z", nil, ZoneAssumed},
		{"Jul  4 10:11:12", "2024-07-04T14:11:12Z", ny, ZoneAssumed | YearInferred},
		{"2024-11-03T01:30:00", "2024-11-03T05:30:00Z", ny, ZoneAssumed},
		{"2024-01-02T03:04:05.123456789Z", "2024-01-02T03:04:05.123456789Z", ny, Exact},
		{"2024-01-02 03:04:05,120 +0530", "2024-01-01T21:34:05.12Z", nil, Exact},
		{"2024/01/02 03:04:05", "2024-01-02T03:04:05Z", nil, ZoneAssumed},
		{"2024-01-02 03:04:05 UTC", "2024-01-02T03:04:05Z", ny, Exact},
		{"2024-07-02 03:04:05.5 CEST", "2024-07-02T01:04:05.5Z", ny, Exact},
		{"2024-01-02 03:04:05 PST", "2024-01-02T11:04:05Z", nil, Exact},
		{"02/Jan/2024:03:04:05 -0700", "2024-01-02T10:04:05Z", nil, Exact},
		{"Tue Jan  2 03:04:05.000321 2024", "2024-01-02T03:04:05.000321Z", nil, ZoneAssumed},
		{"Tue Jan 02 03:04:05 UTC 2024", "2024-01-02T03:04:05Z", nil, Exact},
		{"1704164645", "2024-01-02T03:04:05Z", nil, Exact},
		{"1704164645.25", "2024-01-02T03:04:05.25Z", nil, Exact},
		{"1704164645250", "2024-01-02T03:04:05.25Z", nil, Exact},
		{"1704164645250000", "2024-01-02T03:04:05.25Z", nil, Exact},
	} {
		k := NewClock(c.zone, ref)
		got, ok := k.Any(c.in)
		if !ok || got != at(c.want) || k.Quality != c.q {
			t.Errorf("%q = %v %v (%s), want %s (%s)", c.in, ok, time.Unix(0, got).UTC(), k.Quality, c.want, c.q)
		}
	}
}

func TestWhatIsNoTimeIsRefused(t *testing.T) {
	for _, s := range []string{"", "Mar 32 10:11:12", "Foo  4 10:11:12", "2024-13-01T00:00:00Z", "2023-02-29 00:00:00",
		"2024-01-02T25:00:00Z", "31/Feb/2024:03:04:05", "12345678901234567890", "10.20.30.40", "2024-01-02", "3/4/2024 13:00:00 PM", "@4000000069a8054a149700zz"} {
		if ns, ok := NewClock(nil, 0).Any(s); ok {
			t.Errorf("%q read as %v", s, time.Unix(0, ns).UTC())
		}
	}
}

func TestTheHoursOfDaylightSavingAreReadAlways(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip("no zone data:", err)
	}
	k := NewClock(berlin, at("2026-01-01T00:00:00Z"))
	for _, c := range [][2]string{
		{"2026-03-29 01:59:59", "2026-03-29T00:59:59Z"},
		{"2026-03-29 02:30:00", "2026-03-29T01:30:00Z"}, // there was no such hour
		{"2026-03-29 03:00:00", "2026-03-29T01:00:00Z"},
		{"2026-10-25 01:59:59", "2026-10-24T23:59:59Z"},
		{"2026-10-25 02:30:00", "2026-10-25T00:30:00Z"}, // there were two
		{"2026-10-25 03:00:00", "2026-10-25T02:00:00Z"},
		{"2026-10-25 02:30:00 CET", "2026-10-25T01:30:00Z"},
		{"2026-03-29 01:59:59", "2026-03-29T00:59:59Z"}, // and again, out of order
	} {
		if got, ok := k.Any(c[0]); !ok || got != at(c[1]) {
			t.Errorf("%q = %v, want %s", c[0], time.Unix(0, got).UTC(), c[1])
		}
	}
}

func TestYearsTurnForwardAndLateRecordsStayInTheOldYear(t *testing.T) {
	k := NewClock(nil, at("2022-11-20T00:00:00Z"))
	for _, c := range [][2]string{
		{"Nov 20 00:00:00", "2022-11-20T00:00:00Z"},
		{"Dec 31 23:59:59", "2022-12-31T23:59:59Z"},
		{"Jan  1 00:00:01", "2023-01-01T00:00:01Z"},
		{"Dec 31 23:59:58", "2022-12-31T23:59:58Z"},
		{"Jan  1 00:00:02", "2023-01-01T00:00:02Z"},
		{"Sep  9 00:00:00", "2023-09-09T00:00:00Z"}, // quiet for eight months
		{"Aug 30 00:00:00", "2023-08-30T00:00:00Z"}, // disorder
		{"Jan  5 00:00:00", "2024-01-05T00:00:00Z"},
		{"Feb 29 00:00:00", "2024-02-29T00:00:00Z"},
	} {
		if got, ok := k.Any(c[0]); !ok || got != at(c[1]) {
			t.Errorf("%q = %v, want %s", c[0], time.Unix(0, got).UTC(), c[1])
		}
	}
}

// The years found by the first pass must make a clock that starts at any chunk
// agree with one that read everything from the start.
func TestAClockStartedAtAnyOffsetAgreesWithOneThatReadEverything(t *testing.T) {
	start := at("2019-10-03T00:00:00Z")
	var stamps []string
	var times []int64
	var y Years
	for i, ns := 0, start; ns < at("2023-02-10T00:00:00Z"); i++ {
		tt := time.Unix(0, ns).UTC()
		stamps = append(stamps, tt.Format("Jan _2 15:04:05"))
		times = append(times, ns)
		y.Add(int64(i), int(tt.Month()), tt.Day())
		ns += int64(7 * time.Hour)
		if i%400 == 399 {
			ns += int64(100 * 24 * time.Hour) // a quiet season
		}
	}
	ref := y.Reference(y.FirstYear(time.Unix(0, times[len(times)-1]).Add(3 * time.Hour)))
	for begin := range stamps {
		k := NewClock(nil, ref(int64(begin)))
		for i := begin; i < min(begin+5, len(stamps)); i++ {
			if got, ok := k.Any(stamps[i]); !ok || got != times[i] {
				t.Fatalf("from %d: %q = %v, want %v", begin, stamps[i], time.Unix(0, got).UTC(), time.Unix(0, times[i]).UTC())
			}
		}
	}
}

func FuzzAnyNeverPanicsAndStaysInRange(f *testing.F) {
	for _, s := range []string{"Mar  4 10:11:12", "2024-01-02T03:04:05.1+05:30", "02/Jan/2024:03:04:05 -0700", "Tue Jan  2 03:04:05 2024", "1704164645.5", "4. März 2026 10:11:12", "3/4/2026 10:11:12 PM", "@4000000069a8054a14970000",
		"134170926723450000", "2026年3月4日 下午 10:11:12", "04-MAR-26 10.11.12.345678 AM", "2026-03-04T10:11+01:00", "20260304101112.345Z", "March 4, 2026 10:11:12"} {
		f.Add(s)
	}
	lo, hi := at("1678-01-01T00:00:00Z"), at("2261-12-31T00:00:00Z")
	f.Fuzz(func(t *testing.T, s string) {
		k := NewClock(nil, at("2024-01-01T00:00:00Z"))
		if ns, ok := k.Any(s); ok && (ns < lo-2*day || ns > hi+2*day) {
			t.Fatalf("%q = %d", s, ns)
		}
		YearlessDate(s)
	})
}

func BenchmarkRFC3164(b *testing.B) {
	k := NewClock(nil, at("2024-01-01T00:00:00Z"))
	for b.Loop() {
		k.RFC3164("Mar  4 10:11:12 host sshd[1]: x")
	}
}

func BenchmarkISO(b *testing.B) {
	k := NewClock(nil, 0)
	for b.Loop() {
		k.ISO("2024-01-02T03:04:05.123456Z x")
	}
}

func BenchmarkCLF(b *testing.B) {
	k := NewClock(nil, 0)
	for b.Loop() {
		k.CLF("02/Jan/2024:03:04:05 -0700] x")
	}
}
