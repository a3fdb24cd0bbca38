package chart

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/sextant-logs/sextant/internal/prose"
)

// Graph shows entities in columns by their kind and what connects them: who
// came from where, to which host, and ran what. Of each kind the best connected
// are drawn; the rest are one, "n more".
type Graph struct {
	Title string
	Unit  string   // of Edge.Value, as in Bars
	Kinds []string // headings of the columns
	Nodes []Node
	Edges []Edge

	index map[[2]string]int // of nodes, by kind and name
}

// Node returns the index of the node of a kind with a name, which it adds if there is none.
func (g *Graph) Node(kind int, name string) int {
	key := [2]string{g.Kinds[kind], name}
	i, ok := g.index[key]
	if !ok {
		if g.index == nil {
			g.index = map[[2]string]int{}
		}
		i = len(g.Nodes)
		g.index[key] = i
		g.Nodes = append(g.Nodes, Node{Name: name, Kind: kind})
	}
	return i
}

// Node is an entity; Kind is its column.
type Node struct {
	Name string
	Kind int
}

// Edge leads from one node of Graph.Nodes to another by their indexes.
type Edge struct {
	From, To int
	Value    float64 // how much; decides the width
	Label    string  // shown when the reader points at it
}

const maxColumnNodes = 14

// net is a Graph made ready to draw: few nodes, edges without doubles.
type net struct {
	nodes   []netNode
	edges   []Edge
	columns [][]int // by column, from top to bottom
	heads   []string
}

type netNode struct {
	name   string
	column int
	weight float64
	more   bool
	box    rect
}

func (g Graph) heading() string { return g.Title }

func (g Graph) prepare() net {
	var n net
	weight := make([]float64, len(g.Nodes))
	ok := func(i int) bool { return i >= 0 && i < len(g.Nodes) }
	for _, e := range g.Edges {
		if ok(e.From) && ok(e.To) && finite(e.Value) {
			weight[e.From] += math.Log1p(max(e.Value, 0)) + 1
			weight[e.To] += math.Log1p(max(e.Value, 0)) + 1
		}
	}
	used := map[int]bool{}
	for _, x := range g.Nodes {
		used[min(max(x.Kind, 0), 7)] = true
	}
	place := map[int]int{}
	for kind := range 8 {
		if used[kind] {
			place[kind] = len(n.columns)
			n.columns = append(n.columns, nil)
			head := ""
			if kind < len(g.Kinds) {
				head = g.Kinds[kind]
			}
			n.heads = append(n.heads, head)
		}
	}
	order := make([]int, len(g.Nodes))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(weight[b], weight[a]), cmp.Compare(g.Nodes[a].Name, g.Nodes[b].Name))
	})
	to := make([]int, len(g.Nodes)) // node of n
	rests := map[int]int{}          // column: the node that stands for what is not drawn
	named, shown, hidden := map[int]int{}, map[int]int{}, map[int]int{}
	other := map[int]bool{} // column: some are Other already
	for _, x := range g.Nodes {
		if c := place[min(max(x.Kind, 0), 7)]; x.Name == Other {
			other[c] = true
		} else {
			named[c]++
		}
	}
	for _, i := range order {
		c := place[min(max(g.Nodes[i].Kind, 0), 7)]
		room := maxColumnNodes
		if other[c] || named[c] > room {
			room--
		}
		if g.Nodes[i].Name != Other && shown[c] < room {
			shown[c]++
			to[i] = len(n.nodes)
			n.columns[c] = append(n.columns[c], len(n.nodes))
			n.nodes = append(n.nodes, netNode{name: g.Nodes[i].Name, column: c, weight: weight[i]})
			continue
		}
		m, ok := rests[c]
		if !ok {
			m = len(n.nodes)
			rests[c] = m
			n.columns[c] = append(n.columns[c], m)
			n.nodes = append(n.nodes, netNode{name: Other, column: c, more: true})
		}
		to[i] = m
		if hidden[c]++; !other[c] {
			n.nodes[m].name = grouped(float64(hidden[c]), 0) + " more"
		}
	}
	index := map[[2]int]int{}
	for _, e := range g.Edges {
		if !ok(e.From) || !ok(e.To) || !finite(e.Value) || to[e.From] == to[e.To] {
			continue
		}
		k := [2]int{to[e.From], to[e.To]}
		i, seen := index[k]
		if !seen {
			index[k] = len(n.edges)
			n.edges = append(n.edges, Edge{From: k[0], To: k[1], Value: max(e.Value, 0), Label: e.Label})
			continue
		}
		n.edges[i].Value = clampValue(n.edges[i].Value + max(e.Value, 0))
		n.edges[i].Label = ""
	}
	n.untangle()
	return n
}

