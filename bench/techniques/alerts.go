package main

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sextant-logs/sextant/internal/analyze"
	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/learn"
	"github.com/sextant-logs/sextant/internal/triage"
	"github.com/sextant-logs/sextant/internal/verdict"
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
	var mean [2]float64
	for _, n := range networks {
		all, err := m.alerts(n)
		if err != nil {
			return err
		}
		if err := m.hostHours(n, all, &mean); err != nil {
			return err
		}
	}
	fmt.Printf("mean AUC: %.3f; the rarest kind of alert %.3f\n", mean[0], mean[1])
	m.floor("ait: mean AUC of isolation, beside the rarest kind", mean[0], mean[1])
	fmt.Println()
	if err := m.inOrder(); err != nil {
		return err
	}
	fmt.Println()
	return m.verdicts()
}

// inOrder asks which hours of which hosts have a strange alert by the order of alerts, each judged by those before it.
func (m *measurement) inOrder() error {
	header("AIT-ADS, hours of hosts by their alerts in order")
	var own, chain, rare float64
	for _, n := range networks {
		all, err := m.alerts(n)
		if err != nil {
			return err
		}
		var ms []message
		for _, a := range all {
			ms = append(ms, message{host: a.host, kind: a.kind, unit: fmt.Sprint(a.host, " ", a.time/3600), bad: a.attack})
		}
		l := listen(ms, 0)
		k := float64(len(networks))
		own += l.show(n).AUC / k
		m.better("ait, "+n+", in order", l)
		chain += learn.Measure(l.unitChain, l.truth).AUC / k
		rare += learn.Measure(l.unitRare, l.truth).AUC / k
	}
	fmt.Printf("mean AUC: %.3f; Markov chain %.3f, rarity %.3f\n", own, chain, rare)
	m.floor("ait: mean AUC of sequences, beside the better of chain and rarity", own, max(chain, rare)-0.005)
	return nil
}

// hostHours asks which hours of which hosts are strange by the alerts in them.
func (m *measurement) hostHours(network string, all []alert, mean *[2]float64) error {
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
	var truth []bool
	var counts, rare []float64
	for _, k := range keys {
		c := cells[k]
		rarest := 0.0
		for kind := range c.kinds {
			rarest = max(rarest, math.Log2(float64(len(cells))/frequency[kind]))
		}
		truth, counts, rare = append(truth, c.attack), append(counts, c.n), append(rare, rarest)
	}
	isolation := technique("isolation") // it is given the alerts as any records
	if d := isolation.Digest("alerts", &batch); d != nil {
		isolation.Merge(d)
	}
	own := map[key]analyze.Score{}
	for _, s := range analyze.Scores(isolation) {
		if s.Field == "host.name" {
			own[key{s.Entity, s.Hour}] = s
		}
	}
	var score, isolated []float64
	var rows [][]float64
	for _, k := range keys {
		score, isolated, rows = append(score, own[k].Score), append(isolated, own[k].Isolated), append(rows, own[k].Bits)
	}
	if err := writeRows(m.rows, network, keys, func(k key) ([]float64, float64, bool) { return own[k].Bits, own[k].Isolated, cells[k].attack }); err != nil {
		return err
	}
	q := learn.Measure(score, truth)
	show(fmt.Sprintf("%s (%d hours, %d true): technique isolation", network, len(keys), trues(truth)), q)
	show("  the forest alone", learn.Measure(isolated, truth))
	show("  simply: the rarest kind of alert", learn.Measure(rare, truth))
	show("  simply: number of alerts", learn.Measure(counts, truth))
	show("  simply: the highest z-score of a quantity", learn.Measure(zScores(rows), truth))
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
	mean[0], mean[1] = mean[0]+q.AUC/float64(len(networks)), mean[1]+learn.Measure(rare, truth).AUC/float64(len(networks))
	return nil
}

// zScores returns for each row by how many standard deviations the quantity that is furthest out is above the mean of all rows.
func zScores(rows [][]float64) []float64 {
	out := make([]float64, len(rows))
	for f := 0; len(rows) > 0 && f < len(rows[0]); f++ {
		var column []float64
		for _, r := range rows {
			column = append(column, r[f])
		}
		mean, dev := meanDev(column)
		for i, x := range column {
			if dev > 0 {
				out[i] = max(out[i], (x-mean)/dev)
			}
		}
	}
	return out
}

