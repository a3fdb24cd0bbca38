package learn

import (
	"bufio"
	"cmp"
	"compress/gzip"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/sextant-logs/sextant/logpattern"
)

// The models against labelled data of the corpus, beside what simple means find.

func corpus(t *testing.T, path ...string) string {
	t.Helper()
	p := filepath.Join(append([]string{cmp.Or(os.Getenv("SEXTANT_CORPUS"), "../../../shared/corpus")}, path...)...)
	if _, err := os.Stat(p); err != nil {
		t.Skip("no corpus: ", err)
	}
	return p
}

func show(t *testing.T, what string, q Quality) {
	t.Helper()
	t.Logf("learn %-44s AUC %.3f  best F1 %.3f (precision %.3f, recall %.3f)  precision at K %.3f", what, q.AUC, q.BestF1, q.BestP, q.Recall, q.Precision)
}

func lines(t *testing.T, path string, fn func(string)) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var s *bufio.Scanner
	if strings.HasSuffix(path, ".gz") {
		z, err := gzip.NewReader(f)
		if err != nil {
			t.Fatal(err)
		}
		s = bufio.NewScanner(z)
	} else {
		s = bufio.NewScanner(f)
	}
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		fn(s.Text())
	}
}

// TestSequencesOfOpenStackRequests learns the events of requests that went
// well, and tells those that did not by their strangest event.
func TestSequencesOfOpenStackRequests(t *testing.T) {
	dir := corpus(t, "anomaly_sequences", "openstack_parisakalaki")
	read := func(name string) (out [][]int32) {
		lines(t, filepath.Join(dir, name), func(l string) {
			_, events, _ := strings.Cut(l, ",")
			s := []int32{0} // the beginning
			for _, w := range strings.Fields(events) {
				n, _ := strconv.Atoi(w)
				s = append(s, int32(n)+1)
			}
			out = append(out, append(s, 1)) // the end
		})
		return out
	}
	model := NewSequence(2)
	count := map[int32]float64{}
	total := 0.0
	var sizes []float64
	for _, s := range read("openstack_train") {
		sizes = append(sizes, float64(len(s)))
		for i := 1; i < len(s); i++ {
			model.Learn(s[:i], s[i])
			count[s[i]]++
			total++
		}
	}
	mean, dev := meanDev(sizes)
	var surprise, rare, size []float64
	var truth []bool
	for name, bad := range map[string]bool{"openstack_test_normal": false, "openstack_test_abnormal": true} {
		for _, s := range read(name) {
			worst, rarest := 0.0, 0.0
			for i := 1; i < len(s); i++ {
				worst = max(worst, model.Surprise(s[:i], s[i]))
				rarest = max(rarest, -math.Log2((count[s[i]]+1)/(total+1)))
			}
			surprise, rare, size = append(surprise, worst), append(rare, rarest), append(size, math.Abs(float64(len(s))-mean)/dev)
			truth = append(truth, bad)
		}
	}
	q := Measure(surprise, truth)
	show(t, "OpenStack requests: surprise", q)
	show(t, "  baseline: rarest event", Measure(rare, truth))
	show(t, "  baseline: z-score of the number of events", Measure(size, truth))
	if q.AUC < 0.95 {
		t.Error("worse than it was")
	}
}

func meanDev(v []float64) (mean, dev float64) {
	for _, x := range v {
		mean += x / float64(len(v))
	}
	for _, x := range v {
		dev += (x - mean) * (x - mean) / float64(len(v))
	}
	return mean, math.Sqrt(dev)
}

// TestMessagesOfASupercomputer scores each message of BGL as it comes, having
// learnt from those before alone. The sample is 2,000 messages out of months.
func TestMessagesOfASupercomputer(t *testing.T) {
	path := corpus(t, "loghub", "BGL", "BGL_2k.log")
	model, miner := NewSequence(2), logpattern.New()
	var history []int32
	var surprise, rare []float64
	var truth []bool
	seen := map[int32]float64{}
	lines(t, path, func(l string) {
		f := strings.SplitN(l, " ", 10)
		if len(f) < 10 {
			return
		}
		miner.Add(f[9])
		h := int32(miner.Add(f[9]))
		surprise = append(surprise, model.Step(history, h))
		rare = append(rare, 1/(seen[h]+1))
		truth = append(truth, f[0] != "-")
		seen[h]++
		history = append(history, h)
	})
	show(t, "BGL messages: surprise", Measure(surprise, truth))
	show(t, "  baseline: rarity of the template", Measure(rare, truth))
}

type alert struct {
	time             int64
	name, host, kind string
	attack           bool
}

func alerts(t *testing.T, scenario string) (out []alert) {
	lines(t, corpus(t, "ait_alert_data_set", scenario+"_alerts.txt.gz"), func(l string) {
		// The name may hold commas; all else does not.
		f := strings.Split(l, ",")
		if len(f) < 7 || f[0] == "time" {
			return
		}
		at, _ := strconv.ParseInt(f[0], 10, 64)
		n := len(f)
		out = append(out, alert{at, strings.Join(f[1:n-5], ","), f[n-4], f[n-3], f[n-1] != "-"})
	})
	return out
}

var scenarios = []string{"russellmitchell", "santos", "shaw", "fox"}

