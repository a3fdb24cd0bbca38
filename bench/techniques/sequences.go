package main

import (
	"bufio"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/sextant-logs/sextant/internal/analyze"
	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/learn"
	"github.com/sextant-logs/sextant/logpattern"
)

// lines calls fn with each line of a file of the corpus, compressed or not.
func (m *measurement) lines(path string, fn func(string)) error {
	f, err := os.Open(filepath.Join(m.corpus, path))
	if err != nil {
		return err
	}
	defer f.Close()
	var r io.Reader = f
	if strings.HasSuffix(path, ".gz") {
		if r, err = gzip.NewReader(f); err != nil {
			return err
		}
	}
	s := bufio.NewScanner(r)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		fn(s.Text())
	}
	return s.Err()
}

// message is one of a log: of which stream and kind, what it is judged with, and whether it is bad.
type message struct {
	host, process string // process is empty in a log that does not name it
	kind          string
	unit          string
	bad           bool
}

// listening is what the technique sequences and simpler means made of messages as they came,
// each judged by those before it alone.
type listening struct {
	technique             analyze.Technique
	surprise, chain, rare []float64 // by message: the technique; a Markov chain of the first order; 1 over how often the kind came
	messages              []message
	units                 []string
	truth                 []bool    // by unit
	unitSurprise          []float64 // of a process, the most by which it took more bits than usual; else what is added up of its messages
	unitChain, unitRare   []float64 // of the strangest message
	addedChain, addedRare []float64 // of all of them, added up like the technique's
}

func (m message) stream() string { return m.host + "\x00" + m.process }

// listen shows messages to the technique, and those from the first-th on counts.
func listen(all []message, first int) *listening {
	l := &listening{technique: technique("sequences"), messages: all[first:]}
	chain := learn.NewSequence(1)
	last := map[string]int32{}
	number, times := map[string]int32{}, map[string]float64{}
	at := map[string]int{}
	var b event.Batch
	for i, x := range all {
		b.Reset()
		e := b.Begin(int64(i), x.kind)
		e.ID, e.Time = strconv.Itoa(i), int64(i)*1e9
		b.Add("event.dataset", "log")
		b.Add("host.name", x.host)
		b.Add("log.pattern.id", x.kind)
		if x.process != "" {
			b.Add("process.name", "program")
			b.Add("process.pid", x.process)
		}
		var s analyze.Surprise
		analyze.Surprises(l.technique, "log", &b, func(_ int, x analyze.Surprise) { s = x })
		n, ok := number[x.kind]
		if !ok {
			n = int32(len(number)) + 1
			number[x.kind] = n
		}
		var history []int32
		if h, ok := last[x.stream()]; ok {
			history = []int32{h}
		} else if x.process != "" {
			history = []int32{0} // where a process begins
		}
		linked := chain.Step(history, n)
		last[x.stream()] = n
		rare := 1 / (times[x.kind] + 1)
		times[x.kind]++
		if i < first {
			continue
		}
		l.surprise, l.chain, l.rare = append(l.surprise, s.Bits), append(l.chain, linked), append(l.rare, rare)
		u, ok := at[x.unit]
		if !ok {
			u = len(l.units)
			at[x.unit] = u
			l.units, l.truth = append(l.units, x.unit), append(l.truth, false)
			for _, v := range []*[]float64{&l.unitSurprise, &l.unitChain, &l.unitRare, &l.addedChain, &l.addedRare} {
				*v = append(*v, 0)
			}
		}
		l.truth[u] = l.truth[u] || x.bad
		if s.Begins {
			l.unitSurprise[u] = max(l.unitSurprise[u], s.Excess)
		} else {
			l.unitSurprise[u] += math.Exp2(s.Bits) // one over the harmonic mean of the chances, but for their number
		}
		l.unitChain[u], l.unitRare[u] = max(l.unitChain[u], linked), max(l.unitRare[u], rare)
		l.addedChain[u] += math.Exp2(linked)
		l.addedRare[u] += float64(i+1) * rare
	}
	return l
}

