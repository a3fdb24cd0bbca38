package analyze

import (
	"context"
	"strings"
	"testing"
)

// A relay sends the logs of two hosts, each minute, for ten days; then that of one stops.
func TestALogThatDoesNotGoOnIsToldAgainstTheClock(t *testing.T) {
	w := newWorld(1, 0)
	begin := w.at(0, 0)
	stop, now := begin+10*24*hour, begin+10*24*hour+3*hour
	for at := begin; at < now; at += minute {
		w.add(at, "syslog", "host.name", "db1", "event.dataset", "system.syslog")
		if at < stop {
			w.add(at, "syslog", "host.name", "web1", "event.dataset", "system.syslog")
		}
	}
	for _, c := range []struct {
		name      string
		from, now int64 // of what was heard
		want      bool
	}{
		{"evidence that ends where it ends", 0, 0, false}, // host web1 has no other log
		{"after three hours", begin, now, true},
		{"after half an hour", begin, stop + 30*minute, false},
		{"the server has run for ten minutes only", now - 10*minute, now, false},
		{"the server was away, and the log has not come back for an hour", now - hour, now, true},
	} {
		s := NewSet(-1)
		for _, b := range w.batches(1000) {
			s.Merge(s.DigestUnordered("relay", b, nil))
		}
		if c.now != 0 {
			s.UpToNow(c.from, c.now)
		}
		var ends []string
		for i, tech := range s.techniques {
			if s.worked[i] && tech.Name() == "silence" {
				found, err := tech.Findings(context.Background(), emptyStore{})
				if err != nil {
					t.Fatal(err)
				}
				for _, f := range found {
					ends = append(ends, f.Explanation)
				}
			}
		}
		if got := len(ends) == 1 && strings.Contains(ends[0], "of web1: nothing more for "+lasting(c.now-stop+minute)); got != c.want || !c.want && len(ends) > 0 {
			t.Errorf("%s: %v", c.name, ends)
		}
	}
}
