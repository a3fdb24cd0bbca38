package evtx

import "slices"

// Gaps finds the record ids missing from a log: records that were removed, or
// chunks that were lost. Ids may be added in any order and more than once. The
// zero value is ready. It keeps the stretches of ids seen, maxStretches of them
// at most; ids that would start one more are not counted.
type Gaps struct {
	runs []Gap // sorted, neither touching nor overlapping
	last int   // run added to last
}

// Gap is a range of ids, First and Last included.
type Gap struct{ First, Last uint64 }

const maxStretches = 1 << 14

// Add notes that the record with this id exists.
func (g *Gaps) Add(id uint64) { g.add(Gap{id, id}) }

// Merge adds all ids of other.
func (g *Gaps) Merge(other *Gaps) {
	for _, run := range other.runs {
		g.add(run)
	}
}

func (g *Gaps) add(run Gap) {
	// Nearly always the next id.
	if g.last < len(g.runs) {
		r := &g.runs[g.last]
		if run.First >= r.First && run.First <= r.Last+1 && r.Last != ^uint64(0) &&
			(g.last+1 == len(g.runs) || run.Last+1 < g.runs[g.last+1].First) {
			r.Last = max(r.Last, run.Last)
			return
		}
	}
	// The runs from i to j touch or overlap the new one.
	i, _ := slices.BinarySearchFunc(g.runs, run.First, func(r Gap, first uint64) int {
		if r.Last < first && first-r.Last > 1 {
			return -1
		}
		return 1
	})
	j := i
	for j < len(g.runs) && (g.runs[j].First <= run.Last || g.runs[j].First-run.Last == 1) {
		run.First = min(run.First, g.runs[j].First)
		run.Last = max(run.Last, g.runs[j].Last)
		j++
	}
	if i == j && len(g.runs) >= maxStretches {
		return
	}
	g.runs = slices.Replace(g.runs, i, j, run)
	g.last = i
}

// Missing returns the gaps between the lowest and the highest id seen, in order.
func (g *Gaps) Missing() []Gap {
	var missing []Gap
	for i := 1; i < len(g.runs); i++ {
		missing = append(missing, Gap{g.runs[i-1].Last + 1, g.runs[i].First - 1})
	}
	return missing
}

// Range returns the lowest and highest id seen and how many different ids there were.
func (g *Gaps) Range() (first, last, count uint64) {
	for _, r := range g.runs {
		count += r.Last - r.First + 1
	}
	if len(g.runs) > 0 {
		first, last = g.runs[0].First, g.runs[len(g.runs)-1].Last
	}
	return first, last, count
}
