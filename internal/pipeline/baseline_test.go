package pipeline

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sextant-logs/sextant/internal/report"
)

// told lists what techniques found, in words.
func told(inv *report.Investigation) []string {
	var out []string
	for _, f := range inv.Findings {
		if f.Kind != "sigma" {
			out = append(out, f.Rule.ID+": "+f.Explanation)
		}
	}
	slices.Sort(out)
	return out
}

// days are logins on one host over some days; on the last an account is attacked
// at night, on the fifth the clock is set back.
func days(first, last, attack int) string {
	var b strings.Builder
	for d := first; d < last; d++ {
		r := rand.New(rand.NewPCG(uint64(d), 1))
		at := time.Date(2026, 3, 2+d, 0, 0, 0, 0, time.UTC)
		line := func(t time.Time, format string, args ...any) {
			fmt.Fprintf(&b, "%s web1 sshd[%d]: %s\n", t.Format("2006-01-02T15:04:05.000000-07:00"), 1000+r.IntN(9000), fmt.Sprintf(format, args...))
		}
		for t := at; t.Before(at.Add(24 * time.Hour)); t = t.Add(time.Duration(60+r.IntN(600)) * time.Second) {
			if d == attack && t.Hour() == 2 {
				for range 250 {
					t = t.Add(2 * time.Second)
					line(t, "Failed password for backup-svc from 10.0.0.%d port %d ssh2", 1+r.IntN(3), 1024+r.IntN(60000))
				}
			}
			if d == 5 && t.Hour() >= 18 {
				line(t.Add(-6*time.Hour), "Accepted publickey for user%d from 10.0.1.%d port %d ssh2", r.IntN(5), r.IntN(5), 1024+r.IntN(60000))
				continue
			}
			user := r.IntN(5)
			if r.IntN(12) == 0 {
				line(t, "Failed password for user%d from 10.0.1.%d port %d ssh2", user, user, 1024+r.IntN(60000))
			}
			line(t, "Accepted publickey for user%d from 10.0.1.%d port %d ssh2", user, user, 1024+r.IntN(60000))
		}
	}
	return b.String()
}

func TestTomorrowsLogsAreJudgedByTheBaselinesOfTheCase(t *testing.T) {
	logs := t.TempDir()
	const today = 20
	old, fresh := filepath.Join(logs, "old.log"), filepath.Join(logs, "new.log")
	for path, text := range map[string]string{old: days(0, today, today), fresh: days(today, today+1, today)} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	together := told(investigated(t, t.TempDir(), 2, old, fresh))
	dir := t.TempDir()
	investigated(t, dir, 2, old)
	then := told(investigated(t, dir, 2, fresh)) // yesterday's log is no longer at hand
	if a, b := strings.Join(together, "\n"), strings.Join(then, "\n"); a != b {
		t.Errorf("in one run:\n%s\nin two:\n%s", a, b)
	}
	for _, want := range []string{"rates.failed-logins.user: account backup-svc: ", "clock"} {
		if !slices.ContainsFunc(then, func(s string) bool { return strings.HasPrefix(s, want) }) {
			t.Errorf("no %q among\n%s", want, strings.Join(then, "\n"))
		}
	}
	alone := told(investigated(t, t.TempDir(), 2, fresh))
	if slices.ContainsFunc(alone, func(s string) bool { return strings.Contains(s, "usually") }) {
		t.Errorf("a day by itself has no baseline:\n%s", strings.Join(alone, "\n"))
	}
}
