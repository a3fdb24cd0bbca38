package pipeline

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sextant-logs/sextant/internal/analyze"
	"github.com/sextant-logs/sextant/internal/learn"
	"github.com/sextant-logs/sextant/internal/simulate"
)

// TestHoursOfSimulatedIntrusionsStandApart scores each hour of each user, host
// and address of a simulated network; true are those with a record that an
// intrusion caused. `make corpus` (SEXTANT_CORPUS) shows the figures.
func TestHoursOfSimulatedIntrusionsStandApart(t *testing.T) {
	dir := t.TempDir()
	options := simulate.Options{Campaigns: []string{"all"}, Days: 2, Users: 10, Seed: 11}
	if _, err := simulate.Intrusion(dir, options); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(filepath.Join(dir, "labels.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	malicious := map[string]bool{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var l simulate.Label
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			t.Fatal(err)
		}
		if l.Label == "malicious" {
			malicious[l.Event] = true
		}
	}
	var technique analyze.Technique
	for _, x := range analyze.Techniques() {
		if x.Name() == "isolation" {
			technique = x
		}
	}
	type hour struct {
		field, entity string
		hour          int64
	}
	truth := map[hour]bool{}
	opt := Options{Paths: []string{filepath.Join(dir, "evidence")}}
	plan, err := NewPlan(context.Background(), opt)
	if err != nil {
		t.Fatal(err)
	}
	defer plan.Close()
	err = read(context.Background(), plan.Logs, opt,
		func(*Log) (bool, error) { return false, nil },
		func() worker { return worker{do: func(*task) error { return nil }} },
		func(task *task) error {
			if d := technique.Digest(task.log.path, &task.batch); d != nil {
				technique.Merge(d)
			}
			for i := range task.batch.Events {
				e := &task.batch.Events[i]
				if malicious[e.ID] {
					for _, field := range []string{"user.name", "host.name", "source.ip"} {
						truth[hour{field, e.Get(field), e.Time / int64(time.Hour)}] = true
					}
				}
			}
			return nil
		},
		func(*Log) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	for _, field := range []string{"user.name", "host.name", "source.ip"} {
		var score, count []float64
		var bad []bool
		for _, s := range analyze.Scores(technique) {
			if s.Field == field {
				score, count = append(score, s.Score), append(count, s.Events)
				bad = append(bad, truth[hour{field, s.Entity, s.Hour}])
			}
		}
		for what, values := range map[string][]float64{"isolation": score, "  baseline: number of records": count} {
			q := learn.Measure(values, bad)
			t.Logf("learn simulated %-10s %-30s AUC %.3f  best F1 %.3f (precision %.3f, recall %.3f)  precision at K %.3f, of %d hours", field, what, q.AUC, q.BestF1, q.BestP, q.Recall, q.Precision, len(bad))
			if what == "isolation" && !(q.AUC > 0.65) {
				t.Errorf("%s: the hours of intrusions do not stand apart", field)
			}
		}
	}
}
