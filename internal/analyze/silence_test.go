package analyze

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// written are minutes in which a log has records.
type written struct {
	path, host, dataset string
	times               []int64
}

// every writes a log over so many days, once in so long, give or take a tenth.
func every(path, host string, days int, interval int64) written {
	r := rand.New(rand.NewPCG(uint64(len(path)), uint64(interval)))
	w := written{path, host, "system.syslog", nil}
	for t := worldStart; t < worldStart+int64(days)*day; t += interval {
		w.times = append(w.times, t+r.Int64N(interval/10+1))
	}
	return w
}

func (w written) without(from, to int64) written {
	w.times = slices.DeleteFunc(slices.Clone(w.times), func(t int64) bool { return from <= t && t < to })
	return w
}

// silent returns what silence says of logs.
func silent(t *testing.T, logs ...written) []Finding {
	t.Helper()
	s := newSilence().(*silence)
	for _, w := range logs {
		var records []made
		for _, at := range w.times {
			records = append(records, made{at, w.path, []string{"event.dataset", w.dataset, "host.name", w.host}})
		}
		for _, b := range batchesOf(w.path, records, 500) {
			if d := s.Digest(w.path, b); d != nil {
				s.Merge(d)
			}
		}
	}
	fs, err := s.Findings(context.Background(), emptyStore{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range fs {
		checkFinding(t, "silence", &fs[i])
	}
	return fs
}

const noon = 10*day + 12*hour // of a Thursday

func TestALogThatIsCutIsToldThoughAnotherOfItsDatasetGoesOn(t *testing.T) {
	kern := every("h/var/log/kern.log", "h", 14, 10*minute)
	fs := silent(t, kern.without(worldStart+noon, worldStart+noon+4*hour), every("h/var/log/syslog", "h", 14, minute))
	if len(fs) != 1 || fs[0].Level != "low" || !strings.HasPrefix(fs[0].Explanation, "kern.log (system.syslog) of h: nothing for 4 h") {
		t.Fatalf("%+v", fs)
	}
	if !strings.Contains(fs[0].Query, "h/var/log/kern.log") || strings.Contains(fs[0].Query, "h/var/log/syslog") {
		t.Errorf("it cites by %s", fs[0].Query)
	}
}

func TestAnHourlyHeartbeatIsMissedAndRandomRecordsAreNot(t *testing.T) {
	from, to := worldStart+noon, worldStart+noon+5*hour
	goesOn := every("h/syslog", "h", 14, minute)
	if fs := silent(t, goesOn, every("h/heartbeat.log", "h", 14, hour).without(from, to)); len(fs) != 1 {
		t.Errorf("an hourly log of which five hours are missing: %+v", fs)
	}
	r := rand.New(rand.NewPCG(5, 5))
	random := written{"h/random.log", "h", "system.syslog", nil}
	for at := worldStart; at < worldStart+14*day; at += int64(r.ExpFloat64() * float64(hour)) {
		random.times = append(random.times, at)
	}
	if fs := silent(t, goesOn, random.without(from, to)); len(fs) != 0 {
		t.Errorf("a log of a record an hour at random, of which five hours are missing: %+v", fs)
	}
}

func TestQuietNightsAndWeekendsAreNoSilence(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 6))
	w := written{"h/access.log", "h", "nginx.access", nil}
	for d := range int64(28) {
		if isWeekend(dayOf(worldStart + d*day)) {
			continue
		}
		for at := 8 * hour; at < 18*hour; at += int64(r.ExpFloat64() * float64(4*minute)) {
			w.times = append(w.times, worldStart+d*day+at)
		}
	}
	goesOn := every("h/syslog", "h", 28, minute)
	if fs := silent(t, goesOn, w); len(fs) != 0 {
		t.Errorf("%+v", fs)
	}
	if fs := silent(t, goesOn, w.without(worldStart+noon, worldStart+noon+4*hour)); len(fs) != 1 {
		t.Errorf("an afternoon is missing: %+v", fs)
	}
}

