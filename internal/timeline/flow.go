package timeline

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/sextant-logs/sextant/internal/event"
	"github.com/sextant-logs/sextant/internal/store"
)

// Flow is the connections of one address to one port of another.
type Flow struct {
	Source, Destination, Port string
	Count                     int64
	Sent, Received            float64 // bytes from and to the source, where logs tell
	First, Last               int64
}

// Flows returns the flows that carried most bytes, then those of the most
// connections, at most so many.
func Flows(ctx context.Context, st store.Store, query string, most int) ([]Flow, error) {
	var out []Flow
	keep := func() {
		slices.SortFunc(out, func(a, b Flow) int {
			return cmp.Or(cmp.Compare(b.Sent+b.Received, a.Sent+a.Received), cmp.Compare(b.Count, a.Count), strings.Compare(a.Source, b.Source), strings.Compare(a.Destination, b.Destination), strings.Compare(a.Port, b.Port))
		})
		out = out[:min(len(out), most)]
	}
	// Two sensors may see the same: bytes are those of the log that counts most.
	stats := `stats by (source.ip, destination.ip, destination.port, event.dataset) count() n, sum(source.bytes) s, sum(destination.bytes) d, min(_time) first, max(_time) last` +
		` | stats by (source.ip, destination.ip, destination.port) sum(n) n, max(s) if (s:!=NaN) s, max(d) if (d:!=NaN) d, min(first) first, max(last) last`
	err := store.Grouped(ctx, st, query+` | filter !"sextant.time":* source.ip:* destination.ip:*`, "source.ip", stats, func() { out = nil }, func(fs []event.Field) error {
		r := row(fs)
		f := Flow{Source: r.get("source.ip"), Destination: r.get("destination.ip"), Port: r.get("destination.port"), First: r.time("first"), Last: r.time("last")}
		f.Count, _ = strconv.ParseInt(r.get("n"), 10, 64)
		for _, v := range []struct {
			name string
			to   *float64
		}{{"s", &f.Sent}, {"d", &f.Received}} {
			if x, err := strconv.ParseFloat(r.get(v.name), 64); err == nil && x == x {
				*v.to = x
			}
		}
		if out = append(out, f); len(out) > 20*most+1000 {
			keep()
		}
		return nil
	})
	keep()
	return out, err
}