// show prints how well units are told by their strangest message.
func (l *listening) show(what string) learn.Quality {
	q := learn.Measure(l.unitSurprise, l.truth)
	show(fmt.Sprintf("%s (%d, %d true): surprise", what, len(l.truth), trues(l.truth)), q)
	show("  simply: a Markov chain of the first order", learn.Measure(l.unitChain, l.truth))
	show("  simply: the rarest kind, by how often it came so far", learn.Measure(l.unitRare, l.truth))
	show("  not so simply: the chain, added up", learn.Measure(l.addedChain, l.truth))
	show("  not so simply: rarity, added up", learn.Measure(l.addedRare, l.truth))
	return q
}

// better notes where the technique is not as good as each of the simple means.
func (m *measurement) better(what string, l *listening) {
	q := learn.Measure(l.unitSurprise, l.truth)
	m.floor(what+": AUC beside a Markov chain", q.AUC, learn.Measure(l.unitChain, l.truth).AUC)
	m.floor(what+": AUC beside rarity", q.AUC, learn.Measure(l.unitRare, l.truth).AUC)
}

// openstack learns the events of requests that went well, and tells those that
// did not by their strangest event.
func (m *measurement) openstack() error {
	const dir = "anomaly_sequences/openstack_parisakalaki/"
	read := func(name string, bad bool) (out [][]message, err error) {
		err = m.lines(dir+name, func(l string) {
			_, events, _ := strings.Cut(l, ",")
			var s []message
			id := fmt.Sprint(name, len(out))
			for _, w := range append(strings.Fields(events), "end") {
				s = append(s, message{process: id, kind: w, unit: id, bad: bad})
			}
			out = append(out, s)
		})
		return out, err
	}
	train, err := read("openstack_train", false)
	if err != nil {
		return err
	}
	well, err := read("openstack_test_normal", false)
	if err != nil {
		return err
	}
	ill, err := read("openstack_test_abnormal", true)
	if err != nil {
		return err
	}
	number := map[string]int32{}
	symbols := func(s []message) (out []int32) {
		out = []int32{0}
		for _, x := range s {
			if _, ok := number[x.kind]; !ok {
				number[x.kind] = int32(len(number)) + 1
			}
			out = append(out, number[x.kind])
		}
		return out
	}
	model, chain := learn.NewSequence(2), learn.NewSequence(1)
	count := map[int32]int{}
	total := 0
	var sizes []float64
	for _, r := range train {
		s := symbols(r)
		sizes = append(sizes, float64(len(s)))
		for i := 1; i < len(s); i++ {
			model.Learn(s[:i], s[i])
			chain.Learn(s[:i], s[i])
			count[s[i]]++
			total++
		}
	}
	mean, dev := meanDev(sizes)
	var surprise, linked, rare, size []float64
	var truth []bool
	for _, r := range slices.Concat(well, ill) {
		s := symbols(r)
		worst, link, rarest := 0.0, 0.0, 0.0
		for i := 1; i < len(s); i++ {
			worst, link = max(worst, model.Surprise(s[:i], s[i])), max(link, chain.Surprise(s[:i], s[i]))
			rarest = max(rarest, learn.Rarity(count[s[i]], total))
		}
		surprise, linked, rare, size = append(surprise, worst), append(linked, link), append(rare, rarest), append(size, math.Abs(float64(len(s))-mean)/dev)
		truth = append(truth, r[0].bad)
	}
	header("OpenStack, requests, having learnt 72 that went well")
	q := learn.Measure(surprise, truth)
	show("surprise of the strangest event", q)
	show("  simply: a Markov chain of the first order", learn.Measure(linked, truth))
	show("  simply: the rarest event", learn.Measure(rare, truth))
	show("  simply: how unusual the number of events is", learn.Measure(size, truth))
	m.floor("openstack: AUC of surprise", q.AUC, 0.98)

	// As an investigation meets them: all in one log, one in nine of them bad in much the same way.
	header("OpenStack, requests as they come, nothing told, in the order of three draws")
	for _, seed := range []uint64{2, 3, 4} {
		mixed := slices.Concat(well, ill)
		r := rand.New(rand.NewPCG(1, seed))
		r.Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
		l := listen(slices.Concat(mixed...), 0)
		l.show("requests")
		m.better("openstack, nothing told", l)
	}
	return nil
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

// bgl scores each message of BGL as it comes, having learnt from those before alone,
// and windows of 20 of them. The sample is 2,000 messages out of months.
func (m *measurement) bgl() error {
	miner := logpattern.New()
	var all []message
	var texts []string
	err := m.lines("loghub/BGL/BGL_2k.log", func(l string) {
		f := strings.SplitN(l, " ", 10)
		if len(f) < 10 {
			return
		}
		miner.Add(f[9])
		texts = append(texts, f[9])
		all = append(all, message{host: f[3], unit: strconv.Itoa(len(all) / 20), bad: f[0] != "-"})
	})
	if err != nil {
		return err
	}
	for i := range all {
		all[i].kind = strconv.Itoa(int(miner.Add(texts[i])))
	}
	l := listen(all, 0)
	var truth []bool
	for _, x := range all {
		truth = append(truth, x.bad)
	}
	header("BGL, messages")
	for _, part := range []struct {
		name     string
		from, to int
	}{{"all", 0, len(all)}, {"the first half", 0, len(all) / 2}, {"the second, after the first", len(all) / 2, len(all)}} {
		truth := truth[part.from:part.to]
		q := learn.Measure(l.surprise[part.from:part.to], truth)
		show(part.name+": surprise", q)
		show("  simply: a Markov chain of the first order", learn.Measure(l.chain[part.from:part.to], truth))
		rare := learn.Measure(l.rare[part.from:part.to], truth)
		show("  simply: rarity of the kind of message so far", rare)
		if part.name == "all" {
			m.floor("bgl: AUC of messages, beside rarity", q.AUC, rare.AUC)
		}
	}
	header("BGL, windows of 20 messages")
	l.show("windows")
	m.better("bgl, windows", l)
	return nil
}

// program is one of a grammar: steps in order, each with the chance that it is left out and that it comes again.
type program struct {
	steps      []string
	left, loop []float64
}

// programs makes some, the later the rarer. Some of their steps are those of others.
func programs(r *rand.Rand) (out []program, steps []string) {
	for range 12 {
		var p program
		for range 4 + r.IntN(8) {
			k := fmt.Sprint("step", len(steps))
			if len(steps) > 5 && r.IntN(4) == 0 {
				k = steps[r.IntN(len(steps))]
			} else {
				steps = append(steps, k)
			}
			left, loop := 0.0, 0.0
			if r.IntN(5) == 0 {
				left = 0.1 + 0.5*r.Float64()
			}
			if r.IntN(6) == 0 {
				loop = 0.5
			}
			p.steps, p.left, p.loop = append(p.steps, k), append(p.left, left), append(p.loop, loop)
		}
		out = append(out, p)
	}
	return out, steps
}

func (p *program) run(r *rand.Rand) (out []string) {
	for i, k := range p.steps {
		if r.Float64() < p.left[i] {
			continue
		}
		out = append(out, k)
		for r.Float64() < p.loop[i] {
			out = append(out, k)
		}
	}
	return out
}

// faults are what can go wrong with a run.
var faults = []struct {
	name string
	do   func(r *rand.Rand, run, steps []string) []string
}{
	{"two steps swapped", func(r *rand.Rand, run, _ []string) []string {
		for range 20 {
			if i := r.IntN(len(run) - 1); run[i] != run[i+1] {
				run[i], run[i+1] = run[i+1], run[i]
				break
			}
		}
		return run
	}},
	{"a step missing", func(r *rand.Rand, run, _ []string) []string {
		i := r.IntN(len(run))
		return slices.Delete(run, i, i+1)
	}},
	{"a step three times", func(r *rand.Rand, run, _ []string) []string {
		i := r.IntN(len(run))
		return slices.Insert(run, i, run[i], run[i])
	}},
	{"another's step", func(r *rand.Rand, run, steps []string) []string {
		return slices.Insert(run, 1+r.IntN(len(run)), steps[r.IntN(len(steps))])
	}},
	{"a step never seen", func(r *rand.Rand, run, _ []string) []string {
		return slices.Insert(run, 1+r.IntN(len(run)), fmt.Sprint("never", r.Uint64()))
	}},
}

// grammars has programs run 4,000 times, of which about one in 60 goes wrong, and asks which.
// In some logs one message in 200 is astray, which is no fault but looks like one; in some, nothing says which process wrote a message.
func (m *measurement) grammars() error {
	kinds := []struct {
		name  string
		noise float64
		mixed bool
	}{{"each message with its process", 0, false}, {"and one message in 200 astray", 0.005, false}, {"processes not named, four at a time", 0, true}}
	for _, k := range kinds {
		header("Programs with faults, " + k.name)
		var mean, chain, rare, right, wrong float64
		for _, f := range faults {
			var own, linked, rarest []float64
			var truth []bool
			findings, hits, found := 0, 0, map[string]bool{}
			for _, seed := range m.seeds {
				r := rand.New(rand.NewPCG(seed, 5))
				all, first := grammar(r, f.do, k.noise, k.mixed)
				l := listen(all, first)
				own, linked, rarest, truth = append(own, l.unitSurprise...), append(linked, l.unitChain...), append(rarest, l.unitRare...), append(truth, l.truth...)
				fs, err := l.technique.Findings(context.Background(), nil)
				if err != nil {
					return err
				}
				for _, f := range fs {
					findings++
					bad := false
					for _, e := range f.Evidence {
						i, _ := strconv.Atoi(e.ID)
						if all[i].bad {
							bad = true
							found[fmt.Sprint(seed, all[i].unit)] = true
						}
					}
					if bad {
						hits++
					}
				}
			}
			q, c, s := learn.Measure(own, truth), learn.Measure(linked, truth), learn.Measure(rarest, truth)
			show(fmt.Sprintf("%s (%d runs, %d true): surprise", f.name, len(truth), trues(truth)), q)
			show("  simply: a Markov chain of the first order", c)
			show("  simply: the rarest kind, by how often it came so far", s)
			fmt.Printf("  findings of the technique: %d, of runs with a fault %d; such runs told %d\n", findings, hits, len(found))
			n := float64(len(faults))
			mean, chain, rare = mean+q.AUC/n, chain+c.AUC/n, rare+s.AUC/n
			right, wrong = right+float64(hits), wrong+float64(findings-hits)
		}
		fmt.Printf("mean AUC: %.3f; Markov chain %.3f, rarity %.3f; findings: precision %.2f\n", mean, chain, rare, right/max(right+wrong, 1))
		if !k.mixed {
			m.floor("grammars: mean AUC of surprise, "+k.name, mean, 0.9)
			m.floor("grammars: and above that of a Markov chain", mean, chain-0.005)
		}
		if k.noise == 0 && !k.mixed {
			m.floor("grammars: precision of findings", right/max(right+wrong, 1), 0.9)
		}
	}
	return nil
}

// grammar has programs run; the messages before the first-th are of runs that only teach.
func grammar(r *rand.Rand, fault func(*rand.Rand, []string, []string) []string, noise float64, mixed bool) (all []message, first int) {
	const runs, lessons, at = 4000, 400, 4
	ps, steps := programs(r)
	var weights []float64
	sum := 0.0
	for i := range ps {
		sum += math.Pow(float64(i+1), -1.5)
		weights = append(weights, sum)
	}
	var open [][]message
	for n := range runs {
		x := r.Float64() * sum
		i, _ := slices.BinarySearch(weights, x)
		run := ps[min(i, len(ps)-1)].run(r)
		bad := n >= lessons && len(run) >= 3 && r.IntN(50) == 0
		if bad {
			run = fault(r, run, steps)
		}
		for i := range run {
			if r.Float64() < noise {
				run[i] = steps[r.IntN(len(steps))]
			}
		}
		if n == lessons {
			first = len(all)
		}
		id := strconv.Itoa(n)
		var ms []message
		for _, k := range append(run, "end") {
			x := message{host: "host", process: id, kind: k, unit: id, bad: bad}
			if mixed {
				x.process = ""
			}
			ms = append(ms, x)
		}
		open = append(open, ms)
		for mixed && len(open) >= at || !mixed && len(open) > 0 {
			j := r.IntN(len(open))
			all = append(all, open[j][0])
			if open[j] = open[j][1:]; len(open[j]) == 0 {
				open = slices.Delete(open, j, j+1)
			}
		}
	}
	return slices.Concat(all, slices.Concat(open...)), first
}