func TestRotatedFilesAreOneLog(t *testing.T) {
	all := every("", "h", 21, 5*minute)
	part := func(path string, from, to int64) written {
		w := written{path, "h", "system.syslog", nil}
		for _, at := range all.times {
			if worldStart+from <= at && at < worldStart+to {
				w.times = append(w.times, at)
			}
		}
		return w
	}
	other := every("h/other.log", "h", 21, minute)
	for _, names := range [][3]string{{"h/syslog.2.gz", "h/syslog.1", "h/syslog"}, {"h/app.2.log", "h/app.1.log", "h/app.log"}, {"h/u_ex260302.log", "h/u_ex260309.log", "h/u_ex260316.log"},
		{"h/system@000102030405060708090a0b0c0d0e0f-0000000000000001-0005f0a1b2c3d4e5.journal", "h/system@000102030405060708090a0b0c0d0e0f-0000000000000002-0005f0a1b2c3d4e6.journal", "h/system.journal"},
		{"part-a", "part-b", "part-c"}} {
		if fs := silent(t, other, part(names[0], 0, 7*day), part(names[1], 7*day, 14*day), part(names[2], 14*day, 21*day)); len(fs) != 0 {
			t.Errorf("%q: %+v", names, fs)
		}
		if names[0] == "part-a" {
			continue
		}
		fs := silent(t, other, part(names[0], 0, 7*day), part(names[1], 7*day, 12*day), part(names[2], 14*day, 21*day))
		if len(fs) != 1 || !strings.Contains(fs[0].Explanation, "nothing for 2 days") {
			t.Errorf("%q: the end of one is missing: %+v", names, fs)
		}
	}
}

func TestObjectsOfACloudAreOneLog(t *testing.T) {
	objects := func(skip func(i int) bool) (out []written) {
		r := rand.New(rand.NewPCG(7, 7))
		for i := range 14 * 24 * 4 {
			at := worldStart + int64(i)*15*minute
			w := written{fmt.Sprintf("logs/2026/03/%02d/123456789012_CloudTrail_%08x.json", i/96, r.Uint32()), "", "aws.cloudtrail", nil}
			for range 5 {
				w.times = append(w.times, at+r.Int64N(15*minute))
			}
			if !skip(i) {
				out = append(out, w)
			}
		}
		return out
	}
	if fs := silent(t, objects(func(int) bool { return false })...); len(fs) != 0 {
		t.Errorf("whole: %+v", fs)
	}
	fs := silent(t, objects(func(i int) bool { return 1000 <= i && i < 1024 })...)
	if len(fs) != 1 || !strings.HasPrefix(fs[0].Explanation, "log aws.cloudtrail: nothing for 6 h") {
		t.Errorf("six hours are missing: %+v", fs)
	}
}

func TestACopyIsToldOnce(t *testing.T) {
	a := every("h/var/log/syslog", "h", 14, 5*minute).without(worldStart+noon, worldStart+noon+4*hour)
	b := a
	b.path = "backup/var/log/syslog"
	if fs := silent(t, a, b, every("h/other.log", "h", 14, minute)); len(fs) != 1 {
		t.Errorf("%+v", fs)
	}
}

func TestLogsThatEndOrBeginLateAreTold(t *testing.T) {
	others := []written{every("h/a.log", "h", 14, minute), every("h/b.log", "h", 14, 3*minute), every("h/c.log", "h", 14, 5*minute)}
	log := every("h/auth.log", "h", 14, 20*minute)
	for _, c := range []struct {
		from, to int64
		id       string
	}{{10 * day, 15 * day, "silence.end"}, {0, 5 * day, "silence.begin"}} {
		fs := silent(t, append(others, log.without(worldStart+c.from, worldStart+c.to))...)
		if len(fs) != 1 || fs[0].Rule.ID != c.id || !strings.HasPrefix(fs[0].Explanation, "auth.log ") {
			t.Errorf("%s: %+v", c.id, fs)
		}
	}
	// One that was rotated may have been kept for a shorter time.
	kept := log.without(worldStart, worldStart+5*day)
	older, newer := kept.without(worldStart+8*day, worldStart+15*day), kept.without(worldStart, worldStart+8*day)
	older.path = "h/auth.log.1"
	if fs := silent(t, append(others, older, newer)...); len(fs) != 0 {
		t.Errorf("rotated: %+v", fs)
	}
}

func TestManyFilesAreWatchedInBoundedMemoryAndTime(t *testing.T) {
	s := newSilence().(*silence)
	began := time.Now()
	for i := range 3 * maxStreams {
		path := fmt.Sprintf("logs/%x", uint64(i)*0x9e3779b97f4a7c15)
		for _, b := range batchesOf(path, []made{{worldStart + int64(i)*minute, path, []string{"event.dataset", "d", "host.name", "h"}}}, 1) {
			s.Merge(s.Digest(path, b))
		}
	}
	if _, err := s.Findings(context.Background(), emptyStore{}); err != nil {
		t.Fatal(err)
	}
	if len(s.streams) > maxStreams+1 || len(s.limits()) == 0 {
		t.Errorf("%d streams, %q", len(s.streams), s.limits())
	}
	t.Logf("%d files in %v", 3*maxStreams, time.Since(began))
}