// writeRows writes to a file of dir what the forest is given of each hour, what it says and
// whether it is true, for isolation_forest.py. Without a dir it writes nothing.
func writeRows[K any](dir, name string, keys []K, of func(K) (bits []float64, isolated float64, is bool)) error {
	if dir == "" {
		return nil
	}
	f, err := os.Create(filepath.Join(dir, name+".csv"))
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriter(f)
	for _, k := range keys {
		bits, isolated, is := of(k)
		for _, x := range bits {
			fmt.Fprintf(w, "%g,", x)
		}
		fmt.Fprintf(w, "%g,%t\n", isolated, is)
	}
	return w.Flush()
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

// judging is what triage is given of a network: a finding for the alerts of a
// kind on a host within an hour, real if an attack caused one.
type judging struct {
	findings []triage.Finding
	real     map[string]bool // by id
	groups   map[string]float64
}

func (m *measurement) judging(network string) (*judging, error) {
	all, err := m.alerts(network)
	if err != nil {
		return nil, err
	}
	j := &judging{real: map[string]bool{}, groups: map[string]float64{}}
	at := map[string]int{}
	for _, a := range all {
		k := fmt.Sprint(a.kind, "\x00", a.host, "\x00", a.time/3600)
		i, ok := at[k]
		if !ok {
			i = len(j.findings)
			at[k] = i
			var f triage.Finding
			f.ID, f.Kind, f.Level, f.Title = fmt.Sprintf("f%05d", i), "sigma", "medium", a.name
			f.Rule.ID = a.kind
			sensor, _, _ := strings.Cut(a.name, ":")
			f.Datasets, f.Entities.Hosts = []string{strings.ToLower(sensor)}, []string{a.host}
			f.Finding.First = a.time * 1e9
			f.First = time.Unix(a.time, 0).UTC().Format(time.RFC3339)
			j.findings = append(j.findings, f)
			j.groups[a.kind]++
		}
		j.findings[i].Count++
		if a.attack {
			j.real[j.findings[i].ID] = true
		}
	}
	return j, nil
}

// ready makes a case of it, in which those findings are judged.
func (j *judging) ready(judged []string) *triage.Case {
	c := &triage.Case{Findings: j.findings, States: map[string]verdict.State{}}
	for _, id := range judged {
		v := verdict.FalsePositive
		if j.real[id] {
			v = verdict.TruePositive
		}
		c.States[id] = verdict.State{Kind: verdict.Finding, Verdict: v}
	}
	return c.Ready()
}

// simply are orders of the findings that need no verdict.
func (j *judging) rare(f *triage.Finding) float64 { return -j.groups[f.Rule.ID] }
func (j *judging) many(f *triage.Finding) float64 { return float64(f.Count) }

// first returns the n first findings in an order, the earlier of equals first.
func (j *judging) first(n int, by func(*triage.Finding) float64) (out []string) {
	ranked := slices.Clone(j.findings)
	slices.SortStableFunc(ranked, func(a, b triage.Finding) int { return cmp.Compare(by(&b), by(&a)) })
	for _, f := range ranked[:min(n, len(ranked))] {
		out = append(out, f.ID)
	}
	return out
}

// rest measures how well a ranking and the simple orders tell the findings that are not judged.
func (j *judging) rest(c *triage.Case, model *triage.Model) (learnt, rare, many learn.Quality) {
	chance := map[string]float64{}
	for _, it := range c.Rank(model) {
		if it.Verdict == "" {
			chance[it.ID] = it.Chance
		}
	}
	var l, r, n []float64
	var truth []bool
	for i := range j.findings {
		f := &j.findings[i]
		if p, ok := chance[f.ID]; ok {
			l, r, n, truth = append(l, p), append(r, j.rare(f)), append(n, j.many(f)), append(truth, j.real[f.ID])
		}
	}
	return learn.Measure(l, truth), learn.Measure(r, truth), learn.Measure(n, truth)
}

const verdictDraws = 10

// verdicts has an analyst judge some findings and ranks the others by that: those of the
// same network, and those of others. The analyst takes any; or one half from the top of the rarest,
// the other any; or works down the list as it stands, which learns every 20.
func (m *measurement) verdicts() error {
	all := map[string]*judging{}
	for _, n := range networks {
		j, err := m.judging(n)
		if err != nil {
			return err
		}
		all[n] = j
	}
	fmt.Println("AIT-ADS, AUC of findings not judged (in brackets: rarest kind first, most alerts first; the worst draw)")
	fmt.Printf("%-24s", "")
	for _, n := range networks {
		fmt.Printf("%-24s", n)
	}
	fmt.Println(" mean")
	for _, how := range []string{"any", "half of them rarest"} {
		for _, n := range []int{0, 20, 100, 400} {
			if n == 0 && how != "any" {
				continue
			}
			fmt.Printf("%3d %-20s", n, how)
			var mean, meanRare, meanMany float64
			for _, network := range networks {
				j := all[network]
				var sum, sumRare, sumMany float64
				least, draws := 1.0, verdictDraws
				if n == 0 {
					draws = 1
				}
				for d := range draws {
					var judged []string
					if how != "any" {
						judged = j.first(n/2, j.rare)
					}
					for _, i := range rand.New(rand.NewPCG(uint64(n), uint64(d))).Perm(len(j.findings)) {
						if id := j.findings[i].ID; len(judged) < n && !slices.Contains(judged, id) {
							judged = append(judged, id)
						}
					}
					c := j.ready(judged)
					q, r, s := j.rest(c, triage.Train(c))
					least = min(least, q.AUC)
					sum, sumRare, sumMany = sum+q.AUC/float64(draws), sumRare+r.AUC/float64(draws), sumMany+s.AUC/float64(draws)
				}
				fmt.Printf("%.3f (%.2f, %.2f; %.2f)  ", sum, sumRare, sumMany, least)
				k := float64(len(networks))
				mean, meanRare, meanMany = mean+sum/k, meanRare+sumRare/k, meanMany+sumMany/k
			}
			fmt.Printf(" %.3f (%.3f, %.3f)\n", mean, meanRare, meanMany)
			m.floor(fmt.Sprintf("ait: mean AUC after %d verdicts, %s, beside the better of rarest and most", n, how), mean, max(meanRare, meanMany))
		}
	}
	fmt.Println("\nAIT-ADS, chances foretold of findings not judged, and the share that is real (any are judged, all networks and draws)")
	for _, n := range []int{20, 100, 400} {
		var chance, prior []float64
		var truth []bool
		for _, network := range networks {
			j := all[network]
			for d := range verdictDraws {
				var judged []string
				for _, i := range rand.New(rand.NewPCG(uint64(n), uint64(d))).Perm(len(j.findings))[:n] {
					judged = append(judged, j.findings[i].ID)
				}
				c := j.ready(judged)
				for _, it := range c.Rank(triage.Train(c)) {
					if it.Verdict == "" {
						chance, prior, truth = append(chance, it.Chance), append(prior, it.Prior), append(truth, j.real[it.ID])
					}
				}
			}
		}
		r, p := learn.Rely(chance, truth), learn.Rely(prior, truth)
		fmt.Printf("%3d verdicts:", n)
		for _, b := range r.Bins {
			if b.N > 0 {
				fmt.Printf("  %.2f is %.2f (%d)", b.Foretold, b.True, b.N)
			}
		}
		fmt.Printf("; Brier %.4f (without verdicts %.4f, the same for all %.4f), mean error %.3f (%.3f)\n", r.Brier, p.Brier, r.Base, r.Error, p.Error)
		m.floor(fmt.Sprintf("ait: Brier score after %d verdicts, beside the same chance for all", n), r.Base, r.Brier)
	}
	fmt.Println("\nAIT-ADS, real ones among the first 20, 100, 400 that the analyst looks at")
	for _, network := range networks {
		j := all[network]
		line := func(what string, ids []string) {
			fmt.Printf("%-40s", what)
			real := 0
			for i, id := range ids {
				if j.real[id] {
					real++
				}
				if n := i + 1; n == 20 || n == 100 || n == 400 {
					fmt.Printf(" %5d", real)
				}
			}
			fmt.Println()
		}
		var seen []string
		for len(seen) < 400 {
			c := j.ready(seen)
			n := 0
			for _, it := range c.Rank(triage.Train(c)) {
				if it.Verdict == "" && n < 20 {
					seen = append(seen, it.ID)
					n++
				}
			}
		}
		line(fmt.Sprintf("%s (%d of %d real): the list", network, len(j.real), len(j.findings)), seen)
		line("  without verdicts", firstOf(j, 400))
		line("  simply: rarest kind first", j.first(400, j.rare))
		line("  simply: most alerts first", j.first(400, j.many))
	}
	fmt.Println("\nAIT-ADS, AUC for the findings of a network with 400 verdicts of another (any; in brackets: its rarest kind first)")
	for _, a := range networks {
		ids := []string{}
		for _, i := range rand.New(rand.NewPCG(400, 0)).Perm(len(all[a].findings))[:400] {
			ids = append(ids, all[a].findings[i].ID)
		}
		model := triage.Train(all[a].ready(ids))
		fmt.Printf("%-16s", a)
		for _, b := range networks {
			if a != b {
				q, r, _ := all[b].rest(all[b].ready(nil), model)
				fmt.Printf("  %s %.3f (%.2f)", b, q.AUC, r.AUC)
			}
		}
		fmt.Println()
	}
	return nil
}

// firstOf returns the first n of the list without verdicts.
func firstOf(j *judging, n int) (out []string) {
	c := j.ready(nil)
	for _, it := range c.Rank(triage.Train(c))[:n] {
		out = append(out, it.ID)
	}
	return out
}
