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
	follow map[edge]int32 // places in counts
	counts []int32        // how often a symbol came after a run
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

// NewSequence returns an empty model that looks back over so many symbols, 1 to
// 3; with 1 it is a Markov chain of the first order.
func NewSequence(order int) *Sequence {
	return &Sequence{order: max(1, min(order, maxOrder)), ids: map[[maxOrder]int32]int32{}, follow: map[edge]int32{}}
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
// Symbols are not negative.
func (s *Sequence) Step(history []int32, next int32) float64 { return s.walk(history, next, true) }

// Learn counts that next came after history.
func (s *Sequence) Learn(history []int32, next int32) { s.walk(history, next, true) }

// Surprise returns how surprising next is after history, in bits.
func (s *Sequence) Surprise(history []int32, next int32) float64 { return s.walk(history, next, false) }

func (s *Sequence) walk(history []int32, next int32, learn bool) float64 {
	p := 1.0
	if len(s.runs) > 0 {
		p = 1 / float64(s.runs[0].distinct+1) // the empty run is the first
	}
	for n := 0; n <= min(s.order, len(history)); n++ {
		k := key(history, n)
		id, ok := int32(0), len(s.runs) > 0
		if n > 0 {
			id, ok = s.ids[k]
		}
		if !ok {
			if !learn {
				break
			}
			if len(s.runs) >= maxRuns {
				continue
			}
			id = int32(len(s.runs))
			if n > 0 {
				s.ids[k] = id
			}
			s.runs = append(s.runs, run{most: -1})
		}
		r := &s.runs[id]
		at, known := s.follow[edge{id, next}]
		c := int32(0)
		if known {
			c = s.counts[at]
		}
		if r.count > 0 {
			p = (float64(c) + float64(r.distinct)*p) / (float64(r.count) + float64(r.distinct))
		}
		if !learn {
			continue
		}
		if !known {
			if len(s.counts) >= maxEdges {
				continue
			}
			at = int32(len(s.counts))
			s.follow[edge{id, next}] = at
			s.counts = append(s.counts, 0)
			r.distinct++
		}
		c++
		s.counts[at] = c
		r.count++
		if c > r.mostN || c == r.mostN && next < r.most {
			r.most, r.mostN = next, c
		}
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

// Rarity returns how surprising something is that came so many times before
// among so many, in bits.
func Rarity(times, of int) float64 {
	return math.Log2(float64(max(times, of)+1) / float64(times+1))
}

// Blend says how much the surprise of a sequence counts in a log: where order
// explains what comes, it is what counts; where it does not, as among messages
// that many tasks write by turns, how rare the kind is at all. It learns from the bits that
// both would have taken to tell what came (minimum description length; Rissanen, Modeling by
// Shortest Data Description, Automatica 14, 1978).
type Blend struct{ order, rarity float64 }

// Learn takes in what something cost that is no repeat of what it came after.
func (b *Blend) Learn(order, rarity float64) {
	b.order += order
	b.rarity += rarity
}

// Weight is that of the order, from 0 to 1: the odds of the share of bits that
// it saves, squared, so that what explains most decides.
func (b *Blend) Weight() float64 {
	if b.order >= b.rarity {
		return 0
	}
	saved, rest := 1-b.order/b.rarity, b.order/b.rarity
	return saved * saved / (saved*saved + rest*rest)
}

// Bits is the surprise that counts: that of the harmonic mean of the two chances, by their
// weights (Wilson, The Harmonic Mean p-value for Combining Dependent Tests, PNAS 116(4), 2019):
// what is strange in one way is strange, by the less the less that way explains.
func (b *Blend) Bits(order, rarity float64) float64 {
	w := b.Weight()
	return math.Log2(w*math.Exp2(order) + (1-w)*math.Exp2(rarity))
}
