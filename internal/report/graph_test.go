package report

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/sextant-logs/sextant/internal/analyze"
	"github.com/sextant-logs/sextant/internal/chart"
	"github.com/sextant-logs/sextant/internal/incident"
)

func TestAnIncidentsGraphConnectsWhatItsFindingsName(t *testing.T) {
	inv := &Investigation{Findings: []Finding{
		{Finding: analyze.Finding{ID: "1", Count: 9, Entities: analyze.Entities{Sources: []string{"203.0.113.9"}, Users: []string{"root", "deploy"}, Hosts: []string{"web1"}, Processes: []string{"/usr/sbin/sshd"}}}},
		{Finding: analyze.Finding{ID: "2", Count: 2, Entities: analyze.Entities{Hosts: []string{"web1"}, Processes: []string{`C:\evil<b>.exe`}}}},
		{Finding: analyze.Finding{ID: "3", Count: 2, Entities: analyze.Entities{Sources: []string{"198.51.100.7"}, Hosts: []string{"db1"}}}},
	}}
	fig, ok := entityGraph(inv, &incident.Incident{Findings: []string{"1", "2"}})
	if !ok {
		t.Fatal("no graph")
	}
	var got []string
	g := fig.Panels[0].(chart.Graph)
	for _, e := range g.Edges {
		got = append(got, fmt.Sprintf("%s→%s:%v", g.Nodes[e.From].Name, g.Nodes[e.To].Name, e.Value))
	}
	want := `203.0.113.9→root:9 203.0.113.9→deploy:9 root→web1:9 deploy→web1:9 web1→sshd:9 web1→evil<b>.exe:2`
	for _, edge := range strings.Fields(want) {
		if !strings.Contains(strings.Join(got, " "), edge) {
			t.Errorf("%q lacks %s", got, edge)
		}
	}
	if len(got) != 6 {
		t.Errorf("%q", got)
	}
	var b bytes.Buffer
	if err := chart.SVG(&b, fig, chart.Options{}); err != nil || strings.Contains(b.String(), "evil<b>") {
		t.Error("a hostile name is not escaped")
	}
	if _, ok := entityGraph(inv, &incident.Incident{Findings: []string{"3"}}); ok {
		t.Error("a single connection is drawn")
	}
}
