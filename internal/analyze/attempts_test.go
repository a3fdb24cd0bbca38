package analyze

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sextant-logs/sextant/internal/event"
)

// sshd writes up to three records of one attempt on a name that it does not know.
func TestAnAttemptOfThreeRecordsIsOne(t *testing.T) {
	record := func(at int64, user string, fields ...string) event.Event {
		e := event.Event{Time: at}
		for i, f := range append([]string{"event.dataset", "system.auth", "host.name", "web1", "source.ip", "10.9.9.9", "user.name", user, "event.category", "authentication", "event.outcome", "failure"}, fields...) {
			if i%2 == 0 {
				e.Fields = append(e.Fields, event.Field{Name: f})
			} else {
				e.Fields[len(e.Fields)-1].Value = f
			}
		}
		return e
	}
	for _, c := range []struct {
		name                       string
		announced, refused, leaves bool
		narrow                     bool // the query leaves out what is no refusal
	}{
		{"a server that takes passwords", true, true, true, true},
		{"one that takes keys only", true, false, true, false},
		{"a log of refusals", false, true, false, false},
	} {
		var b event.Batch
		for i := range 30 {
			at, user := int64(1_772_400_000+i)*1e9, fmt.Sprint("u", i)
			if c.announced {
				b.Events = append(b.Events, record(at, user, "event.action", "ssh_login", "system.auth.ssh.event", "Invalid"))
			}
			if c.refused {
				b.Events = append(b.Events, record(at+1, user, "event.action", "ssh_login", "system.auth.ssh.event", "Failed"))
			}
			if c.leaves {
				b.Events = append(b.Events, record(at+2, user, "event.action", "ssh_preauth_disconnect"))
			}
		}
		all := run(t, []*event.Batch{&b}, 1)["fan"]
		if len(all) != 1 || all[0].Count != 30 || !strings.Contains(all[0].Explanation, "30 different accounts with 30 attempts") {
			t.Fatalf("%s: %+v", c.name, all)
		}
		if strings.Contains(all[0].Query, Leaving) != c.narrow {
			t.Errorf("%s: %s", c.name, all[0].Query)
		}
	}
}

func TestSuddenIsWhatAllOtherHoursHadLittleOf(t *testing.T) {
	quiet := series{{hour: 1, count: 3}, {hour: 5, count: 8}, {hour: 9, count: 1}, {hour: 20, count: 2}, {hour: 30, count: 4}, {hour: 50, count: 40}, {hour: 51, count: 30}}
	for i, want := range []bool{false, false, false, false, false, true, false} {
		if got := quiet.sudden(i); got != want {
			t.Errorf("hour %d: %v", quiet[i].hour, got)
		}
	}
	if few := quiet[2:6]; few.sudden(3) {
		t.Error("of three other hours nothing is known")
	}
}
