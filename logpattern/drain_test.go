package logpattern

import (
	"regexp"
	"strings"
)

// drain is Drain (He, Zhu, Zheng, Lyu, Drain: An Online Log Parsing Approach with Fixed Depth Tree, ICWS 2017) with
// the defaults of its common implementation: depth 4, similarity .4, 100 children. It is here to be compared with.
type drain struct {
	byLength map[int]*drainNode
}

type drainNode struct {
	children map[string]*drainNode
	clusters []*drainCluster
}

type drainCluster struct{ tokens []string }

const (
	drainDepth      = 4
	drainSimilarity = 0.4
	drainChildren   = 100
)

// drainMasks are those that users of Drain commonly configure: what identifies, addresses, numbers.
var drainMasks = regexp.MustCompile(`\b(?:[0-9a-f]{2,}:){3,}[0-9a-f]{2,}\b|\b\d{1,3}(?:\.\d{1,3}){3}\b|\b[0-9a-f]{6,} ?[0-9a-f]{6,}\b|\b0x[0-9a-fA-F]+\b|\b[-+]?\d+\b`)

func (d *drain) add(message string) *drainCluster {
	tokens := strings.Fields(message)
	node := d.byLength[len(tokens)]
	if node == nil {
		node = &drainNode{children: map[string]*drainNode{}}
		d.byLength[len(tokens)] = node
	}
	for i := 0; i < drainDepth-2 && i < len(tokens); i++ {
		t := tokens[i]
		if strings.ContainsAny(t, "0123456789") {
			t = wildcard
		}
		next := node.children[t]
		if next == nil && len(node.children) >= drainChildren-1 {
			t = wildcard
			next = node.children[t]
		}
		if next == nil {
			next = &drainNode{children: map[string]*drainNode{}}
			node.children[t] = next
		}
		node = next
	}
	var best *drainCluster
	most, mostOpen := -1.0, -1
	for _, c := range node.clusters {
		same, open := 0, 0
		for i, t := range c.tokens {
			if t == wildcard {
				open++
			} else if t == tokens[i] {
				same++
			}
		}
		if s := float64(same) / float64(max(1, len(tokens))); s > most || s == most && open > mostOpen {
			best, most, mostOpen = c, s, open
		}
	}
	if best == nil || most < drainSimilarity && len(tokens) > 0 {
		best = &drainCluster{tokens}
		node.clusters = append(node.clusters, best)
		return best
	}
	for i, t := range tokens {
		if best.tokens[i] != t {
			best.tokens[i] = wildcard
		}
	}
	return best
}

// drained returns the template of each message as Drain has it, with or without masks before it.
func drained(messages []string, masked bool) []string {
	d := &drain{byLength: map[int]*drainNode{}}
	var of []*drainCluster
	for _, m := range messages {
		if masked {
			m = drainMasks.ReplaceAllString(m, wildcard)
		}
		of = append(of, d.add(m))
	}
	var out []string
	for _, c := range of {
		out = append(out, strings.Join(c.tokens, " "))
	}
	return out
}

// mined returns the template of each message as the Miner has it.
func mined(messages []string) []string {
	m := New()
	var handles []Handle
	for _, s := range messages {
		handles = append(handles, m.Add(s))
	}
	var out []string
	for _, h := range handles {
		out = append(out, m.Template(h).Text)
	}
	return out
}
