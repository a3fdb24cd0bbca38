package analyze

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// stepping is a log of records a minute apart with a step back before some of them.
func stepping(back map[int]int64) []made {
	var out []made
	t := worldStart
	for i := range 600 {
		t += minute - back[i]
		out = append(out, made{t, "src", []string{"event.dataset", "system.syslog", "host.name", "srv1"}})
	}
	return out
}

func steps(t *testing.T, records []made, size int) []Finding {
	t.Helper()
	c := newClock()
	for _, b := range batchesOf("src", records, size) {
		c.Merge(c.Digest("syslog", b))
	}
	fs, err := c.Findings(context.Background(), emptyStore{})
	if err != nil {
		t.Fatal(err)
	}
	return fs
}

func TestAStepBackIsFoundAlsoBetweenBatches(t *testing.T) {
	for _, size := range []int{1, 100, 1000} {
		fs := steps(t, stepping(map[int]int64{300: 20 * minute}), size)
		if len(fs) != 1 || fs[0].Level != "low" || !strings.Contains(fs[0].Explanation, "steps back once, by 19 min") {
			t.Fatalf("batches of %d: %+v", size, fs)
		}
		for _, id := range []string{"src-000000012b", "src-000000012c"} {
			if !strings.Contains(fs[0].Query, id) {
				t.Errorf("batches of %d: %s is not cited: %s", size, id, fs[0].Query)
			}
		}
	}
}

func TestTheEndOfSummerTimeIsNoMoreThanInformation(t *testing.T) {
	fs := steps(t, stepping(map[int]int64{300: hour + minute}), 100)
	if len(fs) != 1 || fs[0].Level != "informational" || len(fs[0].Techniques) != 0 {
		t.Errorf("%+v", fs)
	}
}

func TestALogThatIsNotInOrderIsNotJudged(t *testing.T) {
	back := map[int]int64{}
	for i := 10; i < 600; i += 20 {
		back[i] = 10 * minute
	}
	if fs := steps(t, stepping(back), 100); len(fs) != 0 {
		t.Errorf("%+v", fs)
	}
}

func TestALogThatEndsWithinARecordIsCut(t *testing.T) {
	c := newClock()
	bs := batchesOf("src", stepping(nil), 250)
	last := bs[len(bs)-1]
	last.Events[len(last.Events)-1].Err = "not a record"
	for _, b := range bs {
		c.Merge(c.Digest("syslog", b))
	}
	fs, _ := c.Findings(context.Background(), emptyStore{})
	if len(fs) != 1 || fs[0].Rule.ID != "clock.cut" || !strings.Contains(fs[0].Query, fmt.Sprintf("src-%010x", 599)) {
		t.Errorf("%+v", fs)
	}
}

func TestConnectionsAreInOrderOfWhenTheyWereWritten(t *testing.T) {
	// Each record has the time the connection began; those that were not closed are written five minutes after their last packet.
	connections := func(back int64) []made {
		type record struct{ written, began, lasted int64 }
		var all []record
		for i := range int64(2000) {
			began, lasted, idle := worldStart+i*10*second, i*i*7919%3600*second, int64(0)
			if i%7 == 0 {
				idle = 5 * minute
			}
			all = append(all, record{began + lasted + idle, began, lasted})
		}
		slices.SortFunc(all, func(a, b record) int { return cmp.Compare(a.written, b.written) })
		var out []made
		for i, r := range all {
			if i > 1000 {
				r.began -= back
			}
			out = append(out, made{r.began, "src", []string{"event.dataset", "zeek.connection", "event.duration", fmt.Sprint(r.lasted)}})
		}
		return out
	}
	for _, size := range []int{7, 5000} {
		if fs := steps(t, connections(0), size); len(fs) != 0 {
			t.Errorf("%+v", fs)
		}
		if fs := steps(t, connections(20*minute), size); len(fs) != 1 || !strings.Contains(fs[0].Explanation, "steps back once") {
			t.Errorf("%+v", fs)
		}
	}
}
