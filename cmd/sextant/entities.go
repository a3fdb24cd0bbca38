package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/sextant-logs/sextant/internal/analyze"
	"github.com/sextant-logs/sextant/internal/export"
	"github.com/sextant-logs/sextant/internal/prose"
)

var _ = command(newEntities)

func newEntities() *cobra.Command {
	var events eventFlags
	var at, of, output string
	var limit int
	c := &cobra.Command{
		Use:     "entities [PATH…]",
		Aliases: []string{"links"},
		Short:   "Who and what was at which address when",
		Long: `List which user, host and hardware address was at which IP address when, as DHCP
leases, VPN sessions, logins and logouts, Windows logons, Kerberos tickets and arpwatch tell. Each
link says from which to which record it was seen, until when it may be taken to hold,
and what tells so. --of asks for one address, user or host; --at for one moment.`,
		Example: `  sextant entities --case case
  sextant entities --case case --of 192.0.2.15 --at 2026-03-02T09:30:00Z
  sextant entities --case case --of alice -o csv`,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if err := oneOf("-o", output, "table", "jsonl", "csv"); err != nil {
				return err
			}
			if limit < 0 {
				return usagef("--limit %d: want 0, for all, or more", limit)
			}
			moment, err := parseTime("--at", at)
			if err != nil {
				return err
			}
			st, done, err := events.open(c, args)
			if err != nil {
				return err
			}
			defer done()
			all, err := analyze.ReadLinks(c.Context(), st)
			if err != nil {
				return err
			}
			links := all.All()
			if of != "" {
				links = all.Always(of)
			}
			if at != "" {
				links = slices.DeleteFunc(slices.Clone(links), func(k analyze.Link) bool { return moment < k.From || moment > k.Until })
			}
			w := buffered(c)
			columns := width(c.OutOrStdout())
			left := 0
			if output == "table" {
				links = readable(links)
				if limit > 0 && len(links) > limit {
					links, left = links[:limit], len(links)-limit
				}
			}
			var rows [][]export.Cell
			for _, k := range links {
				assumed := ""
				if k.Until > k.To {
					assumed = "?"
				}
				from, to, until := shortStamp(k.From), shortStamp(k.To), shortStamp(k.Until)+assumed
				row := []export.Cell{{Name: "address", Value: k.Address}, {Name: "kind", Value: k.Kind}, {Name: "is", Value: k.Value}}
				if columns < wideTable {
					row = append(row, export.Cell{Name: "when", Text: shortSpan(k.From, k.Until) + assumed, Whole: true})
					from, to, until = "-", "-", "-"
				}
				rows = append(rows, append(row, export.Cell{Name: "from", Value: stampOf(k.From), Text: from}, export.Cell{Name: "to", Value: stampOf(k.To), Text: to}, export.Cell{Name: "until", Value: stampOf(k.Until), Text: until},
					export.Cell{Name: "records", Value: k.Count, Text: "-"}, export.Cell{Name: "per", Value: k.By}, export.Cell{Name: "evidence", Value: k.Evidence, Text: "-"}))
			}
			if len(rows) == 0 && output != "table" {
				nothing(c)
			}
			if err := export.WriteCells(w, output, rows, columns); err != nil {
				return err
			}
			if output == "table" {
				a := answers{w: w, width: min(columns, 100)}
				switch {
				case len(rows) == 0 && (of != "" || at != ""):
					a.say("", "No record tells of that.")
				case len(rows) == 0:
					a.say("", "No record tells who was at which address: there are no leases, logins, VPN sessions or tickets here.")
				default:
					a.say("", "Times are UTC, from the first record that says so. A question mark: the end is assumed.")
				}
				if at != "" && of != "" {
					if s := all.Sentence(of, moment); s != "" {
						a.say("", s+".")
					}
				}
				if left > 0 {
					a.say("", fmt.Sprintf("… and %s more: --of and --at narrow them, --limit 0 shows all.", prose.Number(int64(left))))
				}
				if all.More {
					a.say("", "There are more links than are kept: those of some addresses are missing.")
				}
			}
			return w.Flush()
		},
	}
	c.Flags().StringVarP(&events.caseDir, "case", "c", "case", "case directory, where no PATH is given")
	c.Flags().StringVar(&of, "of", "", "only this address, user, host or hardware address")
	c.Flags().StringVar(&at, "at", "", "only what held at this time: 2026-03-01T12:00:00Z")
	c.Flags().IntVarP(&limit, "limit", "n", 1000, "at most so many in a table; 0: all")
	c.Flags().StringVarP(&output, "output", "o", "table", "output format: table, jsonl, csv")
	events.read.register(c)
	return c
}

// readable puts links together that tell a person one thing: of the same address, kind, value and source
// of knowledge, such as a person's sessions on a host, that overlap or follow each other within an hour.
func readable(links []analyze.Link) []analyze.Link {
	type key struct{ address, kind, value, by string }
	last := map[key]int{}
	var out []analyze.Link
	for _, k := range links {
		at := key{k.Address, k.Kind, k.Value, k.By}
		if i, ok := last[at]; ok && k.From <= out[i].Until+int64(time.Hour) && k.From >= out[i].From {
			o := &out[i]
			o.To, o.Until, o.Count = max(o.To, k.To), max(o.Until, k.Until), o.Count+k.Count
			continue
		}
		last[at] = len(out)
		out = append(out, k)
	}
	return out
}

// shortSpan is a stretch of time in few characters.
func shortSpan(from, to int64) string {
	a, b := time.Unix(0, from).UTC(), time.Unix(0, to).UTC()
	switch {
	case a.Year() != b.Year():
		return a.Format("2006-01-02") + "–" + b.Format("2006-01-02")
	case a.YearDay() != b.YearDay():
		return a.Format("01-02 15:04") + "–" + b.Format("01-02 15:04")
	}
	return a.Format("01-02 15:04") + "–" + b.Format("15:04")
}