// untangle orders each column by the mean place of what its nodes are
// connected with, a few times over, so that few edges cross (Sugiyama, Tagawa
// and Toda, 1981).
func (n *net) untangle() {
	for round := range 6 {
		for step := range n.columns {
			c := step
			if round%2 == 1 {
				c = len(n.columns) - 1 - step
			}
			at := map[int]float64{}
			for _, col := range n.columns {
				for y, i := range col {
					at[i] = (float64(y) + 0.5) / float64(len(col))
				}
			}
			mean := map[int]float64{}
			for _, i := range n.columns[c] {
				sum, count := 0.0, 0.0
				for _, e := range n.edges {
					if e.From == i && n.nodes[e.To].column != c {
						sum, count = sum+at[e.To], count+1
					}
					if e.To == i && n.nodes[e.From].column != c {
						sum, count = sum+at[e.From], count+1
					}
				}
				mean[i] = at[i]
				if count > 0 {
					mean[i] = sum / count
				}
				if n.nodes[i].more {
					mean[i] = 2
				}
			}
			slices.SortStableFunc(n.columns[c], func(a, b int) int { return cmp.Compare(mean[a], mean[b]) })
		}
	}
}

func (g Graph) numbers() table {
	t, left := table{head: []string{"from", "to", cmp.Or(g.Unit, "value")}}, 0
	edges := slices.Clone(g.Edges)
	slices.SortStableFunc(edges, func(a, b Edge) int { return cmp.Compare(b.Value, a.Value) })
	for _, e := range edges {
		if e.From >= 0 && e.To >= 0 && e.From < len(g.Nodes) && e.To < len(g.Nodes) {
			t.add(&left, g.Nodes[e.From].Name, g.Nodes[e.To].Name, formatValue(e.Value, g.Unit))
		}
	}
	t.more(left)
	return t
}

func (g Graph) describe() string {
	n := g.prepare()
	if len(n.nodes) == 0 {
		return "Graph" + quoted(g.Title) + ": no data."
	}
	best := 0
	for i := range n.nodes {
		if n.nodes[i].weight > n.nodes[best].weight {
			best = i
		}
	}
	entities := "1 entity"
	if len(g.Nodes) != 1 {
		entities = grouped(float64(len(g.Nodes)), 0) + " entities"
	}
	return fmt.Sprintf("Graph%s of %s and %s; the best connected is %s.", quoted(g.Title), entities, prose.Count(len(n.edges), "connection"), n.nodes[best].name)
}

func (g Graph) height(_ *scene, _ float64) float64 {
	most := 0
	for _, c := range g.prepare().columns {
		most = max(most, len(c))
	}
	return max(150, float64(most)*31+56)
}

