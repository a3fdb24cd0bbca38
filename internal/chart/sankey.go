package chart

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"github.com/sextant-logs/sextant/internal/prose"
)

// Sankey shows how much flows from each value of one stage to those of the
// next, as bands whose width is the amount. Of each stage the largest values are
// drawn; the rest are one, "other".
type Sankey struct {
	Title  string
	Unit   string   // as in Bars
	Stages []string // headings of the columns
	Flows  []Flow
}

// Flow is an amount that takes the path of one value for each stage.
type Flow struct {
	Path  []string
	Value float64
}

const maxStageNodes = 12

// station is a value of a stage.
type station struct {
	name    string
	total   float64
	y, h    float64
	in, out float64 // pixels of its height taken by bands so far
	ink     ink
	other   bool
}

// plumbing is a Sankey made ready to draw.
type plumbing struct {
	stages [][]station
	bands  []map[[2]int]float64 // from stage i to i+1, by stations
	total  float64
}

func (k Sankey) heading() string { return k.Title }

func (k Sankey) prepare() plumbing {
	var p plumbing
	n := len(k.Stages)
	for _, f := range k.Flows {
		n = max(n, len(f.Path))
	}
	n = min(n, 6)
	if n < 2 {
		return p
	}
	sums := make([]map[string]float64, n)
	for i := range sums {
		sums[i] = map[string]float64{}
	}
	for _, f := range k.Flows {
		if !finite(f.Value) || f.Value <= 0 || len(f.Path) < n {
			continue
		}
		v := min(f.Value, limit/1e6) // sums of many stay finite
		p.total += v
		for i, name := range f.Path[:n] {
			sums[i][name] += v
		}
	}
	index := make([]map[string]int, n)
	for i := range n {
		var all []station
		for name, v := range sums[i] {
			all = append(all, station{name: name, total: v, other: name == Other})
		}
		slices.SortFunc(all, func(a, b station) int {
			if a.other != b.other { // the rest stands last
				if a.other {
					return 1
				}
				return -1
			}
			return cmp.Or(cmp.Compare(b.total, a.total), cmp.Compare(a.name, b.name))
		})
		index[i] = map[string]int{}
		for j := range all {
			index[i][all[j].name] = min(j, maxStageNodes)
		}
		if len(all) > maxStageNodes {
			if len(all) == maxStageNodes+1 {
				index[i][all[maxStageNodes].name] = maxStageNodes
			} else {
				rest := station{name: "other (" + grouped(float64(len(all)-maxStageNodes), 0) + ")", other: true}
				for _, s := range all[maxStageNodes:] {
					rest.total += s.total
				}
				all = append(all[:maxStageNodes:maxStageNodes], rest)
			}
		}
		p.stages = append(p.stages, all)
	}
	for i := range n - 1 {
		bands := map[[2]int]float64{}
		for _, f := range k.Flows {
			if finite(f.Value) && f.Value > 0 && len(f.Path) >= n {
				bands[[2]int{index[i][f.Path[i]], index[i+1][f.Path[i+1]]}] += min(f.Value, limit/1e6)
			}
		}
		p.bands = append(p.bands, bands)
	}
	return p
}

// sorted returns the bands of a step in the order in which they leave and arrive.
func (p *plumbing) sorted(step int) [][2]int {
	var out [][2]int
	for b := range p.bands[step] {
		out = append(out, b)
	}
	slices.SortFunc(out, func(a, b [2]int) int { return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1])) })
	return out
}

// settle orders each stage after the first by where its bands come from, so
// that few cross, "other" last.
func (p *plumbing) settle() {
	for i := 1; i < len(p.stages); i++ {
		mean := make([]float64, len(p.stages[i]))
		for _, b := range p.sorted(i - 1) {
			mean[b[1]] += float64(b[0]) * p.bands[i-1][b] / p.stages[i][b[1]].total
		}
		order := make([]int, len(mean))
		for j := range order {
			order[j] = j
		}
		slices.SortStableFunc(order, func(a, b int) int {
			if oa, ob := p.stages[i][a].other, p.stages[i][b].other; oa != ob {
				if oa {
					return 1
				}
				return -1
			}
			return cmp.Compare(mean[a], mean[b])
		})
		place := make([]int, len(order))
		moved := make([]station, len(order))
		for to, from := range order {
			place[from], moved[to] = to, p.stages[i][from]
		}
		p.stages[i] = moved
		rename := func(step, side int) {
			bands := map[[2]int]float64{}
			for b, v := range p.bands[step] {
				b[side] = place[b[side]]
				bands[b] = v
			}
			p.bands[step] = bands
		}
		rename(i-1, 1)
		if i < len(p.bands) {
			rename(i, 0)
		}
	}
}

func (k Sankey) numbers() table {
	t, left := table{head: append(slices.Clone(k.Stages), "value")}, 0
	flows := slices.Clone(k.Flows)
	slices.SortStableFunc(flows, func(a, b Flow) int { return cmp.Compare(b.Value, a.Value) })
	for _, f := range flows {
		if len(f.Path) == len(k.Stages) && len(f.Path) > 0 {
			t.add(&left, append(slices.Clone(f.Path), formatValue(f.Value, k.Unit))...)
		}
	}
	t.more(left)
	return t
}

func (k Sankey) describe() string {
	p := k.prepare()
	if p.total == 0 {
		return "Flow chart" + quoted(k.Title) + ": no data."
	}
	return fmt.Sprintf("Flow chart%s of %s through %s; the largest beginning is %s (%s).", quoted(k.Title), formatValue(p.total, k.Unit),
		prose.Count(len(p.stages), "stage"), p.stages[0][0].name, formatValue(p.stages[0][0].total, k.Unit))
}