// TestHostHoursWithAttacks asks which hours of which hosts are strange by the
// alerts in them; true are those with an alert that an attack caused.
func TestHostHoursWithAttacks(t *testing.T) {
	for _, scenario := range scenarios {
		type key struct {
			host string
			hour int64
		}
		type cell struct {
			n      float64
			kinds  map[string]float64
			attack bool
		}
		cells := map[key]*cell{}
		frequency := map[string]float64{}
		for _, a := range alerts(t, scenario) {
			k := key{a.host, a.time / 3600}
			c := cells[k]
			if c == nil {
				c = &cell{kinds: map[string]float64{}}
				cells[k] = c
			}
			c.n++
			c.kinds[a.kind]++
			c.attack = c.attack || a.attack
		}
		for _, c := range cells {
			for k := range c.kinds {
				frequency[k]++
			}
		}
		var rows [][]float64
		var truth []bool
		var counts, rare []float64
		keys := make([]key, 0, len(cells))
		for k := range cells {
			keys = append(keys, k)
		}
		slices.SortFunc(keys, func(a, b key) int { return cmp.Or(cmp.Compare(a.hour, b.hour), cmp.Compare(a.host, b.host)) })
		for _, k := range keys {
			c := cells[k]
			rarest, sum := 0.0, 0.0
			for kind := range c.kinds {
				bits := math.Log2(float64(len(cells)) / frequency[kind])
				rarest = max(rarest, bits)
				sum += bits
			}
			rows = append(rows, []float64{math.Log1p(c.n), math.Log1p(float64(len(c.kinds))), rarest, sum / float64(len(c.kinds))})
			truth = append(truth, c.attack)
			counts, rare = append(counts, c.n), append(rare, rarest)
		}
		forest := NewForest(rows, 1)
		var score []float64
		for _, r := range rows {
			score = append(score, forest.Score(r))
		}
		show(t, fmt.Sprintf("AIT %s host hours (%d): isolation forest", scenario, len(rows)), Measure(score, truth))
		show(t, "  baseline: number of alerts (its z-score)", Measure(counts, truth))
		show(t, "  baseline: rarest kind of alert", Measure(rare, truth))
	}
}

// TestAlertsAfterSomeVerdicts has an analyst judge some groups of alerts and
// ranks the others by that: those of the same network, and those of others. A group
// is the alerts of a kind on a host within an hour.
func TestAlertsAfterSomeVerdicts(t *testing.T) {
	type group struct {
		Example
		n, rarity float64
	}
	read := func(scenario string) (out []group) {
		at := map[string]int{}
		frequency := map[string]float64{}
		for _, a := range alerts(t, scenario) {
			k := fmt.Sprint(a.kind, "\x00", a.host, "\x00", a.time/3600)
			i, ok := at[k]
			if !ok {
				i = len(out)
				at[k] = i
				role := a.host[strings.LastIndexByte(a.host, '_')+1:]
				sensor, _, _ := strings.Cut(a.name, ":")
				out = append(out, group{Example: Example{Features: []string{"kind=" + a.kind, "role=" + role, "sensor=" + sensor}}})
				for _, w := range strings.Fields(strings.ToLower(a.name)) {
					out[i].Features = append(out[i].Features, "word="+w)
				}
				frequency[a.kind]++
			}
			out[i].n++
			out[i].True = out[i].True || a.attack
		}
		for i := range out {
			out[i].Features = append(out[i].Features, fmt.Sprintf("count=%.0f", math.Floor(math.Log2(out[i].n))))
			out[i].rarity = 1 / frequency[out[i].Features[0][len("kind="):]]
			out[i].Prior = math.Log(out[i].rarity)
		}
		return out
	}
	groups := map[string][]group{}
	for _, scenario := range scenarios {
		groups[scenario] = read(scenario)
	}
	// Half of what is judged is what the list shows first, half anything.
	judged := func(all []group, verdicts int) (told []Example, rest []group) {
		ranked := slices.Clone(all)
		slices.SortStableFunc(ranked, func(a, b group) int { return cmp.Compare(b.rarity, a.rarity) })
		for i, g := range ranked {
			if i < verdicts/2 || (i-verdicts/2)%((len(all)-verdicts/2)/(verdicts/2)) == 0 && len(told) < verdicts {
				told = append(told, g.Example)
			} else {
				rest = append(rest, g)
			}
		}
		return told, rest
	}
	score := func(what string, j *Judge, all []group, baselines bool) Quality {
		var scores, count, rare []float64
		var truth []bool
		for _, g := range all {
			p, _ := j.Judge(g.Features, g.Prior)
			scores, count, rare, truth = append(scores, p), append(count, g.n), append(rare, g.rarity), append(truth, g.True)
		}
		q := Measure(scores, truth)
		show(t, fmt.Sprintf("AIT %s (%d groups)", what, len(all)), q)
		if baselines {
			show(t, "  baseline: rarest kind first", Measure(rare, truth))
			show(t, "  baseline: most alerts first", Measure(count, truth))
		}
		return q
	}
	sum := 0.0
	for _, verdicts := range []int{20, 100, 400} {
		for _, scenario := range scenarios {
			told, rest := judged(groups[scenario], verdicts)
			q := score(fmt.Sprintf("%s, %d verdicts there", scenario, verdicts), Learn(told), rest, true)
			if verdicts == 400 {
				sum += q.AUC / float64(len(scenarios))
			}
		}
	}
	if sum < 0.9 {
		t.Errorf("mean AUC %.3f after 400 verdicts: worse than it was", sum)
	}
	told, _ := judged(groups[scenarios[0]], 400)
	for _, scenario := range scenarios[1:] {
		score(fmt.Sprintf("%s, 400 verdicts in %s", scenario, scenarios[0]), Learn(told), groups[scenario], false)
	}
}