func (g Graph) draw(s *scene, area rect) {
	area = s.header(area, g.Title, nil)
	n := g.prepare()
	if len(n.nodes) == 0 {
		s.empty(area)
		return
	}
	heads := 0.0
	for _, h := range n.heads {
		if h != "" {
			heads = labelSize + 12
		}
	}
	in := area.inset(heads, 0, 4, 0)
	columns := float64(len(n.columns))
	slot := in.w / columns
	wide := min(slot*0.62, 210)
	if columns == 1 {
		wide = min(in.w*0.6, 260)
	}
	x := func(c int) float64 {
		if columns == 1 {
			return in.x
		}
		return in.x + (in.w-wide)*float64(c)/(columns-1)
	}
	shown := make([]string, len(n.nodes))
	for c, col := range n.columns {
		each := min(in.h/float64(len(col)), 44)
		tall := min(each-6, 24)
		y := in.y + (in.h-each*float64(len(col)))/2
		var names []string
		for _, i := range col {
			names = append(names, n.nodes[i].name)
		}
		for k, name := range s.regular.fitAll(names, tickSize, wide-16) {
			shown[col[k]] = name
		}
		for _, i := range col {
			n.nodes[i].box = rect{x(c), y + (each-tall)/2, wide, tall}
			y += each
		}
		if h := n.heads[c]; h != "" {
			s.text(point{x(c), area.y + labelSize}, s.bold.fit(Clean(h), labelSize, slot-8), style{size: labelSize, ink: text, bold: true}, h)
		}
	}
	most := 0.0
	for _, e := range n.edges {
		most = max(most, e.Value)
	}
	for _, e := range n.edges {
		thick := 1.2
		if most > 0 {
			thick += 3.4 * math.Log1p(e.Value) / math.Log1p(most)
		}
		a, z := n.nodes[e.From], n.nodes[e.To]
		pts, tip := arc(a.box, z.box, a.column, z.column)
		s.polyline(pts, paleInk(seriesInk(a.column%seriesInks)), thick, nil)
		label := a.name + " → " + z.name
		if e.Value > 0 {
			label += ": " + formatValue(e.Value, g.Unit)
		}
		if e.Label != "" {
			label += ", " + e.Label
		}
		s.polygon(tip, axis, label)
	}
	for i, b := range n.nodes {
		c := seriesInk(b.column % seriesInks)
		if b.more {
			c = rest
		}
		s.rect(b.box, paleInk(c), b.name)
		s.rect(rect{b.box.x, b.box.y, 4, b.box.h}, c, "")
		s.text(point{b.box.x + 10, b.box.y + b.box.h/2 + 4}, shown[i], style{size: tickSize, ink: text}, b.name)
	}
}

// arc is the curve of an edge and its arrow head.
func arc(a, z rect, from, to int) (curve, head []point) {
	start, end := point{a.right(), a.y + a.h/2}, point{z.x, z.y + z.h/2}
	bow, in := 0.0, 1.0 // in is the direction in which the curve arrives
	switch {
	case from == to: // around the right side
		end.x = z.right()
		bow, in = 22+math.Abs(start.y-end.y)*0.12, -1
	case from > to:
		start.x, end.x, in = a.x, z.right(), -1
	}
	const size = 6.0
	stop := point{end.x - in*size, end.y}
	const steps = 20
	for i := 0; i <= steps; i++ {
		t := float64(i) / steps
		e := t * t * (3 - 2*t)
		curve = append(curve, point{start.x + (stop.x-start.x)*t + bow*4*t*(1-t), start.y + (stop.y-start.y)*e})
	}
	return curve, []point{end, {end.x - in*size, end.y - size*0.6}, {end.x - in*size, end.y + size*0.6}}
}

// rows lists what each node leads to.
func (g Graph) rows(width int) []row {
	n := g.prepare()
	if len(n.nodes) == 0 {
		return []row{{{"No data", muted}}}
	}
	var out []row
	connected := map[int]bool{}
	for _, e := range n.edges {
		connected[e.From], connected[e.To] = true, true
	}
	for c, col := range n.columns {
		head := n.heads[c]
		for _, i := range col {
			var items []Item
			for _, e := range n.edges {
				if e.From == i {
					items = append(items, Item{Label: "→ " + n.nodes[e.To].name, Value: e.Value})
				}
			}
			if len(items) == 0 && connected[i] {
				continue // it stands where an arrow leads to
			}
			slices.SortStableFunc(items, func(a, b Item) int { return cmp.Compare(b.Value, a.Value) })
			name := n.nodes[i].name
			if head != "" {
				name = head + " " + name
			}
			out = append(out, row{{Fit(name, width), text}})
			if len(items) > 0 {
				for _, r := range barRows(items, g.Unit, width-2) {
					out = append(out, append(row{{"  ", none}}, r...))
				}
			}
		}
	}
	return out
}