func (k Sankey) height(_ *scene, _ float64) float64 {
	most := 0
	for _, s := range k.prepare().stages {
		most = max(most, len(s))
	}
	return max(180, float64(most)*34+50)
}

func (k Sankey) draw(s *scene, area rect) {
	area = s.header(area, k.Title, nil)
	p := k.prepare()
	if p.total == 0 {
		s.empty(area)
		return
	}
	p.settle()
	const bar, gap = 10.0, 12.0
	heads := false
	for i, h := range k.Stages[:min(len(k.Stages), len(p.stages))] {
		if h == "" {
			continue
		}
		heads = true
		st := style{size: labelSize, ink: text, bold: true}
		x := area.x + (area.w-bar)*float64(i)/float64(len(p.stages)-1)
		switch {
		case i == len(p.stages)-1:
			st.anchor, x = end, area.right()
		case i > 0:
			st.anchor = middle
		}
		s.text(point{x, area.y + labelSize}, s.bold.fit(Clean(h), labelSize, area.w/float64(len(p.stages))-8), st, h)
	}
	in := area
	if heads {
		in = area.inset(labelSize+10, 0, 0, 0)
	}
	most := 0
	for _, stage := range p.stages {
		most = max(most, len(stage))
	}
	room := max(in.h-gap*float64(most-1), 20)
	x := func(i int) float64 { return in.x + (in.w-bar)*float64(i)/float64(len(p.stages)-1) }
	for i := range p.stages {
		y := in.y
		for j := range p.stages[i] {
			n := &p.stages[i][j]
			n.y, n.h = y, max(n.total/p.total*room, 1)
			y += n.h + gap
			n.ink = seriesInk(j % seriesInks)
			if n.other {
				n.ink = rest
			}
		}
	}
	for i := range p.bands {
		for _, b := range p.sorted(i) {
			from, to := &p.stages[i][b[0]], &p.stages[i+1][b[1]]
			v := p.bands[i][b]
			thick := max(v/p.total*room, 0.6)
			a, z := point{x(i) + bar, from.y + from.out}, point{x(i + 1), to.y + to.in}
			from.out += thick
			to.in += thick
			s.polygon(ribbon(a, z, thick), paleInk(from.ink), from.name+" → "+to.name+": "+formatValue(v, k.Unit))
		}
	}
	gapBetween := (in.w - bar) / float64(len(p.stages)-1)
	for i, stage := range p.stages {
		limit := gapBetween*0.5 - bar - 10 // the last stage has its names on the left
		if i < len(p.stages)-2 {
			limit = gapBetween*0.9 - bar - 10
		}
		var names []string
		digits := 0.0
		for _, n := range stage {
			names = append(names, n.name)
			digits = max(digits, s.regular.width(" · "+formatValue(n.total, k.Unit), tickSize))
		}
		if limit-digits < 70 {
			digits = 0 // a name says more than a number; the tip has both
		}
		names = s.regular.fitAll(names, tickSize, limit-digits)
		for j, n := range stage {
			s.rect(rect{x(i), n.y, bar, n.h}, n.ink, n.name+": "+formatValue(n.total, k.Unit))
			st := style{size: tickSize, ink: text}
			at := point{x(i) + bar + 5, n.y + n.h/2 + 4}
			if i == len(p.stages)-1 {
				st.anchor, at.x = end, x(i)-5
			}
			value := " · " + formatValue(n.total, k.Unit)
			shown := names[j] + value
			if digits == 0 {
				shown = names[j]
			}
			s.halo(at, s.regular.fit(shown, tickSize, limit), st, n.name+value)
		}
	}
}

// ribbon is a band of constant height between two points, as an S.
func ribbon(a, z point, thick float64) []point {
	const steps = 24
	pts := make([]point, 0, 2*steps+2)
	for i := 0; i <= steps; i++ {
		t := float64(i) / steps
		e := t * t * (3 - 2*t)
		pts = append(pts, point{a.x + (z.x-a.x)*t, a.y + (z.y-a.y)*e})
	}
	for i := steps; i >= 0; i-- {
		pts = append(pts, point{pts[i].x, pts[i].y + thick})
	}
	return pts
}

// rows lists where each value of a stage flows to.
func (k Sankey) rows(width int) []row {
	p := k.prepare()
	if p.total == 0 {
		return []row{{{"No data", muted}}}
	}
	var out []row
	for i := range p.bands {
		if i > 0 {
			out = append(out, nil)
		}
		if i+1 < len(k.Stages) {
			out = append(out, row{{Fit(k.Stages[i]+" → "+k.Stages[i+1], width), muted}})
		}
		for j, from := range p.stages[i] {
			value := formatValue(from.total, k.Unit)
			out = append(out, row{{Fit(from.name, width-Cells(value)-1), text}, {" " + value, none}})
			var items []Item
			for _, b := range p.sorted(i) {
				if b[0] == j {
					items = append(items, Item{Label: "→ " + p.stages[i+1][b[1]].name, Value: p.bands[i][b]})
				}
			}
			slices.SortStableFunc(items, func(a, b Item) int { return cmp.Compare(b.Value, a.Value) })
			const shown = 6
			for _, r := range barRows(items[:min(len(items), shown)], k.Unit, width-2) {
				out = append(out, append(row{{"  ", none}}, r...))
			}
			if len(items) > shown {
				out = append(out, row{{"  … and " + strconv.Itoa(len(items)-shown) + " more", muted}})
			}
		}
	}
	return out
}
