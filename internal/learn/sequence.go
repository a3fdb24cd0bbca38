package learn

import "math"

// Sequence is a model of which symbol follows which: counts of all runs of up
// to Order+1 symbols. The chance of a symbol after a run is what came after that
// run, mixed with what came after its shorter ends, the less that is known of
// the run the more (interpolation after Witten and Bell, The Zero-Frequency
// Problem, IEEE Transactions on Information Theory 37(4), 1991).
type Sequence struct {
	order  int
	ids    map[[maxOrder]int32]int32 // runs, the newest symbol first, -1 behind their end
	runs   []run
	follow map[edge]int32 // how often a symbol came after a run
	known  int            // symbols
	seen   map[int32]bool
}

const (
	maxOrder = 3
	maxRuns  = 200_000 // runs that are remembered; what comes after others is told by their shorter ends
	maxEdges = 1_000_000
)

type run struct {
	count    int32 // symbols that came after it
	distinct int32 // different ones
	most     int32 // the most frequent
	mostN    int32 // how often it came
}

type edge struct{ run, next int32 }

// NewSequence returns an empty model that looks back over so many symbols, 1 to 3.
func NewSequence(order int) *Sequence {
	return &Sequence{order: max(1, min(order, maxOrder)), ids: map[[maxOrder]int32]int32{}, follow: map[edge]int32{}, seen: map[int32]bool{}}
}

// key is the run of the last n symbols of history.
func key(history []int32, n int) (k [maxOrder]int32) {
	for i := range k {
		k[i] = -1
		if i < n {
			k[i] = history[len(history)-1-i]
		}
	}
	return k
}

// Step returns how surprising next is after history, in bits, and learns it.
// What is usual is told from the longest run alone: that is quick.
func (s *Sequence) Step(history []int32, next int32) float64 {
	if id, ok := s.ids[key(history, min(s.order, len(history)))]; ok {
		r := &s.runs[id]
		e := edge{id, next}
		if c := s.follow[e]; c > 0 && c*4 >= r.count+r.distinct {
			s.follow[e] = c + 1
			bits := -math.Log2(float64(c) / float64(r.count+r.distinct))
			r.add(next, c+1)
			return bits
		}
	}
	bits := s.Surprise(history, next)
	s.Learn(history, next)
	return bits
}

func (r *run) add(next, times int32) {
	r.count++
	if times == 1 {
		r.distinct++
	}
	if times > r.mostN || times == r.mostN && next < r.most {
		r.most, r.mostN = next, times
	}
}

// Learn counts that next came after history. Symbols are not negative. Of a
// symbol that came after a run before, its shorter ends learn nothing new (update
// exclusion, Moffat, Implementing the PPM Data Compression Scheme, IEEE
// Transactions on Communications 38(11), 1990).
func (s *Sequence) Learn(history []int32, next int32) {
	if !s.seen[next] {
		if len(s.seen) < maxRuns {
			s.seen[next] = true
		}
		s.known++
	}
	for n := min(s.order, len(history)); n >= 0; n-- {
		k := key(history, n)
		id, ok := s.ids[k]
		if !ok {
			if len(s.runs) >= maxRuns {
				continue
			}
			id = int32(len(s.runs))
			s.ids[k] = id
			s.runs = append(s.runs, run{most: -1})
		}
		r := &s.runs[id]
		e := edge{id, next}
		c := s.follow[e] + 1
		if c == 1 && len(s.follow) >= maxEdges {
			continue
		}
		s.follow[e] = c
		r.add(next, c)
		if c > 1 {
			return
		}
	}
}

// Surprise returns how surprising next is after history, in bits.
func (s *Sequence) Surprise(history []int32, next int32) float64 {
	p := 1 / float64(s.known+1)
	for n := 0; n <= min(s.order, len(history)); n++ {
		id, ok := s.ids[key(history, n)]
		if !ok {
			break
		}
		r := &s.runs[id]
		p = (float64(s.follow[edge{id, next}]) + float64(r.distinct)*p) / (float64(r.count) + float64(r.distinct))
	}
	return -math.Log2(p)
}

// Expectation is what a model holds to come next.
type Expectation struct {
	Next  int32 // the most frequent symbol
	Times int   // how often it came
	Of    int   // of so many times that the run was seen
	Run   int   // how many symbols of the history the run has
}

// Expect returns what came most often after the longest end of history that was
// seen at least so many times.
func (s *Sequence) Expect(history []int32, least int) (x Expectation, ok bool) {
	for n := min(s.order, len(history)); n > 0; n-- {
		if id, known := s.ids[key(history, n)]; known && int(s.runs[id].count) >= least {
			r := s.runs[id]
			return Expectation{r.most, int(r.mostN), int(r.count), n}, true
		}
	}
	return x, false
}
