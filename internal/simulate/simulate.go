package simulate

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// Options says what world to simulate and which campaigns run in it. The same
// options give the same bytes in every file.
type Options struct {
	Campaigns []string // names, see Campaigns; "all" is each once; none is a benign world
	Days      int      // that the world lives, 1 to 366; 0 means 3
	Users     int      // people in it, 4 to 5000; 0 means 25
	Seed      uint64
	Start     time.Time // its date is the first day, from midnight in Zone; zero means 2026-03-02, a Monday

	// Evasions.
	Spread   int                      // attacking addresses that share one campaign's work; 0 or 1 is one
	Slow     int                      // gaps between an attacker's attempts are so many times as long; 0 is 1
	Without  []string                 // logs that are not kept: SOURCE or HOST/SOURCE, see Sources
	Skew     map[string]time.Duration // by host: how far its clock is off
	Truncate map[string]float64       // by HOST/SOURCE or SOURCE: of the newest file only this share is left
	Zone     *time.Location           // of the hosts and of the people's days; nil means UTC

	Zones map[string]*time.Location // by host: its clock is set to another zone

	// Windows event logs are exports instead of .evtx.
	WindowsXML  bool // as wevtutil prints them
	WindowsJSON bool // as evtx_dump prints them, a JSON object a line

	// Stream, when set, is given each line of text as it is written, from one
	// goroutine; an error of it ends the simulation.
	Stream func(Line) error
}

// truncated returns the share of a log's newest file that is left.
func (o *Options) truncated(host, source string) (keep float64, cut bool) {
	if keep, cut = o.Truncate[host+"/"+source]; !cut {
		keep, cut = o.Truncate[source]
	}
	return keep, cut
}

// Summary counts what Intrusion wrote.
type Summary struct {
	Files     int
	Records   int64
	Bytes     int64 // before compression
	Malicious int64 // records labelled with a campaign
	Incidents []Incident
}

// Intrusion simulates days of life in a small company's network, with
// campaigns running in it, and writes what every product there would have
// logged: dir/evidence/HOST/… as it lies on the hosts, dir/labels.jsonl
// and dir/truth.json. The directory must be empty or not exist.
func Intrusion(dir string, o Options) (*Summary, error) {
	if err := o.complete(); err != nil {
		return nil, fmt.Errorf("simulate intrusion: %w", err)
	}
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return nil, fmt.Errorf("simulate intrusion: %s is not empty", dir)
	}
	w, err := newWorld(dir, o)
	if err != nil {
		return nil, fmt.Errorf("simulate intrusion: %w", err)
	}
	w.populate()
	w.startCampaigns()
	w.run()
	summary, err := w.finish()
	if err != nil {
		return nil, fmt.Errorf("simulate intrusion: %w", err)
	}
	return summary, nil
}

func (o *Options) complete() error {
	if o.Days == 0 {
		o.Days = 3
	}
	if o.Users == 0 {
		o.Users = 25
	}
	if o.Start.IsZero() {
		o.Start = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	}
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	y, m, d := o.Start.Date()
	o.Start = time.Date(y, m, d, 0, 0, 0, 0, o.Zone)
	o.Spread, o.Slow = max(o.Spread, 1), max(o.Slow, 1)
	switch {
	case o.Days < 1 || o.Days > 366:
		return fmt.Errorf("days must be 1 to 366, got %d", o.Days)
	case o.Users < 4 || o.Users > 5000:
		return fmt.Errorf("users must be 4 to 5000, got %d", o.Users)
	case o.Spread > 200:
		return fmt.Errorf("spread must be 1 to 200 addresses, got %d", o.Spread)
	case o.Slow > 1000:
		return fmt.Errorf("slow must be 1 to 1000, got %d", o.Slow)
	case o.Start.Year() < 1980 || o.Start.Year() > 2200:
		return fmt.Errorf("start must be in the years 1980 to 2200, got %d", o.Start.Year())
	}
	var names []string
	for _, name := range o.Campaigns {
		if name == "all" {
			for _, c := range Campaigns() {
				names = append(names, c.Name)
			}
			continue
		}
		if lookupCampaign(name) == nil {
			return fmt.Errorf("no campaign is called %q", name)
		}
		names = append(names, name)
	}
	o.Campaigns = names
	for _, s := range o.Without {
		host, kind, ok := strings.Cut(s, "/")
		if !ok {
			host, kind = "", s
		}
		if !slices.Contains(Sources(), kind) || host != "" && !slices.Contains(Hosts(), host) {
			return fmt.Errorf("no log is called %q; want SOURCE or HOST/SOURCE of the hosts %s and the sources %s",
				s, strings.Join(Hosts(), ", "), strings.Join(Sources(), ", "))
		}
	}
	for s, keep := range o.Truncate {
		host, kind, ok := strings.Cut(s, "/")
		if !ok {
			host, kind = "", s
		}
		if !slices.Contains(Sources(), kind) || host != "" && !slices.Contains(Hosts(), host) || keep < 0 || keep >= 1 {
			return fmt.Errorf("truncate %s=%v: want SOURCE or HOST/SOURCE, and a share from 0 to below 1", s, keep)
		}
	}
	if o.WindowsXML && o.WindowsJSON {
		return errors.New("Windows event logs are exported as XML or as JSON, not both")
	}
	for host := range o.Zones {
		if !slices.Contains(Hosts(), host) {
			return fmt.Errorf("no host is called %q; want one of %s", host, strings.Join(Hosts(), ", "))
		}
	}
	for host, d := range o.Skew {
		if !slices.Contains(Hosts(), host) {
			return fmt.Errorf("no host is called %q; want one of %s", host, strings.Join(Hosts(), ", "))
		}
		if d.Abs() > 24*time.Hour {
			return fmt.Errorf("skew of %s must be within a day, got %v", host, d)
		}
	}
	return nil
}

// without reports whether a log is not kept.
func (o *Options) without(host, source string) bool {
	return slices.Contains(o.Without, source) || slices.Contains(o.Without, host+"/"+source)
}
