package main

import (
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/sextant-logs/sextant/internal/simulate"
)

func newSimulateIntrusion() *cobra.Command {
	var o simulate.Options
	var campaigns, skew []string
	var output, zone, start, to string
	var rate int
	var truncate, zones []string
	c := &cobra.Command{
		Use:   "intrusion",
		Short: "The logs of a small company in which intrusions happen, with the truth about them",
		Long: `Simulate days of life in a small company's network, with intrusions among them, and
write what every product there would have logged: the files as they lie on the hosts
under DIR/evidence, what each hostile record is in DIR/labels.jsonl, and what really
happened in DIR/truth.json. The same options give the same bytes.

--campaign list prints what can happen; all runs each once; none is a benign world.
--without leaves out logs: of every host (suricata) or of one (web1/auth).

--to sends each line to a syslog collector as well, in the order of the simulated time:
what syslog daemons wrote as it is, lines of other programs behind a header of
RFC 3164. Windows event logs are files only.`,
		Example: `  sextant simulate intrusion --campaign list
  sextant simulate intrusion --campaign all --seed 1 -o demo
  sextant investigate --case case demo/evidence && sextant score demo/truth.json case
  sextant simulate intrusion --campaign ssh-brute-force-succeeds --spread 20 --slow 10 --without suricata -o hard
  sextant simulate intrusion --rate 500 --to syslog+tcp://127.0.0.1:5514 -o demo`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			for _, name := range campaigns {
				switch name {
				case "list":
					w := tabwriter.NewWriter(c.OutOrStdout(), 0, 8, 2, ' ', 0)
					for _, k := range simulate.Campaigns() {
						fmt.Fprintf(w, "%s\t%s\n", k.Name, k.Title)
					}
					return w.Flush()
				case "none":
				default:
					o.Campaigns = append(o.Campaigns, name)
				}
			}
			if output == "" {
				return usagef("-o DIR is missing: where to write the logs")
			}
			var err error
			if o.Zone, err = parseZone(zone); err != nil {
				return err
			}
			if start != "" {
				if o.Start, err = time.Parse(time.DateOnly, start); err != nil {
					return usagef("--start %q: want a date such as 2026-03-02", start)
				}
			}
			o.Skew = map[string]time.Duration{}
			for _, s := range skew {
				host, span, ok := strings.Cut(s, "=")
				d, err := time.ParseDuration(span)
				if !ok || err != nil {
					return usagef("--skew %q: want HOST=SPAN such as web1=-7m", s)
				}
				o.Skew[host] = d
			}
			o.Zones = map[string]*time.Location{}
			for _, s := range zones {
				host, name, ok := strings.Cut(s, "=")
				if !ok {
					return usagef("--zone %q: want HOST=ZONE such as web1=America/New_York", s)
				}
				if o.Zones[host], err = parseZone(name); err != nil {
					return err
				}
			}
			o.Truncate = map[string]float64{}
			for _, s := range truncate {
				name, share, ok := strings.Cut(s, "=")
				keep, err := strconv.ParseFloat(share, 64)
				if !ok || err != nil {
					return usagef("--truncate %q: want SOURCE=SHARE or HOST/SOURCE=SHARE, such as web1/auth=0.6", s)
				}
				o.Truncate[name] = keep
			}
			if to != "" {
				sender, err := newSyslogSender(c.Context(), to, rate)
				if err != nil {
					return err
				}
				defer sender.close()
				o.Stream = sender.send
			} else if rate != 0 {
				return usagef("--rate is for --to: files are written as fast as can be")
			}
			sum, err := simulate.Intrusion(output, o)
			if err != nil {
				return err
			}
			out := c.OutOrStdout()
			fmt.Fprintf(out, "%d records in %d files under %s/evidence, %d of them of %d incidents\n",
				sum.Records, sum.Files, output, sum.Malicious, len(sum.Incidents))
			for _, k := range sum.Incidents {
				fmt.Fprintf(out, "  %-28s %-9s  %s  %s\n", k.ID, k.Outcome, k.First, k.Title)
			}
			return nil
		},
	}
	f := c.Flags()
	f.StringSliceVar(&campaigns, "campaign", []string{"all"}, "what happens: a campaign's name, all, none, or list; repeat to run one several times")
	f.IntVar(&o.Days, "days", 3, "days that the world lives")
	f.IntVar(&o.Users, "users", 25, "people in it")
	f.Uint64Var(&o.Seed, "seed", 1, "the same seed gives the same bytes")
	f.StringVarP(&output, "output", "o", "", "directory to write; it must be empty or new")
	f.StringVar(&start, "start", "", "first day (default 2026-03-02)")
	f.IntVar(&o.Spread, "spread", 1, "spread each attack over so many addresses")
	f.IntVar(&o.Slow, "slow", 1, "leave so many times as long between an attacker's attempts")
	f.StringSliceVar(&o.Without, "without", nil, "leave out a log: SOURCE or HOST/SOURCE, of "+strings.Join(simulate.Sources(), ", "))
	f.StringSliceVar(&skew, "skew", nil, "a host's clock is off: HOST=SPAN, such as web1=-7m")
	f.StringSliceVar(&truncate, "truncate", nil, "of a log's newest file only a share is left: SOURCE=SHARE or HOST/SOURCE=SHARE, such as web1/auth=0.6")
	f.BoolVar(&o.WindowsXML, "windows-xml", false, "Windows event logs as XML, as wevtutil prints them, instead of .evtx")
	f.BoolVar(&o.WindowsJSON, "windows-json", false, "Windows event logs as JSON, as evtx_dump prints them, instead of .evtx")
	f.StringSliceVar(&zones, "zone", nil, "a host's clock is set to another zone: HOST=ZONE, such as web1=America/New_York")
	f.StringVar(&to, "to", "", "send the lines of text logs to a collector as well: syslog+udp://HOST:PORT or syslog+tcp://HOST:PORT")
	f.IntVar(&rate, "rate", 0, "with --to: lines a second (default: as fast as can be)")
	f.StringVar(&zone, "tz", "", "the hosts' local time zone (default UTC)")
	return c
}
