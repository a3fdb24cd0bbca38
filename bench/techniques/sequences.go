package main

import (
	"bufio"
	"compress/gzip"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

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

// openstack learns the events of requests that went well, and tells those that
// did not by their strangest event.
func (m *measurement) openstack() error {
	const dir = "anomaly_sequences/openstack_parisakalaki/"
	read := func(name string) (out [][]int32, err error) {
		err = m.lines(dir+name, func(l string) {
			_, events, _ := strings.Cut(l, ",")
			s := []int32{0} // the beginning
			for _, w := range strings.Fields(events) {
				n, _ := strconv.Atoi(w)
				s = append(s, int32(n)+1)
			}
			out = append(out, append(s, 1)) // the end
		})
		return out, err
	}
	train, err := read("openstack_train")
	if err != nil {
		return err
	}
	model := learn.NewSequence(2)
	count := map[int32]float64{}
	total := 0.0
	var sizes []float64
	for _, s := range train {
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
	for _, test := range []struct {
		name string
		bad  bool
	}{{"openstack_test_normal", false}, {"openstack_test_abnormal", true}} {
		all, err := read(test.name)
		if err != nil {
			return err
		}
		for _, s := range all {
			worst, rarest := 0.0, 0.0
			for i := 1; i < len(s); i++ {
				worst = max(worst, model.Surprise(s[:i], s[i]))
				rarest = max(rarest, -math.Log2((count[s[i]]+1)/(total+1)))
			}
			surprise, rare, size = append(surprise, worst), append(rare, rarest), append(size, math.Abs(float64(len(s))-mean)/dev)
			truth = append(truth, test.bad)
		}
	}
	header("OpenStack requests")
	q := learn.Measure(surprise, truth)
	show("surprise of the strangest event", q)
	show("  simply: the rarest event", learn.Measure(rare, truth))
	show("  simply: how unusual the number of events is", learn.Measure(size, truth))
	m.floor("openstack: AUC of surprise", q.AUC, 0.95)
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
	model, miner := learn.NewSequence(2), logpattern.New()
	var history []int32
	var surprise, rare []float64
	var truth []bool
	seen := map[int32]float64{}
	err := m.lines("loghub/BGL/BGL_2k.log", func(l string) {
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
	if err != nil {
		return err
	}
	header("BGL, messages")
	show("surprise", learn.Measure(surprise, truth))
	show("  simply: rarity of the kind of message so far", learn.Measure(rare, truth))
	const window = 20
	windows := func(v []float64) (out []float64) {
		for i := 0; i+window <= len(v); i += window {
			most := 0.0
			for _, x := range v[i : i+window] {
				most = max(most, x)
			}
			out = append(out, most)
		}
		return out
	}
	var bad []bool
	for i := 0; i+window <= len(truth); i += window {
		any := false
		for _, t := range truth[i : i+window] {
			any = any || t
		}
		bad = append(bad, any)
	}
	header("BGL, windows of 20")
	show("surprise of the strangest", learn.Measure(windows(surprise), bad))
	show("  simply: the rarest", learn.Measure(windows(rare), bad))
	return nil
}
