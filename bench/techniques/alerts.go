package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/sextant-logs/sextant/internal/analyze"
	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/learn"
)

// alert is a row of the AIT alert data set (Landauer, Skopik, Wurzenberger, 2024).
type alert struct {
	time             int64
	name, host, kind string
	attack           bool
}

var networks = []string{"russellmitchell", "santos", "shaw", "fox"}

func (m *measurement) alerts(network string) (out []alert, err error) {
	err = m.lines("ait_alert_data_set/"+network+"_alerts.txt.gz", func(l string) {
		// The name may hold commas; all else does not.
		f := strings.Split(l, ",")
		if len(f) < 7 || f[0] == "time" {
			return
		}
		at, _ := strconv.ParseInt(f[0], 10, 64)
		n := len(f)
		out = append(out, alert{at, strings.Join(f[1:n-5], ","), f[n-4], f[n-3], f[n-1] != "-"})
	})
	return out, err
}

func (m *measurement) ait() error {
	header("AIT-ADS, hours of hosts with an alert that an attack caused")
	for _, n := range networks {
		all, err := m.alerts(n)
		if err != nil {
			return err
		}
		hostHours(n, all)
	}
	fmt.Println()
	return m.verdicts()
}

// hostHours asks which hours of which hosts are strange by the alerts in them.
func hostHours(network string, all []alert) {
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
	var batch event.Batch
	for _, a := range all {
		k := key{a.host, a.time / 3600}
		c := cells[k]
		if c == nil {
			c = &cell{kinds: map[string]float64{}}
			cells[k] = c
		}
		c.n++
		c.kinds[a.kind]++
		c.attack = c.attack || a.attack
		batch.Begin(0, "alert")
		batch.Event().Time = a.time * 1e9
		sensor, _, _ := strings.Cut(a.name, ":")
		batch.Add("event.dataset", strings.ToLower(sensor))
		batch.Add("event.action", a.kind)
		batch.Add("host.name", a.host)
	}
	var keys []key
	for k, c := range cells {
		keys = append(keys, k)
		for kind := range c.kinds {
			frequency[kind]++
		}
	}
	slices.SortFunc(keys, func(a, b key) int { return cmp.Or(cmp.Compare(a.hour, b.hour), cmp.Compare(a.host, b.host)) })
	var rows [][]float64
	var truth []bool
	var counts, rare []float64
	for _, k := range keys {
		c := cells[k]
		rarest, sum := 0.0, 0.0
		for _, kind := range slices.Sorted(maps.Keys(c.kinds)) { // sums of floats depend on the order
			bits := math.Log2(float64(len(cells)) / frequency[kind])
			rarest = max(rarest, bits)
			sum += bits
		}
		rows = append(rows, []float64{math.Log1p(c.n), math.Log1p(float64(len(c.kinds))), rarest, sum / float64(len(c.kinds))})
		truth = append(truth, c.attack)
		counts, rare = append(counts, c.n), append(rare, rarest)
	}
	forest := learn.NewForest(rows, 1)
	var score []float64
	for _, r := range rows {
		score = append(score, forest.Score(r))
	}
	// And the technique as it is, which is given the alerts as any records.
	isolation := technique("isolation")
	if d := isolation.Digest("alerts", &batch); d != nil {
		isolation.Merge(d)
	}
	own := map[key]float64{}
	for _, s := range analyze.Scores(isolation) {
		if s.Field == "host.name" {
			own[key{s.Entity, s.Hour}] = s.Score
		}
	}
	var ofTechnique []float64
	for _, k := range keys {
		ofTechnique = append(ofTechnique, own[k])
	}
	show(fmt.Sprintf("%s (%d hours, %d true): technique isolation", network, len(rows), trues(truth)), learn.Measure(ofTechnique, truth))
	show("  the forest on numbers and rarity of alerts", learn.Measure(score, truth))
	show("  simply: the rarest kind of alert", learn.Measure(rare, truth))
	show("  simply: number of alerts", learn.Measure(counts, truth))
	findings, _ := isolation.Findings(context.Background(), nil)
	right := 0
	for _, f := range findings {
		for k, c := range cells { // what the finding is of is cited later, from a store
			if c.attack && k.hour == f.First/1e9/3600 && strings.HasPrefix(f.Explanation, k.host+" on ") {
				right++
			}
		}
	}
	fmt.Printf("  findings of the technique: %d, of hours with an attack %d\n", len(findings), right)
}

func trues(v []bool) (n int) {
	for _, t := range v {
		if t {
			n++
		}
	}
	return n
}

// technique makes a fresh one.
func technique(name string) analyze.Technique {
	for _, t := range analyze.Techniques() {
		if t.Name() == name {
			return t
		}
	}
	panic("no technique " + name)
}

// verdicts has an analyst judge some groups of alerts and ranks the others by
// that: those of the same network, and those of others. A group is the alerts of a kind on a
// host within an hour.
func (m *measurement) verdicts() error {
	type group struct {
		learn.Example
		n, rarity float64
	}
	groups := map[string][]group{}
	for _, network := range networks {
		all, err := m.alerts(network)
		if err != nil {
			return err
		}
		var out []group
		at := map[string]int{}
		frequency := map[string]float64{}
		for _, a := range all {
			k := fmt.Sprint(a.kind, "\x00", a.host, "\x00", a.time/3600)
			i, ok := at[k]
			if !ok {
				i = len(out)
				at[k] = i
				role := a.host[strings.LastIndexByte(a.host, '_')+1:]
				sensor, _, _ := strings.Cut(a.name, ":")
				out = append(out, group{Example: learn.Example{Features: []string{"kind=" + a.kind, "role=" + role, "sensor=" + sensor}}})
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
		groups[network] = out
	}
	// Half of what is judged is what the list shows first, half anything.
	judged := func(all []group, verdicts int) (told []learn.Example, rest []group) {
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
	ranked := func(j *learn.Judge, all []group) (byVerdicts, byRarity, byCount learn.Quality) {
		var scores, count, rare []float64
		var truth []bool
		for _, g := range all {
			p, _ := j.Judge(g.Features, g.Prior)
			scores, count, rare, truth = append(scores, p), append(count, g.n), append(rare, g.rarity), append(truth, g.True)
		}
		return learn.Measure(scores, truth), learn.Measure(rare, truth), learn.Measure(count, truth)
	}
	for _, verdicts := range []int{20, 100, 400} {
		header(fmt.Sprintf("AIT-ADS, groups of alerts after %d verdicts", verdicts))
		var sum, rare, count float64
		for _, n := range networks {
			told, rest := judged(groups[n], verdicts)
			q, r, c := ranked(learn.Learn(told), rest)
			real := 0
			for _, e := range told {
				if e.True {
					real++
				}
			}
			show(fmt.Sprintf("%s (%d groups; %d of the verdicts real)", n, len(rest), real), q)
			show("  simply: rarest kind first", r)
			show("  simply: most alerts first", c)
			sum, rare, count = sum+q.AUC/float64(len(networks)), rare+r.AUC/float64(len(networks)), count+c.AUC/float64(len(networks))
		}
		fmt.Printf("mean AUC: %.3f; rarest kind first %.3f, most alerts first %.3f\n", sum, rare, count)
		if verdicts == 400 {
			m.floor("ait: mean AUC after 400 verdicts", sum, 0.9)
		}
	}
	header("AIT-ADS, 400 verdicts of " + networks[0] + " applied to others")
	told, _ := judged(groups[networks[0]], 400)
	for _, n := range networks[1:] {
		q, _, _ := ranked(learn.Learn(told), groups[n])
		show(n, q)
	}
	return nil
}
