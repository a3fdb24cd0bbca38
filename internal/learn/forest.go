package learn

import (
	"math"
	"math/rand/v2"
)

// Forest is an isolation forest: the fewer random cuts it takes to part a row
// from the others, the stranger the row (Liu, Ting, Zhou, Isolation Forest, ICDM 2008).
type Forest struct {
	trees [][]cut
	norm  float64 // mean number of cuts for a row of a sample
}

// cut is a node of a tree: rows whose value of the feature is below go left.
type cut struct {
	at          float64
	left, right int32 // nodes; left is 0 for a leaf
	feature     int16
	size        int32 // rows in a leaf
}

const (
	forestTrees  = 100
	forestSample = 256
)

// NewForest grows a forest on rows, all of the same length. The same rows and
// seed give the same forest.
func NewForest(rows [][]float64, seed uint64) *Forest {
	f := &Forest{norm: meanCuts(min(len(rows), forestSample))}
	if len(rows) == 0 {
		return f
	}
	depth := int(math.Ceil(math.Log2(float64(max(min(len(rows), forestSample), 2)))))
	for t := range forestTrees {
		g := grower{rows: rows, depth: depth, r: rand.New(rand.NewPCG(seed, uint64(t)))}
		g.grow(g.sample(), 0)
		f.trees = append(f.trees, g.tree)
	}
	return f
}

type grower struct {
	rows  [][]float64
	depth int
	r     *rand.Rand
	tree  []cut
}

// sample draws row numbers without putting any back (Floyd).
func (g *grower) sample() []int32 {
	n := len(g.rows)
	k := min(n, forestSample)
	in := map[int32]bool{}
	var out []int32
	for j := n - k; j < n; j++ {
		i := int32(g.r.IntN(j + 1))
		if in[i] {
			i = int32(j)
		}
		in[i] = true
		out = append(out, i)
	}
	return out
}

func (g *grower) grow(rows []int32, depth int) int32 {
	at := int32(len(g.tree))
	g.tree = append(g.tree, cut{size: int32(len(rows))})
	if depth >= g.depth || len(rows) < 2 {
		return at
	}
	// A feature in which the rows differ, each with the same chance.
	width := len(g.rows[0])
	var feature int
	var lo, hi float64
	found := 0
	for f := range width {
		l, h := math.Inf(1), math.Inf(-1)
		for _, r := range rows {
			l, h = min(l, g.rows[r][f]), max(h, g.rows[r][f])
		}
		if l < h {
			found++
			if g.r.IntN(found) == 0 {
				feature, lo, hi = f, l, h
			}
		}
	}
	if found == 0 {
		return at
	}
	x := lo + g.r.Float64()*(hi-lo)
	if x <= lo {
		x = math.Nextafter(lo, hi)
	}
	var left, right []int32
	for _, r := range rows {
		if g.rows[r][feature] < x {
			left = append(left, r)
		} else {
			right = append(right, r)
		}
	}
	l := g.grow(left, depth+1)
	r := g.grow(right, depth+1)
	g.tree[at] = cut{at: x, left: l, right: r, feature: int16(feature)}
	return at
}

// meanCuts is how many cuts a search without success takes in a random tree of n rows.
func meanCuts(n int) float64 {
	switch {
	case n <= 1:
		return 0
	case n == 2:
		return 1
	}
	return 2*(math.Log(float64(n-1))+0.5772156649015329) - 2*float64(n-1)/float64(n)
}

// Score returns how strange a row is: about 0.5 for any, towards 1 for one that
// stands alone.
func (f *Forest) Score(row []float64) float64 {
	if f.norm == 0 {
		return 0.5
	}
	cuts := 0.0
	for _, tree := range f.trees {
		n := int32(0)
		for tree[n].left != 0 {
			if c := &tree[n]; row[c.feature] < c.at {
				n = c.left
			} else {
				n = c.right
			}
			cuts++
		}
		cuts += meanCuts(int(tree[n].size))
	}
	return math.Exp2(-cuts / float64(len(f.trees)) / f.norm)
}

// Explain returns for each feature by how much the score would fall if the row
// had the usual value there instead.
func (f *Forest) Explain(row, usual []float64) []float64 {
	out := make([]float64, len(row))
	score := f.Score(row)
	changed := append([]float64(nil), row...)
	for i := range row {
		changed[i] = usual[i]
		out[i] = score - f.Score(changed)
		changed[i] = row[i]
	}
	return out
}
