package evtx

// Gaps finds the record ids missing from a log. Ids may be added in any order and more
// than once. The zero value is ready.
type Gaps struct{}

// Gap is a range of missing ids, First and Last included.
type Gap struct{ First, Last uint64 }

// Add notes that the record with this id exists.
func (g *Gaps) Add(id uint64) { panic("todo") }

// Merge adds all ids of other.
func (g *Gaps) Merge(other *Gaps) { panic("todo") }

// Missing returns the gaps between the lowest and the highest id seen, in order.
func (g *Gaps) Missing() []Gap { panic("todo") }

// Range returns the lowest and highest id seen and how many different ids there were.
func (g *Gaps) Range() (first, last, count uint64) { panic("todo") }
